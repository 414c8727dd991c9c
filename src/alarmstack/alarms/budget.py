"""False-alarm budgets: the lowest threshold that keeps both sides of a budget on normal rows.

A budget has two sides, because each of them alone is kept by a useless detector: warnings per day
(kept by one that is always in warning) and the share of time in warning (kept by one that warns
all the time for a moment). Both sides are counted through the alarm engine, whose delays keep a
warning active for longer than its score is high. No labels are needed: the scores are those of
normal rows that the model has not learnt from.

`alarmstack bench transfer` compares this rule with others (docs/skill.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from alarmstack.alarms.engine import WarningRule, activations, warning_active
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import write_duration

FEWEST_EPISODES = 8
"""Warnings on the normal rows below which a rate is not counted, but extrapolated."""
CANDIDATES = 120
"""Thresholds that are tried between the median and the highest score."""
TAIL = (0.9, 0.99)
"""Shares of normal rows below two scores that are a power of ten apart in rarity."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Budget:
    """What an operator accepts: warnings `per_day`, and the `share` of time with a warning."""

    per_day: float
    share: float

    def times(self, factor: float) -> Budget:
        """A budget whose two sides are `factor` times as large; the share is at most 1."""
        return Budget(self.per_day * factor, min(self.share * factor, 1.0))


@dataclass(frozen=True)
class QuietScores:
    """Scores [rows] of one series of an asset, higher is worse.

    NaN if the model was fitted on the row, or if the row is not known to be normal.
    """

    scores: Floats
    segment: npt.NDArray[np.int32]
    asset: str = ""


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
class BudgetThreshold:
    """A threshold, what it is expected to give, and what the user must know about it.

    `threshold` is inf if nothing can be said from the rows at hand. `notes`: sentences.
    """

    threshold: float
    expected: Realised
    notes: tuple[str, ...] = ()


def realised(rule: WarningRule, cadence: timedelta, quiet: Sequence[QuietScores]) -> Realised:
    """Count both sides of the budget on normal rows, through the alarm engine."""
    assets = sorted({series.asset for series in quiet})
    rows, raised, active = (np.zeros(len(assets)) for _ in range(3))
    for series in quiet:
        place = assets.index(series.asset)
        seconds, known_rows = cadence.total_seconds(), np.isfinite(series.scores)
        on = warning_active(rule, series.scores, seconds, None, series.segment)
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

    `rule` gives the delays; its threshold is not used. `power_of_ten`: by how much a score rises
    when it becomes ten times as rare; None: as between the scores of one normal row in ten and one
    in a hundred. A rate is counted while there are at least
    `FEWEST_EPISODES` warnings; a lower rate is extrapolated from there.
    """
    notes = [*contradictions(rule, cadence, budget)]
    known_scores = [s.scores[np.isfinite(s.scores)] for s in quiet]
    known = np.concatenate(known_scores) if known_scores else np.empty(0)
    steps: list[tuple[float, Realised]] = []
    for candidate in _candidates(known):
        result = realised(replace(rule, threshold=candidate), cadence, quiet)
        steps.append((candidate, result))
        enough = result.episodes >= FEWEST_EPISODES
        if enough and result.per_day > budget.per_day and result.share > budget.share:
            break
    if power_of_ten is None and len(known):
        power_of_ten = float(np.diff(np.quantile(known, TAIL))[0])
    counted = next((s for s in steps if s[1].episodes >= FEWEST_EPISODES), None)
    if counted is None or power_of_ten is None:
        days = len(known) * (cadence / DAY)
        notes.append(_not_measurable(budget, days))
        return BudgetThreshold(float("inf"), Realised(0.0, 0.0, days, 0), tuple(notes))
    sides = [
        _side(steps, counted, "per_day", budget.per_day, power_of_ten),
        _side(steps, counted, "share", budget.share, power_of_ten),
    ]
    threshold = max(sides)
    expected = realised(replace(rule, threshold=threshold), cadence, quiet)
    if expected.episodes < FEWEST_EPISODES:
        notes.append(_extrapolated(budget, expected.days))
    return BudgetThreshold(threshold, expected, tuple(notes))


def contradictions(rule: WarningRule, cadence: timedelta, budget: Budget) -> list[str]:
    """A sentence if the two sides cannot both be used: warnings last for a shortest time."""
    shortest = timedelta(seconds=max(rule.off_delay, rule.minimum_on)) + cadence
    least = budget.per_day * (shortest / DAY)
    if least <= budget.share:
        return []
    return [
        f"{budget.per_day:.3g} warnings a day that each last at least {write_duration(shortest)} "
        f"are {least:.2%} of the time, more than the requested {budget.share:.2%}: the share of "
        f"time decides, and allows at most {budget.share / (shortest / DAY):.3g} a day."
    ]


def _side(
    steps: Sequence[tuple[float, Realised]],
    counted: tuple[float, Realised],
    side: str,
    allowed: float,
    power_of_ten: float,
) -> float:
    """The lowest threshold that keeps one side of the budget."""
    lowest, rate = counted[0], getattr(counted[1], side)
    if rate > allowed:
        return float(lowest + power_of_ten * np.log10(rate / allowed))
    for candidate, result in steps:
        if getattr(result, side) > allowed:
            break
        lowest = min(lowest, candidate)
    return lowest


def _candidates(known: Floats) -> list[float]:
    """Distinct thresholds, highest first: most among the highest scores, where budgets lie."""
    if not len(known):
        return []
    shares = 1 - np.geomspace(0.5 / len(known), 0.5, CANDIDATES)
    return sorted({float(q) for q in np.quantile(known, shares)}, reverse=True)


def _not_measurable(budget: Budget, days: float) -> str:
    needed = FEWEST_EPISODES / budget.per_day
    return (
        f"The budget of {budget.per_day:.3g} warnings a day cannot be measured on {days:.3g} "
        f"normal days: no warnings until day {np.ceil(max(needed, 2 * days)):.0f}."
    )


def _extrapolated(budget: Budget, days: float) -> str:
    needed = FEWEST_EPISODES / budget.per_day
    return (
        f"The threshold is extrapolated: {days:.3g} normal days have fewer than {FEWEST_EPISODES} "
        f"warnings at this budget. It can be counted after about {needed:.3g} normal days."
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
