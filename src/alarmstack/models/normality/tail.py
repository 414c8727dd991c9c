"""The tail of what normal rows reach: how rare a number is among them, also where it is rarer than there are rows.

An exponential tail through two quantiles, as extreme-value theory has it for most distributions. *Surprise* counts in powers of
ten: 1 is reached by one normal row in ten, 2 by one in a hundred, 3 by one in a thousand.
"""

from __future__ import annotations

import numpy as np
from pydantic import dataclasses

from alarmstack.core.intervals import Floats
from alarmstack.models.normality.stored import NUMBERS

SHARES = (0.9, 0.99)
"""Shares of normal rows below the values that are surprises 1 and 2."""
NARROWEST = 1e-9


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Tail:
    """`first`: the value of surprise 1; `step`: how much more each further power of ten takes."""

    first: float
    step: float

    @classmethod
    def of(cls, normal: Floats) -> Tail:
        """The tail of values of normal rows; NaN are left out, and with nothing left nothing surprises."""
        known = normal[np.isfinite(normal)]
        if not len(known):
            return cls(np.inf, 1.0)
        first, second = np.quantile(known, SHARES)
        return cls(float(first), float(max(second - first, NARROWEST)))

    def surprise(self, values: Floats) -> Floats:
        """How surprising values are; less than 1 for what is usual, NaN where they are unknown."""
        return np.asarray(1 + (values - self.first) / self.step)

    def level(self, share: float) -> float:
        """The value that this share of normal rows reaches.

        >>> round(Tail(first=5.0, step=2.0).level(0.001), 6)
        9.0
        """
        return float(self.first + (-np.log10(share) - 1) * self.step)


__all__ = ["Tail"]
