"""Instants in API bodies and query strings: with an offset, in a range that databases can store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Far from the first and the last year, where sums of times have no date."""


def _in_utc(given: datetime) -> datetime:
    try:
        utc = given.astimezone(UTC)
    except OverflowError:
        utc = datetime.min.replace(tzinfo=UTC)
    if not EARLIEST <= utc <= LATEST:
        raise ValueError(f"is outside the years {EARLIEST.year} to {LATEST.year}")
    return utc


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]

__all__ = ["EARLIEST", "LATEST", "Instant"]
