"""Whether false-alarm budgets transfer: thresholds chosen on one part, judged on the other part.

The input is a table of scores, the output a list of cells. A cell is one set, one rule, one
multiple of the set's budget, and one direction: one part chooses the threshold and the other one
judges it. A cell keeps its budget if both realised values are at most twice the requested ones.
Nothing here depends on how the scores were made.

Columns of the scores: `run`, `asset`, `start`, `score` (higher is worse), `normal` (the row is
known to be normal, and the model was not fitted on it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import genpareto

from alarmstack.alarms import WarningRule
from alarmstack.alarms.budget import Budget, QuietScores, Realised, choose_threshold, realised
from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import Floats

FACTORS = (0.5, 1.0, 2.0, 4.0)
"""Multiples of a set's budget."""
KEPT, FAR = 2.0, 4.0
"""A cell keeps its budget up to the first multiple of it, and is far off beyond the second."""
PEAKS_SHARE = 0.98
"""Share of the scores below the peaks of the method POT, as in SPOT (Siffer et al. 2017)."""
FEWEST_PEAKS = 10
"""Peaks below which the method POT uses the quantile instead of a fit."""
SIGMAS = 3.0
FEWEST_GROUPS = 4
"""Assets, or runs, below which a set is split by date instead."""

OURS = "budget"
"""Name of our rule, `alarms.budget.choose_threshold`, in the tables."""
NEEDED = ("run", "asset", "start", "score", "normal")
"""Columns of a table of scores."""
Rule = Callable[[WarningRule, timedelta, Budget, Sequence[QuietScores]], float]
"""A rule that chooses a threshold: alarm engine, cadence, budget, scores of normal rows."""


@dataclass(frozen=True)
class Cell:
    """One cell of the ladder; `ratio` is the larger one of realised ÷ requested of both sides."""

    set: str
    rule: str
    factor: float
    judged_on: str
    requested: Budget
    threshold: float
    realised: Realised

    @property
    def ratio(self) -> float:
        """The larger ratio of the two sides."""
        return max(
            self.realised.per_day / self.requested.per_day,
            self.realised.share / self.requested.share,
        )

    @property
    def kept(self) -> bool:
        """Whether both sides are within twice the request."""
        return self.ratio <= KEPT

    @property
    def far_off(self) -> bool:
        """Whether a side is beyond four times the request."""
        return self.ratio > FAR


def ladder(
    name: str, scores: pl.DataFrame, rule: WarningRule, cadence: timedelta, budget: Budget
) -> Iterator[Cell]:
    """The cells of one set: every rule, every multiple of the budget, both directions."""
    first, second = halves(scores)
    for judged_on, chosen_on, judged in (("second", first, second), ("first", second, first)):
        for factor in FACTORS:
            requested = budget.times(factor)
            for title, choose in RULES.items():
                threshold = choose(rule, cadence, requested, chosen_on)
                result = realised(replace(rule, threshold=threshold), cadence, judged)
                yield Cell(name, title, factor, judged_on, requested, threshold, result)


@dataclass(frozen=True)
class RuleSummary:
    """How a rule keeps the budgets of all cells.

    `median`: the middle ratio of realised to requested. Near 0 the rule is kept by silence.
    """

    rule: str
    cells: int
    kept: float
    far_off: int
    worst: float
    median: float


def summaries(cells: Sequence[Cell]) -> list[RuleSummary]:
    """One line for each rule that has cells."""
    lines = []
    for rule in RULES:
        own = [cell for cell in cells if cell.rule == rule]
        if not own:
            continue
        ratios = [cell.ratio for cell in own]
        lines.append(
            RuleSummary(
                rule,
                len(own),
                float(np.mean([cell.kept for cell in own])),
                sum(cell.far_off for cell in own),
                max(ratios),
                float(np.median(ratios)),
            )
        )
    return lines


def read_scores(path: Path, contender: str) -> pl.DataFrame:
    """Scores from a Parquet or CSV file.

    Of a file that `bench skill` wrote, the rows of one contender that were evaluated. Raises
    BenchError if the file or a column is missing.
    """
    if not path.is_file():
        raise BenchError(f"{path}: no such file: `alarmstack bench skill` writes the scores")
    if path.suffix == ".csv":
        scores = pl.read_csv(path, try_parse_dates=True)
    else:
        scores = pl.read_parquet(path)
    if missing := [name for name in NEEDED if name not in scores.columns]:
        raise BenchError(f"{path}: no column {', '.join(missing)}: it needs {', '.join(NEEDED)}")
    if "contender" in scores.columns:
        scores = scores.filter(pl.col("contender") == contender)
    if "counted" in scores.columns:
        scores = scores.with_columns(pl.col("normal") & pl.col("counted"))
    normal = scores.filter("normal", pl.col("score").is_finite())
    if normal.is_empty():
        raise BenchError(f"{path}: no normal row with a score of {contender}")
    return scores.select(NEEDED)


def halves(scores: pl.DataFrame) -> tuple[list[QuietScores], list[QuietScores]]:
    """The two parts of a set: every second asset, or run; with few of them, earlier and later rows.

    Groups are sorted by name, so that the split does not depend on their results.
    """
    for column in ("asset", "run"):
        groups = scores[column].unique().sort()
        if len(groups) >= FEWEST_GROUPS:
            first = pl.col(column).is_in(groups.gather_every(2).implode())
            return _series(scores.filter(first)), _series(scores.filter(~first))
    normal = scores.filter("normal").sort("start")
    cut = normal["start"][len(normal) // 2]
    return (
        _series(scores.filter(pl.col("start") < cut)),
        _series(scores.filter(pl.col("start") >= cut)),
    )


def _series(scores: pl.DataFrame) -> list[QuietScores]:
    parts = scores.partition_by("run", maintain_order=True)
    return [_quiet(part.sort("start")) for part in parts]


def _quiet(part: pl.DataFrame) -> QuietScores:
    values = part.select(pl.when("normal").then("score").cast(pl.Float64).fill_null(np.nan))
    return QuietScores(
        values.to_series().to_numpy(), np.zeros(len(part), np.int32), part["asset"][0]
    )


def _known(quiet: Sequence[QuietScores]) -> Floats:
    pooled = np.concatenate([series.scores for series in quiet])
    return np.asarray(pooled[np.isfinite(pooled)])


def _ours(
    rule: WarningRule, cadence: timedelta, budget: Budget, quiet: Sequence[QuietScores]
) -> float:
    return choose_threshold(rule, cadence, budget, quiet).threshold


def _quantile(
    rule: WarningRule, cadence: timedelta, budget: Budget, quiet: Sequence[QuietScores]
) -> float:
    """The share of rows above the threshold, as `contamination` in PyOD."""
    return float(np.quantile(_known(quiet), 1 - budget.share))


def _three_sigma(
    rule: WarningRule, cadence: timedelta, budget: Budget, quiet: Sequence[QuietScores]
) -> float:
    known = _known(quiet)
    return float(known.mean() + SIGMAS * known.std())


def _peaks(
    rule: WarningRule, cadence: timedelta, budget: Budget, quiet: Sequence[QuietScores]
) -> float:
    """Peaks over threshold: a generalised Pareto tail (Siffer et al. 2017)."""
    known = _known(quiet)
    base = float(np.quantile(known, PEAKS_SHARE))
    peaks = known[known > base] - base
    share_of_peaks = len(peaks) / len(known)
    if budget.share >= share_of_peaks or len(peaks) < FEWEST_PEAKS:
        return _quantile(rule, cadence, budget, quiet)
    shape, _, scale = genpareto.fit(peaks, floc=0)
    return base + float(genpareto.isf(budget.share / share_of_peaks, shape, 0, scale))


def _conformal(
    rule: WarningRule, cadence: timedelta, budget: Budget, quiet: Sequence[QuietScores]
) -> float:
    """The smallest score whose conformal p-value is at most the requested share."""
    known = np.sort(_known(quiet))
    rank = int(np.ceil((len(known) + 1) * (1 - budget.share)))
    return float(known[rank - 1]) if rank <= len(known) else float("inf")


RULES: dict[str, Rule] = {
    OURS: _ours,
    "quantile": _quantile,
    "3 sigma": _three_sigma,
    "POT": _peaks,
    "conformal": _conformal,
}
"""The rules that are compared, by their names in the table."""

__all__ = ["OURS", "Cell", "RuleSummary", "halves", "ladder", "read_scores", "summaries"]
