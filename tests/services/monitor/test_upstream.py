"""Streams of an upstream service: events as the HTML standard reads them, and signs of life."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alarmstack.core.errors import UpstreamError
from alarmstack.services.monitor.upstream import Upstream
from tests.upstreams import refusal, serving

pytestmark = pytest.mark.anyio
Answer = Callable[[Request], Response]


def streaming(
    content: Callable[[], AsyncIterator[str]], media: str = "text/event-stream"
) -> Answer:
    return lambda _: StreamingResponse(content(), media_type=media)


async def received(answer: Answer, silence: float = 10.0) -> list[tuple[str, str]]:
    """The events of a stream that is served by `answer`, until it ends."""
    app = Starlette(routes=[Route("/stream", answer)])
    async with serving(app) as url, asyncio.timeout(20):
        upstream = Upstream("sensor API", url, "alarmstack serve sensors", silence)
        try:
            async with upstream.events("/stream") as events:
                return [(event.event, event.data) async for event in events]
        finally:
            await upstream.close()


async def test_events_are_read_as_the_standard_defines_them() -> None:
    async def text() -> AsyncIterator[str]:
        yield ": ping\nevent: a\ndata: 1\nda"
        yield 'ta:2\n\n\ndata: {"x": "\u2028"}\nid: 7\n\nevent: lost'

    assert await received(streaming(text)) == [("a", "1\n2"), ("message", '{"x": "\u2028"}')]


async def test_a_comment_is_a_sign_of_life() -> None:
    silence = 1.5

    async def text() -> AsyncIterator[str]:
        for _ in range(4):
            await asyncio.sleep(silence / 3)
            yield ": still here\n\n"
        yield "data: 1\n\n"

    assert await received(streaming(text), silence) == [("message", "1")]


async def test_a_stream_without_a_byte_is_an_error() -> None:
    async def text() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        await asyncio.Event().wait()

    with pytest.raises(UpstreamError, match="did not answer /stream in time") as raised:
        await received(streaming(text), silence=0.2)
    assert raised.value.status == 504


async def test_a_refused_stream_is_an_error_with_the_reason_of_the_service() -> None:
    with pytest.raises(UpstreamError, match="no plant is loaded") as raised:
        await received(lambda _: refusal(503, "no plant is loaded"))
    assert raised.value.status == 503


async def test_an_answer_that_is_no_stream_of_events_is_an_error() -> None:
    async def text() -> AsyncIterator[str]:
        yield "<html></html>"

    with pytest.raises(UpstreamError, match="unusable answer to /stream") as raised:
        await received(streaming(text, "text/html"))
    assert raised.value.status == 502
