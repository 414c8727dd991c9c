"""/docs of each service in a browser that reaches nothing but this machine."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.registry import Registry
from alarmstack.services import gateway, inference
from alarmstack.services.runtime.server import listen
from alarmstack.services.sensors.app import create_app as sensors_app
from alarmstack.services.sensors.app import start_player
from tests.object_store import free_ports
from tests.test_screen import needed
from tests.waiting import until

OFFLINE = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-sync",
)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app on a port of its own, without its long-running tasks."""
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listen("127.0.0.1", port)],))
    thread.start()
    try:
        until(lambda: server.started, lambda: "the server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def sensors(plant: Plant, folder: Path) -> FastAPI:
    return sensors_app(start_player(plant))


def models(plant: Plant, folder: Path) -> FastAPI:
    return inference.create_app(
        inference.Shelf(plant, Registry(f"sqlite:///{folder / 'none.db'}"), folder)
    )


def screen(plant: Plant, folder: Path) -> FastAPI:
    settings = Settings(
        jwt_secret=SecretStr("0123456789abcdef0123456789abcdef"),
        database_url=f"sqlite:///{folder / 'a.db'}",
    )
    return gateway.create_app(settings, monitored=False)


@pytest.mark.parametrize(
    ("service", "operation"),
    [(sensors, "/sensors/live"), (models, "/predict"), (screen, "/auth/login")],
)
def test_the_api_is_described_without_internet_access(
    plant: Plant, tmp_path: Path, service: Callable[[Plant, Path], Any], operation: str
) -> None:
    needed("Chromium is missing: `make system-deps`", shutil.which("chromium") is not None)
    with served(service(plant, tmp_path)) as url:
        options = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            *OFFLINE,
            f"--user-data-dir={tmp_path / 'browser'}",
        )
        command = ["chromium", *options, "--virtual-time-budget=20000", "--dump-dom", f"{url}/docs"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert f'data-path="{operation}"' in shown.stdout, shown.stdout[:2000] + shown.stderr[-2000:]
