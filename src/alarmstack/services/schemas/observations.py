"""Plant data on the wire: rows of named numbers, lower-case keys, and how they become an interval block and back.

A *reading* is what each instrument last said. An *interval row* is a closed interval: each key's median, beside it `<key>_max`,
`<key>_min`, `<key>_count`, `<key>_age` (seconds at the interval's end), for each controller `<name>_sp` and `<name>_op`, and
`segment`: rows of one number may share a window. Only the keys of the modelled instruments are asked for; everything else sharpens.
`null` is missing, and stays missing.
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
from alarmstack.services.schemas.instants import Moment

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""No row of a plant is dated outside these; near the first and the last year, sums of times have no date."""
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12, strict=True)]


class Reading(BaseModel):
    """What instruments said at an instant: named numbers; `null` means missing."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Number | None]

    timestamp: Moment | None = Field(
        default=None, description="With offset; of an interval, its start."
    )

    @property
    def numbers(self) -> Mapping[str, float | None]:
        """The named numbers."""
        return self.__pydantic_extra__


class Observation(Reading):
    """One interval as a row of named numbers; `null` means missing."""

    segment: int | None = Field(
        default=None,
        ge=-1,
        lt=2**31,
        description="Rows of one number may share a window; -1: inside a long gap. Default: found anew.",
    )


def observation_keys(plant: Plant) -> dict[str, tuple[str, str]]:
    """Every key a row may carry, and where it belongs: (signal, `median`, `min`, `max`, `count` or `age`)."""
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
    stamps = [moment(start) for start in block.start]
    return [
        Observation(
            timestamp=stamp,
            segment=int(block.segment[row]),
            **{
                key: None if np.isnan(values[row]) else float(values[row])
                for key, values in columns.items()
            },
        )
        for row, stamp in enumerate(stamps)
    ]


def to_block(plant: Plant, rows: Sequence[Observation]) -> IntervalBlock:
    """A block of rows, oldest first. A hole between two timestamps becomes missing rows; undated rows follow one another
    and have no start (NaT).

    Raises ObservationError for unknown keys, for rows out of order or off the cadence, and where only some carry a timestamp.
    """
    keys = observation_keys(plant)
    unknown = sorted({name for row in rows for name in row.numbers} - set(keys))
    if unknown:
        raise ObservationError(f"unknown keys: {', '.join(unknown)}. Known: {', '.join(keys)}")
    place, count = _places(plant, rows)
    signals = {signal: at for at, signal in enumerate(plant.signals)}
    shape = (count, len(signals))
    values, counts, age = (
        np.full((*shape, len(STATISTICS)), np.nan),
        np.full(shape, -1, np.int32),
        np.full(shape, np.nan),
    )
    spoke = np.zeros(count, bool)
    for row, observation in zip(place, rows, strict=True):
        for name, value in observation.numbers.items():
            signal, part = keys[name]
            if value is None:
                continue
            if part == "count":
                counts[row, signals[signal]] = int(min(max(value, 0), 2**31 - 1))
            elif part == "age":
                age[row, signals[signal]] = value
            else:
                values[row, signals[signal], STATISTICS.index(part)] = value
        spoke[row] = _spoke(counts[row], values[row])
    start = _first(rows) + np.arange(count) * np.timedelta64(plant.time.cadence)
    segment, _, _ = number_segments(~spoke, plant.rows(plant.time.longest_gap))
    if count == len(rows) and all(row.segment is not None for row in rows):
        segment = np.array([row.segment for row in rows], np.int32)
    return IntervalBlock(start, plant.time.cadence, plant.signals, values, counts, age, segment)


def _first(rows: Sequence[Observation]) -> np.datetime64:
    """Start of the first row; NaT where rows are undated, so that what depends on the time of day is missing."""
    first = rows[0].timestamp if rows else None
    return (
        np.datetime64("NaT", "us")
        if first is None
        else np.datetime64(first.astimezone(UTC).replace(tzinfo=None), "us")
    )


def preset_rows(plant: Plant, name: str) -> list[Observation]:
    """The window of one of the plant's forecast presets, oldest row first, undated."""
    rows, courses = plant.rows(plant.time.window), plant.screen.courses(name)
    return [
        Observation(**{key: round(course.at(row, rows), 6) for key, course in courses.items()})
        for row in range(rows)
    ]


def moment(instant: np.datetime64) -> datetime | None:
    """An instant of a block as an aware datetime; None for an undated row."""
    return None if np.isnat(instant) else datetime.fromisoformat(str(instant)).replace(tzinfo=UTC)


def _column(block: IntervalBlock, signal: str, part: str) -> Floats:
    at = block.signals.index(signal)
    if part == "count":
        return np.where(block.count[:, at] < 0, np.nan, block.count[:, at])
    return block.age[:, at] if part == "age" else block.statistic(signal, part)


def _spoke(count: np.ndarray, values: Floats) -> bool:
    """Whether any instrument spoke in a row: by the counts where they are known, else by the values."""
    return bool((count > 0).any() if (count >= 0).any() else ~np.isnan(values).all())


def _places(plant: Plant, rows: Sequence[Observation]) -> tuple[list[int], int]:
    """The row of each observation on the grid, and how many rows the grid has."""
    stamps = [row.timestamp for row in rows if row.timestamp is not None]
    if not stamps:
        return list(range(len(rows))), len(rows)
    if len(stamps) < len(rows):
        raise ObservationError(
            f"{len(rows) - len(stamps)} of {len(rows)} rows carry no timestamp: give it in all rows or in none"
        )
    for number, stamp in enumerate(stamps, start=1):
        if not EARLIEST <= stamp < LATEST:
            raise ObservationError(
                f"row {number} is dated {stamp.isoformat()}: use a time between 1900 and 2200"
            )
    cadence, places = plant.time.cadence, [0]
    for number, (before, after) in enumerate(pairwise(stamps), start=2):
        step = after - before
        if step <= timedelta(0):
            raise ObservationError(
                f"row {number} ({after.isoformat()}) does not come after the row before it: oldest first, each once"
            )
        if step % cadence:
            raise ObservationError(
                f"row {number} comes {step} after the row before it, no multiple of the cadence {write_duration(cadence)}: "
                "close intervals at the plant's cadence first"
            )
        places.append(places[-1] + step // cadence)
    if places[-1] >= MOST_ROWS:
        raise ObservationError(f"the rows span {places[-1] + 1} intervals: at most {MOST_ROWS}")
    return places, places[-1] + 1


MOST_ROWS = LONGEST_BLOCK
"""Longest stretch of intervals that one body may span."""

__all__ = [
    "MOST_ROWS",
    "Number",
    "Observation",
    "Reading",
    "moment",
    "observation_keys",
    "preset_rows",
    "to_block",
    "to_rows",
]
