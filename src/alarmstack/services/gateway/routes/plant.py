"""The plant: its description, its state, its models, and the scenarios of its simulator."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from alarmstack.services.gateway.access import Engineer, Viewer
from alarmstack.services.gateway.plant_view import plant_view
from alarmstack.services.gateway.problems import UPSTREAM, answers
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.monitor import RecentAssessments
from alarmstack.services.schemas.gateway import Overview, PlantView
from alarmstack.services.schemas.inference import Models
from alarmstack.services.schemas.sensors import Activation, Live, Scenario
from alarmstack.storage.database import journal

router = APIRouter(tags=["plant"])
OVERVIEWS = (48, 240)
"""Intervals that are read for an overview: the number that the page requests, and the maximum."""


@router.get("/plant", summary="Everything the screen knows about the plant", responses=answers(401))
async def plant(state: Gateway, _: Viewer) -> PlantView:
    """plant.toml: units, tags, limits, models, and what the forms begin with."""
    return plant_view(state.plant, simulated=state.monitor.simulated)


@router.get("/overview", summary="State of the plant", responses=answers(401, 422))
async def overview(
    state: Gateway,
    _: Viewer,
    n: Annotated[int, Query(ge=1, le=OVERVIEWS[-1], description="Intervals, newest kept.")] = 48,
) -> Overview:
    """The newest assessment, the intervals before it, and the state of the sources."""
    monitor = state.monitor
    recent = await _recent(state, next(size for size in OVERVIEWS if n <= size))
    return Overview(
        latest=recent.latest,
        past=recent.past[-n:],
        provisional=monitor.provisional,
        status=monitor.status(),
        state=monitor.state(),
    )


async def _recent(state: State, intervals: int) -> RecentAssessments:
    """The newest intervals, read once for all users until one is stored, assessed or begun."""
    monitor, now, cadence = state.monitor, state.plant_time, state.plant.time.cadence
    begun = None if now is None else now.timestamp() // cadence.total_seconds()
    key = (intervals, begun, monitor.stored, monitor.assessed, state.retention.removed)
    return await state.overviews.get(key, partial(monitor.overview, intervals))


@router.get("/models", summary="Every model of the plant", responses=answers(401, *UPSTREAM))
async def models(state: Gateway, _: Viewer) -> Models:
    """Version, metrics and thresholds of each model, from the inference service."""
    return await state.inference.get(Models, "/models")


@router.get(
    "/scenarios", summary="Scenarios of the simulator", responses=answers(401, 404, *UPSTREAM)
)
async def scenarios(state: Gateway, _: Viewer) -> list[Scenario]:
    """Empty for a real plant."""
    return await state.sensors.get_list(Scenario, "/scenarios")


@router.post(
    "/scenarios/activate",
    summary="Activate a scenario",
    responses=answers(400, 401, 403, 404, 413, 422, *UPSTREAM),
)
async def activate(state: Gateway, person: Engineer, wanted: Activation) -> Live:
    """Engineers and admins only. The activation is written to the journal."""
    live = await state.sensors.post(Live, "/scenarios/activate", wanted)
    async with state.database.begin() as session:
        await journal.write(
            session,
            state.clock.now(),
            "scenario_activate",
            person.username,
            {"name": live.scenario},
            plant_time=live.reading.timestamp,
        )
    return live


__all__ = ["router"]
