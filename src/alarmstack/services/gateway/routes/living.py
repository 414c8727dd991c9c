"""Drift, recalibrated instruments, and the champion/challenger comparison."""

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
    summary="Drift of the plant since training",
    responses=answers(401, *UPSTREAM),
)
async def drift(state: Gateway, _: HeavyReader) -> Drift:
    """Population stability of each instrument and each score over the last days.

    Also false alarms, and whether to train the models again.
    """
    return await state.monitor.drift()


@router.post(
    "/drift/recalibrated",
    summary="Report a recalibrated instrument",
    responses=answers(400, 401, 403, 413, 422, *UPSTREAM),
    dependencies=[Depends(heavy_reader)],
)
async def recalibrated(state: Gateway, person: Engineer, report: Recalibrated) -> Drift:
    """A recalibrated instrument is compared with its own values since, without rows in alarm.

    For engineers and admins. Written to the journal.
    """
    keys = [instrument.key for instrument in state.plant.modelled]
    if report.key not in keys:
        raise HTTPException(
            422,
            f"key {report.key!r} is not an instrument of this plant: use one of {', '.join(keys)}",
        )
    now = state.clock.now()
    at = report.at or state.plant_time or now
    async with state.database.begin() as session:
        about = {"plant": state.plant.name, "key": report.key}
        await journal.write(
            session, now, RECALIBRATED, person.username, about, report.note or None, plant_time=at
        )
    return await state.monitor.drift()


@router.get("/comparison", summary="Champion/challenger comparison", responses=answers(401))
async def comparison(state: Gateway, _: HeavyReader) -> Comparison:
    """The warnings that both would have raised on the rows that the challenger has scored."""
    return await state.monitor.comparison()


__all__ = ["router"]
