"""Questions about the plant's past. The only writer of the tables `plant_…`, on behalf of the monitor alone.

An interval is known by its start: storing it twice changes nothing, and a row that the feed has corrected takes the place of the
old one, whose assessment goes (it was made of other numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.outputs import digest, join, split
from alarmstack.storage.database.tables import (
    Body,
    PlantAssessed,
    PlantBody,
    PlantInterval,
    PlantVersions,
)


@dataclass(frozen=True)
class Past:
    """An interval's row and, once assessed, what was said of it."""

    start: datetime
    row: Body
    said: Body | None = None
    in_alarm: bool = False


class Version(NamedTuple):
    """Which row of an interval: its start, and how often it was corrected."""

    start: datetime
    revision: int


async def store(
    session: AsyncSession,
    plant: str,
    start: datetime,
    row: Body,
    now: datetime,
    seen_for: timedelta = timedelta(0),
) -> bool:
    """Keep an interval; whether that changed anything.

    `seen_for`: how long after it other intervals were assessed with it in their past. Their assessments go with its own.
    """
    known = await session.get(PlantInterval, (plant, start), with_for_update=True)
    if known is not None and _numbers(known.row) == _numbers(row):
        return False
    if known is None:
        session.add(PlantInterval(plant=plant, start=start, row=row, stored_at=now, revision=1))
    else:
        known.row, known.stored_at, known.revision = row, now, known.revision + 1
    # The row before the assessments: what is stored of the old row meanwhile is removed too.
    await session.flush()
    await _forget_assessed(session, plant, start, start + seen_for)
    return True


async def store_assessment(
    session: AsyncSession,
    plant: str,
    start: datetime,
    body: Body,
    said: Body,
    in_alarm: bool,
    now: datetime,
    made_from: Sequence[Version] | None = None,
) -> bool:
    """Keep an assessment; a newer one takes an older one's place.

    `made_from`: the rows that it was computed from. Where they are no longer the newest ones, nothing is kept and the
    answer is False.
    """
    own, shared = split(said)
    number = await _versions_id(session, shared)
    assessed = PlantAssessed(
        plant=plant, start=start, said=own, versions_id=number, in_alarm=in_alarm, stored_at=now
    )
    await session.merge(assessed)
    await session.merge(PlantBody(plant=plant, start=start, body=body))
    if made_from is None:
        return True
    # Written first: from here on SQLite lets nobody else write, and Postgres locks the rows that are compared.
    await session.flush()
    if await _revisions(session, plant, start, len(made_from)) == list(made_from):
        return True
    await _forget_assessed(session, plant, start, start)
    return False


async def _forget_assessed(
    session: AsyncSession, plant: str, first: datetime, last: datetime
) -> None:
    """Remove the assessments of the intervals that start in [first, last]."""
    for table in (PlantAssessed, PlantBody):
        await session.execute(
            delete(table).where(table.plant == plant, table.start.between(first, last))
        )


async def _revisions(
    session: AsyncSession, plant: str, start: datetime, most: int
) -> list[Version]:
    asked = (
        select(PlantInterval.start, PlantInterval.revision)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
        .with_for_update(read=True)
    )
    return [Version(*one) for one in (await session.execute(asked)).all()[::-1]]


async def block_until(
    session: AsyncSession, plant: str, start: datetime, most: int
) -> tuple[list[Version], list[Body]]:
    """The last rows up to and with `start`, oldest first, and which rows they are."""
    asked = (
        select(PlantInterval.start, PlantInterval.revision, PlantInterval.row)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    found = (await session.execute(asked)).all()[::-1]
    return [Version(one[0], one[1]) for one in found], [one[2] for one in found]


async def newest_assessed(
    session: AsyncSession, plant: str, until: datetime | None
) -> datetime | None:
    """Start of the newest assessed interval before `until`."""
    asked = select(func.max(PlantAssessed.start)).where(PlantAssessed.plant == plant)
    return await session.scalar(
        asked if until is None else asked.where(PlantAssessed.start < until)
    )


async def _versions_id(session: AsyncSession, shared: Body) -> int:
    """The number that thresholds and versions are kept under; new ones get the next."""
    key = digest(shared)
    known = (
        await session.scalars(select(PlantVersions.id).where(PlantVersions.digest == key))
    ).one_or_none()
    if known is not None:
        return known
    added = PlantVersions(digest=key, versions=shared)
    session.add(added)
    await session.flush()
    return added.id


async def newest_starts(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of the newest intervals, oldest first."""
    asked = (
        select(PlantInterval.start)
        .where(PlantInterval.plant == plant)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    return (await session.scalars(asked)).all()[::-1]


async def unassessed(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of intervals that nothing was said of yet, newest first."""
    assessed = (
        select(PlantAssessed.start)
        .where(PlantAssessed.plant == plant, PlantAssessed.start == PlantInterval.start)
        .exists()
    )
    asked = select(PlantInterval.start).where(PlantInterval.plant == plant, ~assessed)
    return (await session.scalars(asked.order_by(PlantInterval.start.desc()).limit(most))).all()


async def rows_until(
    session: AsyncSession, plant: str, start: datetime, most: int
) -> Sequence[Body]:
    """Rows of the last intervals up to and with `start`, oldest first."""
    asked = (
        select(PlantInterval.row)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    return (await session.scalars(asked)).all()[::-1]


async def past(
    session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Sequence[Past]:
    """The newest `most` intervals that start in [begin, end), oldest first, with the little that was said of them."""
    return await _read(session, _within(select(PlantInterval.row), plant, begin, end, most))


async def scored(
    session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Sequence[Past]:
    """The same without what was measured: a row holds its segment alone, which is all that warnings need."""
    segment = PlantInterval.row["segment"].as_integer()
    found = await _read(session, _within(select(segment), plant, begin, end, most))
    return [replace(one, row={"segment": one.row}) for one in found]


async def rows(
    session: AsyncSession, plant: str, starts: Sequence[datetime]
) -> dict[datetime, Body]:
    """The rows of these intervals."""
    asked = select(PlantInterval.start, PlantInterval.row).where(
        PlantInterval.plant == plant, PlantInterval.start.in_(starts)
    )
    return {start: row for start, row in (await session.execute(asked)).all()}


async def _read(session: AsyncSession, asked: Select[Any]) -> list[Past]:
    """The intervals that `_within` asks for, oldest first."""
    found = (await session.execute(asked)).all()
    numbers = {number for *_, number in found if number is not None}
    known = await session.execute(
        select(PlantVersions.id, PlantVersions.versions).where(PlantVersions.id.in_(numbers))
    )
    shared = dict(known.tuples().all())
    return [
        Past(start, first, None if own is None else join(own, shared[number]), bool(in_alarm))
        for first, start, own, in_alarm, number in found[::-1]
    ]


def _within(
    asked: Select[Any], plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Select[Any]:
    """The newest `most` intervals that start in [begin, end): what was asked for, start, what was said, in alarm."""
    asked = (
        asked.add_columns(
            PlantInterval.start,
            PlantAssessed.said,
            PlantAssessed.in_alarm,
            PlantAssessed.versions_id,
        )
        .outerjoin(
            PlantAssessed,
            (PlantAssessed.plant == PlantInterval.plant)
            & (PlantAssessed.start == PlantInterval.start),
        )
        .where(PlantInterval.plant == plant)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    if begin is not None:
        asked = asked.where(PlantInterval.start >= begin)
    return asked if end is None else asked.where(PlantInterval.start < end)


async def bodies(
    session: AsyncSession, plant: str, starts: Sequence[datetime]
) -> dict[datetime, Body]:
    """The whole assessments of these intervals, where they are still kept."""
    asked = select(PlantBody.start, PlantBody.body).where(
        PlantBody.plant == plant, PlantBody.start.in_(starts)
    )
    return {start: body for start, body in (await session.execute(asked)).all()}


async def forget_bodies(session: AsyncSession, plant: str, before: datetime, most: int) -> int:
    """Remove whole assessments of intervals that start before an instant, the oldest first; how many. Their scores stay."""
    return await _forget(session, PlantBody, plant, before, most)


async def forget_intervals(session: AsyncSession, plant: str, before: datetime, most: int) -> int:
    """Remove intervals that start before an instant with all that was said of them, the oldest first; how many."""
    for table in (PlantBody, PlantAssessed):
        await _forget(session, table, plant, before, most)
    return await _forget(session, PlantInterval, plant, before, most)


async def _forget(
    session: AsyncSession,
    table: type[PlantBody | PlantAssessed | PlantInterval],
    plant: str,
    before: datetime,
    most: int,
) -> int:
    oldest = (
        select(table.start)
        .where(table.plant == plant, table.start < before)
        .order_by(table.start)
        .limit(most)
    )
    starts = (await session.scalars(oldest)).all()
    if starts:
        await session.execute(
            delete(table).where(
                table.plant == plant, table.start < before, table.start <= starts[-1]
            )
        )
    return len(starts)


def _numbers(row: Body) -> Body:
    """What was measured; a feed that restarts may number its segments anew, which is no correction."""
    return {key: value for key, value in row.items() if key != "segment"}


__all__ = [
    "Past",
    "Version",
    "block_until",
    "bodies",
    "forget_bodies",
    "forget_intervals",
    "newest_assessed",
    "newest_starts",
    "past",
    "rows",
    "rows_until",
    "scored",
    "store",
    "store_assessment",
    "unassessed",
]
