"""History as CSV, for spreadsheets: cells that a spreadsheet would run as a formula are kept from running."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime

from alarmstack.wire.screen import Entry

MOST_LINES = 10_000
COLUMNS = (
    "id",
    "type",
    "created_at",
    "plant_time",
    "horizon_hours",
    "score",
    "alarm",
    "model",
    "model_version",
    "request",
    "response",
)
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV injection)."""


def as_csv(entries: Sequence[Entry]) -> str:
    """A header and one line an entry."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([cell(getattr(entry, name)) for name in COLUMNS] for entry in entries)
    return out.getvalue()


def cell(value: object) -> object:
    """A value as a cell. Numbers stay numbers; a text that would run gets an apostrophe in front.

    >>> cell("=1+1"), cell(-1.5)
    ("'=1+1", -1.5)
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(RUNS) else value


__all__ = ["COLUMNS", "MOST_LINES", "as_csv", "cell"]
