"""Trends of the plant's own past."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from alarmstack.services.gateway.access import HeavyReader
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.reader import BusyError
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.gateway.trends import Wanted, draw, tracks
from alarmstack.services.schemas.gateway import Trends
from alarmstack.services.schemas.instants import Instant

router = APIRouter(tags=["plant"])
BUSY_SECONDS = 5
"""After so many seconds a refused read may be tried again."""


@router.get(
    "/trends", summary="Series over time", response_model=Trends, responses=answers(401, 422, 503)
)
async def trend(
    state: Gateway,
    _: HeavyReader,
    tags: Annotated[
        str,
        Query(
            max_length=2000,
            description="Keys of instruments, setpoints, outputs, model columns; commas between.",
        ),
    ],
    begin: Annotated[
        Instant | None, Query(alias="from", description="Default: 48 intervals before `to`.")
    ] = None,
    end: Annotated[
        Instant | None, Query(alias="to", description="Default: now on the plant's clock.")
    ] = None,
    points: Annotated[
        int,
        Query(
            ge=2,
            le=2000,
            description="At most so many; stretches are thinned to mean, low and high.",
        ),
    ] = 300,
) -> Response:
    """Series on one time axis, with limits, and the spans of alarms and warnings."""
    known, asked = tracks(state.plant), [tag.strip() for tag in tags.split(",") if tag.strip()]
    unknown = [tag for tag in asked if tag not in known]
    if unknown or not asked:
        raise HTTPException(
            422,
            f"tags: unknown: {', '.join(unknown)[:200] or 'none given'}. Known: {', '.join(known)}",
        )
    if begin is not None and end is not None and begin >= end:
        raise HTTPException(
            422, f"from {begin.isoformat()} does not come before to {end.isoformat()}"
        )
    wanted = Wanted(tuple(dict.fromkeys(asked)), begin, end or state.plant_time, points)
    key = _key(state, wanted, until_now=end is None)
    try:
        body = await state.reader.read(key, draw, state.settings.database, state.plant, wanted)
    except BusyError as error:
        raise HTTPException(503, str(error), {"Retry-After": str(BUSY_SECONDS)}) from None
    return Response(body, media_type="application/json")


def _key(state: State, wanted: Wanted, *, until_now: bool) -> tuple[object, ...]:
    """What an answer depends on. Until now: the intervals stored so far, whatever the plant's clock says between two of them."""
    end = None if until_now else wanted.end
    return (
        *wanted._replace(end=end),
        state.monitor.stored,
        state.monitor.assessed,
        state.retention.removed,
    )


__all__ = ["router"]
