"""Judging by events: did a warning begin in time, and how often did one begin for nothing?

A row's score is known at the row's end; a warning that begins at row a is issued at the end of a. An alarm that begins in row o is
dated by the end of o, the last moment the row's data can have crossed the limit, so the warning's lead is o − a rows. A *hit* is an
activation at most the longest useful lead before the onset; a warning already standing before that is none. A *false alarm* is an
activation that no onset follows within that lead. Rows inside an episode are not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alarmstack.alarms import WarningRule, activations, standing
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Plant

BUDGETS = (0.1, 0.5, 1.0)
"""False alarms per operating day that results are printed for."""
MEASURABLE = 10
"""Expected false alarms below which a rate cannot be measured (the protocol's rule)."""
CANDIDATES = 60
"""Thresholds tried between the quietest and the loudest score."""
SAFETY = 1.64
"""Standard errors that a count is raised by before it is held against a budget: 95 of 100 such counts are not over."""
Hours = Floats


class Judged(Protocol):
    """Rows that scores are judged on, `step` of plant time apart: `quiet` bool [rows], rows of `onsets`, `segment` [rows]."""

    @property
    def plant(self) -> Plant:
        """The plant, with its warnings' delays."""
        ...

    @property
    def step(self) -> timedelta:
        """Plant time between two rows."""
        ...

    @property
    def quiet(self) -> Mask:
        """Rows that are judged."""
        ...

    @property
    def onsets(self) -> npt.NDArray[np.intp]:
        """Rows where an alarm begins."""
        ...

    @property
    def segment(self) -> npt.NDArray[np.int32]:
        """Rows of one number may share a warning."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Outcome:
    """What a series of scores did at one threshold.

    `onset` rows of all onsets; `lead` hours, NaN where missed (the first activation inside the useful lead counts);
    `activation` rows of all activations outside episodes; `false` whether each of them was a false alarm; `warned` whether a
    warning stands; `quiet` whether a row is judged; `day` rows of a day.
    """

    onset: npt.NDArray[np.intp]
    lead: Hours
    activation: npt.NDArray[np.intp]
    false: Mask
    warned: Mask
    quiet: Mask
    day: float

    @property
    def days(self) -> float:
        """Operating days outside episodes."""
        return float(self.quiet.sum()) / self.day

    @property
    def recall(self) -> float:
        """Share of onsets that were warned of; NaN without onsets."""
        return float(np.mean(~np.isnan(self.lead))) if len(self.lead) else float("nan")

    @property
    def false_per_day(self) -> float:
        """False alarms per operating day."""
        return float(self.false.sum()) / self.days if self.days else float("nan")

    @property
    def share_in_warning(self) -> float:
        """Share of quiet time in warning."""
        return float((self.warned & self.quiet).sum() / max(self.quiet.sum(), 1))


def outcome(examples: Judged, scores: Floats, threshold: float) -> Outcome:
    """Run scores through the alarm engine and compare its activations with the onsets. Higher scores mean worse."""
    plant = examples.plant
    quiet, onsets = examples.quiet, examples.onsets
    inside = ~quiet
    on = standing(
        WarningRule.of(plant, threshold),
        scores,
        examples.step.total_seconds(),
        inside,
        examples.segment,
    )
    began = activations(on)
    began = began[quiet[began]]
    longest = plant.time.longest_useful_lead // examples.step
    following = np.searchsorted(onsets, began, side="right")
    ahead = np.append(onsets, len(examples) + longest + 1)[following] - began
    reached = np.append(onsets, 0)[following]
    ahead[examples.segment[reached] != examples.segment[began]] = longest + 1
    hour = examples.step / timedelta(hours=1)
    lead = np.full(len(onsets), np.nan)
    for which, rows in zip(following[::-1], ahead[::-1], strict=True):
        if rows <= longest:
            lead[which] = rows * hour
    return Outcome(
        onsets, lead, began, ahead > longest, on, quiet, timedelta(days=1) / examples.step
    )


def threshold_for(examples: Judged, scores: Floats, budget: float) -> float:
    """The threshold with the best event recall whose false alarms keep to a budget (per day); inf if none does.

    The count is raised by `SAFETY` times its standard error before it is held against the budget, so that this holds on new data.
    Of equal recalls the highest threshold wins. Scores must not come from a model that was fitted on these rows.
    """
    return thresholds_for(examples, scores, (budget,))[0]


def thresholds_for(examples: Judged, scores: Floats, budgets: Sequence[float]) -> list[float]:
    """`threshold_for` of several budgets; each candidate is tried once for all of them."""
    best = [(0.0, float("inf"))] * len(budgets)
    for threshold in _candidates(scores[examples.quiet & ~np.isnan(scores)]):
        result = outcome(examples, scores, threshold)
        false = float(result.false.sum())
        for place, budget in enumerate(budgets):
            if (false + SAFETY * np.sqrt(false)) <= budget * result.days and result.recall > best[
                place
            ][0]:
                best[place] = result.recall, threshold
    return [threshold for _, threshold in best]


@dataclass(frozen=True)
class Swept:
    """What a threshold does to a series of scores."""

    threshold: float
    recall: float
    false_per_day: float
    share_in_warning: float


def sweep(examples: Judged, scores: Floats) -> list[Swept]:
    """What every threshold worth trying does, loudest first."""
    tried = (
        (t, outcome(examples, scores, t))
        for t in _candidates(scores[examples.quiet & ~np.isnan(scores)])
    )
    return [Swept(t, o.recall, o.false_per_day, o.share_in_warning) for t, o in tried]


def _candidates(scores: Floats) -> list[float]:
    """Distinct thresholds, loudest first: dense among the highest scores, where the budgets lie."""
    if not len(scores):
        return []
    shares = 1 - np.geomspace(0.5 / len(scores), 0.5, CANDIDATES)
    return sorted({float(q) for q in np.quantile(scores, shares)}, reverse=True)


__all__ = [
    "BUDGETS",
    "MEASURABLE",
    "SAFETY",
    "Judged",
    "Outcome",
    "Swept",
    "outcome",
    "sweep",
    "threshold_for",
    "thresholds_for",
]
