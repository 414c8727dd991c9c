"""Thresholds without labels: the lowest one that keeps a budget on normal rows which the scores were not fitted on.

The budget is the plant's: so many false alarms a day, counted through the alarm engine, or (where a plant is judged by time) such a
share of normal time in alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from alarmstack.alarms import WarningRule, activations, standing
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Plant
from alarmstack.models.normality.tail import Tail

FEWEST_ROWS = 10
"""Rows beyond a threshold below which its place in the tail is extrapolated, not counted."""
CANDIDATES = 120
"""Thresholds tried between the middle and the loudest score."""


@dataclass(frozen=True)
class HeldBack:
    """Scores [rows] of one run, NaN where the model was fitted on the row or the row is not known to be normal."""

    scores: Floats
    segment: npt.NDArray[np.int32]


def threshold_for(plant: Plant, held_back: Sequence[HeldBack]) -> float:
    """The lowest threshold that keeps the plant's budget on held-back normal rows; inf where there are none.

    Scores: higher means worse.
    """
    known = (
        np.concatenate([h.scores[~np.isnan(h.scores)] for h in held_back])
        if held_back
        else np.empty(0)
    )
    if not len(known):
        return float("inf")
    share = plant.warnings.time_in_warning
    if share is not None:
        return (
            float(np.quantile(known, 1 - share))
            if share * len(known) >= FEWEST_ROWS
            else Tail.of(known).level(share)
        )
    days = len(known) * (plant.time.cadence / timedelta(days=1))
    allowed = plant.warnings.false_alarms_per_day * days
    best = float(np.nextafter(known.max(), np.inf))
    for candidate in _candidates(known):
        false = sum(len(activations(_on(plant, candidate, h))) for h in held_back)
        if false > allowed:
            break
        best = candidate
    return best


def _on(plant: Plant, threshold: float, held_back: HeldBack) -> Mask:
    rule = WarningRule.of(plant, threshold)
    return standing(
        rule, held_back.scores, plant.time.cadence.total_seconds(), None, held_back.segment
    )


def _candidates(known: Floats) -> list[float]:
    """Thresholds, loudest first: dense among the highest scores, where budgets lie."""
    shares = 1 - np.geomspace(0.5 / len(known), 0.5, CANDIDATES)
    return sorted({float(q) for q in np.quantile(known, shares)}, reverse=True)


__all__ = ["HeldBack", "threshold_for"]
