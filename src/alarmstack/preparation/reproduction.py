"""How the real month's file was written: a running standard deviation with the rounding noise that it has. Never for features.

The first plant's file was made with pandas 3's `rolling(3).std()`: a mean and a sum of squares move along, one value leaves and one
comes (Welford's method), corrected for lost digits (Kahan), and are begun anew where almost nothing of the sum is left. What a row
says then depends on the rows before its window, so that three equal values may deviate by 2e-7 instead of 0. The time contract
forbids that; it is kept here to show that the file's columns follow from its base columns on all rows, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats

LEFT_TOO_LITTLE = 1e3 * float(np.finfo(np.float64).eps)
"""A sum of squares that shrinks below this share of itself has lost its digits (pandas 3.0 takes the same bound)."""


@dataclass
class RunningSpread:
    """Mean and sum of squares about it, moved by one value at a time. `lost` says that too few digits were left after a move."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lost: bool = False
    owed_by_adding: float = 0.0
    owed_by_removing: float = 0.0

    def add(self, value: float) -> None:
        """Take a value in."""
        self.owed_by_adding = self._move(value, +1, self.owed_by_adding)

    def remove(self, value: float) -> None:
        """Let a value go that was taken in before; it is not the last one."""
        self.owed_by_removing = self._move(value, -1, self.owed_by_removing)

    def _move(self, value: float, sign: int, owed: float) -> float:
        """Move by a value. Gives what rounding owes to the next move of this sign."""
        before, old_mean = self.squares, self.mean - owed
        corrected = value - owed
        step = corrected - self.mean
        owed = step + self.mean - corrected
        self.count += sign
        self.mean += sign * (step / self.count)
        self.squares += sign * ((value - old_mean) * (value - self.mean))
        self.lost = self.lost or before * LEFT_TOO_LITTLE > self.squares
        return owed

    @property
    def std(self) -> float:
        """Sample standard deviation; 0 of one value."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else 0.0


def running_std(values: Sequence[float], rows: int) -> Floats:
    """Standard deviation of the last `rows` values of each row, as pandas 3 rounds it; no hole in `values`, `rows` at least 2."""
    spread, out = RunningSpread(), np.empty(len(values))
    for row, value in enumerate(values):
        if row >= rows:
            spread.remove(values[row - rows])
        spread.add(value)
        if spread.lost:
            spread = _begun_anew(values[max(0, row - rows + 1) : row + 1])
        out[row] = spread.std
    return out


def _begun_anew(window: Sequence[float]) -> RunningSpread:
    spread = RunningSpread()
    for value in window:
        spread.add(value)
    spread.lost = False
    return spread


__all__ = ["RunningSpread", "running_std"]
