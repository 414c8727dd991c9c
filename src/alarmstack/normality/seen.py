"""What experts see of a block: the monitored tags and the inputs, as plain arrays, missing where nothing can be said.

A transmitter that stands still for much longer than it ever did in training is frozen: its value is missing, neither normal nor
alarming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alarmstack.features import clock
from alarmstack.intervals import Floats, IntervalBlock
from alarmstack.normality.lesson import Lesson
from alarmstack.plant import Plant

FROZEN = 3.0
"""A tag is frozen after standing still for this many times its longest standstill in training."""
FEWEST_ROWS = 60


@dataclass(frozen=True)
class Seen:
    """`tags` float64 [rows, monitored tags], `inputs` float64 [rows, inputs], `clock` float64 [rows, 2] the time of day as a
    circle, `segment` int32 [rows].
    """

    tags: Floats
    inputs: Floats
    clock: Floats
    segment: npt.NDArray[np.int32]


class Eyes:
    """Looks at blocks of one plant; learns from lessons how long each tag may stand still."""

    def __init__(self, plant: Plant, lessons: Sequence[Lesson]) -> None:
        self.names = tuple(i.tag for i in plant.instruments if i.role == "monitored")
        self._tags = [plant.signals.index(name) for name in self.names]
        self._inputs = [plant.signals.index(i.tag) for i in plant.instruments if i.role == "input"]
        longest = [
            standstill(lesson.block.values[:, self._tags, 0])[lesson.normal].max(axis=0)
            for lesson in lessons
            if lesson.normal.any()
        ]
        self._steps = np.array([plant.instrument(name).resolution or 0.0 for name in self.names])
        self._plant = plant
        self.patience = np.maximum(FROZEN * np.max(longest, axis=0), FEWEST_ROWS)

    def __call__(self, block: IntervalBlock) -> Seen:
        """What is to be seen of a block."""
        tags = block.values[:, self._tags, 0].copy()
        tags[standstill(tags) > self.patience] = np.nan
        steps = np.where(self._steps > 0, self._steps, 1.0)
        tags = np.where(self._steps > 0, np.round(tags / steps) * steps, tags)
        return Seen(tags, block.values[:, self._inputs, 0], clock(self._plant, block), block.segment)


def standstill(values: Floats) -> Floats:
    """For how many rows each value [rows, tags] has not moved.

    >>> standstill(np.array([[1.0], [1.0], [1.0], [2.0]]))[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    rows = np.arange(len(values))[:, None]
    moved = np.ones(values.shape, bool)
    moved[1:] = values[1:] != values[:-1]
    return np.asarray(rows - np.maximum.accumulate(np.where(moved, rows, 0), axis=0), float)


__all__ = ["Eyes", "Seen", "standstill"]
