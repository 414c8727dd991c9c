"""The evaluation table: models beside baselines at the same false-alarm budget.

Each model and baseline brings scores and, for each budget, a threshold that was chosen on other
data. A metric has a 95 % interval from a block bootstrap over weeks, or it is marked as not
measurable. The gain over a baseline is resampled in pairs, on the same weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import write_duration
from alarmstack.evaluation.events import EvaluatedRows, Outcome, outcome
from alarmstack.evaluation.thresholds import BUDGETS, MEASURABLE

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resampled values that bound the 95 % interval."""
FEW_EVENTS = 30
"""With fewer onsets the table shows no skill."""


@dataclass(frozen=True)
class ScoredModel:
    """A model or a baseline to be compared.

    `scores` [rows]: higher means worse. `thresholds`: one per budget. `target` [rows]: what the
    model predicts at each row, NaN for nothing. `probability`: whether the scores are calibrated.
    """

    name: str
    scores: Floats
    thresholds: dict[float, float]
    target: Floats
    horizon: timedelta | None = None
    probability: bool = False


@dataclass(frozen=True)
class TableRow:
    """One metric of the table, as `--json` writes it."""

    data: str
    model: str
    horizon: str | None
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    baseline: str | None = None
    baseline_value: float | None = None

    def record(self) -> dict[str, object]:
        """The row as a JSON object."""
        return asdict(self)


def evaluate(
    data: str,
    examples: EvaluatedRows,
    models: Sequence[ScoredModel],
    baselines: Sequence[ScoredModel],
    precursor: Mask | None = None,
    budgets: Sequence[float] = BUDGETS,
) -> list[TableRow]:
    """All metrics of all models.

    `precursor` bool [onsets]: which onsets have a precursor, if that is known. A metric is None if
    there is too little quiet time to measure its budget. The baseline beside a metric is the one
    with the best event recall at that budget.
    """
    rows = _data_rows(data, examples, precursor)
    for model in models:
        rows += row_metrics_of(data, model)
        for budget in budgets:
            rows += _event_metrics(data, examples, model, baselines, budget, precursor)
    return rows


def _data_rows(data: str, examples: EvaluatedRows, precursor: Mask | None) -> list[TableRow]:
    """How much there was to evaluate."""
    amounts = {"onsets": float(len(examples.onsets))}
    if precursor is not None:
        amounts["onsets_with_precursor"] = float(int(precursor.sum()))
    amounts["quiet_days"] = float(examples.quiet.sum() * (examples.step / timedelta(days=1)))
    return [TableRow(data, "all", None, name, amount) for name, amount in amounts.items()]


def _event_metrics(
    data: str,
    examples: EvaluatedRows,
    model: ScoredModel,
    baselines: Sequence[ScoredModel],
    budget: float,
    precursor: Mask | None,
) -> list[TableRow]:
    def tally(scored: ScoredModel) -> _Tally:
        result = outcome(examples, scored.scores, scored.thresholds[budget])
        return _Tally.of(examples, result, precursor)

    model_tally = tally(model)
    baseline_tallies = {baseline.name: tally(baseline) for baseline in baselines}
    measurable = budget * float(model_tally.quiet.sum()) / model_tally.day >= MEASURABLE
    horizon = None if model.horizon is None else write_duration(model.horizon)
    weeks = len(model_tally.quiet)
    all_weeks, draws = np.ones((1, weeks)), _draws(weeks)
    best = max(
        baseline_tallies,
        key=lambda name: _recall(baseline_tallies[name], all_weeks)[0],
        default=None,
    )

    def row(
        metric: str,
        value: Floats,
        resampled: Floats,
        baseline: str | None,
        baseline_value: Floats | None,
    ) -> TableRow:
        name = f"{metric}@{budget:g}/day"
        if not measurable:
            return TableRow(data, model.name, horizon, name, None, baseline=baseline)
        low, high = _interval(resampled)
        beside = None if baseline_value is None else _number(baseline_value[0])
        return TableRow(
            data, model.name, horizon, name, _number(value[0]), low, high, baseline, beside
        )

    rows = []
    for name, metric in EVENT_METRICS.items():
        if name == "precursor_recall" and precursor is None:
            continue
        value, resampled = metric(model_tally, all_weeks), metric(model_tally, draws)
        baseline_value = metric(baseline_tallies[best], all_weeks) if best else None
        rows.append(row(name, value, resampled, best, baseline_value))
    for name, baseline_tally in baseline_tallies.items():
        gain, resampled_gain = (
            _recall(model_tally, weights) - _recall(baseline_tally, weights)
            for weights in (all_weeks, draws)
        )
        baseline_recall = _recall(baseline_tally, all_weeks)
        rows.append(row("recall_gain", gain, resampled_gain, name, baseline_recall))
    return rows


def row_metrics_of(data: str, model: ScoredModel) -> list[TableRow]:
    """Metrics by rows: average precision beside the base rate, and the Brier skill.

    The Brier skill is given for probabilities only. Empty if all known targets are equal.
    """
    known = ~np.isnan(model.target) & ~np.isnan(model.scores)
    target, score = model.target[known], model.scores[known]
    base_rate = float(target.mean()) if len(target) else 0.0
    if not 0 < base_rate < 1:
        return []
    horizon = None if model.horizon is None else write_duration(model.horizon)

    def row(metric: str, value: float, baseline_value: float) -> TableRow:
        return TableRow(
            data,
            model.name,
            horizon,
            metric,
            value,
            baseline="base rate",
            baseline_value=baseline_value,
        )

    rows = [row("average_precision", float(average_precision_score(target, score)), base_rate)]
    if model.probability:
        skill = 1 - float(np.mean((score - target) ** 2)) / (base_rate * (1 - base_rate))
        rows.append(row("brier_skill", skill, 0.0))
    return rows


@dataclass(frozen=True)
class _Tally:
    """The counts of an outcome by week.

    float [weeks] each, except `lead`: hours of the hits, and `lead_week`: the week of each hit.
    """

    onsets: Floats
    hits: Floats
    precursors: Floats
    precursor_hits: Floats
    false: Floats
    quiet: Floats
    warned: Floats
    lead: Floats
    lead_week: npt.NDArray[np.intp]
    day: float

    @classmethod
    def of(cls, examples: EvaluatedRows, result: Outcome, precursor: Mask | None) -> _Tally:
        week = np.arange(len(examples)) // (timedelta(days=7) // examples.step)
        weeks = int(week[-1]) + 1

        def count(rows: npt.NDArray[np.intp]) -> Floats:
            return np.bincount(week[rows], minlength=weeks).astype(float)

        hit = ~np.isnan(result.lead)
        has_precursor = np.zeros(len(hit), bool) if precursor is None else precursor
        return cls(
            onsets=count(result.onset),
            hits=count(result.onset[hit]),
            precursors=count(result.onset[has_precursor]),
            precursor_hits=count(result.onset[has_precursor & hit]),
            false=count(result.activation[result.false]),
            quiet=count(np.flatnonzero(result.quiet)),
            warned=count(np.flatnonzero(result.quiet & result.warned)),
            lead=result.lead[hit],
            lead_week=week[result.onset[hit]],
            day=result.day,
        )


Metric = Callable[[_Tally, Floats], Floats]
"""A metric of a tally for each row of week weights [draws, weeks]: float [draws]."""


def _recall(tally: _Tally, weights: Floats) -> Floats:
    return _ratio(weights @ tally.hits, weights @ tally.onsets)


def _lead_quantile(share: float) -> Metric:
    def metric(tally: _Tally, weights: Floats) -> Floats:
        if not len(tally.lead):
            return np.full(len(weights), np.nan)
        repeats = weights[:, tally.lead_week].astype(int)
        return np.array(
            [
                np.quantile(np.repeat(tally.lead, times), share) if times.any() else np.nan
                for times in repeats
            ]
        )

    return metric


EVENT_METRICS: dict[str, Metric] = {
    "event_recall": _recall,
    "precursor_recall": lambda t, w: _ratio(w @ t.precursor_hits, w @ t.precursors),
    "false_alarms_per_day": lambda t, w: _ratio(w @ t.false, w @ t.quiet / t.day),
    "share_in_warning": lambda t, w: _ratio(w @ t.warned, w @ t.quiet),
    "lead_median_h": _lead_quantile(0.5),
    "lead_p10_h": _lead_quantile(0.1),
    "lead_p90_h": _lead_quantile(0.9),
}


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below)


def _draws(weeks: int) -> Floats:
    """How often each week occurs in each resample: float [RESAMPLES, weeks].

    The seed is fixed, so that the table can be reproduced.
    """
    equal_chances = np.full(weeks, 1 / weeks)
    draws = np.random.default_rng(0).multinomial(weeks, equal_chances, RESAMPLES)
    return draws.astype(float)


def _interval(values: Floats) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.percentile(known, INTERVAL)
    return float(low), float(high)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = [
    "EVENT_METRICS",
    "FEW_EVENTS",
    "INTERVAL",
    "RESAMPLES",
    "ScoredModel",
    "TableRow",
    "evaluate",
    "row_metrics_of",
]
