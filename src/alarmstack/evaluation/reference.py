"""The reference for drift: the distributions in training of a model's scores and its inputs."""

from __future__ import annotations

from alarmstack.alarms.drift import ReferenceDistribution, reference_distribution
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant


def reference_of_values(plant: Plant, block: IntervalBlock) -> dict[str, ReferenceDistribution]:
    """Distributions of the medians of every instrument that models use, by key.

    Instruments with too few values are left out.
    """
    in_a_segment = block.segment >= 0
    distributions = {}
    for instrument in plant.modelled:
        values = block.statistic(instrument.tag)[in_a_segment]
        distribution = reference_distribution(values, plant.rows(plant.drift.window))
        if distribution is not None:
            distributions[instrument.key] = distribution
    return distributions


def reference_of_scores(plant: Plant, scores: Floats) -> ReferenceDistribution | None:
    """Distribution of a model's scores [rows]; None if there are too few."""
    return reference_distribution(scores, plant.rows(plant.drift.window))


__all__ = ["reference_of_scores", "reference_of_values"]
