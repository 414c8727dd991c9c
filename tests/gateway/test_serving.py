"""One process on two ports, started and stopped as an operator would."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import REPOSITORY

WAIT = """
import sys, uvicorn
up = uvicorn.Server.startup
async def startup(self, sockets=None):
    await up(self, sockets)
    print("up", flush=True)
uvicorn.Server.startup = startup
from alarmstack.gateway import serve
from alarmstack.settings import load_settings
serve(load_settings(), int(sys.argv[1]), int(sys.argv[2]))
"""


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def test_api_and_page_on_two_ports_figures_on_one_and_a_clean_end(tmp_path: Path) -> None:
    port, page = free_ports()
    away = {"ALARMSTACK_SENSORS_URL": "http://127.0.0.1:9", "ALARMSTACK_INFERENCE_URL": "http://127.0.0.1:9"}
    environment = os.environ | away | {"ALARMSTACK_DATA_DIR": str(tmp_path), "JWT_SECRET": "0123456789abcdef0123456789abcdef"}
    command = [sys.executable, "-c", WAIT, str(port), str(page)]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        statuses = [
            httpx.get(f"http://127.0.0.1:{one}{path}").status_code for one in (port, page) for path in ("/api/health", "/metrics")
        ]
        health = httpx.get(f"http://127.0.0.1:{port}/health").json()["feed"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
    assert statuses == [200, 200, 200, 404]
    assert (health["feed"], health["inference"]) == ("down", "down")
