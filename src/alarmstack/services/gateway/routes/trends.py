"""Trends of the plant's past."""

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
LONGEST_SHOWN = 200
"""Characters of unknown keys that an error repeats."""
BUSY_SECONDS = 5
"""Seconds after which a refused read may be repeated."""


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
            description="Keys of instruments, setpoints, outputs and model columns, "
            "separated by commas.",
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
            description="The most points. More rows are reduced to mean, low and high.",
        ),
    ] = 300,
) -> Response:
    """Series on one time axis, with limits and the periods of alarms and warnings."""
    known = tracks(state.plant)
    keys = [tag.strip() for tag in tags.split(",") if tag.strip()]
    unknown = [key for key in keys if key not in known]
    if unknown or not keys:
        named = ", ".join(unknown)[:LONGEST_SHOWN] or "none given"
        raise HTTPException(422, f"tags: unknown: {named}. Known: {', '.join(known)}")
    if begin is not None and end is not None and begin >= end:
        raise HTTPException(422, f"from {begin.isoformat()} is not before to {end.isoformat()}")
    wanted = Wanted(tuple(dict.fromkeys(keys)), begin, end or state.plant_time, points)
    key = _key(state, wanted, until_now=end is None)
    try:
        body = await state.reader.read(key, draw, state.settings.database, state.plant, wanted)
    except BusyError as error:
        raise HTTPException(503, str(error), {"Retry-After": str(BUSY_SECONDS)}) from None
    return Response(body, media_type="application/json")


def _key(state: State, wanted: Wanted, *, until_now: bool) -> tuple[object, ...]:
    """Everything that an answer depends on.

    Without an end that is the intervals stored so far, not the plant's clock between two of them.
    """
    end = None if until_now else wanted.end
    return (
        *wanted._replace(end=end),
        state.monitor.stored,
        state.monitor.assessed,
        state.retention.removed,
    )


__all__ = ["router"]
