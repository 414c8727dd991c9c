"""The live stream: many browsers, one connection to the feed."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.routes.stream import HEARTBEAT_SECONDS
from alarmstack.services.runtime.broadcast import Event
from tests.conftest import REPOSITORY
from tests.upstreams import serving
from tests.world import world

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def watching(url: str, token: str) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    async with (
        httpx.AsyncClient(base_url=url, headers={"Authorization": token}, timeout=10) as client,
        client.stream("GET", "/api/stream") as answer,
    ):
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(
            "text/event-stream"
        )
        assert answer.headers["cache-control"] == "no-store"
        yield EventSource(answer).aiter_sse()


async def until(stream: AsyncIterator[ServerSentEvent], name: str, part: str) -> str:
    async with asyncio.timeout(10):
        async for event in stream:
            if event.event == name and part in event.data:
                return event.data
    raise AssertionError(f"the stream ended before {name}")


async def test_two_browsers_get_the_same_over_one_connection_to_the_feed(
    plant: Plant, tmp_path: object
) -> None:
    async with (
        world(plant, f"sqlite:///{tmp_path}/a.db", hours=2, monitored=True) as w,
        serving(w.app) as url,
    ):
        tokens = [(await w.person(name)).headers["Authorization"] for name in ("anna", "bert")]
        async with watching(url, tokens[0]) as one, watching(url, tokens[1]) as other:
            for stream in (one, other):
                await until(stream, "reading", '"timestamp":"2026-03-01T02:00:00Z"')
            w.feed.close_hour()
            for stream in (one, other):
                assert '"warnings"' in await until(
                    stream, "assessment", '"timestamp":"2026-03-01T02:00:00Z"'
                )
            assert w.feed.connections == 1 and len(w.state.hub) == 2


async def test_the_status_keeps_pace_with_the_assessments(plant: Plant, tmp_path: object) -> None:
    async with (
        world(plant, f"sqlite:///{tmp_path}/a.db", hours=2, monitored=True) as w,
        serving(w.app) as url,
    ):
        token = (await w.person("anna")).headers["Authorization"]
        async with watching(url, token) as stream:
            for _ in range(3):
                w.feed.close_hour()
            await until(stream, "status", '"assessed_until":"2026-03-01T05:00:00Z"')
        with w.state.hub.listen() as listener:
            replayed = [event.data for event in await listener.take() if event.name == "status"]
        assert '"assessed_until":"2026-03-01T05:00:00Z"' in replayed[0]


async def test_the_last_status_that_a_new_browser_gets_is_the_present_one(
    plant: Plant, tmp_path: object
) -> None:
    async with (
        world(plant, f"sqlite:///{tmp_path}/a.db", hours=2, monitored=True) as w,
        serving(w.app) as url,
    ):
        await w.state.monitor.caught_up.wait()
        w.state.hub.publish(
            Event(
                "status",
                w.state.monitor.status().model_copy(update={"unassessed": 77}).model_dump_json(),
            )
        )
        token = (await w.person("anna")).headers["Authorization"]
        async with watching(url, token) as stream:
            await until(stream, "status", '"unassessed":77')
            await until(stream, "status", '"unassessed":0')


async def test_a_stream_ends_with_the_access_token(plant: Plant, tmp_path: object) -> None:
    async with (
        world(plant, f"sqlite:///{tmp_path}/a.db", hours=2, monitored=True) as w,
        serving(w.app) as url,
    ):
        token = (await w.person("anna")).headers["Authorization"]
        async with watching(url, token) as stream:
            await until(stream, "status", '"feed":"live"')
            w.clock.advance(16 * 60)
            async with asyncio.timeout(10):
                assert [event.event async for event in stream][-1] in (
                    "status",
                    "reading",
                    "assessment",
                    "state",
                )
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": token}) as client:
            assert (await client.get("/stream")).status_code == 401


async def test_an_idle_stream_carries_a_heartbeat(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=2) as w, serving(w.app) as url:
        token = (await w.person("anna")).headers["Authorization"]
        async with (
            asyncio.timeout(60),
            httpx.AsyncClient(base_url=url, headers={"Authorization": token}, timeout=60) as client,
            client.stream("GET", "/api/stream") as answer,
        ):
            assert [line async for line in _until_comment(answer)][-1] == ": still here"


async def _until_comment(answer: httpx.Response) -> AsyncIterator[str]:
    """The lines up to the first comment. `EventSource` skips comments, so it is not used here."""
    async for line in answer.aiter_lines():
        yield line
        if line.startswith(":"):
            return


def test_the_browser_waits_for_more_than_two_heartbeats_and_less_than_ten_seconds() -> None:
    source = (REPOSITORY / "ui/src/lib/state/live.svelte.ts").read_text()
    constant = re.search(r"SILENCE_MS = ([\d_]+);", source)
    assert constant
    silence = int(constant[1].replace("_", "")) / 1000
    assert 2 * HEARTBEAT_SECONDS < silence < 10
