"""The history entries of users. The only writer of `entries`. Every query is for one user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.tables import HistoryEntry

BODIES = ("request", "response")
LINE = (
    HistoryEntry.id,
    HistoryEntry.type,
    HistoryEntry.created_at,
    HistoryEntry.plant_time,
    HistoryEntry.horizon,
    HistoryEntry.horizon_hours,
    HistoryEntry.score,
    HistoryEntry.alarm,
    HistoryEntry.model,
    HistoryEntry.model_version,
    HistoryEntry.request,
    HistoryEntry.response,
)
"""Columns of an entry in a table, in their order."""


@dataclass(frozen=True)
class Filter:
    """Selects entries: of a type, created in [since, until), deleted or not."""

    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False

    def conditions(self, user_id: int) -> list[ColumnElement[bool]]:
        """The same as SQL, for one user."""
        table = HistoryEntry
        conditions = [
            None if self.type is None else table.type == self.type,
            None if self.since is None else table.created_at >= self.since,
            None if self.until is None else table.created_at < self.until,
            table.deleted_at.is_not(None) if self.deleted else table.deleted_at.is_(None),
        ]
        return [
            table.user_id == user_id,
            *(condition for condition in conditions if condition is not None),
        ]


async def add(session: AsyncSession, entry: HistoryEntry) -> int:
    """Store an entry and return its number."""
    session.add(entry)
    await session.flush()
    return entry.id


async def page(
    session: AsyncSession, user_id: int, wanted: Filter, first: int, most: int
) -> Sequence[Row[Any]]:
    """The columns `LINE` of a user's entries and whether they are deleted, newest first.

    Bodies are given as the stored text.
    """
    deleted = HistoryEntry.deleted_at.is_not(None).label("deleted")
    query = select(*[*_stored(), deleted]).where(*wanted.conditions(user_id))
    newest_first = query.order_by(HistoryEntry.id.desc())
    return (await session.execute(newest_first.offset(first).limit(most))).all()


async def lines(
    session: AsyncSession, user_id: int, wanted: Filter, before: int | None, most: int
) -> Sequence[Row[Any]]:
    """The columns `LINE` of a user's entries with lower numbers than `before`, newest first.

    Bodies are given as the stored text.
    """
    query = select(*_stored()).where(*wanted.conditions(user_id))
    if before is not None:
        query = query.where(HistoryEntry.id < before)
    return (await session.execute(query.order_by(HistoryEntry.id.desc()).limit(most))).all()


def _stored() -> list[ColumnElement[Any]]:
    """The columns `LINE`, bodies as text under their own names."""
    return [
        cast(column, Text).label(column.key) if column.key in BODIES else column.expression
        for column in LINE
    ]


async def count(session: AsyncSession, user_id: int, wanted: Filter) -> int:
    """The number of entries."""
    query = select(func.count()).select_from(HistoryEntry).where(*wanted.conditions(user_id))
    return await session.scalar(query) or 0


async def mark(
    session: AsyncSession, user_id: int, number: int, deleted_at: datetime | None
) -> HistoryEntry | None:
    """Delete an entry of the user, or restore it (None). None when there is no such entry."""
    marked = await session.scalars(
        update(HistoryEntry)
        .where(HistoryEntry.id == number, HistoryEntry.user_id == user_id)
        .values(deleted_at=deleted_at)
        .returning(HistoryEntry)
    )
    return marked.one_or_none()


async def remove_deleted(session: AsyncSession, before: datetime, most: int) -> int:
    """Remove entries that were deleted before an instant, oldest first; their number."""
    oldest = (
        select(HistoryEntry.id)
        .where(HistoryEntry.deleted_at < before)
        .order_by(HistoryEntry.id)
        .limit(most)
    )
    numbers = (await session.scalars(oldest)).all()
    if numbers:
        await session.execute(delete(HistoryEntry).where(HistoryEntry.id.in_(numbers)))
    return len(numbers)


__all__ = ["LINE", "Filter", "add", "count", "lines", "mark", "page", "remove_deleted"]
