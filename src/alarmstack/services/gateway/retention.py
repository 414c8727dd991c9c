"""What is kept for how long: one task of the gateway removes what is older, a little at a time, so that no writer waits for it.

Whole assessments are kept for a time of the plant's clock; of older intervals values, scores and warnings stay, for a much longer
time. A deleted history entry can be restored for a time of the wall clock. The journal is kept for good.
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
"""Wall seconds between two passes at most."""
STRETCH = timedelta(hours=12)
"""Plant time whose intervals make a pass due earlier: what is kept too long does not depend on the speed of a plant's clock."""
BATCH = 200
"""Rows that one transaction removes: a few milliseconds, for which other writers wait."""
Removal = Callable[[AsyncSession, datetime, int], Awaitable[int]]
"""Removes at most so many rows that are older than an instant; how many it removed."""
log = logging.getLogger(__name__)


class Retention:
    """The task. `run` it under a supervising function."""

    def __init__(self, plant: Plant, database: Database, settings: Settings, clock: Clock) -> None:
        self._plant, self._database, self._settings, self._clock = (
            plant.name,
            database,
            settings,
            clock,
        )
        self._stretch = plant.rows(STRETCH)
        self._new = 0
        """Intervals assessed since the last pass began."""
        self._stretch_over = asyncio.Event()
        self.removed = 0
        """Rows removed since the start."""

    def assessed(self) -> None:
        """One more interval was assessed: after half a plant day of them a pass is due."""
        self._new += 1
        if self._new >= self._stretch:
            self._stretch_over.set()

    async def run(self, task: Task) -> None:
        """Remove what is too old, again and again, until cancelled."""
        while True:
            wall_time = asyncio.ensure_future(self._clock.sleep(EVERY_SECONDS))
            try:
                await self.once(task)
                while not await self._passed(wall_time, task):
                    # Shortening the log waits for readers and holds up writers: not at the speed of a fast plant.
                    await self.once(task, shorten_log=False)
            finally:
                wall_time.cancel()

    async def _passed(self, wall_time: asyncio.Future[None], task: Task) -> bool:
        """Wait for the wall time or the plant time between two passes; whether it was the wall time."""
        plant_time = asyncio.ensure_future(self._stretch_over.wait())
        waits: list[asyncio.Future[Any]] = [wall_time, plant_time]
        try:
            with task.waiting():
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            plant_time.cancel()
        return wall_time.done()

    async def once(self, task: Task | None = None, *, shorten_log: bool = True) -> int:
        """Remove everything that is too old now, and give its space back; how many rows were removed."""
        self._new = 0
        self._stretch_over.clear()
        removed = 0
        for removal, before in await self._due():
            removed += await self._all(removal, before, task)
        await self._database.release(shorten_log=shorten_log)
        if task is not None:
            task.progress()
        if removed:
            log.info("%d rows older than they are kept were removed", removed)
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
    """So many days earlier; not before the calendar begins."""
    kept, all_of_it = timedelta(days=days), newest - datetime.min.replace(tzinfo=newest.tzinfo)
    return newest - min(kept, all_of_it)


__all__ = ["BATCH", "EVERY_SECONDS", "STRETCH", "Retention", "before"]
