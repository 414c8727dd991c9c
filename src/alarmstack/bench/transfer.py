"""Whether false-alarm budgets transfer: a threshold is chosen on one part and tested on the other.

The input is a table of scores, the output a list of cells. A cell is one set, one rule, one
multiple of the set's budget, and one direction. It keeps its budget if both realised values are at
most twice the requested ones. Nothing here depends on how the scores were made.

Columns of the scores: `run`, `asset`, `start`, `score` (higher is worse), `normal` (the row is
known to be normal, and the model was not fitted on it), and, if there is one, `segment`: without
it, a new segment begins where more than one cadence is missing.
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
"""Multiples of the budget: up to the first it is kept, beyond the second it is far off."""
PEAKS_SHARE = 0.98
"""Share of the scores below the peaks of the method POT, as in SPOT (Siffer et al. 2017)."""
FEWEST_PEAKS = 10
"""Peaks below which the method POT uses the quantile instead of a fit."""
SIGMAS = 3.0
FEWEST_GROUPS = 4
"""Assets, or runs, below which a set is split by date instead."""

OURS = "both sides"
"""The rule of `alarms.budget`: both sides of the budget, through the alarm engine."""
NEEDED = ("run", "asset", "start", "score", "normal")
"""Columns of a table of scores."""


@dataclass(frozen=True)
class Cell:
    """One cell of the table. `notes`: what our rule states about its threshold."""

    set: str
    rule: str
    factor: float
    tested_on: str
    requested: Budget
    threshold: float
    realised: Realised
    notes: tuple[str, ...] = ()

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
    """The cells of one set: every rule, every multiple of the budget, both directions.

    Raises BenchError if one part has no normal row with a score.
    """
    first, second = halves(scores, cadence)
    if not (len(_known(first)) and len(_known(second))):
        raise BenchError(f"{name}: one of the two parts has no normal row with a score")
    for tested_on, chosen_on, tested in (("second", first, second), ("first", second, first)):
        known = _known(chosen_on)
        for factor in FACTORS:
            requested = budget.times(factor)
            ours = choose_threshold(rule, cadence, requested, chosen_on)
            thresholds = {OURS: ours.threshold}
            thresholds |= {
                title: choose(known, requested.share) for title, choose in OTHERS.items()
            }
            for title, threshold in thresholds.items():
                result = realised(replace(rule, threshold=threshold), cadence, tested)
                notes = ours.notes if title == OURS else ()
                yield Cell(name, title, factor, tested_on, requested, threshold, result, notes)


@dataclass(frozen=True)
class RuleSummary:
    """How a rule keeps the budgets of all cells.

    `median`: the middle ratio of realised to requested. Near 0, the rule keeps budgets only because
    it hardly warns. `without_warning`: cells without any warning.
    """

    rule: str
    cells: int
    kept: float
    far_off: int
    worst: float
    median: float
    without_warning: int


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
                sum(cell.realised.episodes == 0 for cell in own),
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
    if path.suffix.lower() == ".csv":
        scores = pl.read_csv(path, try_parse_dates=True)
    else:
        scores = pl.read_parquet(path)
    if missing := [name for name in NEEDED if name not in scores.columns]:
        raise BenchError(f"{path}: no column {', '.join(missing)}: it needs {', '.join(NEEDED)}")
    if "contender" in scores.columns:
        scores = scores.filter(pl.col("contender") == contender)
    if "counted" in scores.columns:
        scores = scores.with_columns(pl.col("normal") & pl.col("counted"))
    try:
        scores = scores.with_columns(
            pl.col("normal").cast(pl.Boolean), pl.col("score").cast(pl.Float64)
        )
    except pl.exceptions.PolarsError as error:
        raise BenchError(
            f"{path}: score must be a number, and normal true or false (or 1 and 0): {error}"
        ) from error
    if not scores["start"].dtype.is_temporal():
        raise BenchError(f"{path}: start must be a time, such as 2026-03-01T00:00:00")
    if scores.filter("normal", pl.col("score").is_finite()).is_empty():
        raise BenchError(f"{path}: no normal row with a score of {contender}")
    return scores.select(*NEEDED, *(name for name in ("segment",) if name in scores.columns))


def halves(scores: pl.DataFrame, cadence: timedelta) -> tuple[list[QuietScores], list[QuietScores]]:
    """The two parts of a set: every second asset, or run; with few of them, earlier and later rows.

    Groups are sorted by name, so that the split does not depend on their results.
    """
    for column in ("asset", "run"):
        groups = scores[column].unique().sort()
        if len(groups) >= FEWEST_GROUPS:
            first = pl.col(column).is_in(groups.gather_every(2).implode())
            return _series(scores.filter(first), cadence), _series(scores.filter(~first), cadence)
    normal = scores.filter("normal").sort("start")
    cut = normal["start"][len(normal) // 2]
    return (
        _series(scores.filter(pl.col("start") < cut), cadence),
        _series(scores.filter(pl.col("start") >= cut), cadence),
    )


def _series(scores: pl.DataFrame, cadence: timedelta) -> list[QuietScores]:
    parts = scores.partition_by("asset", "run", maintain_order=True)
    return [_quiet(part.sort("start"), cadence) for part in parts]


def _quiet(part: pl.DataFrame, cadence: timedelta) -> QuietScores:
    values = part.select(pl.when("normal").then("score").fill_null(np.nan)).to_series()
    if "segment" in part.columns:
        segment = part["segment"]
    else:
        segment = (part["start"].diff().fill_null(cadence) > cadence).cum_sum()
    return QuietScores(values.to_numpy(), segment.cast(pl.Int32).to_numpy(), str(part["asset"][0]))


def _known(quiet: Sequence[QuietScores]) -> Floats:
    pooled = np.concatenate([np.empty(0), *(series.scores for series in quiet)])
    return np.asarray(pooled[np.isfinite(pooled)])


def _quantile(known: Floats, share: float) -> float:
    """The share of rows above the threshold, as `contamination` in PyOD."""
    return float(np.quantile(known, 1 - share))


def _three_sigma(known: Floats, share: float) -> float:
    """Three standard deviations above the mean, whatever the budget is."""
    return float(known.mean() + SIGMAS * known.std())


def _peaks(known: Floats, share: float) -> float:
    """Peaks over threshold: a generalised Pareto tail (Siffer et al. 2017)."""
    base = float(np.quantile(known, PEAKS_SHARE))
    peaks = known[known > base] - base
    share_of_peaks = len(peaks) / len(known)
    if share >= share_of_peaks or len(peaks) < FEWEST_PEAKS:
        return _quantile(known, share)
    shape, _, scale = genpareto.fit(peaks, floc=0)
    return base + float(genpareto.isf(share / share_of_peaks, shape, 0, scale))


def _conformal(known: Floats, share: float) -> float:
    """The lowest threshold whose scores all have a conformal p-value of at most the share."""
    ordered = np.sort(known)
    rank = max(int(np.ceil((len(ordered) + 1) * (1 - share))), 1)
    return float(np.nextafter(ordered[rank - 1], np.inf)) if rank <= len(ordered) else float("inf")


OTHERS: dict[str, Callable[[Floats, float], float]] = {
    "quantile": _quantile,
    "3 sigma": _three_sigma,
    "POT": _peaks,
    "conformal": _conformal,
}
"""The other rules, by their names in the table: scores of normal rows, requested share of time."""
RULES = (OURS, *OTHERS)
"""The rules that are compared, in the order of the table."""

__all__ = [
    "KEPT",
    "OURS",
    "RULES",
    "Cell",
    "RuleSummary",
    "halves",
    "ladder",
    "read_scores",
    "summaries",
]
