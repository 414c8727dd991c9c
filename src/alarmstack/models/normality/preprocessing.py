"""The inputs of experts: monitored tags and input tags of a block, as plain arrays.

A transmitter whose value is unchanged for much longer than in training is frozen. Its value is set
to missing: neither normal nor abnormal.
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
"""A tag is frozen if it is unchanged for this many times its longest standstill in training."""
SHORTEST_PATIENCE = 60
"""Rows for which any tag may be unchanged, however lively it was in training."""


@dataclass(frozen=True)
class Inputs:
    """The arrays of a block.

    `tags` float64 [rows, monitored tags], `inputs` float64 [rows, inputs], `clock` float64
    [rows, 2]: the time of day as a circle, `segment` int32 [rows].
    """

    tags: Floats
    inputs: Floats
    clock: Floats
    segment: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Preprocessor:
    """Prepares blocks of one plant. `patience` [tags]: rows for which each tag may be unchanged."""

    plant: Plant
    patience: Floats

    @classmethod
    def learn(cls, plant: Plant, segments: Sequence[TrainingSegment]) -> Preprocessor:
        """Learn how long each tag was unchanged in normal rows."""
        places = [plant.signals.index(i.tag) for i in monitored(plant)]
        longest = [
            standstill(segment.block.values[:, places, 0])[segment.normal].max(axis=0)
            for segment in segments
            if segment.normal.any()
        ]
        if not longest:
            raise PlantError(
                f"{plant.name}: no row is normal, so that normal behaviour cannot be learnt"
            )
        patience = np.maximum(FROZEN * np.max(longest, axis=0), SHORTEST_PATIENCE)
        lookback = plant.normality.lookback if plant.normality else None
        # A live row has this much history. The same limit offline keeps both results equal.
        return cls(plant, np.minimum(patience, plant.rows(lookback) - 2) if lookback else patience)

    def __call__(self, block: IntervalBlock) -> Inputs:
        """The inputs of a block."""
        instruments = monitored(self.plant)
        tags = block.values[:, [self.plant.signals.index(i.tag) for i in instruments], 0].copy()
        tags[standstill(tags) > self.patience] = np.nan
        resolution = np.array([i.resolution or 0.0 for i in instruments])
        steps = np.where(resolution > 0, resolution, 1.0)
        tags = np.where(resolution > 0, np.round(tags / steps) * steps, tags)
        inputs = [
            self.plant.signals.index(i.tag) for i in self.plant.instruments if i.role == "input"
        ]
        return Inputs(tags, block.values[:, inputs, 0], clock(self.plant, block), block.segment)


def monitored(plant: Plant) -> tuple[Instrument, ...]:
    """The instruments whose behaviour is monitored."""
    return tuple(i for i in plant.instruments if i.role == "monitored")


def standstill(values: Floats) -> Floats:
    """For how many rows each value [rows, tags] has been unchanged.

    >>> standstill(np.array([[1.0], [1.0], [1.0], [2.0]]))[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    rows = np.arange(len(values))[:, None]
    moved = np.ones(values.shape, bool)
    moved[1:] = values[1:] != values[:-1]
    return np.asarray(rows - np.maximum.accumulate(np.where(moved, rows, 0), axis=0), float)


__all__ = ["Inputs", "Preprocessor", "monitored", "standstill"]
