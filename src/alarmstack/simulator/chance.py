"""Random numbers that depend only on the seed, the stream and the hour.

A plant that is run hour by hour therefore gets the same numbers as a plant that is run at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from alarmstack.core.intervals import Floats

MOTION, HISTORIAN = 1, 2
"""Streams: for the motion of the plant, and for the sampling of the historian."""


class Draws:
    """Standard normal numbers for each name and each step of a number of hours."""

    def __init__(
        self, seed: int, stream: int, first: int, hours: int, per_hour: int, names: Sequence[str]
    ) -> None:
        self._place = {name: place for place, name in enumerate(names)}
        self._values = np.concatenate(
            [
                _hour(seed, stream, hour, (len(names), per_hour))
                for hour in range(first, first + hours)
            ],
            axis=1,
        )

    def normal(self, name: str) -> Floats:
        """Standard normal numbers, one for each step."""
        return np.asarray(self._values[self._place[name]])

    def uniform(self, name: str) -> Floats:
        """Uniform numbers in 0 … 1, one for each step."""
        return np.asarray(ndtr(self.normal(name)))


def _hour(seed: int, stream: int, hour: int, shape: tuple[int, int]) -> Floats:
    return np.random.Generator(np.random.Philox(key=[seed, stream << 32 | hour])).standard_normal(
        shape
    )


__all__ = ["HISTORIAN", "MOTION", "Draws"]
