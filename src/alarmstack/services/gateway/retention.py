"""What is kept for how long.

One task of the gateway removes what is older, a little at a time, so that no writer waits for it.
Whole assessments are kept for a time on the plant's clock. Of older intervals, values, scores and
warnings are kept much longer. A deleted history entry can be restored for a time on the wall clock.
The journal is kept forever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.clock import Clock
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.core.tasks import Task
from alarmstack.storage.database import Database, entries, plant_history

EVERY_SECONDS = 60.0
"""The longest wall time between two passes, in seconds."""
STRETCH = timedelta(hours=12)
"""Plant time after which a pass is due earlier, so that a fast plant clock keeps no more rows."""
BATCH = 200
"""Rows that one transaction removes: other writers wait a few milliseconds."""
Removal = Callable[[AsyncSession, datetime, int], Awaitable[int]]
"""Removes rows older than an instant, at most the given number. Returns how many."""
log = logging.getLogger(__name__)


class Retention:
    """The task. `run` it under a function that restarts it."""

    def __init__(self, plant: Plant, database: Database, settings: Settings, clock: Clock) -> None:
        self._plant, self._database = plant.name, database
        self._settings, self._clock = settings, clock
        self._stretch = plant.rows(STRETCH)
        self._new = 0
        """Intervals assessed since the last pass began."""
        self._stretch_over = asyncio.Event()
        self.removed = 0
        """Rows removed since the start."""

    def assessed(self) -> None:
        """Count an assessed interval. After half a plant day of them a pass is due."""
        self._new += 1
        if self._new >= self._stretch:
            self._stretch_over.set()

    async def run(self, task: Task) -> None:
        """Remove rows that are too old, again and again, until cancelled."""
        while True:
            wall_time = asyncio.ensure_future(self._clock.sleep(EVERY_SECONDS))
            try:
                await self.once(task)
                while not await self._passed(wall_time, task):
                    # Shortening the log makes writers wait: not as often as a fast plant would.
                    await self.once(task, shorten_log=False)
            finally:
                wall_time.cancel()

    async def _passed(self, wall_time: asyncio.Future[None], task: Task) -> bool:
        """Wait for the wall time or the plant time between two passes.

        Returns whether it was the wall time.
        """
        plant_time = asyncio.ensure_future(self._stretch_over.wait())
        waits: list[asyncio.Future[Any]] = [wall_time, plant_time]
        try:
            with task.waiting():
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            plant_time.cancel()
        return wall_time.done()

    async def once(self, task: Task | None = None, *, shorten_log: bool = True) -> int:
        """Remove all rows that are too old now, and free their space. Returns how many."""
        self._new = 0
        self._stretch_over.clear()
        removed = 0
        for removal, before in await self._due():
            removed += await self._all(removal, before, task)
        await self._database.release(shorten_log=shorten_log)
        if task is not None:
            task.progress()
        if removed:
            log.info("%d rows were removed because of their age", removed)
        return removed

    async def _due(self) -> list[tuple[Removal, datetime]]:
        """What to remove, and from before which instant.

        The age of the plant's past is measured from its newest interval.
        """
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
        """Remove in short transactions until no row is too old."""
        removed = 0
        while True:
            async with self._database.begin() as session:
                count = await removal(session, before, BATCH)
            removed += count
            self.removed += count
            if task is not None:
                task.progress()
            if count < BATCH:
                return removed

    async def _bodies(self, session: AsyncSession, before: datetime, most: int) -> int:
        return await plant_history.forget_bodies(session, self._plant, before, most)

    async def _intervals(self, session: AsyncSession, before: datetime, most: int) -> int:
        return await plant_history.forget_intervals(session, self._plant, before, most)


def before(newest: datetime, days: float) -> datetime:
    """The instant so many days earlier, but not before the calendar begins."""
    kept, all_of_it = timedelta(days=days), newest - datetime.min.replace(tzinfo=newest.tzinfo)
    return newest - min(kept, all_of_it)


__all__ = ["BATCH", "EVERY_SECONDS", "STRETCH", "Retention", "before"]
