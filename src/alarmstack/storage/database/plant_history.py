"""Past intervals and their assessments. The only writer of `plant_…`, used by the monitor alone.

An interval is identified by its start. Storing it twice changes nothing. A row that the feed has
corrected replaces the old one, and the assessment of the old one is removed, because it was
computed from other values.
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
    """The row of an interval and, once it is assessed, the model outputs."""

    start: datetime
    row: Body
    outputs: Body | None = None
    in_alarm: bool = False


class Version(NamedTuple):
    """Identifies a row of an interval: its start, and how often it was corrected."""

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
    """Store an interval. Returns whether this changed anything.

    `seen_for`: intervals that start up to this long afterwards were assessed with this one in their
    past. Their assessments are removed together with its own.
    """
    stored = await session.get(PlantInterval, (plant, start), with_for_update=True)
    if stored is not None and _numbers(stored.row) == _numbers(row):
        return False
    if stored is None:
        session.add(PlantInterval(plant=plant, start=start, row=row, stored_at=now, revision=1))
    else:
        stored.row, stored.stored_at, stored.revision = row, now, stored.revision + 1
    # The row before the assessments: an assessment of the old row that is stored meanwhile goes
    # too.
    await session.flush()
    await _forget_assessed(session, plant, start, start + seen_for)
    return True


async def store_assessment(
    session: AsyncSession,
    plant: str,
    start: datetime,
    body: Body,
    outputs: Body,
    in_alarm: bool,
    now: datetime,
    made_from: Sequence[Version] | None = None,
) -> bool:
    """Store an assessment, which replaces an older one.

    `made_from`: the rows that it was computed from. When they are no longer the newest ones,
    nothing is stored and the result is False.
    """
    own, shared = split(outputs)
    number = await _versions_id(session, shared)
    assessed = PlantAssessed(
        plant=plant, start=start, outputs=own, versions_id=number, in_alarm=in_alarm, stored_at=now
    )
    await session.merge(assessed)
    await session.merge(PlantBody(plant=plant, start=start, body=body))
    if made_from is None:
        return True
    # Written first: now SQLite blocks other writers, and Postgres locks the rows that are compared.
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
    query = (
        select(PlantInterval.start, PlantInterval.revision)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
        .with_for_update(read=True)
    )
    return [Version(*row) for row in (await session.execute(query)).all()[::-1]]


async def block_until(
    session: AsyncSession, plant: str, start: datetime, most: int
) -> tuple[list[Version], list[Body]]:
    """The last rows up to `start` inclusive, oldest first, after their versions."""
    query = (
        select(PlantInterval.start, PlantInterval.revision, PlantInterval.row)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    stored = (await session.execute(query)).tuples().all()[::-1]
    versions = [Version(begin, revision) for begin, revision, _ in stored]
    return versions, [row for _, _, row in stored]


async def newest_assessed(
    session: AsyncSession, plant: str, until: datetime | None
) -> datetime | None:
    """Start of the newest assessed interval before `until`."""
    query = select(func.max(PlantAssessed.start)).where(PlantAssessed.plant == plant)
    if until is not None:
        query = query.where(PlantAssessed.start < until)
    return await session.scalar(query)


async def _versions_id(session: AsyncSession, shared: Body) -> int:
    """The number of stored thresholds and versions; new ones are added."""
    key = digest(shared)
    query = select(PlantVersions.id).where(PlantVersions.digest == key)
    number = (await session.scalars(query)).one_or_none()
    if number is not None:
        return number
    added = PlantVersions(digest=key, versions=shared)
    session.add(added)
    await session.flush()
    return added.id


async def newest_starts(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of the newest intervals, oldest first."""
    query = (
        select(PlantInterval.start)
        .where(PlantInterval.plant == plant)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    return (await session.scalars(query)).all()[::-1]


async def unassessed(session: AsyncSession, plant: str, most: int) -> Sequence[datetime]:
    """Starts of intervals that have not been assessed yet, newest first."""
    assessed = (
        select(PlantAssessed.start)
        .where(PlantAssessed.plant == plant, PlantAssessed.start == PlantInterval.start)
        .exists()
    )
    query = select(PlantInterval.start).where(PlantInterval.plant == plant, ~assessed)
    return (await session.scalars(query.order_by(PlantInterval.start.desc()).limit(most))).all()


async def rows_until(
    session: AsyncSession, plant: str, start: datetime, most: int
) -> Sequence[Body]:
    """Rows of the last intervals up to `start` inclusive, oldest first."""
    query = (
        select(PlantInterval.row)
        .where(PlantInterval.plant == plant, PlantInterval.start <= start)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    return (await session.scalars(query)).all()[::-1]


async def past(
    session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Sequence[Past]:
    """The newest `most` intervals that start in [begin, end), oldest first, with their outputs."""
    return await _read(session, _within(select(PlantInterval.row), plant, begin, end, most))


async def scored(
    session: AsyncSession, plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Sequence[Past]:
    """Like `past` without measured values: a row has only its segment, which warnings need."""
    segment = PlantInterval.row["segment"].as_integer()
    intervals = await _read(session, _within(select(segment), plant, begin, end, most))
    return [replace(interval, row={"segment": interval.row}) for interval in intervals]


async def rows(
    session: AsyncSession, plant: str, starts: Sequence[datetime]
) -> dict[datetime, Body]:
    """The rows of these intervals."""
    query = select(PlantInterval.start, PlantInterval.row).where(
        PlantInterval.plant == plant, PlantInterval.start.in_(starts)
    )
    return {start: row for start, row in (await session.execute(query)).all()}


async def _read(session: AsyncSession, query: Select[Any]) -> list[Past]:
    """The intervals of a query by `_within`, oldest first."""
    stored = (await session.execute(query)).all()
    numbers = {number for *_, number in stored if number is not None}
    versions = await session.execute(
        select(PlantVersions.id, PlantVersions.versions).where(PlantVersions.id.in_(numbers))
    )
    shared = dict(versions.tuples().all())
    return [
        Past(start, row, None if own is None else join(own, shared[number]), bool(in_alarm))
        for row, start, own, in_alarm, number in stored[::-1]
    ]


def _within(
    query: Select[Any], plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Select[Any]:
    """`newest_with_assessments` with the columns that `_read` needs.

    They are the start, the stored outputs, whether the row is in alarm, and the number of the
    versions.
    """
    query = query.add_columns(
        PlantInterval.start,
        PlantAssessed.outputs,
        PlantAssessed.in_alarm,
        PlantAssessed.versions_id,
    )
    return newest_with_assessments(query, plant, begin, end, most)


def newest_with_assessments(
    query: Select[Any], plant: str, begin: datetime | None, end: datetime | None, most: int
) -> Select[Any]:
    """The query for the newest `most` intervals that start in [begin, end), newest first.

    Each interval is joined with its assessment, if it has one.
    """
    query = (
        query.outerjoin(
            PlantAssessed,
            (PlantAssessed.plant == PlantInterval.plant)
            & (PlantAssessed.start == PlantInterval.start),
        )
        .where(PlantInterval.plant == plant)
        .order_by(PlantInterval.start.desc())
        .limit(most)
    )
    if begin is not None:
        query = query.where(PlantInterval.start >= begin)
    return query if end is None else query.where(PlantInterval.start < end)


async def bodies(
    session: AsyncSession, plant: str, starts: Sequence[datetime]
) -> dict[datetime, Body]:
    """The complete assessments of these intervals, when they are still stored."""
    query = select(PlantBody.start, PlantBody.body).where(
        PlantBody.plant == plant, PlantBody.start.in_(starts)
    )
    return {start: body for start, body in (await session.execute(query)).all()}


async def forget_bodies(session: AsyncSession, plant: str, before: datetime, most: int) -> int:
    """Remove complete assessments of intervals before an instant, oldest first; their number.

    Their scores stay.
    """
    return await _forget(session, PlantBody, plant, before, most)


async def forget_intervals(session: AsyncSession, plant: str, before: datetime, most: int) -> int:
    """Remove intervals before an instant with all their outputs, oldest first; their number."""
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
    """The measured values. New segment numbers after a restart of the feed are not a correction."""
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
    "newest_with_assessments",
    "past",
    "rows",
    "rows_until",
    "scored",
    "store",
    "store_assessment",
    "unassessed",
]
