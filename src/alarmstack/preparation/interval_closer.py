"""The interval closer: its input is readings, its output closed intervals.

`close` is one incremental function; a batch is a fold over it. Readings may arrive in any order
until their interval is closed, which depends on the grace time of the caller. A later reading is
counted and not used. Readings after the end of an interval do not influence it, so that the stream
can be cut anywhere and gives the same intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import (
    READING_SCHEMA,
    STATISTICS,
    Floats,
    IntervalBlock,
    number_segments,
)
from alarmstack.core.plant import Plant

Instants = npt.NDArray[np.datetime64]
WHOLE = timedelta(0)
"""Phase of the base grid, whose intervals begin at whole cadences."""
_ONE_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class CloserState:
    """The state of the closer between two calls.

    `begin`: the start of the first open interval; `last_time`, `last_value` [signals]: the last
    reading before it (NaT, NaN: none yet); `pending`: the readings at or after it; `late`: the
    number of readings that arrived after their interval was closed.
    """

    begin: np.datetime64
    last_time: Instants
    last_value: Floats
    pending: pl.DataFrame
    segment: int = 0
    empty_run: int = 0
    late: int = 0


def open_at(plant: Plant, begin: datetime, phase: timedelta = WHOLE) -> CloserState:
    """A closer without readings, whose first interval begins at or before `begin`.

    `phase` moves the grid: intervals begin this long after the whole cadences of the clock. The
    intervals of an hourly grid with the phase 15 min begin at a quarter past each hour.
    """
    signals = len(plant.signals)
    return CloserState(
        begin=_floor(_instant(begin), plant.time.cadence, phase),
        last_time=np.full(signals, "NaT", "datetime64[us]"),
        last_value=np.full(signals, np.nan),
        pending=pl.DataFrame(schema=READING_SCHEMA),
    )


def close(
    plant: Plant, state: CloserState, readings: pl.DataFrame, until: datetime
) -> tuple[CloserState, IntervalBlock]:
    """Add `readings` and close every interval that ends at or before `until`."""
    begin = state.begin
    arrived = pl.concat([state.pending, readings.select(*READING_SCHEMA)])
    on_time = arrived.filter(pl.col("time") >= instant_of(begin))
    cadence = np.timedelta64(plant.time.cadence)
    rows = max(int((_instant(until) - begin) // cadence), 0)
    end = begin + rows * cadence
    inside = pl.col("time") < instant_of(end)
    block, last_time, last_value = _summarise(plant, state, on_time.filter(inside), rows)
    segment, number, run = number_segments(
        (block.count == 0).all(axis=1),
        plant.rows(plant.time.longest_gap),
        state.segment,
        state.empty_run,
    )
    after = CloserState(
        begin=end,
        last_time=last_time,
        last_value=last_value,
        pending=on_time.filter(~inside),
        segment=number,
        empty_run=run,
        late=state.late + len(arrived) - len(on_time),
    )
    return after, replace(block, segment=segment)


def close_intervals(
    plant: Plant, readings: pl.DataFrame, phase: timedelta = WHOLE
) -> IntervalBlock:
    """All intervals from the first reading to the last one, on the grid of that phase (`open_at`).

    Raises SourceError when there is no reading.
    """
    first, last = readings["time"].min(), readings["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise SourceError("no readings: no intervals can be calculated")
    state = open_at(plant, first, phase)
    return close(plant, state, readings, last + plant.time.cadence)[1]


def _summarise(
    plant: Plant, state: CloserState, readings: pl.DataFrame, rows: int
) -> tuple[IntervalBlock, Instants, Floats]:
    signals = plant.signals
    shape = (rows, len(signals))
    values = np.full((*shape, len(STATISTICS)), np.nan)
    count = np.zeros(shape, np.int32)
    # Row 0 is the state before the first interval. The last reading of each row is then carried
    # forward.
    time = np.full((rows + 1, len(signals)), "NaT", "datetime64[us]")
    value = np.full((rows + 1, len(signals)), np.nan)
    time[0], value[0] = state.last_time, state.last_value

    summary = _group(plant, readings, state.begin)
    at = summary["row"].to_numpy(), summary["signal"].to_numpy()
    for place, name in enumerate(STATISTICS):
        values[(*at, place)] = summary[name].to_numpy()
    count[at] = summary["count"].to_numpy()
    time[at[0] + 1, at[1]] = summary["last_time"].to_numpy()
    value[at[0] + 1, at[1]] = summary["last_value"].to_numpy()

    _carry_forward(time, value)
    start = state.begin + np.arange(rows) * np.timedelta64(plant.time.cadence)
    end = start + np.timedelta64(plant.time.cadence)
    age = (end[:, None] - time[1:]) / _ONE_SECOND
    stale = np.array([plant.stale_after[s].total_seconds() for s in signals])
    held = (count == 0) & (age <= stale)
    values[held] = value[1:][held][:, None]
    block = IntervalBlock(
        start, plant.time.cadence, signals, values, count, age, np.zeros(rows, np.int32)
    )
    return block, time[-1], value[-1]


def _group(plant: Plant, readings: pl.DataFrame, begin: np.datetime64) -> pl.DataFrame:
    """Statistics per (row, signal).

    Readings of one instant are ordered by value, so that the order of arrival does not matter.
    """
    places = {signal: place for place, signal in enumerate(plant.signals)}
    since = pl.col("time").dt.replace_time_zone(None) - pl.lit(
        instant_of(begin).replace(tzinfo=None)
    )
    microseconds = int(plant.time.cadence / timedelta(microseconds=1))
    return (
        readings.filter(pl.col("tag").is_in(list(places)) & pl.col("value").is_finite())
        .with_columns(
            row=since.dt.total_microseconds() // microseconds,
            signal=pl.col("tag").replace_strict(places, return_dtype=pl.Int64),
            time=pl.col("time").dt.replace_time_zone(None),
        )
        .sort("signal", "time", "value")
        .unique(["signal", "time"], keep="last", maintain_order=True)
        .group_by("row", "signal", maintain_order=True)
        .agg(
            median=pl.col("value").median(),
            min=pl.col("value").min(),
            max=pl.col("value").max(),
            count=pl.len().cast(pl.Int32),
            last_time=pl.col("time").last(),
            last_value=pl.col("value").last(),
        )
    )


def _carry_forward(time: Instants, value: Floats) -> None:
    """Fill each NaT with the entry above it, in place."""
    rows = np.arange(len(time))[:, None]
    source = np.maximum.accumulate(np.where(np.isnat(time), 0, rows), axis=0)
    time[:] = np.take_along_axis(time, source, axis=0)
    value[:] = np.take_along_axis(value, source, axis=0)


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def instant_of(instant: np.datetime64) -> datetime:
    """An instant of a grid as an aware datetime."""
    return datetime.fromisoformat(str(instant)).replace(tzinfo=UTC)


def _floor(instant: np.datetime64, cadence: timedelta, phase: timedelta) -> np.datetime64:
    epoch = np.datetime64(0, "us") + np.timedelta64(phase)
    return epoch + (instant - epoch) // np.timedelta64(cadence) * np.timedelta64(cadence)


__all__ = ["WHOLE", "CloserState", "close", "close_intervals", "instant_of", "open_at"]
