"""Living with models: drift, recalibrated instruments, challengers in shadow."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException

from alarmstack.services.gateway.access import Engineer, HeavyReader, heavy_reader
from alarmstack.services.gateway.problems import UPSTREAM, answers
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.monitor import RECALIBRATED
from alarmstack.services.schemas.gateway import Comparison, Drift, Recalibrated
from alarmstack.storage.database import journal

router = APIRouter(tags=["models"])


@router.get(
    "/drift",
    summary="How far the plant is from what the models learnt",
    responses=answers(401, *UPSTREAM),
)
async def drift(state: Gateway, _: HeavyReader) -> Drift:
    """Population stability of each instrument and each score over the last days, false warnings, and whether to train again."""
    return await state.monitor.drift()


@router.post(
    "/drift/recalibrated",
    summary="An instrument was recalibrated",
    responses=answers(400, 401, 403, 413, 422, *UPSTREAM),
    dependencies=[Depends(heavy_reader)],
)
async def recalibrated(state: Gateway, person: Engineer, told: Recalibrated) -> Drift:
    """From then on it is measured against what it says since, alarms left out. Engineers and admins only; journalled."""
    known = [instrument.key for instrument in state.plant.modelled]
    if told.key not in known:
        raise HTTPException(
            422, f"key {told.key!r} is no instrument of this plant: use one of {', '.join(known)}"
        )
    now = state.clock.now()
    at = told.at or state.plant_time or now
    async with state.database.begin() as session:
        about = {"plant": state.plant.name, "key": told.key}
        await journal.write(
            session, now, RECALIBRATED, person.username, about, told.note or None, plant_time=at
        )
    return await state.monitor.drift()


@router.get("/comparison", summary="Champions beside their challengers", responses=answers(401))
async def comparison(state: Gateway, _: HeavyReader) -> Comparison:
    """What both would have raised on the rows that the challenger has scored in shadow."""
    return await state.monitor.comparison()


__all__ = ["router"]
