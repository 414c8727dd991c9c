"""Questions about people's own history. The only writer of `entries`. Every question is asked for one user."""

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
    """Which entries: of a type, made since … until, deleted ones or the others."""

    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False

    def conditions(self, user_id: int) -> list[ColumnElement[bool]]:
        """The same as SQL, for one user."""
        table = HistoryEntry
        asked = [
            None if self.type is None else table.type == self.type,
            None if self.since is None else table.created_at >= self.since,
            None if self.until is None else table.created_at < self.until,
            table.deleted_at.is_not(None) if self.deleted else table.deleted_at.is_(None),
        ]
        return [
            table.user_id == user_id,
            *(condition for condition in asked if condition is not None),
        ]


async def add(session: AsyncSession, entry: HistoryEntry) -> int:
    """Keep an entry; its number."""
    session.add(entry)
    await session.flush()
    return entry.id


async def page(
    session: AsyncSession, user_id: int, wanted: Filter, first: int, most: int
) -> Sequence[Row[Any]]:
    """The columns `LINE` of a user's entries and whether they are deleted, newest first. Bodies come as the text that is stored."""
    deleted = HistoryEntry.deleted_at.is_not(None).label("deleted")
    asked = select(*[*_stored(), deleted]).where(*wanted.conditions(user_id))
    return (
        await session.execute(asked.order_by(HistoryEntry.id.desc()).offset(first).limit(most))
    ).all()


async def lines(
    session: AsyncSession, user_id: int, wanted: Filter, before: int | None, most: int
) -> Sequence[Row[Any]]:
    """The columns `LINE` of a user's entries, newest first, from below a number on. Bodies come as the text that is stored."""
    asked = select(*_stored()).where(*wanted.conditions(user_id))
    if before is not None:
        asked = asked.where(HistoryEntry.id < before)
    return (await session.execute(asked.order_by(HistoryEntry.id.desc()).limit(most))).all()


def _stored() -> list[ColumnElement[Any]]:
    """The columns `LINE`, bodies as text under their own names."""
    return [cast(one, Text).label(one.key) if one.key in BODIES else one.expression for one in LINE]


async def count(session: AsyncSession, user_id: int, wanted: Filter) -> int:
    """How many there are."""
    return (
        await session.scalar(
            select(func.count()).select_from(HistoryEntry).where(*wanted.conditions(user_id))
        )
        or 0
    )


async def mark(
    session: AsyncSession, user_id: int, number: int, deleted_at: datetime | None
) -> HistoryEntry | None:
    """Delete one of the user's entries, or take that back (None); None where the user has no such entry."""
    marked = await session.scalars(
        update(HistoryEntry)
        .where(HistoryEntry.id == number, HistoryEntry.user_id == user_id)
        .values(deleted_at=deleted_at)
        .returning(HistoryEntry)
    )
    return marked.one_or_none()


async def remove_deleted(session: AsyncSession, before: datetime, most: int) -> int:
    """Remove entries for good that were deleted before an instant, the oldest first; how many."""
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
