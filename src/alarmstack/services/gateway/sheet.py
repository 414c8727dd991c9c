"""History as CSV for spreadsheets. Cells that a spreadsheet would run as a formula are escaped."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

from alarmstack.storage.database import Database, entries

LINES_AT_A_TIME = 50
"""Entries that are read and written together: about 5 MB with long windows, in milliseconds."""
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters of a cell that a spreadsheet reads as a formula (OWASP, CSV injection)."""


async def csv_lines(database: Database, user_id: int, wanted: entries.Filter) -> AsyncIterator[str]:
    """A header, then one line for each entry, newest first.

    No transaction is open while a slow client reads.
    """
    yield _written([[column.key for column in entries.LINE]])
    before: int | None = None
    while True:
        async with database.begin() as session:
            rows = await entries.lines(session, user_id, wanted, before, LINES_AT_A_TIME)
        if not rows:
            return
        yield _written(map(_cells, rows))
        before = rows[-1][0]
        # A fast client must not keep the event loop from other requests.
        await asyncio.sleep(0)


def _cells(line: Sequence[object]) -> list[object]:
    return [cell(value) for value in line]


def _written(lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    return out.getvalue()


def cell(value: object) -> object:
    """A value as a cell. Numbers stay numbers. A formula gets an apostrophe in front.

    >>> cell("=1+1"), cell(-1.5)
    ("'=1+1", -1.5)
    """
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(RUNS) else value


__all__ = ["LINES_AT_A_TIME", "cell", "csv_lines"]
