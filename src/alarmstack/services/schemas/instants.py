"""Instants as they come from outside: with an offset, inside what every clock and database of the system can hold, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _in_utc(given: datetime) -> datetime:
    try:
        utc = given.astimezone(UTC)
    except OverflowError:
        utc = datetime.min.replace(tzinfo=UTC)
    if not EARLIEST <= utc <= LATEST:
        raise ValueError(f"lies outside {EARLIEST.year} to {LATEST.year}")
    return utc


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]

__all__ = ["EARLIEST", "LATEST", "Moment"]
