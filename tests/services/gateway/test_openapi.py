"""The OpenAPI document: the page's client is generated from it, every answer complies with it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.openapi import document, written
from tests.conftest import REPOSITORY
from tests.upstreams import serving
from tests.world import ORIGIN, world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = "/stream"
OWN_FAILURE = ("/ready",)
"""Endpoints whose failure has their normal body, which names the tasks that are down."""


def test_the_pages_copy_is_up_to_date() -> None:
    kept = REPOSITORY / "ui/openapi.json"
    assert kept.read_text() == written(), (
        "run: uv run python -m alarmstack.services.gateway > ui/openapi.json"
    )


def test_every_error_is_announced_as_a_problem() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if status >= "400" and path not in OWN_FAILURE:
                    assert "application/problem+json" in answer["content"], (method, path, status)


class Running:
    """A gateway on a port, in its own thread, with an engineer who is logged in."""

    def __init__(self, plant: Plant, folder: Path) -> None:
        self._ready, self._loop, self._stop = (
            threading.Event(),
            asyncio.new_event_loop(),
            asyncio.Event(),
        )
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._serve(plant, folder),)
        )
        self.url, self.token = "", ""

    async def _serve(self, plant: Plant, folder: Path) -> None:
        async with (
            world(plant, f"sqlite:///{folder}/a.db", hours=30, registration="open") as w,
            serving(w.app) as self.url,
        ):
            self.token = (await w.person("anna", "engineer")).headers["Authorization"]
            self._ready.set()
            await self._stop.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(scope="module")
def running(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    gateway = Running(plant, tmp_path_factory.mktemp("gateway"))
    gateway.start()
    yield gateway
    gateway.stop()


api = schemathesis.openapi.from_dict(document()).exclude(path=ENDLESS)


@pytest.mark.parametrize("who", ["engineer", "stranger from another site"])
@api.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_answer_is_a_surprise(case: schemathesis.Case, running: Running, who: str) -> None:
    headers = (
        {"Authorization": running.token} if who == "engineer" else {"Origin": "http://evil.test"}
    )
    case.call_and_validate(base_url=running.url, checks=CHECKS, headers=headers, timeout=10)


def test_methods_that_are_not_there_are_problems_too(running: Running) -> None:
    answer = httpx.put(f"{running.url}/history", headers={"Origin": ORIGIN})
    assert (
        answer.status_code == 405 and answer.headers["content-type"] == "application/problem+json"
    )
