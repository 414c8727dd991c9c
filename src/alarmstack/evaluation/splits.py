"""Splits in time: outside the sealed last fifth, blocks of whole events take turns to be held back.

Around every held-back block rows are purged, as many as a window and the farthest horizon span, so that no training row shares
readings with a held-back one. A walk forward learns from the past alone: every fold is judged by what came well before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alarmstack.core.plant import Plant
from alarmstack.features.examples import Examples

Rows = npt.NDArray[np.intp]
FOLDS = 5
GAP = timedelta(hours=24)
"""Time between what a walk-forward fold learns from and what it is judged on."""
WALKED = 30
"""Onsets from which a walk shares out onsets; of fewer, its first fold might learn from a day."""


@dataclass(frozen=True)
class Fold:
    """Row numbers to train on and row numbers held back."""

    train: Rows
    held_back: Rows


def purge_rows(plant: Plant) -> int:
    """Rows between training and held-back rows: a window and the farthest horizon."""
    return plant.rows(plant.time.window) + plant.rows(plant.time.farthest_horizon)


def inner_folds(examples: Examples, count: int = FOLDS) -> tuple[Fold, ...]:
    """Chronological blocks that hold about the same number of onsets each; each is held back once."""
    edges = [0, *(_edge(examples, share / count) for share in range(1, count)), len(examples)]
    purge = purge_rows(examples.plant)
    rows = np.arange(len(examples))
    folds = []
    for begin, end in pairwise(edges):
        if end > begin:
            train = rows[(rows < begin - purge) | (rows >= end + purge)]
            folds.append(Fold(train, rows[begin:end]))
    return tuple(folds)


def walk_forward(examples: Examples, count: int = FOLDS, gap: timedelta = GAP) -> tuple[Fold, ...]:
    """Folds in the order of time, of about the same number of onsets; each learns from all rows that end at least `gap` before it.

    Nobody is judged on the rows before the first fold. With too few onsets to share out, folds are of the same length. The gap is
    never shorter than a window and the farthest horizon, and no border cuts an event.
    """
    edges = [
        *(_edge(examples, share / (count + 1), WALKED) for share in range(1, count + 1)),
        len(examples),
    ]
    apart = max(examples.plant.rows(gap), purge_rows(examples.plant))
    return tuple(
        Fold(np.arange(begin - apart), np.arange(begin, end))
        for begin, end in pairwise(edges)
        if end > begin and begin > apart
    )


def _edge(examples: Examples, share: float, fewest: int = FOLDS) -> int:
    onsets = examples.onsets
    row = (
        int(onsets[int(len(onsets) * share)])
        if len(onsets) >= fewest
        else int(len(examples) * share)
    )
    ahead = examples.plant.rows(examples.plant.time.farthest_horizon)
    return examples.before_episode(max(row - ahead, 0))


__all__ = ["FOLDS", "GAP", "Fold", "inner_folds", "purge_rows", "walk_forward"]
