"""The host names that services answer to, also in real processes."""

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from alarmstack.core.settings import Settings
from alarmstack.services.runtime.hosts import Hosts, host_name
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.waiting import until

OWN = (
    "localhost",
    "127.0.0.1",
    "LOCALHOST:{port}",
    "127.0.0.1:{port}",
    "[::1]:{port}",
    "localhost.",
    "plant.example:8088",
)
FOREIGN = (
    "evil.example",
    "evil.example:{port}",
    "localhost.evil.example",
    "evillocalhost",
    "localhost:{port}:80",
    "localhost:x",
    "[::1",
    "[::1]evil",
    "",
    "localhost, evil.example",
    "127.0.0.1@evil.example",
    "\u00e4",
)


async def nothing(*_: object) -> None:
    raise AssertionError("the application got the request")


def test_names_are_those_of_loopback_and_of_the_settings() -> None:
    settings = Settings(
        host="192.168.1.5",
        allowed_hosts="plant.example, *.plant.test",
        public_origins="https://screen.example:8443",
    )
    hosts = Hosts(nothing, settings.hosts)
    for name in (*OWN, "192.168.1.5:7501", "a.plant.test", "screen.example:8443"):
        assert hosts.allows(name.format(port=7501)), name
    for name in (*FOREIGN, "plant.test", "evilplant.test"):
        assert not hosts.allows(name.format(port=7501)), name
    assert Settings(host="0.0.0.0").hosts == {"localhost", "127.0.0.1", "::1"}
    assert Hosts(nothing, ["*"]).allows("evil.example")


@pytest.mark.parametrize("header", ["[::ffff:7f00:1]:80", "[]", ":80", "a:", "a..b"])
def test_odd_headers_are_read_without_an_error(header: str) -> None:
    host_name(header)


@contextmanager
def served(service: str, folder: Path, **environment: str) -> Iterator[int]:
    """One of the services as its own process, started with umask 000."""
    (port,) = free_ports(1)
    away = {
        "ALARMSTACK_SENSORS_URL": "http://127.0.0.1:9",
        "ALARMSTACK_INFERENCE_URL": "http://127.0.0.1:9",
    }
    own = {
        "ALARMSTACK_DATA_DIR": str(folder),
        "JWT_SECRET": "0123456789abcdef0123456789abcdef",
        "ALARMSTACK_ALLOWED_HOSTS": "plant.example",
    }
    options = ["--page-port", "0"] if service == "gateway" else []
    command = [
        sys.executable,
        "-m",
        "alarmstack.cli",
        "serve",
        service,
        "--port",
        str(port),
        *options,
    ]
    with (folder.parent / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | away | own | environment,
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
            umask=0o000,
        )
    try:
        until(
            lambda: _answers(port, process),
            lambda: (folder.parent / f"{service}.log").read_text()[-2000:],
            seconds=120,
        )
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.HTTPError:
        return False


def _asked(port: int, host: str) -> bytes:
    """The first line of the answer to a request with that Host header, as it goes over the wire."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"GET /health HTTP/1.1\r\nHost: " + host.encode() + b"\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


@pytest.mark.parametrize("service", ["sensors", "inference", "gateway"])
def test_a_service_answers_under_its_own_names_alone_and_keeps_its_files_to_itself(
    service: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with served(service, data) as port:
        for name in OWN:
            assert _asked(port, name.format(port=port)).startswith(b"HTTP/1.1 200"), name
        for name in FOREIGN:
            answer = _asked(port, name.format(port=port))
            assert answer.startswith(b"HTTP/1.1 400"), name
        assert b"ALARMSTACK_ALLOWED_HOSTS" in _asked(port, "evil.example")
        assert b"\r\nserver:" not in _asked(port, "localhost").lower()
    written = [data, *data.rglob("*")]
    assert len(written) > 1 or service == "inference"
    assert [
        str(one)
        for one in written
        if one.exists() and one.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ] == []


def test_x_forwarded_for_from_a_loopback_client_is_ignored(tmp_path: Path) -> None:
    """No proxy is configured, so the real gateway trusts none, not even on loopback."""
    data = tmp_path / "data"
    with served("gateway", data) as port:
        form = {"username": "anna", "password": "guess"}
        forged = {"X-Forwarded-For": "203.0.113.7", "Origin": f"http://127.0.0.1:{port}"}
        assert (
            httpx.post(
                f"http://127.0.0.1:{port}/auth/login", data=form, headers=forged, timeout=30
            ).status_code
            == 401
        )
    with sqlite3.connect(data / "alarmstack.db") as database:
        ((username, details),) = database.execute(
            "SELECT username, value FROM journal WHERE action = 'logins_refused'"
        ).fetchall()
    assert username == "anna" and json.loads(details)["address"] == "127.0.0.1"
