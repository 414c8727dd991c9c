"""Splits in time: which rows are trained on and which are held back.

*Inner folds* cut the rows before the sealed last fifth into blocks of whole events, and each block
is held back once. Around a held-back block rows are purged: as many as a window and the longest
horizon, so that no training row shares readings with a held-back one. *Walk-forward folds* train on
the past alone and are evaluated on rows that come well after it.
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
FEWEST_WALK_FORWARD_ONSETS = 30
"""Onsets from which walk-forward folds hold equal numbers of onsets.

With fewer, the first fold could be left with a day of training rows.
"""


@dataclass(frozen=True)
class Fold:
    """Row numbers to train on and row numbers held back."""

    train: Rows
    held_back: Rows


def purge_rows(plant: Plant) -> int:
    """Rows between training and held-back rows: a window and the longest horizon."""
    return plant.rows(plant.time.window) + plant.rows(plant.time.farthest_horizon)


def walk_forward_gap(plant: Plant) -> timedelta:
    """Time between the training rows of a walk-forward fold and its evaluated rows.

    A training row contains data up to the farthest horizon after it. The first evaluated row may be
    an onset, which warnings may precede by the longest useful lead, and the scores of those rows
    read a window back. The sum of the three durations separates all of these data from training.
    With the default durations of plant.toml it is 24 cadences: 24 h for hourly rows.
    """
    time = plant.time
    return time.window + time.farthest_horizon + time.longest_useful_lead


def inner_folds(examples: Examples, count: int = FOLDS) -> tuple[Fold, ...]:
    """Folds whose held-back blocks have about equal numbers of onsets, in order of time."""
    inner_edges = [_edge(examples, share / count) for share in range(1, count)]
    edges = [0, *inner_edges, len(examples)]
    purge = purge_rows(examples.plant)
    rows = np.arange(len(examples))
    folds = []
    for begin, end in pairwise(edges):
        if end > begin:
            train = rows[(rows < begin - purge) | (rows >= end + purge)]
            folds.append(Fold(train, rows[begin:end]))
    return tuple(folds)


def walk_forward(
    examples: Examples, count: int = FOLDS, gap: timedelta | None = None
) -> tuple[Fold, ...]:
    """Folds with about equal numbers of onsets, in order of time.

    Each trains on all rows that end at least `gap` (default: `walk_forward_gap`) before it. Rows
    before the first fold are not evaluated. With few onsets, the folds have equal lengths instead.
    The gap is never shorter than a window and the longest horizon, and no fold begins inside an
    event. A fold without a row to train on is left out: a short history gives fewer folds, or none.
    """
    shares = [number / (count + 1) for number in range(1, count + 1)]
    begins = [_edge(examples, share, FEWEST_WALK_FORWARD_ONSETS) for share in shares]
    plant = examples.plant
    gap_rows = max(plant.rows(gap or walk_forward_gap(plant)), purge_rows(plant))
    return tuple(
        Fold(np.arange(begin - gap_rows), np.arange(begin, end))
        for begin, end in pairwise([*begins, len(examples)])
        if end > begin and begin > gap_rows
    )


def _edge(examples: Examples, share: float, fewest_onsets: int = FOLDS) -> int:
    """The first row of a block that begins after a share of the onsets, or of the rows."""
    onsets = examples.onsets
    if len(onsets) >= fewest_onsets:
        row = int(onsets[int(len(onsets) * share)])
    else:
        row = int(len(examples) * share)
    # The rows in which the block's first onset can be forecast belong to the block.
    longest_horizon = examples.plant.rows(examples.plant.time.farthest_horizon)
    return examples.before_episode(max(row - longest_horizon, 0))


__all__ = ["FOLDS", "Fold", "inner_folds", "purge_rows", "walk_forward", "walk_forward_gap"]
