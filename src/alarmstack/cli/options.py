"""Values that several commands take on the command line: read, checked, and refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from alarmstack.core.plant import parse_duration

LARGEST_SEED = 2**32 - 1
"""The libraries that draw random numbers take no larger one."""
MOST_SEEDS = 100
LONGEST_DAYS = 3660
"""Days of a simulated plant: ten years."""
FIRST_YEAR, LAST_YEAR = 1980, 2090
"""Years in which a simulated plant may begin: those that historian files are read with, and ten more fit below the last."""
LONGEST_GRACE = 86_400.0
"""Wall seconds."""


def seeds_of(option: str, text: str) -> list[int]:
    """Seeds, with commas between them. Raises BadParameter that names the option.

    >>> seeds_of("--seeds", "101,102")
    [101, 102]
    """
    parts = text.split(",")
    whole = [
        int(part)
        for part in parts
        if part.strip().isascii() and part.strip().isdigit() and len(part) <= 20
    ]
    if len(whole) < len(parts) or max(whole) > LARGEST_SEED or len(whole) > MOST_SEEDS:
        shown = text if len(text) <= 50 else f"{text[:50]}…"
        raise typer.BadParameter(
            f"{shown!r} are no seeds: give at most {MOST_SEEDS} whole numbers from 0 to {LARGEST_SEED} with commas between them",
            param_hint=option,
        )
    return whole


def duration_of(option: str, text: str) -> timedelta:
    """A duration such as 15min. Raises BadParameter that names the option."""
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    if not found:
        raise typer.BadParameter(
            f"{text!r} is no time at all: give for example 15min", param_hint=option
        )
    return found


def first_day(option: str, start: datetime) -> datetime:
    """The day on which a simulated plant begins. Raises BadParameter that names the option."""
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise typer.BadParameter(
            f"{start:%Y-%m-%d} is not between {FIRST_YEAR} and {LAST_YEAR}", param_hint=option
        )
    return start


def write_json(path: Path | None, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write what was printed as JSON, where a file is named."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
        )


__all__ = [
    "LARGEST_SEED",
    "LONGEST_DAYS",
    "LONGEST_GRACE",
    "duration_of",
    "first_day",
    "seeds_of",
    "write_json",
]
