"""The tail of the distribution of normal rows: how rare a value is.

The tail is an exponential function through two quantiles, the form that extreme-value theory gives
for most distributions; it also covers values that are rarer than one in the number of rows.
*Surprise* counts in powers of ten: one normal row in ten reaches 1, one in a hundred reaches 2, one
in a thousand reaches 3.
"""

from __future__ import annotations

import numpy as np
from pydantic import dataclasses

from alarmstack.core.intervals import Floats
from alarmstack.models.normality.stored import NUMBERS

SHARES = (0.9, 0.99)
"""Shares of normal rows below the values of surprise 1 and 2."""
SMALLEST_STEP = 1e-9
"""Avoids a division by zero if both quantiles are equal."""


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Tail:
    """`first`: the value of surprise 1; `step`: the difference for each further power of ten."""

    first: float
    step: float

    @classmethod
    def of(cls, normal: Floats) -> Tail:
        """The tail of values of normal rows; without values, every surprise is -inf."""
        known = normal[np.isfinite(normal)]
        if not len(known):
            return cls(np.inf, 1.0)
        first, second = np.quantile(known, SHARES)
        return cls(float(first), float(max(second - first, SMALLEST_STEP)))

    def surprise(self, values: Floats) -> Floats:
        """The surprise of values: less than 1 for nine normal rows in ten."""
        return np.asarray(1 + (values - self.first) / self.step)

    def level(self, share: float) -> float:
        """The value that this share of normal rows reaches.

        >>> round(Tail(first=5.0, step=2.0).level(0.001), 6)
        9.0
        """
        return float(self.first + (-np.log10(share) - 1) * self.step)


__all__ = ["Tail"]
