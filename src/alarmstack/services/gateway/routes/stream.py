"""The live stream: server-sent events, read by fetch with the bearer token in a header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent

from alarmstack.services.gateway.access import Viewer, ended_with_login
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.runtime.broadcast import Event

router = APIRouter(tags=["plant"])
HEARTBEAT_SECONDS = 3.0
"""The longest time without a byte.

The browser treats a connection as lost after 8 s without one (`SILENCE_MS` in live.svelte.ts).
"""


@router.get(
    "/stream",
    summary="Events as they happen",
    response_class=EventSourceResponse,
    responses={
        **answers(401),
        200: {
            "description": "`reading` carries Live, `assessment` and `provisional` PlantAssessment,"
            " `status` FeedStatus, `state` PlantState."
        },
    },
)
async def stream(state: Gateway, person: Viewer) -> AsyncIterator[ServerSentEvent]:
    """The newest event of each kind at once, then every event as it happens.

    The stream ends with the access token: refresh the token and connect again.
    """
    with state.hub.listen() as listener, ended_with_login(state, person, listener):
        # The hub may replay an older status: the client keeps the last one, which is this one.
        listener.put(Event("status", state.monitor.status().model_dump_json()))
        while not listener.closed and state.clock.now() < person.expires_at:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    waiting = await listener.take()
            except TimeoutError:
                yield ServerSentEvent(comment="still here")
                continue
            for event in waiting:
                yield event.server_sent()


__all__ = ["HEARTBEAT_SECONDS", "router"]
