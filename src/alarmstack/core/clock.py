"""The wall clock, passed in, so that a test's hour takes no hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The instant from which grids of intervals are counted: a grid of one hour begins at whole hours UTC."""


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now(self) -> datetime:
        """This instant, aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """This instant, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


__all__ = ["EPOCH", "Clock", "SystemClock"]
