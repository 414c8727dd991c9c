"""What experts see of a block: the monitored tags and the inputs, as plain arrays, missing where nothing can be said.

A transmitter that stands still for much longer than it ever did in training is frozen: its value is missing, neither normal nor
alarming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Instrument, Plant
from alarmstack.features.matrix import clock
from alarmstack.models.normality.segment import TrainingSegment

FROZEN = 3.0
"""A tag is frozen after standing still for this many times its longest standstill in training."""
FEWEST_ROWS = 60


@dataclass(frozen=True)
class Inputs:
    """`tags` float64 [rows, monitored tags], `inputs` float64 [rows, inputs], `clock` float64 [rows, 2] the time of day as a
    circle, `segment` int32 [rows].
    """

    tags: Floats
    inputs: Floats
    clock: Floats
    segment: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Preprocessor:
    """Looks at blocks of one plant. `patience` [tags]: rows that each tag may stand still."""

    plant: Plant
    patience: Floats

    @classmethod
    def learn(cls, plant: Plant, segments: Sequence[TrainingSegment]) -> Preprocessor:
        """How long each tag stood still in normal rows."""
        places = [plant.signals.index(i.tag) for i in monitored(plant)]
        longest = [
            standstill(training_segment.block.values[:, places, 0])[training_segment.normal].max(
                axis=0
            )
            for training_segment in segments
            if training_segment.normal.any()
        ]
        if not longest:
            raise PlantError(
                f"{plant.name}: no row is normal: there is nothing to learn normal behaviour from"
            )
        patience = np.maximum(FROZEN * np.max(longest, axis=0), FEWEST_ROWS)
        lookback = plant.normality.lookback if plant.normality else None
        # A live row is observed with so much of its past; offline nobody waits longer either, so that both say the same.
        return cls(plant, np.minimum(patience, plant.rows(lookback) - 2) if lookback else patience)

    def __call__(self, block: IntervalBlock) -> Inputs:
        """What is to be observed of a block."""
        watched = monitored(self.plant)
        tags = block.values[:, [self.plant.signals.index(i.tag) for i in watched], 0].copy()
        tags[standstill(tags) > self.patience] = np.nan
        resolution = np.array([i.resolution or 0.0 for i in watched])
        steps = np.where(resolution > 0, resolution, 1.0)
        tags = np.where(resolution > 0, np.round(tags / steps) * steps, tags)
        inputs = [
            self.plant.signals.index(i.tag) for i in self.plant.instruments if i.role == "input"
        ]
        return Inputs(tags, block.values[:, inputs, 0], clock(self.plant, block), block.segment)


def monitored(plant: Plant) -> tuple[Instrument, ...]:
    """The instruments whose behaviour is watched."""
    return tuple(i for i in plant.instruments if i.role == "monitored")


def standstill(values: Floats) -> Floats:
    """For how many rows each value [rows, tags] has not moved.

    >>> standstill(np.array([[1.0], [1.0], [1.0], [2.0]]))[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    rows = np.arange(len(values))[:, None]
    moved = np.ones(values.shape, bool)
    moved[1:] = values[1:] != values[:-1]
    return np.asarray(rows - np.maximum.accumulate(np.where(moved, rows, 0), axis=0), float)


__all__ = ["Inputs", "Preprocessor", "monitored", "standstill"]
