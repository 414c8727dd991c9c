"""The newest rows, the last of which is still open: closed intervals as the feed told them, and what the readings make of the rest.

A row that is still open has the statistics of the readings so far, as `clean.close` would give them if the interval ended now.
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
from alarmstack.services.schemas.observations import Observation, to_block


class Measured(NamedTuple):
    """The newest value of a signal, and when it was measured; None: missing or stale."""

    value: float | None
    at: datetime


class _OpenRow:
    """Readings of one interval so far, and the values that were held when it began."""

    def __init__(self, held: Mapping[str, float]) -> None:
        self.held = dict(held)
        self.empty = True
        self.values: dict[str, list[float]] = {}
        self._read: dict[str, datetime] = {}

    def add(self, signal: str, measured: Measured) -> None:
        """One more reading; the same one again changes nothing."""
        if measured.value is None or self._read.get(signal) == measured.at:
            return
        self._read[signal] = measured.at
        insort(self.values.setdefault(signal, []), measured.value)

    def statistics(self, signal: str) -> tuple[float, float, float] | None:
        """Median, minimum and maximum; of a signal that did not speak, the held value."""
        values = self.values.get(signal)
        if values is None:
            held = self.held.get(signal)
            return None if held is None else (held, held, held)
        middle, odd = divmod(len(values), 2)
        # As Polars adds them, so that the row is the same to the bit once it is closed.
        median = (
            values[middle]
            if odd
            else values[middle - 1] + (values[middle] - values[middle - 1]) / 2
        )
        return median, values[0], values[-1]


class NewestRows:
    """The last `rows` rows of the plant up to the present; open ones know the named signals alone."""

    def __init__(self, plant: Plant, rows: int, signals: Iterable[str]) -> None:
        self._plant, self._rows = plant, rows
        self._places = {signal: plant.signals.index(signal) for signal in signals}
        self._closed: dict[datetime, Observation] = {}
        self._open: dict[datetime, _OpenRow] = {}
        self._latest: dict[str, Measured] = {}
        self._block: IntervalBlock | None = None

    def clear(self) -> None:
        """Forget everything: the clock was set back."""
        self._closed, self._open, self._latest, self._block = {}, {}, {}, None

    def closed(self, interval: Observation) -> None:
        """A closed interval takes the place of what its readings made of it."""
        start = interval.timestamp
        if start is None:
            return
        self._closed[start] = interval
        self._open.pop(start, None)
        oldest = max(self._closed) - self._rows * self._plant.time.cadence
        self._closed = {one: row for one, row in self._closed.items() if one > oldest}
        self._open = {one: row for one, row in self._open.items() if one > oldest}
        self._block = None

    def heard(self, now: datetime, measured: Mapping[str, Measured]) -> None:
        """The newest value of each signal at `now`."""
        start = self._start(now)
        if start not in self._open:
            held = {
                signal: one.value for signal, one in self._latest.items() if one.value is not None
            }
            self._open[start] = _OpenRow(held)
        if any(one.value is not None and one.at >= start for one in measured.values()):
            self._open[start].empty = False
        for signal in self._places.keys() & measured.keys():
            self._hear(start, signal, measured[signal])

    def _hear(self, start: datetime, signal: str, one: Measured) -> None:
        """One signal in the row that begins at `start`, or in an older one where it was measured before."""
        row = self._open.get(self._start(one.at))
        if row is not None:
            row.add(signal, one)
        if one.value is None:
            self._open[start].held.pop(signal, None)
        elif one.at < start:
            self._open[start].held[signal] = one.value
        self._latest[signal] = one

    def block(self, now: datetime) -> IntervalBlock:
        """The rows as a block; the last one is open and holds `now`."""
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
            [one.astimezone(UTC).replace(tzinfo=None) for one in starts], "datetime64[us]"
        )
        unknown = np.full(shape, -1, np.int32), np.full(shape, np.nan)
        return IntervalBlock(instants, cadence, plant.signals, values, *unknown, segment)

    def _fill(self, values: Floats, row: _OpenRow) -> None:
        for signal, place in self._places.items():
            if (found := row.statistics(signal)) is not None:
                values[place] = found

    def _place_closed(self, values: Floats, empty: np.ndarray, last: datetime) -> None:
        """Copy the closed rows to their places; `last` is the start of the last row."""
        if self._block is None and self._closed:
            ordered = [self._closed[start] for start in sorted(self._closed)]
            self._block = to_block(
                self._plant, [one.model_copy(update={"segment": None}) for one in ordered]
            )
        block = self._block
        for row in range(0 if block is None else len(block)):
            assert block is not None
            back = (last - instant_of(block.start[row])) // self._plant.time.cadence
            place = len(values) - 1 - back
            if 0 <= place < len(values):
                values[place] = block.values[row]
                known = (block.count[row] >= 0).any()
                empty[place] = (
                    not (block.count[row] > 0).any() if known else np.isnan(block.values[row]).all()
                )

    def _start(self, instant: datetime) -> datetime:
        """Start of the interval that holds an instant."""
        anchor = max(self._closed) if self._closed else EPOCH
        return anchor + (instant - anchor) // self._plant.time.cadence * self._plant.time.cadence


__all__ = ["Measured", "NewestRows"]
