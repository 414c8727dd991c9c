"""Limit alarms. The only writer of `limit_alarms` and `limit_states`, used by the monitor alone.

An episode is identified by its rule and its beginning. Writing it again changes it, so that a
failed write can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.tables import Body, LimitEpisode, LimitProgress


@dataclass(frozen=True)
class Episode:
    """A limit alarm. `end` None: active; `approximate`: the bounds are those of intervals."""

    rule: str
    key: str
    tag: str
    title: str
    limit: float
    unit: str
    begin: datetime
    end: datetime | None
    peak: float | None
    approximate: bool


async def keep(
    session: AsyncSession, plant: str, episodes: Sequence[Episode], states: Mapping[str, Body]
) -> None:
    """Write episodes that began, changed or ended, and their states."""
    for episode in episodes:
        await _keep_episode(session, plant, episode)
    for rule, state in states.items():
        await session.merge(LimitProgress(plant=plant, rule=rule, state=state))


async def _keep_episode(session: AsyncSession, plant: str, episode: Episode) -> None:
    same = (
        LimitEpisode.plant == plant,
        LimitEpisode.rule == episode.rule,
        LimitEpisode.begin == episode.begin,
    )
    stored = (await session.scalars(select(LimitEpisode).where(*same))).one_or_none()
    if stored is None:
        session.add(LimitEpisode(plant=plant, **asdict(episode)))
        await session.flush()
        return
    stored.end, stored.peak, stored.approximate = episode.end, episode.peak, episode.approximate


async def end_others(session: AsyncSession, plant: str, active: Mapping[str, datetime]) -> None:
    """End every episode without an active state, because its rule was removed or changed.

    Its end is unknown, so the beginning is stored as the end.
    """
    open_ended = select(LimitEpisode).where(LimitEpisode.plant == plant, LimitEpisode.end.is_(None))
    for episode in await session.scalars(open_ended):
        if active.get(episode.rule) != episode.begin:
            episode.end, episode.approximate = episode.begin, True


async def states(session: AsyncSession, plant: str) -> dict[str, Body]:
    """The last written state of each rule."""
    rows = await session.scalars(select(LimitProgress).where(LimitProgress.plant == plant))
    return {row.rule: row.state for row in rows}


async def page(
    session: AsyncSession, plant: str, until: datetime | None, first: int, most: int
) -> Sequence[LimitEpisode]:
    """Episodes that began by `until`, newest first."""
    query = select(LimitEpisode).where(*_began(plant, until))
    newest_first = query.order_by(LimitEpisode.begin.desc(), LimitEpisode.id.desc())
    return (await session.scalars(newest_first.offset(first).limit(most))).all()


async def count(session: AsyncSession, plant: str, until: datetime | None) -> int:
    """The number of episodes that began by `until`."""
    query = select(func.count()).select_from(LimitEpisode).where(*_began(plant, until))
    return await session.scalar(query) or 0


def _began(plant: str, until: datetime | None) -> list[ColumnElement[bool]]:
    of_plant = [LimitEpisode.plant == plant]
    return of_plant if until is None else [*of_plant, LimitEpisode.begin <= until]


__all__ = ["Episode", "count", "end_others", "keep", "page", "states"]
