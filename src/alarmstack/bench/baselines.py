"""Baselines: simple detectors that need no trained model, each evaluated exactly as our model is.

*random* uses no data. *static limit* is the largest distance of a tag from its median. *slope* is
the largest change of a tag over the plant's window. *PCA* is the textbook monitor: the squared
prediction error of the components that hold 90 % of the variance. *run age* is the time since the
run began; where it detects events, the recording leaks information. *last value* is a logistic
regression on the last row, for sets in which the events of other assets are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from alarmstack.bench.evaluate import Contender, Scorer, by_stretches
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.models.normality import TrainingSegment, known

EXPLAINED = 0.9
"""Share of the variance that the principal components hold."""
LARGEST_DISTANCE = 20.0
"""Standardised values are clipped here: one faulty instrument must not dominate the score."""
IQR_PER_SIGMA = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""


def random(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """Random scores."""
    return lambda block: np.random.default_rng(len(block)).random(len(block))


def run_age(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """Rows since the run began."""
    return lambda block: np.arange(len(block), dtype=float)


def static_limit(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """The largest standardised distance of a tag from its median."""
    standardise = _Standardiser(plant, segments)
    return lambda block: np.abs(standardise(block)).max(axis=1)


def slope(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """The largest standardised change of a tag over the plant's window."""
    standardise, back = _Standardiser(plant, segments), plant.rows(plant.time.window)

    def score(block: IntervalBlock) -> Floats:
        values = standardise(block)
        change = np.zeros(len(block))
        change[back:] = np.abs(values[back:] - values[:-back]).max(axis=1)
        return change

    return score


def pca(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """Squared prediction error of a principal component analysis."""
    standardise = _Standardiser(plant, segments)
    model = PCA(n_components=EXPLAINED, svd_solver="full").fit(standardise.training_rows)

    def score(block: IntervalBlock) -> Floats:
        values = standardise(block)
        reconstructed = model.inverse_transform(model.transform(values))
        return np.asarray(((values - reconstructed) ** 2).sum(axis=1))

    return score


def last_value(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """A logistic regression on the last row, trained on the events of other assets."""
    standardise = _Standardiser(plant, segments)
    labelled = [segment.normal | segment.event for segment in segments]
    pairs = list(zip(segments, labelled, strict=True))
    rows = np.concatenate([standardise(segment.block)[mask] for segment, mask in pairs])
    target = np.concatenate([segment.event[mask] for segment, mask in pairs])
    if len(np.unique(target)) < 2:
        return lambda block: np.full(len(block), np.nan)
    model = LogisticRegression(max_iter=1000).fit(rows, target)
    return lambda block: np.asarray(model.decision_function(standardise(block)))


class _Standardiser:
    """Tags as distances from their median in robust deviations. A missing value has distance 0."""

    def __init__(self, plant: Plant, segments: Sequence[TrainingSegment]) -> None:
        self._columns = [
            plant.signals.index(i.tag) for i in plant.instruments if i.role == "monitored"
        ]
        normal_rows = [self._values(segment.block)[segment.normal] for segment in segments]
        rows = np.concatenate(normal_rows)
        low, self._centre, high = (
            np.nan_to_num(known.quantile(rows, share)) for share in (0.25, 0.5, 0.75)
        )
        robust_deviation = (high - low) / IQR_PER_SIGMA
        self._spread = np.where(high > low, robust_deviation, known.spread(rows))
        self.training_rows = self._scaled(rows)

    def __call__(self, block: IntervalBlock) -> Floats:
        return self._scaled(self._values(block))

    def _values(self, block: IntervalBlock) -> Floats:
        return block.values[:, self._columns, 0]

    def _scaled(self, values: Floats) -> Floats:
        distance = np.nan_to_num((values - self._centre) / self._spread)
        return np.asarray(np.clip(distance, -LARGEST_DISTANCE, LARGEST_DISTANCE))


BASELINES: dict[str, Contender] = {
    "random": by_stretches(random),
    "static limit": by_stretches(static_limit),
    "slope": by_stretches(slope),
    "PCA": by_stretches(pca),
    "run age": by_stretches(run_age),
    "last value": by_stretches(last_value),
}

__all__ = ["BASELINES"]
