"""The running standard deviation of the real month's file, with its rounding. Not for features.

The file of the first plant was made with `rolling(3).std()` of pandas 3. That function moves a mean
and a sum of squares along the rows by adding one value and removing one (Welford's method). It
corrects for lost digits (Kahan) and starts again when almost nothing of the sum is left. A result
then depends on the rows before its window: three equal values may have a deviation of 2e-7 instead
of 0. The time contract forbids this. The function is kept to show that the columns of the file
follow from its base columns on all rows, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats

LEFT_TOO_LITTLE = 1e3 * float(np.finfo(np.float64).eps)
"""A sum of squares that shrinks below this share of itself has lost its digits (pandas 3.0)."""


@dataclass
class RunningSpread:
    """Mean and sum of squares about it, moved by one value at a time.

    `lost`: too few digits were left after a move.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lost: bool = False
    owed_by_adding: float = 0.0
    owed_by_removing: float = 0.0

    def add(self, value: float) -> None:
        """Add a value."""
        self.owed_by_adding = self._move(value, +1, self.owed_by_adding)

    def remove(self, value: float) -> None:
        """Remove a value that was added before and is not the last one left."""
        self.owed_by_removing = self._move(value, -1, self.owed_by_removing)

    def _move(self, value: float, sign: int, owed: float) -> float:
        """Move by a value. Returns the rounding error to correct in the next move of this sign."""
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
        """Sample standard deviation; 0 for one value."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else 0.0


def running_std(values: Sequence[float], rows: int) -> Floats:
    """Standard deviation of the last `rows` values of each row, rounded as in pandas 3.

    `values` must have no missing value, and `rows` must be at least 2.
    """
    spread, out = RunningSpread(), np.empty(len(values))
    for row, value in enumerate(values):
        if row >= rows:
            spread.remove(values[row - rows])
        spread.add(value)
        if spread.lost:
            spread = _started_again(values[max(0, row - rows + 1) : row + 1])
        out[row] = spread.std
    return out


def _started_again(window: Sequence[float]) -> RunningSpread:
    spread = RunningSpread()
    for value in window:
        spread.add(value)
    spread.lost = False
    return spread


__all__ = ["RunningSpread", "running_std"]
