"""Questions about limit alarms. The only writer of `limit_alarms` and `limit_states`, on behalf of the monitor alone.

An episode is known by its rule and its beginning: writing it again changes it, so that a write that failed can be repeated.
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
    """A limit alarm. `end` None: it is active; `approximate`: its bounds are those of closed intervals."""

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
    """Write episodes that began, changed or ended, and the states that belong to them."""
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
    known = (await session.scalars(select(LimitEpisode).where(*same))).one_or_none()
    if known is None:
        session.add(LimitEpisode(plant=plant, **asdict(episode)))
        await session.flush()
        return
    known.end, known.peak, known.approximate = episode.end, episode.peak, episode.approximate


async def end_others(session: AsyncSession, plant: str, active: Mapping[str, datetime]) -> None:
    """End every episode that no state is active for: its rule was removed or changed. Its end is not known; its beginning is."""
    open_ended = select(LimitEpisode).where(LimitEpisode.plant == plant, LimitEpisode.end.is_(None))
    for episode in await session.scalars(open_ended):
        if active.get(episode.rule) != episode.begin:
            episode.end, episode.approximate = episode.begin, True


async def states(session: AsyncSession, plant: str) -> dict[str, Body]:
    """The state of each rule as it was last written."""
    found = await session.scalars(select(LimitProgress).where(LimitProgress.plant == plant))
    return {one.rule: one.state for one in found}


async def page(
    session: AsyncSession, plant: str, until: datetime | None, first: int, most: int
) -> Sequence[LimitEpisode]:
    """Episodes that began by `until`, newest first."""
    asked = select(LimitEpisode).where(*_began(plant, until))
    newest_first = asked.order_by(LimitEpisode.begin.desc(), LimitEpisode.id.desc())
    return (await session.scalars(newest_first.offset(first).limit(most))).all()


async def count(session: AsyncSession, plant: str, until: datetime | None) -> int:
    """How many began by `until`."""
    asked = select(func.count()).select_from(LimitEpisode).where(*_began(plant, until))
    return (await session.scalar(asked)) or 0


def _began(plant: str, until: datetime | None) -> list[ColumnElement[bool]]:
    of_plant = [LimitEpisode.plant == plant]
    return of_plant if until is None else [*of_plant, LimitEpisode.begin <= until]


__all__ = ["Episode", "count", "end_others", "keep", "page", "states"]
