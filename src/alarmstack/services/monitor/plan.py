"""What to fetch and what to send, decided apart from any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from alarmstack.services.monitor.validation import Validator, on_grid
from alarmstack.storage.database.tables import Body

MOST_PULLED = 240
"""Intervals that the feed is asked for at once: the ten days it keeps, at an hour each."""


def missing(newest: datetime | None, arrived: datetime, cadence: timedelta) -> int:
    """How many intervals to ask the feed for, so that none is lost between the newest one known and one that just arrived.

    None is missing when they follow one another. Nothing known, or a clock that went back: as many as the feed gives.
    """
    if newest is None or arrived < newest:
        return MOST_PULLED
    return min(max((arrived - newest) // cadence - 1, 0), MOST_PULLED)


def block(validator: Validator, rows: Sequence[Body], cadence: timedelta) -> list[Body]:
    """Rows as they are sent to have the last one assessed, oldest first.

    Rows off its grid and keys that the plant does not have, for which inference would refuse the block, are left out.

    A feed that restarts may number its segments anew. Where numbers run backwards they are left out, and found anew from the rows.
    """
    if not rows:
        return []
    known = [
        validator.known(row) for row in rows if on_grid(_start(row), cadence, _start(rows[-1]))
    ]
    numbers = [row["segment"] for row in known if row.get("segment", -1) not in (None, -1)]
    if all(before <= after for before, after in pairwise(numbers)):
        return known
    return [{key: value for key, value in row.items() if key != "segment"} for row in known]


def _start(row: Body) -> datetime:
    return datetime.fromisoformat(row["timestamp"])


__all__ = ["MOST_PULLED", "block", "missing"]
