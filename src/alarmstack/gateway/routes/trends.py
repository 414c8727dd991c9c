"""Trends of the plant's own past."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from alarmstack.db import plant_history
from alarmstack.gateway.access import Viewer
from alarmstack.gateway.instants import Moment
from alarmstack.gateway.problems import answers
from alarmstack.gateway.state import Gateway
from alarmstack.gateway.trends import tracks, trends
from alarmstack.monitor import LEAD_IN
from alarmstack.wire.screen import Trends

router = APIRouter(tags=["plant"])
LONGEST = 20_000
"""Intervals in one answer: more than two years of hours."""
DEFAULT_ROWS = 48


@router.get("/trends", summary="Series over time", responses=answers(401, 422))
async def trend(
    state: Gateway,
    _: Viewer,
    tags: Annotated[
        str, Query(max_length=2000, description="Keys of instruments, setpoints, outputs, model columns; commas between.")
    ],
    begin: Annotated[Moment | None, Query(alias="from", description="Default: 48 intervals before `to`.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Default: now on the plant's clock.")] = None,
    points: Annotated[int, Query(ge=2, le=2000, description="At most so many; stretches are thinned to mean, low and high.")] = 300,
) -> Trends:
    """Series on one time axis, with limits, and the spans of alarms and warnings."""
    known, wanted = tracks(state.plant), [tag.strip() for tag in tags.split(",") if tag.strip()]
    unknown = [tag for tag in wanted if tag not in known]
    if unknown or not wanted:
        raise HTTPException(422, f"tags: unknown: {', '.join(unknown)[:200] or 'none given'}. Known: {', '.join(known)}")
    if begin is not None and end is not None and begin >= end:
        raise HTTPException(422, f"from {begin.isoformat()} does not come before to {end.isoformat()}")
    cadence, until = state.plant.time.cadence, end or state.plant_time
    lead = None if begin is None else begin - LEAD_IN * cadence
    most = (DEFAULT_ROWS if begin is None else LONGEST) + LEAD_IN
    async with state.database.begin() as session:
        past = await plant_history.past(session, state.plant.name, lead, until, most)
    first = len(past) - DEFAULT_ROWS if begin is None else sum(one.start < begin for one in past)
    return trends(state.plant, [known[tag] for tag in dict.fromkeys(wanted)], past, max(first, 0), points)


__all__ = ["router"]
