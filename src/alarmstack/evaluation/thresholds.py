"""The choice of a threshold: the one with the best event recall that keeps a false-alarm budget.

It needs labelled rows. `models.normality.threshold` chooses a threshold without labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.evaluation.events import EvaluatedRows, outcome

BUDGETS = (0.1, 0.5, 1.0)
"""False alarms per operating day for which thresholds are chosen and results are printed."""
MEASURABLE = 10
"""Expected false alarms below which a rate cannot be measured (a rule of the protocol)."""
CANDIDATES = 60
"""Thresholds that are tried between the median and the highest score."""
SAFETY = 1.64
"""Standard errors added to a count before it is compared with a budget.

With them, 95 of 100 such counts keep the budget on new data.
"""


def threshold_for(examples: EvaluatedRows, scores: Floats, budget: float) -> float:
    """The threshold with the best event recall that keeps a budget of false alarms per day.

    The number of false alarms is raised by `SAFETY` times its standard error before it is compared
    with the budget, so that the budget holds on new data. Among thresholds with equal recall the
    highest is taken; inf if none keeps the budget. The scores [rows] must not come from a model
    that was fitted on these rows.
    """
    return thresholds_for(examples, scores, (budget,))[0]


def thresholds_for(
    examples: EvaluatedRows, scores: Floats, budgets: Sequence[float]
) -> list[float]:
    """`threshold_for` for several budgets; each candidate is evaluated once for all of them."""
    best_recall = [0.0] * len(budgets)
    best_threshold = [float("inf")] * len(budgets)
    for threshold in _candidates(examples, scores):
        result = outcome(examples, scores, threshold)
        false_alarms = float(result.false.sum())
        cautious_count = false_alarms + SAFETY * np.sqrt(false_alarms)
        for place, budget in enumerate(budgets):
            keeps_budget = cautious_count <= budget * result.days
            if keeps_budget and result.recall > best_recall[place]:
                best_recall[place], best_threshold[place] = result.recall, threshold
    return best_threshold


@dataclass(frozen=True)
class ThresholdOutcome:
    """The results of a series of scores at one threshold."""

    threshold: float
    recall: float
    false_per_day: float
    share_in_warning: float


def sweep(examples: EvaluatedRows, scores: Floats) -> list[ThresholdOutcome]:
    """The results at every candidate threshold, highest first."""
    results = []
    for threshold in _candidates(examples, scores):
        result = outcome(examples, scores, threshold)
        results.append(
            ThresholdOutcome(
                threshold, result.recall, result.false_per_day, result.share_in_warning
            )
        )
    return results


def _candidates(examples: EvaluatedRows, scores: Floats) -> list[float]:
    """Distinct thresholds, highest first: most among the highest scores, where budgets lie."""
    quiet_scores = scores[examples.quiet & ~np.isnan(scores)]
    if not len(quiet_scores):
        return []
    shares = 1 - np.geomspace(0.5 / len(quiet_scores), 0.5, CANDIDATES)
    return sorted({float(q) for q in np.quantile(quiet_scores, shares)}, reverse=True)


__all__ = [
    "BUDGETS",
    "MEASURABLE",
    "SAFETY",
    "ThresholdOutcome",
    "sweep",
    "threshold_for",
    "thresholds_for",
]
