"""A proxy between the gateway and the sensor API.

It can stall like a dead connection, and change a row.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alarmstack.services.runtime.server import listen

Row = dict[str, Any]
Change = Callable[[Row], Row]


class Feed:
    """Forwards every request to the sensor API, with the changes that a fault needs."""

    def __init__(self, target: str) -> None:
        self._client = httpx.AsyncClient(base_url=target, timeout=30, trust_env=False)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.change: Change | None = None
        """Applied once, to the next closed interval."""
        self.changed: Row | None = None
        self.garbage = False
        """Whether every response is HTML instead of JSON."""

    def stall(self) -> None:
        """Keep every connection open, but forward nothing."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward all data again."""
        self._flowing.set()

    @asynccontextmanager
    async def served(self, port: int) -> AsyncIterator[None]:
        """Serve the proxy on a local port until the block ends."""
        routes = [
            Route("/sensors/stream", self._stream),
            Route("/{path:path}", self._pass, methods=["GET", "POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listen("127.0.0.1", port)]))
        try:
            yield
        finally:
            self.flow()
            server.should_exit = True
            await asyncio.wait({running}, timeout=10)
            await self._client.aclose()

    async def _pass(self, request: Request) -> Response:
        await self._flowing.wait()
        if self.garbage:
            return Response("<html>Bad gateway</html>", media_type="text/html")
        try:
            answer = await self._client.request(
                request.method,
                request.url.path,
                params=request.query_params,
                content=await request.body(),
            )
        except httpx.HTTPError as error:
            return Response(f"no answer: {error}", 502)
        return Response(
            answer.content, answer.status_code, media_type=answer.headers.get("content-type")
        )

    async def _stream(self, request: Request) -> Response:
        return StreamingResponse(self._lines(), media_type="text/event-stream")

    async def _lines(self) -> AsyncIterator[str]:
        """The lines of the event stream, until the feed closes it."""
        event = ""
        with suppress(httpx.HTTPError):
            async with self._client.stream("GET", "/sensors/stream", timeout=None) as answer:
                async for line in answer.aiter_lines():
                    await self._flowing.wait()
                    event = line.removeprefix("event: ") if line.startswith("event: ") else event
                    yield self._altered(event, line) + "\n"

    def _altered(self, event: str, line: str) -> str:
        if event != "interval" or self.change is None or not line.startswith("data: "):
            return line
        row = self.change(json.loads(line.removeprefix("data: ")))
        self.change, self.changed = None, row
        return f"data: {json.dumps(row)}"


__all__ = ["Change", "Feed", "Row"]
