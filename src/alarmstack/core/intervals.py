"""Readings and intervals: the two forms of plant data.

A *reading* is (tag, instant, value): one line of a historian. Readings are passed on as a Polars
frame with `READING_SCHEMA`. Instants are UTC. A bad value never becomes a reading. The periods of
an operator log are a frame with `LOG_SCHEMA`.

An *interval* is [start, start + cadence). For each signal it has the median, minimum and maximum of
the readings inside, their count, and the age of the last reading at the interval's end. A row has
the start of its interval as timestamp and is known at the interval's end. Without a reading inside,
all three statistics are the held value (count 0), or missing (NaN) when that value is stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from alarmstack.core.errors import FeatureError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
READING_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tag": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
}
LOG_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "start": pl.Datetime("us", "UTC"),
    "end": pl.Datetime("us", "UTC"),
    "description": pl.String,
}
STATISTICS = ("median", "min", "max")
NO_SEGMENT = -1


@dataclass(frozen=True)
class IntervalBlock:
    """Closed intervals of one asset, oldest first, one row for each cadence, without holes.

    `values` is float64 [rows, signals, 3] in the order of `STATISTICS`; `count` int32 [rows,
    signals] (−1: unknown); `age` float64 seconds [rows, signals] (NaN: unknown); `segment` int32
    [rows]: rows with the same number may share a window, rows of a long gap have `NO_SEGMENT`.
    """

    start: npt.NDArray[np.datetime64]
    cadence: timedelta
    signals: tuple[str, ...]
    values: Floats
    count: npt.NDArray[np.int32]
    age: Floats
    segment: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        rows, signals = len(self.start), len(self.signals)
        if self.values.shape != (rows, signals, len(STATISTICS)):
            raise FeatureError(
                f"block of {rows} rows × {signals} signals has values of shape {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.start)

    def statistic(self, signal: str, statistic: str = "median") -> Floats:
        """One column: float64 [rows]."""
        return self.values[:, self.signals.index(signal), STATISTICS.index(statistic)]

    def rows(self, begin: int, end: int) -> IntervalBlock:
        """The rows begin … end − 1."""
        cut = slice(max(begin, 0), end)
        return replace(
            self,
            start=self.start[cut],
            values=self.values[cut],
            count=self.count[cut],
            age=self.age[cut],
            segment=self.segment[cut],
        )


def number_segments(
    empty: Mask, longest_gap_rows: int, number: int = 0, run: int = 0
) -> tuple[npt.NDArray[np.int32], int, int]:
    """Segment of each row, then the segment number and the run of empty rows for the next call.

    A row is empty when it has no reading of any instrument. A run of more than `longest_gap_rows`
    empty rows cuts the series. Causal: the rows of a gap keep their segment until it has lasted
    that long.
    """
    segment = np.zeros(len(empty), np.int32)
    for row, is_empty in enumerate(empty):
        if is_empty:
            run += 1
        else:
            number += run > longest_gap_rows
            run = 0
        segment[row] = NO_SEGMENT if run > longest_gap_rows else number
    return segment, number, run


def join(blocks: Sequence[IntervalBlock]) -> IntervalBlock:
    """Consecutive blocks as one block."""
    return replace(
        blocks[0],
        start=np.concatenate([b.start for b in blocks]),
        values=np.concatenate([b.values for b in blocks]),
        count=np.concatenate([b.count for b in blocks]),
        age=np.concatenate([b.age for b in blocks]),
        segment=np.concatenate([b.segment for b in blocks]),
    )


__all__ = [
    "LOG_SCHEMA",
    "NO_SEGMENT",
    "READING_SCHEMA",
    "STATISTICS",
    "Floats",
    "IntervalBlock",
    "Mask",
    "join",
    "number_segments",
]
