"""What to fetch from the feed and what to send to inference: decided without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from alarmstack.services.monitor.validation import Validator, on_grid
from alarmstack.storage.database.tables import Body

MOST_PULLED = 240
"""Intervals that one request asks the feed for: the ten days that it keeps, at an hour each."""


def missing(newest: datetime | None, arrived: datetime, cadence: timedelta) -> int:
    """How many intervals are missing between the newest stored one and one that just arrived.

    0 when they follow each other. With nothing stored, or after a clock that went back: all that
    the feed has.
    """
    if newest is None or arrived < newest:
        return MOST_PULLED
    return min(max((arrived - newest) // cadence - 1, 0), MOST_PULLED)


def block(validator: Validator, rows: Sequence[Body], cadence: timedelta) -> list[Body]:
    """The rows to send so that the last one is assessed, oldest first.

    Inference would refuse rows off its grid and keys that the plant does not have: they are left
    out.

    A feed that restarts may number its segments from zero again. Where the numbers decrease, they
    are left out, and inference derives segments from the rows.
    """
    if not rows:
        return []
    last = _start(rows[-1])
    sent = [validator.known(row) for row in rows if on_grid(_start(row), cadence, last)]
    segments = [row["segment"] for row in sent if row.get("segment", -1) not in (None, -1)]
    if all(before <= after for before, after in pairwise(segments)):
        return sent
    return [_without_segment(row) for row in sent]


def _without_segment(row: Body) -> Body:
    return {key: value for key, value in row.items() if key != "segment"}


def _start(row: Body) -> datetime:
    return datetime.fromisoformat(row["timestamp"])


__all__ = ["MOST_PULLED", "block", "missing"]
