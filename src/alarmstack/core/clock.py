"""The wall clock, which is passed in, so that a test of one hour does not take one hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Grids of intervals are counted from here: an hourly grid begins at whole hours UTC."""
FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
"""The first day of a simulated plant, unless another one is given."""


class Clock(Protocol):
    """The present time, and a way to wait."""

    def now(self) -> datetime:
        """The present instant, with its time zone."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this long."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for this long."""
        await asyncio.sleep(seconds)


__all__ = ["EPOCH", "FIRST_DAY", "Clock", "SystemClock"]
