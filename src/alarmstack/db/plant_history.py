"""Questions about the plant's past. The only writer of `plant_intervals` and `plant_assessments`, on behalf of the monitor alone.

An interval is known by its start: storing it twice changes nothing, and a row that the feed has corrected takes the place of the
old one, whose assessment goes (it was made of other numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.db.tables import Body, PlantAssessed, PlantInterval


@dataclass(frozen=True)
class Past:
    """An interval's row and, once assessed, what was said of it."""

    start: datetime
    row: Body
    said: Body | None = None
    in_alarm: bool = False


async def store(session: AsyncSession, plant: str, start: datetime, row: Body, now: datetime) -> bool:
    """Keep an interval; whether that changed anything."""
    known = await session.get(PlantInterval, (plant, start))
    if known is not None and _numbers(known.row) == _numbers(row):
        return False
    if known is not None:
        await session.execute(delete(PlantAssessed).where(PlantAssessed.plant == plant, PlantAssessed.start == start))
        known.row, known.stored_at = row, now
    else:
        session.add(PlantInterval(plant=plant, start=start, row=row, stored_at=now))
    return True


async def store_assessment(
    session: AsyncSession, plant: str, start: datetime, body: Body, said: Body, in_alarm: bool, now: datetime
) -> None:
    """Keep an assessment; a newer one takes an older one's place."""
    await session.merge(PlantAssessed(plant=plant, start=start, body=body, said=said, in_alarm=in_alarm, stored_at=now))


async def newest_starts(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of the newest intervals, oldest first."""
    asked = select(PlantInterval.start).where(PlantInterval.plant == plant).order_by(PlantInterval.start.desc()).limit(most)
    return (await session.scalars(asked)).all()[::-1]


async def unassessed(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of intervals that nothing was said of yet, newest first."""
    assessed = select(PlantAssessed.start).where(PlantAssessed.plant == plant, PlantAssessed.start == PlantInterval.start).exists()
    asked = select(PlantInterval.start).where(PlantInterval.plant == plant, ~assessed)
    return (await session.scalars(asked.order_by(PlantInterval.start.desc()).limit(most))).all()


async def rows_until(session: AsyncSession, plant: str, start: datetime, most: int) -> Sequence[Body]:
    """Rows of the last intervals up to and with `start`, oldest first."""
    asked = (
        select(PlantInterval.row)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    return (await session.scalars(asked)).all()[::-1]


async def past(session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int) -> Sequence[Past]:
    """The newest `most` intervals that start in [begin, end), oldest first, with the little that was said of them."""
    found = (await session.execute(_within(select(PlantInterval.row), plant, begin, end, most))).all()
    return [Past(start, row, said, bool(in_alarm)) for row, start, said, in_alarm in found[::-1]]


async def scored(session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int) -> Sequence[Past]:
    """The same without what was measured: a row holds its segment alone, which is all that warnings need."""
    segment = PlantInterval.row["segment"].as_integer()
    found = (await session.execute(_within(select(segment), plant, begin, end, most))).all()
    return [Past(start, {"segment": number}, said, bool(in_alarm)) for number, start, said, in_alarm in found[::-1]]


async def rows(session: AsyncSession, plant: str, starts: Sequence[datetime]) -> dict[datetime, Body]:
    """The rows of these intervals."""
    asked = select(PlantInterval.start, PlantInterval.row).where(PlantInterval.plant == plant, PlantInterval.start.in_(starts))
    return {start: row for start, row in (await session.execute(asked)).all()}


def _within(asked: Select[Any], plant: str, begin: datetime | None, end: datetime | None, most: int) -> Select[Any]:
    """The newest `most` intervals that start in [begin, end): what was asked for, start, what was said, in alarm."""
    asked = (
        asked.add_columns(PlantInterval.start, PlantAssessed.said, PlantAssessed.in_alarm)
        .outerjoin(PlantAssessed, (PlantAssessed.plant == PlantInterval.plant) & (PlantAssessed.start == PlantInterval.start))
        .where(PlantInterval.plant == plant)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    if begin is not None:
        asked = asked.where(PlantInterval.start >= begin)
    return asked if end is None else asked.where(PlantInterval.start < end)


async def bodies(session: AsyncSession, plant: str, starts: Sequence[datetime]) -> dict[datetime, Body]:
    """The whole assessments of these intervals."""
    asked = select(PlantAssessed.start, PlantAssessed.body).where(PlantAssessed.plant == plant, PlantAssessed.start.in_(starts))
    return {start: body for start, body in (await session.execute(asked)).all()}


def _numbers(row: Body) -> Body:
    """What was measured; a feed that restarts may number its segments anew, which is no correction."""
    return {key: value for key, value in row.items() if key != "segment"}


__all__ = ["Past", "bodies", "newest_starts", "past", "rows", "rows_until", "scored", "store", "store_assessment", "unassessed"]
