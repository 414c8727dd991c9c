"""Baselines: what a plant gets without a model. Each is a contender, judged with the same budget and the same alarm engine as ours.

*random* knows nothing; *static limit* asks how far any tag is from where it usually is; *slope* how fast any tag moves; *PCA* is
the textbook monitor (squared prediction error of the components that hold 90 % of the variance); *run age* only knows how long a
run has lasted (what it finds is a leak of the recording, not skill); *last value* is a logistic regression on the last row, where
other assets' events are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from alarmstack.bench.judge import Contender, Scorer, by_stretches
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.models.normality import TrainingSegment, known

EXPLAINED = 0.9
SPREADS = 20.0
"""Standardised values are cut here, so that one broken instrument does not become the whole score."""


def random(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """Scores that know nothing."""
    return lambda block: np.random.default_rng(len(block)).random(len(block))


def run_age(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """How long the run has lasted."""
    return lambda block: np.arange(len(block), dtype=float)


def static_limit(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """The farthest standardised distance of a tag from its usual value."""
    standard = _Standard(plant, lessons)
    return lambda block: np.abs(standard(block)).max(axis=1)


def slope(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """The largest standardised move of a tag over the plant's window."""
    standard, back = _Standard(plant, lessons), plant.rows(plant.time.window)

    def score(block: IntervalBlock) -> Floats:
        value = standard(block)
        moved = np.zeros(len(block))
        moved[back:] = np.abs(value[back:] - value[:-back]).max(axis=1)
        return moved

    return score


def pca(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """Squared prediction error of a principal component analysis."""
    standard = _Standard(plant, lessons)
    model = PCA(n_components=EXPLAINED, svd_solver="full").fit(standard.learnt)

    def score(block: IntervalBlock) -> Floats:
        value = standard(block)
        return np.asarray(
            ((value - model.inverse_transform(model.transform(value))) ** 2).sum(axis=1)
        )

    return score


def last_value(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """A logistic regression on the last row, taught by the events of other assets."""
    standard = _Standard(plant, lessons)
    rows = np.concatenate(
        [standard(lesson.block)[lesson.normal | lesson.event] for lesson in lessons]
    )
    target = np.concatenate([lesson.event[lesson.normal | lesson.event] for lesson in lessons])
    if len(np.unique(target)) < 2:
        return lambda block: np.full(len(block), np.nan)
    model = LogisticRegression(max_iter=1000).fit(rows, target)
    return lambda block: np.asarray(model.decision_function(standard(block)))


class _Standard:
    """Tags as distances from their median in quartile ranges; a missing value is at its median."""

    def __init__(self, plant: Plant, lessons: Sequence[TrainingSegment]) -> None:
        self._places = [
            plant.signals.index(i.tag) for i in plant.instruments if i.role == "monitored"
        ]
        rows = np.concatenate([self._values(lesson.block)[lesson.normal] for lesson in lessons])
        low, self._centre, high = (
            np.nan_to_num(known.quantile(rows, share)) for share in (0.25, 0.5, 0.75)
        )
        self._spread = np.where(high > low, (high - low) / 1.349, known.spread(rows))
        self.learnt = self._scaled(rows)

    def __call__(self, block: IntervalBlock) -> Floats:
        return self._scaled(self._values(block))

    def _values(self, block: IntervalBlock) -> Floats:
        return block.values[:, self._places, 0]

    def _scaled(self, values: Floats) -> Floats:
        return np.asarray(
            np.clip(np.nan_to_num((values - self._centre) / self._spread), -SPREADS, SPREADS)
        )


BASELINES: dict[str, Contender] = {
    "random": by_stretches(random),
    "static limit": by_stretches(static_limit),
    "slope": by_stretches(slope),
    "PCA": by_stretches(pca),
    "run age": by_stretches(run_age),
    "last value": by_stretches(last_value),
}

__all__ = ["BASELINES"]
