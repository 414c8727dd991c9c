"""The browser tests of ui/e2e: the screen with real services and the test models."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY
from tests.object_store import free_ports, listens
from tests.waiting import end_of, until

pytestmark = pytest.mark.slow
UI = REPOSITORY / "ui"
PORTS = (
    "ALARMSTACK_SENSORS_PORT",
    "ALARMSTACK_INFERENCE_PORT",
    "ALARMSTACK_GATEWAY_PORT",
    "ALARMSTACK_PAGE_PORT",
)


@dataclass(frozen=True)
class Running:
    """Services that were started by `alarmstack serve all`."""

    page: str
    user: str
    password: str
    supervisor: int

    def story(self, script: str, **more: str) -> None:
        """Run a browser script of the screen, such as `e2e`."""
        environment = os.environ | {
            "ALARMSTACK_UI_URL": self.page,
            "ALARMSTACK_UI_USER": self.user,
            "ALARMSTACK_UI_PASSWORD": self.password,
            "CI": "1",
        }
        command = ["npm", "run", script]
        done = subprocess.run(
            command,
            cwd=UI,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def needed(what: str, present: bool) -> None:
    """Skip the test, or fail with ALARMSTACK_TEST_ALL=1, unless a component is present."""
    if not present and os.environ.get("ALARMSTACK_TEST_ALL") == "1":
        pytest.fail(f"{what}, and ALARMSTACK_TEST_ALL=1 allows no skipped test")
    if not present:
        pytest.skip(what)


@pytest.fixture(scope="module")
def running(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    needed("Chromium is missing: `make system-deps`", shutil.which("chromium") is not None)
    needed("the page is not built: `make ui/dist/index.html`", (UI / "dist/index.html").is_file())
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    data = tmp_path_factory.mktemp("live")
    environment = (
        os.environ
        | ports
        | {
            "ALARMSTACK_DATA_DIR": str(data),
            "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        }
    )
    command = [str(Path(sys.executable).with_name("alarmstack")), "serve", "all"]
    services = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield _ready(services, ports["ALARMSTACK_PAGE_PORT"])
    finally:
        services.send_signal(signal.SIGINT)
        assert services.wait(timeout=30) == 0


def _ready(services: "subprocess.Popen[str]", page_port: str) -> Running:
    assert services.stdout is not None
    login: dict[str, str] = {}
    for line in services.stdout:
        if match := re.match(r"\s*(name|password)\s+(\S+)", line):
            login[match[1]] = match[2]
        if "Ctrl-C" in line:
            return Running(
                f"http://127.0.0.1:{page_port}", login["name"], login["password"], services.pid
            )
    raise AssertionError("the services ended before they were ready")


def test_the_stories_of_the_browser(running: Running) -> None:
    running.story("e2e")


def test_the_screen_while_services_hang(running: Running) -> None:
    running.story("faults", ALARMSTACK_UI_SUPERVISOR_PID=str(running.supervisor))


class Named(BaseHTTPRequestHandler):
    """Responds with the name of its server and the requested path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.server.name} {self.path}".encode())  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def answering(name: str) -> Iterator[str]:
    """The address of a server that responds with its name."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Named)
    server.name = name  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_development_server_forwards_requests_to_gateway_and_feed(tmp_path: Path) -> None:
    needed(
        "the page's packages are missing: `make test` installs them",
        (UI / "node_modules/vite").is_dir(),
    )
    (port,) = free_ports(1)
    with answering("gateway") as gateway, answering("sensors") as sensors:
        environment = os.environ | {
            "VITE_FRONTEND_API_URL": gateway,
            "VITE_SENSOR_API_URL": sensors,
        }
        command = [
            "node",
            "node_modules/vite/bin/vite.js",
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
        ]
        with (tmp_path / "log").open("wb") as log:
            vite = subprocess.Popen(command, cwd=UI, env=environment, stdout=log, stderr=log)
        try:
            until(partial(listens, port), lambda: end_of(tmp_path / "log"), process=vite)
            responses = {
                path: httpx.get(f"http://127.0.0.1:{port}{path}", timeout=30)
                for path in ("/api/plant", "/sensors/health", "/")
            }
        finally:
            vite.terminate()
            vite.wait()
    assert responses["/api/plant"].text == "gateway /api/plant"
    assert responses["/sensors/health"].text == "sensors /health"
    assert "<title>" in responses["/"].text
