"""Plant data in API bodies: rows of named numbers, and their conversion from and to blocks.

Keys are lower case. A *reading* has the newest value of each instrument. An *interval row* is a
closed interval: the median of each instrument under its key, beside it `<key>_max`, `<key>_min`,
`<key>_count`, `<key>_age` (seconds at the end of the interval), for each controller `<name>_sp` and
`<name>_op`, and `segment`: rows with the same number may share a window. Only the keys of the
modelled instruments are needed. The others make model outputs more accurate. `null` is a missing
value, and stays missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from alarmstack.core.errors import ObservationError
from alarmstack.core.intervals import STATISTICS, Floats, IntervalBlock, number_segments
from alarmstack.core.plant import LONGEST_BLOCK, Plant, write_duration
from alarmstack.services.schemas.instants import Instant

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""No row of a plant has a timestamp outside these years."""
MOST_ROWS = LONGEST_BLOCK
"""Intervals that one body may span."""
LARGEST_COUNT = 2**31 - 1
"""Counts of readings are 32-bit numbers in a block."""
DIGITS = 6
"""Decimal places of preset values: more than any instrument shows."""
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12, strict=True)]


class Reading(BaseModel):
    """Values of instruments at an instant: named numbers. `null` means missing."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Number | None]

    timestamp: Instant | None = Field(
        default=None, description="With offset; of an interval, its start."
    )

    @property
    def numbers(self) -> Mapping[str, float | None]:
        """The named numbers."""
        return self.__pydantic_extra__


class Observation(Reading):
    """One interval as a row of named numbers. `null` means missing."""

    segment: int | None = Field(
        default=None,
        ge=-1,
        lt=2**31,
        description="Rows with the same number may share a window; -1: inside a long gap. "
        "Default: derived from the rows.",
    )


def observation_keys(plant: Plant) -> dict[str, tuple[str, str]]:
    """The signal and the part (`median`, `min`, `max`, `count`, `age`) of every key of a row."""
    keys = {}
    for instrument in plant.modelled:
        keys[instrument.key] = (instrument.tag, "median")
        for part in ("max", "min", "count", "age"):
            keys[f"{instrument.key}_{part}"] = (instrument.tag, part)
    for controller in plant.controllers:
        for signal in (controller.sp, controller.op):
            keys[signal.lower()] = (signal, "median")
    return keys


def to_rows(plant: Plant, block: IntervalBlock) -> list[Observation]:
    """Rows of a block, oldest first."""
    columns = {
        key: _column(block, signal, part) for key, (signal, part) in observation_keys(plant).items()
    }
    stamps = [to_instant(start) for start in block.start]
    rows = []
    for row, stamp in enumerate(stamps):
        values = {key: _or_none(column[row]) for key, column in columns.items()}
        rows.append(Observation(timestamp=stamp, segment=int(block.segment[row]), **values))
    return rows


def to_block(plant: Plant, rows: Sequence[Observation]) -> IntervalBlock:
    """A block of rows, oldest first.

    A gap between two timestamps becomes missing rows. Undated rows follow each other and have no
    start (NaT).

    Raises ObservationError for unknown keys, for rows out of order or off the cadence, and where
    only some rows have a timestamp.
    """
    keys = observation_keys(plant)
    unknown = sorted({name for row in rows for name in row.numbers} - set(keys))
    if unknown:
        raise ObservationError(f"unknown keys: {', '.join(unknown)}. Known: {', '.join(keys)}")
    place, count = _places(plant, rows)
    signals = {signal: at for at, signal in enumerate(plant.signals)}
    shape = (count, len(signals))
    values = np.full((*shape, len(STATISTICS)), np.nan)
    counts = np.full(shape, -1, np.int32)
    age = np.full(shape, np.nan)
    read = np.zeros(count, bool)
    for row, observation in zip(place, rows, strict=True):
        for name, value in observation.numbers.items():
            signal, part = keys[name]
            if value is None:
                continue
            if part == "count":
                counts[row, signals[signal]] = int(min(max(value, 0), LARGEST_COUNT))
            elif part == "age":
                age[row, signals[signal]] = value
            else:
                values[row, signals[signal], STATISTICS.index(part)] = value
        read[row] = has_reading(counts[row], values[row])
    start = _first(rows) + np.arange(count) * np.timedelta64(plant.time.cadence)
    segment, _, _ = number_segments(~read, plant.rows(plant.time.longest_gap))
    if count == len(rows) and all(row.segment is not None for row in rows):
        segment = np.array([row.segment for row in rows], np.int32)
    return IntervalBlock(start, plant.time.cadence, plant.signals, values, counts, age, segment)


def _first(rows: Sequence[Observation]) -> np.datetime64:
    """Start of the first row. NaT where rows are undated: features of the time are missing."""
    first = rows[0].timestamp if rows else None
    return (
        np.datetime64("NaT", "us")
        if first is None
        else np.datetime64(first.astimezone(UTC).replace(tzinfo=None), "us")
    )


def preset_rows(plant: Plant, name: str) -> list[Observation]:
    """The window of one of the plant's forecast presets, oldest row first, undated."""
    count, courses = plant.rows(plant.time.window), plant.screen.courses(name)
    rows = []
    for row in range(count):
        values = {key: round(course.at(row, count), DIGITS) for key, course in courses.items()}
        rows.append(Observation(**values))
    return rows


def to_instant(start: np.datetime64) -> datetime | None:
    """A start in a block as an aware datetime; None for an undated row."""
    return None if np.isnat(start) else datetime.fromisoformat(str(start)).replace(tzinfo=UTC)


def _column(block: IntervalBlock, signal: str, part: str) -> Floats:
    """One part of a signal [rows]; NaN where it is missing."""
    place = block.signals.index(signal)
    if part == "count":
        return np.where(block.count[:, place] < 0, np.nan, block.count[:, place])
    return block.age[:, place] if part == "age" else block.statistic(signal, part)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def has_reading(count: np.ndarray, values: Floats) -> bool:
    """Whether a row has a reading of any signal: by the counts where known, else by the values."""
    counts_known = bool((count >= 0).any())
    return bool((count > 0).any()) if counts_known else not np.isnan(values).all()


def _places(plant: Plant, rows: Sequence[Observation]) -> tuple[list[int], int]:
    """The place of each observation on the grid of rows, and the length of the grid."""
    stamps = [row.timestamp for row in rows if row.timestamp is not None]
    if not stamps:
        return list(range(len(rows))), len(rows)
    if len(stamps) < len(rows):
        raise ObservationError(
            f"{len(rows) - len(stamps)} of {len(rows)} rows have no timestamp: "
            "give all rows a timestamp, or none"
        )
    for number, stamp in enumerate(stamps, start=1):
        if not EARLIEST <= stamp < LATEST:
            raise ObservationError(
                f"row {number} is dated {stamp.isoformat()}: "
                f"use a time between {EARLIEST.year} and {LATEST.year}"
            )
    cadence, places = plant.time.cadence, [0]
    for number, (before, after) in enumerate(pairwise(stamps), start=2):
        step = after - before
        if step <= timedelta(0):
            raise ObservationError(
                f"row {number} ({after.isoformat()}) is not later than the row before it: "
                "send the oldest row first, and each row once"
            )
        if step % cadence:
            raise ObservationError(
                f"row {number} is {step} after the row before it, which is not a multiple of the "
                f"cadence {write_duration(cadence)}: close intervals at the plant's cadence first"
            )
        places.append(places[-1] + step // cadence)
    if places[-1] >= MOST_ROWS:
        raise ObservationError(f"the rows span {places[-1] + 1} intervals: at most {MOST_ROWS}")
    return places, places[-1] + 1


__all__ = [
    "MOST_ROWS",
    "Number",
    "Observation",
    "Reading",
    "has_reading",
    "observation_keys",
    "preset_rows",
    "to_block",
    "to_instant",
    "to_rows",
]
