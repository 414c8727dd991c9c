"""False-alarm budgets: the lowest threshold that keeps both sides of a budget on normal rows.

A budget has two sides, because a useless detector can keep either one: a detector that is always in
warning raises few warnings, and one that raises many very short warnings is rarely in warning. Both
sides are counted through the alarm engine, whose delays keep a warning active after its score has
fallen. No labels are needed: the scores are those of normal rows that the model has not learnt
from. `alarmstack bench transfer` compares this rule with others (docs/skill.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

from alarmstack.alarms.engine import WarningRule, activations, warning_active
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import spaced, write_duration

FEWEST_EPISODES = 8
"""Warnings on the normal rows below which a rate is not counted, but extrapolated."""
CANDIDATES = 120
"""Thresholds that are tried between the median and the highest score."""
TAIL = (0.9, 0.99)
"""Quantiles of two scores; the second one is ten times as rare."""
DAY = timedelta(days=1)
Side = Literal["per_day", "share"]


@dataclass(frozen=True)
class Realised:
    """What a threshold gives on normal rows: warnings per day and share of time in warning.

    `days`: normal time. `episodes`: the number of warnings. Assets with more than the median of
    normal time count with the median, so that one of them does not decide for all.
    """

    per_day: float
    share: float
    days: float
    episodes: int


@dataclass(frozen=True)
class Budget:
    """What an operator accepts: warnings `per_day`, and the `share` of time with a warning.

    Raises ValueError for values that are no budget.
    """

    per_day: float
    share: float

    def __post_init__(self) -> None:
        if not (self.per_day > 0 and 0 < self.share <= 1):
            raise ValueError(
                f"a budget of {self.per_day:g} warnings a day and {self.share:g} of the time "
                "cannot be used: use numbers above 0, and a share of at most 1"
            )

    def times(self, factor: float) -> Budget:
        """A budget whose two sides are `factor` times as large; the share is at most 1."""
        return Budget(self.per_day * factor, min(self.share * factor, 1.0))

    def kept_by(self, result: Realised) -> bool:
        """Whether both sides of a result are within the budget."""
        return result.per_day <= self.per_day and result.share <= self.share


@dataclass(frozen=True)
class QuietScores:
    """Scores [rows] of one series of an asset; higher is worse.

    NaN if the model was fitted on the row, or if the row is not known to be normal. Rows with the
    same number in `segment` [rows] follow each other; the end of a segment clears a warning.
    """

    scores: Floats
    segment: npt.NDArray[np.int32]
    asset: str = ""


@dataclass(frozen=True)
class BudgetThreshold:
    """A threshold, what it gives on the normal rows, and sentences that the user must know.

    `threshold` is inf if there are too few warnings on the rows to choose one.
    """

    threshold: float
    expected: Realised
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    threshold: float
    result: Realised

    @property
    def is_counted(self) -> bool:
        return self.result.episodes >= FEWEST_EPISODES


def realised(rule: WarningRule, cadence: timedelta, quiet: Sequence[QuietScores]) -> Realised:
    """Count both sides of the budget on normal rows, through the alarm engine.

    Without a normal row both rates are NaN.
    """
    assets = sorted({series.asset for series in quiet})
    rows, raised, active = (np.zeros(len(assets)) for _ in range(3))
    for series in quiet:
        place = assets.index(series.asset)
        known_rows = np.isfinite(series.scores)
        on = warning_active(rule, series.scores, cadence.total_seconds(), None, series.segment)
        rows[place] += known_rows.sum()
        raised[place] += len(activations(on))
        active[place] += (on & known_rows).sum()
    days = rows * (cadence / DAY)
    known = days > 0
    if not known.any():
        return Realised(float("nan"), float("nan"), 0.0, 0)
    weights = np.minimum(days, np.median(days[known]))[known]
    return Realised(
        float(np.average(raised[known] / days[known], weights=weights)),
        float(np.average(active[known] / rows[known], weights=weights)),
        float(days.sum()),
        int(raised.sum()),
    )


def choose_threshold(
    rule: WarningRule,
    cadence: timedelta,
    budget: Budget,
    quiet: Sequence[QuietScores],
    power_of_ten: float | None = None,
) -> BudgetThreshold:
    """The lowest threshold that keeps both sides of the budget on normal rows.

    `rule` gives the delays; its threshold is not used. A rate is counted while there are at least
    `FEWEST_EPISODES` warnings. A lower rate is extrapolated from there: each factor of ten in
    rarity raises the threshold by `power_of_ten` (1 for surprise; None: the difference between the
    scores that one normal row in ten and one in a hundred reach).
    """
    notes = contradictions(rule, cadence, budget)
    known_scores = [series.scores[np.isfinite(series.scores)] for series in quiet]
    known = np.concatenate(known_scores) if known_scores else np.empty(0)
    candidates = _count(rule, cadence, budget, quiet, known)
    first_counted = next((one for one in candidates if one.is_counted), None)
    if first_counted is None:
        days = len(known) * (cadence / DAY)
        never = Realised(0.0, 0.0, days, 0)
        return BudgetThreshold(float("inf"), never, (*notes, _not_measurable(budget, days)))
    if power_of_ten is None:
        power_of_ten = float(np.diff(np.quantile(known, TAIL))[0])
    sides: tuple[Side, ...] = ("per_day", "share")
    by_side = {
        side: _lowest(candidates, first_counted, side, budget, power_of_ten) for side in sides
    }
    limiting = max(sides, key=lambda side: by_side[side])
    threshold = by_side[limiting]
    expected = realised(replace(rule, threshold=threshold), cadence, quiet)
    if not budget.kept_by(expected):
        # Equal scores, or a tail that falls more slowly than it was extrapolated.
        higher = [one for one in reversed(candidates) if one.threshold > threshold]
        kept = next((one for one in higher if budget.kept_by(one.result)), None)
        threshold = kept.threshold if kept else float(np.nextafter(known.max(), np.inf))
        expected = realised(replace(rule, threshold=threshold), cadence, quiet)
    if expected.episodes < FEWEST_EPISODES:
        notes.append(_extrapolated(budget, expected, first_counted.result, limiting))
    return BudgetThreshold(threshold, expected, tuple(notes))


def contradictions(rule: WarningRule, cadence: timedelta, budget: Budget) -> list[str]:
    """A sentence if the two sides cannot both be used: warnings last for a shortest time."""
    shortest = timedelta(seconds=max(rule.off_delay, rule.minimum_on)) + cadence
    least = budget.per_day * (shortest / DAY)
    if least <= budget.share:
        return []
    return [
        f"{budget.per_day:g} warnings a day that each last at least "
        f"{spaced(write_duration(shortest))} are {least:.2%} of the time, more than the requested "
        f"{budget.share:.2%}: the share of time decides, and allows at most "
        f"{budget.share / (shortest / DAY):.3g} a day."
    ]


def _count(
    rule: WarningRule,
    cadence: timedelta,
    budget: Budget,
    quiet: Sequence[QuietScores],
    known: Floats,
) -> list[_Candidate]:
    """Candidates and their results, highest first, until both sides exceed the budget."""
    candidates = []
    for threshold in _candidates(rule, known):
        one = _Candidate(threshold, realised(replace(rule, threshold=threshold), cadence, quiet))
        candidates.append(one)
        exceeds_both = one.result.per_day > budget.per_day and one.result.share > budget.share
        if one.is_counted and exceeds_both:
            break
    return candidates


def _candidates(rule: WarningRule, known: Floats) -> list[float]:
    """Distinct thresholds, highest first: most among the highest scores, where budgets lie.

    With a hysteresis there is none below 0: the release level would be above the threshold.
    """
    if not len(known):
        return []
    shares = 1 - np.geomspace(0.5 / len(known), 0.5, CANDIDATES)
    thresholds = {float(q) for q in np.quantile(known, shares)}
    usable = (one for one in thresholds if one > 0 or rule.hysteresis == 1)
    return sorted(usable, reverse=True)


def _lowest(
    candidates: Sequence[_Candidate],
    first_counted: _Candidate,
    side: Side,
    budget: Budget,
    power_of_ten: float,
) -> float:
    """The lowest threshold that keeps one side of the budget."""
    allowed, rate = getattr(budget, side), getattr(first_counted.result, side)
    lowest = first_counted.threshold
    if rate > allowed:
        return float(lowest + power_of_ten * np.log10(rate / allowed))
    for one in candidates:
        if getattr(one.result, side) > allowed:
            break
        lowest = min(lowest, one.threshold)
    return lowest


def _not_measurable(budget: Budget, days: float) -> str:
    return (
        f"No threshold raises {FEWEST_EPISODES} warnings on {days:.3g} normal days, so a budget of "
        f"{budget.per_day:g} a day cannot be measured: no warnings yet. At this rate "
        f"{FEWEST_EPISODES} warnings take {FEWEST_EPISODES / budget.per_day:.3g} days."
    )


def _extrapolated(budget: Budget, expected: Realised, counted: Realised, side: Side) -> str:
    days_needed = expected.days * getattr(counted, side) / getattr(budget, side)
    return (
        f"The threshold is extrapolated: on {expected.days:.3g} normal days it raises fewer than "
        f"{FEWEST_EPISODES} warnings. It can be counted after about {days_needed:.3g} days."
    )


__all__ = [
    "Budget",
    "BudgetThreshold",
    "QuietScores",
    "Realised",
    "choose_threshold",
    "contradictions",
    "realised",
]
