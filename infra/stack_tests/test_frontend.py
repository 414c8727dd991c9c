"""The demonstration in four containers, without env file and MLflow.

A browser shows a warning before the alarm.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from stack_tests import REPOSITORY
from stack_tests.engine import Engine
from stack_tests.stack import Stack, free_ports, until
from stack_tests.standins import provide, wanted

FILE = REPOSITORY / "infra/compose.frontend.yml"
PORTS = ("ALARMSTACK_PAGE_PORT", "ALARMSTACK_GATEWAY_PORT", "ALARMSTACK_INFERENCE_PORT")
STORY = "an engineer sees a warning before the alarm"


@pytest.fixture(scope="module")
def stack(engine: Engine) -> Iterator[Stack]:
    """The running stack. It gets no variables other than ports."""
    provide(engine, wanted(FILE))
    frontend = Stack(engine, FILE, free_ports(PORTS))
    try:
        frontend.start()
        for service in frontend.services:
            frontend.healthy(service)
        yield frontend
    finally:
        frontend.keep_logs()
        frontend.down()
    assert frontend.leftovers() == []


@pytest.fixture(scope="module")
def page(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.variables[PORTS[0]]}"


@pytest.fixture(scope="module")
def login(stack: Stack) -> tuple[str, str]:
    """Name and password from the log of the gateway."""
    logins = re.findall(
        r"demo login of this start: name (\S+), password (\S+)", stack.log("frontend-api")
    )
    assert logins, stack.log("frontend-api")
    name, password = logins[-1]
    return name, password


def test_every_model_speaks_without_a_registry(stack: Stack) -> None:
    inference = f"http://127.0.0.1:{stack.variables[PORTS[2]]}"
    models = httpx.get(f"{inference}/ready", timeout=30).json()["models"]
    assert len(models) == 10 and {model["status"] for model in models} <= {"loaded", "kept"}, models
    features = {
        "failure_frequency_48": 9,
        "pdt31008_max": 340.0,
        "lic31002_deviation": 20.5,
        "lt301031": 8.0,
    }
    assert (
        httpx.post(f"{inference}/predict", json={"features": features}, timeout=30).json()[
            "risk_score"
        ]
        >= 0.9
    )


def test_page_and_api_are_one_origin_with_the_same_guard(stack: Stack, page: str) -> None:
    answers = [
        httpx.get(f"{page}{path}", timeout=30)
        for path in ("/", "/api/health", "/api/nothing", "/nothing")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404]
    for answer in answers:
        assert answer.headers.get_list("content-security-policy") == [
            answers[0].headers["content-security-policy"]
        ]
        assert "server" not in answer.headers or "/" not in answer.headers["server"]
    assert httpx.get(f"{page}/metrics").status_code == 404


def test_a_made_up_address_does_not_escape_the_throttle(page: str) -> None:
    """The gateway uses the client address from nginx, and ignores the one that a client claims."""
    codes = [
        httpx.post(
            f"{page}/api/auth/login",
            data={"username": "nobody", "password": "wrong"},
            headers={"X-Forwarded-For": f"10.0.0.{i}"},
        ).status_code
        for i in range(6)
    ]
    assert codes == [401] * 5 + [429]


def test_the_sensor_api_answers_its_neighbours_alone(stack: Stack) -> None:
    published = stack.inspected("mock-sensor-api")["NetworkSettings"]["Ports"]
    assert not any(published.values())
    assert "ok" in stack.execute(
        "frontend-api",
        "python",
        "-c",
        "import urllib.request as u; print(u.urlopen('http://mock-sensor-api:7500/health').read())",
    )
    assert not stack.engine.succeeds(
        "exec",
        stack.container("svelte-ui"),
        "curl",
        "-fsS",
        "--max-time",
        "3",
        "http://mock-sensor-api:7500/health",
    )


def test_file_systems_are_read_only_and_no_service_runs_as_root(stack: Stack) -> None:
    for service in stack.services:
        assert not stack.engine.succeeds(
            "exec", stack.container(service), "touch", "/etc/written"
        ), service
        assert stack.execute(service, "id", "-u").strip() != "0", service


def test_the_story_of_the_browser(stack: Stack, page: str, login: tuple[str, str]) -> None:
    environment = {
        "ALARMSTACK_UI_URL": page,
        "ALARMSTACK_UI_USER": login[0],
        "ALARMSTACK_UI_PASSWORD": login[1],
        "CI": "1",
    }
    command = ["npx", "playwright", "test", "--project=stories", "--grep", STORY]
    done = subprocess.run(
        command,
        cwd=REPOSITORY / "ui",
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, (
        done.stdout[-4000:] + done.stderr[-1000:]
    )


def test_a_restart_ends_sessions_and_prints_another_login(
    stack: Stack, page: str, login: tuple[str, str]
) -> None:
    credentials = {"username": login[0], "password": login[1]}
    token = httpx.post(f"{page}/api/auth/login", data=credentials, timeout=30).json()[
        "access_token"
    ]
    stack.engine.podman("restart", stack.container("frontend-api"))
    stack.healthy("frontend-api")
    # The gateway may have a new address, which nginx must look up.
    until(
        lambda: httpx.get(f"{page}/api/health", timeout=30).is_success,
        20,
        lambda: "nginx does not reach the restarted gateway",
    )
    assert (
        httpx.get(
            f"{page}/api/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=30
        ).status_code
        == 401
    )
    assert httpx.post(f"{page}/api/auth/login", data=credentials, timeout=30).status_code == 401
    assert len(re.findall("demo login of this start", stack.log("frontend-api"))) == 2
