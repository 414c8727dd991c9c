"""The live stream: server-sent events, read by fetch with the bearer token in a header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from alarmstack.services.gateway.access import Caller, Viewer, ended_with_login
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.monitor import Event

router = APIRouter(tags=["plant"])
HEARTBEAT_SECONDS = 3.0
"""A comment at least this often: the browser calls a connection lost after 8 s without a byte (`SILENCE_MS` in live.svelte.ts)."""


class EventStream(StreamingResponse):
    """`text/event-stream`."""

    media_type = "text/event-stream"


@router.get(
    "/stream",
    summary="Events as they happen",
    response_class=EventStream,
    responses={
        **answers(401),
        200: {
            "description": "`reading` carries Live, `assessment` and `provisional` PlantAssessment, `status` FeedStatus, "
            "`state` PlantState."
        },
    },
)
async def stream(state: Gateway, person: Viewer) -> EventStream:
    """The newest event of each kind at once, then all that come. It ends with the access token: refresh it and come again."""
    return EventStream(
        _events(state, person), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _events(state: State, person: Caller) -> AsyncIterator[str]:
    with state.hub.listen() as listener, ended_with_login(state, person, listener):
        # After the older one that the hub knows: the last of a kind is the one that a viewer keeps.
        listener.put(Event("status", state.monitor.status().model_dump_json()))
        while not listener.closed and state.clock.now() < person.expires_at:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    waiting = await listener.take()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            yield "".join(_written(event) for event in waiting)


def _written(event: Event) -> str:
    return f"event: {event.name}\ndata: {event.data}\n\n"


__all__ = ["HEARTBEAT_SECONDS", "router"]
