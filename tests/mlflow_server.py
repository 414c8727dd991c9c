"""A real MLflow server as in the full stack: own environment, Postgres, artefacts on S3."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from tests.components import own_environment
from tests.object_store import OWNER, ObjectStore, free_ports
from tests.waiting import end_of, until

READY_SECONDS = 240


@dataclass
class MlflowServer:
    """The server, which can be stopped and started again."""

    url: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                start_new_session=True,
            )
        until(
            self._answers,
            lambda: end_of(self.log),
            seconds=READY_SECONDS,
            every=0.2,
            process=self.process,
        )

    def stop(self) -> None:
        """Stop the server and its workers."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 15)
        self.process.wait()

    def emptied(self) -> str:
        """Delete all registered models, which other tests published. Returns the URL."""
        client = MlflowClient(tracking_uri=self.url, registry_uri=self.url)
        for model in client.search_registered_models():
            client.delete_registered_model(model.name)
        return self.url

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="session")
def mlflow_server(
    role_urls: dict[str, str], object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    from alarmstack.storage.buckets import BUCKETS

    client = object_store.client()
    client.create_bucket(Bucket=BUCKETS[-1])  # type: ignore[attr-defined]
    (port,) = free_ports(1)
    command = [
        str(own_environment("mlflow") / "mlflow"),
        "server",
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
    ]
    command += [
        f"--backend-store-uri={role_urls['mlflow']}",
        "--serve-artifacts",
        f"--artifacts-destination=s3://{BUCKETS[-1]}",
    ]
    command.append(f"--expose-prometheus={tmp_path_factory.mktemp('mlflow-metrics')}")
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = (
        os.environ | OWNER.environment | quiet | {"MLFLOW_S3_ENDPOINT_URL": object_store.endpoint}
    )
    server = MlflowServer(
        f"http://127.0.0.1:{port}", command, environment, tmp_path_factory.mktemp("mlflow") / "log"
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
