"""Rows of the feed that the monitor did not accept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from alarmstack.services.gateway.access import Viewer
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.schemas.gateway import Quarantine, QuarantinedRow
from alarmstack.storage.database import quarantine as stored

router = APIRouter(prefix="/feed", tags=["plant"])


@router.get("/quarantine", summary="Invalid rows of the feed", responses=answers(401, 422))
async def quarantine(
    state: Gateway,
    _: Viewer,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Quarantine:
    """Newest first, each with the reason. The rows around them are assessed."""
    name = state.plant.name
    async with state.database.begin() as session:
        rows = await stored.page(session, name, (page - 1) * size, size)
        total = await stored.count(session, name)
    shown = [QuarantinedRow.model_validate(row, from_attributes=True) for row in rows]
    return Quarantine(rows=shown, page=page, size=size, total=total)


__all__ = ["router"]
