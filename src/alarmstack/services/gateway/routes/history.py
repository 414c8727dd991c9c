"""The history of the caller: read it, export it as CSV, delete entries and restore them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Row

from alarmstack.services.gateway.access import Viewer
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.quota import refuse_beyond
from alarmstack.services.gateway.sheet import csv_lines
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.schemas.gateway import Entry, EntryType, History
from alarmstack.services.schemas.instants import Instant
from alarmstack.storage.database import entries
from alarmstack.storage.database.tables import HistoryEntry

router = APIRouter(prefix="/history", tags=["history"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The entry's number.")]
CSV = {"text/csv": {"schema": {"type": "string"}}}


@router.get(
    "",
    response_model=History,
    summary="The results of the caller",
    responses={
        **answers(401, 422),
        200: {
            "content": CSV,
            "description": "A page. With `Accept: text/csv` all entries, as a table.",
        },
    },
)
async def history(
    state: Gateway,
    person: Viewer,
    request: Request,
    type: Annotated[EntryType | None, Query(description="Only this type.")] = None,
    since: Annotated[Instant | None, Query(description="Created at or after.")] = None,
    until: Annotated[Instant | None, Query(description="Created before.")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 50,
    deleted: Annotated[bool, Query(description="Deleted entries instead.")] = False,
) -> Response:
    """Newest first. With `Accept: text/csv` all matching entries, without pages."""
    wanted = entries.Filter(type, since, until, deleted)
    if "text/csv" in request.headers.get("accept", ""):
        refuse_beyond(state.heavy_reads, person.user_id, state.clock.now())
        lines = csv_lines(state.database, person.user_id, wanted)
        return StreamingResponse(
            lines,
            media_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="history.csv"'},
        )
    async with state.database.begin() as session:
        rows = await entries.page(session, person.user_id, wanted, (page - 1) * size, size)
        total = await entries.count(session, person.user_id, wanted)
    # Entries hold requests and responses of up to 100 kB each: not in the event loop.
    body = await asyncio.to_thread(_page, rows, page, size, total)
    return Response(body, media_type="application/json")


@router.delete("/{number}", summary="Delete an entry", responses=answers(401, 403, 404, 422))
async def delete(state: Gateway, person: Viewer, number: Number) -> Entry:
    """A deleted entry can be restored for some days."""
    return await _mark(state, person.user_id, number, state.clock.now())


@router.post(
    "/{number}/restore", summary="Restore a deleted entry", responses=answers(401, 403, 404, 422)
)
async def restore(state: Gateway, person: Viewer, number: Number) -> Entry:
    """The entry as it was before its deletion."""
    return await _mark(state, person.user_id, number, None)


async def _mark(state: State, user_id: int, number: int, deleted_at: datetime | None) -> Entry:
    async with state.database.begin() as session:
        marked = await entries.mark(session, user_id, number, deleted_at)
    if marked is None:
        raise HTTPException(404, f"you have no entry {number}")
    return _entry(marked)


def _page(rows: Sequence[Row[Any]], page: int, size: int, total: int) -> str:
    """A page as JSON."""
    shown = [_read(row) for row in rows]
    return History(entries=shown, page=page, size=size, total=total).model_dump_json()


def _read(row: Row[Any]) -> Entry:
    """An entry from its row, whose bodies are text."""
    values = dict(row._mapping)
    bodies = {name: json.loads(values.pop(name)) for name in entries.BODIES}
    return Entry(**values, **bodies)


def _entry(stored: HistoryEntry) -> Entry:
    return Entry.model_validate(
        {name: getattr(stored, name) for name in Entry.model_fields if name != "deleted"}
        | {"deleted": stored.deleted_at is not None}
    )


__all__ = ["router"]
