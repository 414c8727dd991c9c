"""What is kept for how long: one task of the gateway removes what is older, a little at a time, so that no writer waits for it.

Whole assessments are kept for a time of the plant's clock; of older intervals values, scores and
warnings stay, for a much longer time. A deleted history entry can be restored for a time of the
wall clock. The journal is kept for good.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.clock import Clock
from alarmstack.core.settings import Settings
from alarmstack.core.tasks import Task
from alarmstack.storage.database import Database, entries, plant_history

EVERY_SECONDS = 60.0
"""Wall seconds between two passes: half a day of the demo's plant."""
BATCH = 200
"""Rows that one transaction removes: a few milliseconds, for which other writers wait."""
Removal = Callable[[AsyncSession, datetime, int], Awaitable[int]]
"""Removes at most so many rows that are older than an instant; how many it removed."""
log = logging.getLogger(__name__)


class Retention:
    """The task. `run` it under a supervising function."""

    def __init__(self, plant: str, database: Database, settings: Settings, clock: Clock) -> None:
        self._plant, self._database, self._settings, self._clock = plant, database, settings, clock
        self.removed = 0
        """Rows removed since the start."""

    async def run(self, task: Task) -> None:
        """Remove what is too old, again and again, until cancelled."""
        while True:
            await self.once(task)
            with task.waiting():
                await self._clock.sleep(EVERY_SECONDS)

    async def once(self, task: Task | None = None) -> int:
        """Remove everything that is too old now, and give its space back; how many rows were removed."""
        removed = 0
        for removal, before in await self._due():
            removed += await self._all(removal, before, task)
        await self._database.release()
        if task is not None:
            task.progress()
        if removed:
            log.info("%d rows older than they are kept were removed", removed)
        self.removed += removed
        return removed

    async def _due(self) -> list[tuple[Removal, datetime]]:
        """What is removed, and from before which instant. The plant's past is as old as its newest interval says."""
        settings = self._settings
        due: list[tuple[Removal, datetime]] = [
            (entries.remove_deleted, self._clock.now() - timedelta(days=settings.keep_deleted_days))
        ]
        async with self._database.begin() as session:
            newest = await plant_history.newest_starts(session, self._plant, 1)
        if newest:
            due += [
                (self._bodies, before(newest[0], settings.keep_assessments_days)),
                (self._intervals, before(newest[0], settings.keep_intervals_days)),
            ]
        return due

    async def _all(self, removal: Removal, before: datetime, task: Task | None) -> int:
        """Remove in short transactions until nothing is left that is too old."""
        removed = 0
        while True:
            async with self._database.begin() as session:
                count = await removal(session, before, BATCH)
            removed += count
            if task is not None:
                task.progress()
            if count < BATCH:
                return removed

    async def _bodies(self, session: AsyncSession, before: datetime, most: int) -> int:
        return await plant_history.forget_bodies(session, self._plant, before, most)

    async def _intervals(self, session: AsyncSession, before: datetime, most: int) -> int:
        return await plant_history.forget_intervals(session, self._plant, before, most)


def before(newest: datetime, days: float) -> datetime:
    """So many days earlier; not before the calendar begins."""
    kept, all_of_it = timedelta(days=days), newest - datetime.min.replace(tzinfo=newest.tzinfo)
    return newest - min(kept, all_of_it)


__all__ = ["BATCH", "EVERY_SECONDS", "Retention", "before"]
