"""The newest rows, the last of which is still open: closed intervals of the feed, then readings.

An open row has the statistics of the readings so far, as `interval_closer.close` would compute them
if the interval ended now.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from alarmstack.core.clock import EPOCH
from alarmstack.core.intervals import STATISTICS, Floats, IntervalBlock, number_segments
from alarmstack.core.plant import Plant
from alarmstack.preparation.interval_closer import instant_of
from alarmstack.services.schemas.observations import Observation, has_reading, to_block


class Measured(NamedTuple):
    """The newest value of a signal, and when it was measured. None: missing or stale."""

    value: float | None
    at: datetime


class _OpenRow:
    """The readings of one interval so far, and the values held at its start."""

    def __init__(self, held: Mapping[str, float]) -> None:
        self.held = dict(held)
        self.empty = True
        self.values: dict[str, list[float]] = {}
        self._read: dict[str, datetime] = {}

    def add(self, signal: str, measured: Measured) -> None:
        """Add a reading. The same reading again changes nothing."""
        if measured.value is None or self._read.get(signal) == measured.at:
            return
        self._read[signal] = measured.at
        insort(self.values.setdefault(signal, []), measured.value)

    def statistics(self, signal: str) -> tuple[float, float, float] | None:
        """Median, minimum and maximum; the held value for a signal without a reading."""
        values = self.values.get(signal)
        if values is None:
            held = self.held.get(signal)
            return None if held is None else (held, held, held)
        middle, odd = divmod(len(values), 2)
        # The arithmetic of Polars: the closed row will be equal to the bit.
        median = (
            values[middle]
            if odd
            else values[middle - 1] + (values[middle] - values[middle - 1]) / 2
        )
        return median, values[0], values[-1]


class NewestRows:
    """The last `rows` rows of the plant until now. Open rows have the named signals only."""

    def __init__(self, plant: Plant, rows: int, signals: Iterable[str]) -> None:
        self._plant, self._rows = plant, rows
        self._places = {signal: plant.signals.index(signal) for signal in signals}
        self._closed: dict[datetime, Observation] = {}
        self._open: dict[datetime, _OpenRow] = {}
        self._latest: dict[str, Measured] = {}
        self._block: IntervalBlock | None = None

    def clear(self) -> None:
        """Remove all rows: the clock was set back."""
        self._closed, self._open, self._latest, self._block = {}, {}, {}, None

    def add_interval(self, interval: Observation) -> None:
        """Add a closed interval. It replaces the open row of its readings."""
        start = interval.timestamp
        if start is None:
            return
        self._closed[start] = interval
        self._open.pop(start, None)
        oldest = max(self._closed) - self._rows * self._plant.time.cadence
        self._closed = {at: row for at, row in self._closed.items() if at > oldest}
        self._open = {at: row for at, row in self._open.items() if at > oldest}
        self._block = None

    def add_reading(self, now: datetime, measured: Mapping[str, Measured]) -> None:
        """Add the newest value of each signal at `now`."""
        start = self._start(now)
        if start not in self._open:
            latest = self._latest.items()
            held = {signal: last.value for signal, last in latest if last.value is not None}
            self._open[start] = _OpenRow(held)
        if any(new.value is not None and new.at >= start for new in measured.values()):
            self._open[start].empty = False
        for signal in self._places.keys() & measured.keys():
            self._add(start, signal, measured[signal])

    def _add(self, start: datetime, signal: str, measured: Measured) -> None:
        """Add one value to the row of its own time, which may be older than the one at `start`."""
        row = self._open.get(self._start(measured.at))
        if row is not None:
            row.add(signal, measured)
        if measured.value is None:
            self._open[start].held.pop(signal, None)
        elif measured.at < start:
            self._open[start].held[signal] = measured.value
        self._latest[signal] = measured

    def block(self, now: datetime) -> IntervalBlock:
        """The rows as a block. The last one is open and contains `now`."""
        plant, rows, cadence = self._plant, self._rows, self._plant.time.cadence
        last = self._start(now)
        shape = (rows, len(plant.signals))
        values = np.full((*shape, len(STATISTICS)), np.nan)
        empty = np.ones(rows, bool)
        self._place_closed(values, empty, last)
        starts = [last - (rows - 1 - row) * cadence for row in range(rows)]
        for place, start in enumerate(starts):
            row = None if start in self._closed else self._open.get(start)
            if row is not None:
                empty[place] = row.empty
                self._fill(values[place], row)
        segment, _, _ = number_segments(empty, plant.rows(plant.time.longest_gap))
        instants = np.array(
            [start.astimezone(UTC).replace(tzinfo=None) for start in starts], "datetime64[us]"
        )
        unknown = np.full(shape, -1, np.int32), np.full(shape, np.nan)
        return IntervalBlock(instants, cadence, plant.signals, values, *unknown, segment)

    def _fill(self, values: Floats, row: _OpenRow) -> None:
        for signal, place in self._places.items():
            if (statistics := row.statistics(signal)) is not None:
                values[place] = statistics

    def _place_closed(self, values: Floats, empty: np.ndarray, last: datetime) -> None:
        """Copy the closed rows to their places; `last` is the start of the last row."""
        if self._block is None and self._closed:
            ordered = [self._closed[start] for start in sorted(self._closed)]
            unnumbered = [row.model_copy(update={"segment": None}) for row in ordered]
            self._block = to_block(self._plant, unnumbered)
        block = self._block
        if block is None:
            return
        for row in range(len(block)):
            back = (last - instant_of(block.start[row])) // self._plant.time.cadence
            place = len(values) - 1 - back
            if 0 <= place < len(values):
                values[place] = block.values[row]
                empty[place] = not has_reading(block.count[row], block.values[row])

    def _start(self, instant: datetime) -> datetime:
        """Start of the interval that contains an instant."""
        # The grid of the feed is known from its first closed interval.
        anchor = max(self._closed) if self._closed else EPOCH
        return anchor + (instant - anchor) // self._plant.time.cadence * self._plant.time.cadence


__all__ = ["Measured", "NewestRows"]
