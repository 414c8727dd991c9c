"""The choice of a threshold without labels: the lowest one that keeps a budget on normal rows.

The scores of these rows come from a model that was not fitted on them. The budget is the plant's: a
number of false alarms per day, counted through the alarm engine, or (for a plant that is judged by
time) a share of normal time in alarm. `evaluation.thresholds` chooses a threshold with labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from alarmstack.alarms import WarningRule, activations, warning_active
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Plant
from alarmstack.models.normality.tail import Tail

FEWEST_ROWS = 10
"""Rows beyond a threshold below which the threshold is extrapolated from the tail, not counted."""
CANDIDATES = 120
"""Thresholds that are tried between the median and the highest score."""


@dataclass(frozen=True)
class HeldBack:
    """Scores [rows] of one run.

    NaN if the model was fitted on the row, or if the row is not known to be normal.
    """

    scores: Floats
    segment: npt.NDArray[np.int32]


def threshold_for(plant: Plant, held_back: Sequence[HeldBack]) -> float:
    """The lowest threshold that keeps the plant's budget on held-back normal rows.

    inf if there are no such rows. Scores: higher means worse.
    """
    known_scores = [h.scores[~np.isnan(h.scores)] for h in held_back]
    known = np.concatenate(known_scores) if known_scores else np.empty(0)
    if not len(known):
        return float("inf")
    share = plant.warnings.time_in_warning
    if share is not None:
        return _threshold_for_share(known, share)
    days = len(known) * (plant.time.cadence / timedelta(days=1))
    allowed = plant.warnings.false_alarms_per_day * days
    threshold = float(np.nextafter(known.max(), np.inf))
    for candidate in _candidates(known):
        false_alarms = sum(len(activations(_active(plant, candidate, h))) for h in held_back)
        if false_alarms > allowed:
            break
        threshold = candidate
    return threshold


def _threshold_for_share(known: Floats, share: float) -> float:
    """The score that a share of the known scores exceeds."""
    if share * len(known) >= FEWEST_ROWS:
        return float(np.quantile(known, 1 - share))
    return Tail.of(known).level(share)


def _active(plant: Plant, threshold: float, held_back: HeldBack) -> Mask:
    rule = WarningRule.of(plant, threshold)
    cadence = plant.time.cadence.total_seconds()
    return warning_active(rule, held_back.scores, cadence, None, held_back.segment)


def _candidates(known: Floats) -> list[float]:
    """Distinct thresholds, highest first: most among the highest scores, where budgets lie."""
    shares = 1 - np.geomspace(0.5 / len(known), 0.5, CANDIDATES)
    return sorted({float(q) for q in np.quantile(known, shares)}, reverse=True)


__all__ = ["HeldBack", "threshold_for"]
