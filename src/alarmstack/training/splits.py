"""Splits in time: outside the sealed last fifth, blocks of whole events take turns to be held back.

Around every held-back block rows are purged, as many as a window and the farthest horizon span, so that no training row shares
readings with a held-back one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alarmstack.examples import Examples
from alarmstack.plant import Plant

Rows = npt.NDArray[np.intp]
FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """Row numbers to train on and row numbers held back."""

    train: Rows
    held_back: Rows


def purge_rows(plant: Plant) -> int:
    """Rows between training and held-back rows: a window and the farthest horizon."""
    return plant.rows(plant.time.window) + plant.rows(max(plant.time.horizons))


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


def _edge(examples: Examples, share: float) -> int:
    onsets = examples.onsets
    row = int(onsets[int(len(onsets) * share)]) if len(onsets) >= FOLDS else int(len(examples) * share)
    return examples.before_episode(max(row - max(examples.plant.rows(h) for h in examples.plant.time.horizons), 0))


__all__ = ["FOLDS", "Fold", "inner_folds", "purge_rows"]
