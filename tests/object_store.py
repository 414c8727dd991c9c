"""A real S3 server for tests: SeaweedFS, with an owner and a user who may only read."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.waiting import end_of, until

PORTS = (
    "s3.port",
    "s3.port.grpc",
    "s3.port.iceberg",
    "s3.port.lance",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
    "metricsPort",
)


@dataclass(frozen=True)
class Identity:
    """A user of the server."""

    key: str
    secret: str
    actions: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}


OWNER = Identity(
    "owner-key", "owner-secret-for-tests-only", ("Admin", "Read", "Write", "List", "Tagging")
)
READER = Identity("reader-key", "reader-secret-for-tests-only", ("Read", "List"))
STRANGER = Identity("owner-key", "not-the-secret", ())


class ObjectStore:
    """The server, which can be killed and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.endpoint = f"http://127.0.0.1:{self.ports['s3.port']}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until the owner can list and read."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identities = [
            {
                "name": f"user-{number}",
                "credentials": [{"accessKey": user.key, "secretKey": user.secret}],
                "actions": user.actions,
            }
            for number, user in enumerate((OWNER, READER))
        ]
        (self.folder / "identities.json").write_text(json.dumps({"identities": identities}))
        weed = str(Path(sys.executable).with_name("weed"))
        options = [
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-webdav=false",
            "-admin.ui=false",
        ]
        options += [
            f"-s3.config={self.folder / 'identities.json'}",
            *(f"-{name}={port}" for name, port in self.ports.items()),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [weed, "mini", *options], stdout=log, stderr=log, cwd=self.folder
            )
        until(self._answers, lambda: end_of(self.folder / "log"), process=self._process)

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self, who: Identity = OWNER) -> object:
        """A boto3 client of the server."""
        quick = Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 0})
        keys = {
            "aws_access_key_id": who.key,
            "aws_secret_access_key": who.secret,
            "region_name": "us-east-1",
        }
        return boto3.client("s3", endpoint_url=self.endpoint, config=quick, **keys)

    def _answers(self) -> bool:
        """Whether stored files can be read. The server lists files before it has their volumes."""
        client: Any = self.client()
        try:
            for bucket in client.list_buckets()["Buckets"]:
                name = bucket["Name"]
                page = client.list_objects_v2(Bucket=name, MaxKeys=1)
                for stored in page.get("Contents", ()):
                    client.get_object(Bucket=name, Key=stored["Key"])["Body"].read()
        except (BotoCoreError, ClientError):
            return False
        return True


def free_ports(number: int) -> list[int]:
    """Free ports, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def listens(port: int) -> bool:
    """Whether a server listens on the port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    server = ObjectStore(tmp_path_factory.mktemp("objects"))
    server.start()
    yield server
    server.kill()


def as_identity(monkeypatch: pytest.MonkeyPatch, who: Identity) -> None:
    """Use this identity for servers during the test."""
    for name, value in who.environment.items():
        monkeypatch.setenv(name, value)
    for name in [n for n in os.environ if n.startswith("AWS_") and n not in who.environment]:
        monkeypatch.delenv(name)
