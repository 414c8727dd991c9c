"""The limit alarms of the plant, as on the screen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from alarmstack.services.gateway.access import Viewer
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.schemas.gateway import Events, LimitEvent
from alarmstack.storage.database import limit_alarms
from alarmstack.storage.database.tables import LimitEpisode

router = APIRouter(tags=["plant"])


@router.get("/events", summary="Limit alarms, newest first", responses=answers(401, 422))
async def events(
    state: Gateway,
    _: Viewer,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Events:
    """Every limit alarm with its rule, its instrument, its beginning and its end."""
    plant, until = state.plant.name, state.plant_time
    async with state.database.begin() as session:
        episodes = await limit_alarms.page(session, plant, until, (page - 1) * size, size)
        total = await limit_alarms.count(session, plant, until)
    return Events(
        events=[_event(episode) for episode in episodes], page=page, size=size, total=total
    )


def _event(stored: LimitEpisode) -> LimitEvent:
    return LimitEvent.model_validate(
        {name: getattr(stored, name) for name in LimitEvent.model_fields}
    )


__all__ = ["router"]
