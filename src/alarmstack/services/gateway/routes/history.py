"""One's own history: read it, take it away as CSV, delete from it, and take that back."""

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
    summary="One's own results",
    responses={
        **answers(401, 422),
        200: {"content": CSV, "description": "A page; with `Accept: text/csv` all, as a table."},
    },
)
async def history(
    state: Gateway,
    person: Viewer,
    request: Request,
    type: Annotated[EntryType | None, Query(description="Only these.")] = None,
    since: Annotated[Instant | None, Query(description="Made at or after.")] = None,
    until: Annotated[Instant | None, Query(description="Made before.")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 50,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
) -> Response:
    """Newest first. With `Accept: text/csv` all that fit, whatever the page."""
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
        found = await entries.page(session, person.user_id, wanted, (page - 1) * size, size)
        total = await entries.count(session, person.user_id, wanted)
    # Entries hold what was asked and answered, up to 100 kB each: a page is built beside the event loop.
    written = await asyncio.to_thread(_page, found, page, size, total)
    return Response(written, media_type="application/json")


@router.delete("/{number}", summary="Delete an entry", responses=answers(401, 403, 404, 422))
async def delete(state: Gateway, person: Viewer, number: Number) -> Entry:
    """It stays restorable."""
    return await _mark(state, person.user_id, number, state.clock.now())


@router.post(
    "/{number}/restore", summary="Take a deletion back", responses=answers(401, 403, 404, 422)
)
async def restore(state: Gateway, person: Viewer, number: Number) -> Entry:
    """The entry as it was."""
    return await _mark(state, person.user_id, number, None)


async def _mark(state: State, user_id: int, number: int, deleted_at: datetime | None) -> Entry:
    async with state.database.begin() as session:
        marked = await entries.mark(session, user_id, number, deleted_at)
    if marked is None:
        raise HTTPException(404, f"you have no entry {number}")
    return _entry(marked)


def _page(found: Sequence[Row[Any]], page: int, size: int, total: int) -> str:
    """A page as JSON."""
    shown = [_read(one) for one in found]
    return History(entries=shown, page=page, size=size, total=total).model_dump_json()


def _read(line: Row[Any]) -> Entry:
    """An entry from its line, whose bodies are text."""
    values = dict(line._mapping)
    bodies = {name: json.loads(values.pop(name)) for name in entries.BODIES}
    return Entry(**values, **bodies)


def _entry(stored: HistoryEntry) -> Entry:
    return Entry.model_validate(
        {name: getattr(stored, name) for name in Entry.model_fields if name != "deleted"}
        | {"deleted": stored.deleted_at is not None}
    )


__all__ = ["router"]
