"""What was usual in training: the reference that drift is measured against."""

from __future__ import annotations

from alarmstack.alarms.drift import ReferenceDistribution, reference_distribution
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant


def usual_values(plant: Plant, block: IntervalBlock) -> dict[str, ReferenceDistribution]:
    """The medians of every instrument that models use, by key."""
    rows = block.segment >= 0
    found = {
        i.key: reference_distribution(block.statistic(i.tag)[rows], plant.rows(plant.drift.window))
        for i in plant.modelled
    }
    return {key: told for key, told in found.items() if told is not None}


def score_of(plant: Plant, scores: Floats) -> ReferenceDistribution | None:
    """A model's scores in training."""
    return reference_distribution(scores, plant.rows(plant.drift.window))


__all__ = ["score_of", "usual_values"]
