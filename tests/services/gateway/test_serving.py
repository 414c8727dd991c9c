"""One process on two ports, started and stopped as an operator would."""

import os
import re
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
from alarmstack.services.gateway import serve
from alarmstack.core.settings import load_settings
serve(load_settings(), int(sys.argv[1]), int(sys.argv[2]))
"""


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def test_api_and_page_on_two_ports_metrics_on_one_and_a_clean_end(tmp_path: Path) -> None:
    port, page = free_ports()
    away = {
        "ALARMSTACK_SENSORS_URL": "http://127.0.0.1:9",
        "ALARMSTACK_INFERENCE_URL": "http://127.0.0.1:9",
    }
    environment = (
        os.environ
        | away
        | {"ALARMSTACK_DATA_DIR": str(tmp_path), "JWT_SECRET": "0123456789abcdef0123456789abcdef"}
    )
    command = [sys.executable, "-c", WAIT, str(port), str(page)]
    with subprocess.Popen(
        command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        statuses = [
            httpx.get(f"http://127.0.0.1:{one}{path}").status_code
            for one in (port, page)
            for path in ("/api/health", "/metrics")
        ]
        health = httpx.get(f"http://127.0.0.1:{port}/health").json()["feed"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
    assert statuses == [200, 200, 200, 404]
    assert (health["feed"], health["inference"]) == ("down", "down")


def started(data: Path, port: int, *options: str) -> "subprocess.Popen[str]":
    """`alarmstack serve gateway` without a secret, as a container of the demonstration runs it."""
    environment = {name: value for name, value in os.environ.items() if name != "JWT_SECRET"} | {
        "ALARMSTACK_DATA_DIR": str(data)
    }
    command = [
        str(Path(sys.executable).with_name("alarmstack")),
        "serve",
        "gateway",
        "--port",
        str(port),
        "--page-port",
        "0",
    ]
    return subprocess.Popen(
        [*command, *options],
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_prints_a_login_that_holds_for_this_start_alone(tmp_path: Path) -> None:
    answers, tokens, passwords = [], [], []
    for _ in range(2):
        port, _ = free_ports()
        with started(tmp_path, port, "--demo") as process:
            assert process.stdout is not None
            printed = re.fullmatch(
                r"demo login of this start: name (\S+), password (\S+)\n", process.stdout.readline()
            )
            assert printed is not None
            passwords.append(printed[2])
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=7)
            ) as client:
                for password in passwords:
                    answers.append(
                        client.post(
                            "/auth/login", data={"username": printed[1], "password": password}
                        )
                    )
                tokens.append(answers[-1].json()["access_token"])
                statuses = [
                    client.get("/auth/me", headers={"Authorization": f"Bearer {one}"}).status_code
                    for one in tokens
                ]
            process.send_signal(signal.SIGTERM)
    assert [answer.status_code for answer in answers] == [200, 401, 200]
    assert statuses == [401, 200]


def test_without_a_secret_and_without_the_demo_nothing_starts_and_nobody_has_an_account(
    tmp_path: Path,
) -> None:
    with started(tmp_path, free_ports()[0]) as process:
        assert process.stderr is not None and "JWT_SECRET is not set" in process.stderr.read()
    assert process.returncode == 1 and not (tmp_path / "alarmstack.db").exists()
