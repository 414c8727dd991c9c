"""The evaluation table: models beside baselines at the same false-alarm budget, with intervals, or with a plain "not measurable".

Every contestant brings scores and, for each budget, a threshold that was chosen on other data. Intervals come from a block
bootstrap over weeks; a gain over a baseline is resampled in pairs, on the same weeks.
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
from alarmstack.evaluation.events import BUDGETS, MEASURABLE, Judged, Outcome, outcome

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)
FEW_EVENTS = 30
"""With fewer onsets the table makes no claim."""


@dataclass(frozen=True)
class Contestant:
    """A model or a baseline: scores [rows] (higher means worse), a threshold a budget, what it predicts at each row (NaN: nothing)."""

    name: str
    scores: Floats
    thresholds: dict[float, float]
    target: Floats
    horizon: timedelta | None = None
    probability: bool = False


@dataclass(frozen=True)
class Row:
    """One figure of the table, as `--json` writes it."""

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
        """The row as JSON takes it."""
        return asdict(self)


def evaluate(
    data: str,
    examples: Judged,
    models: Sequence[Contestant],
    baselines: Sequence[Contestant],
    precursor: Mask | None = None,
    budgets: Sequence[float] = BUDGETS,
) -> list[Row]:
    """All figures of all models. `precursor` bool [onsets]: which onsets announce themselves, where somebody knows.

    Figures of a budget that the quiet time at hand cannot measure are None. The baseline beside a figure is the one with the best
    event recall at that budget.
    """
    about = {
        "onsets": len(examples.onsets),
        "onsets_with_precursor": None if precursor is None else int(precursor.sum()),
        "quiet_days": float(examples.quiet.sum() * (examples.step / timedelta(days=1))),
    }
    rows = [
        Row(data, "all", None, name, float(value))
        for name, value in about.items()
        if value is not None
    ]
    for model in models:
        rows += row_figures(data, model)
        for budget in budgets:
            rows += _event_figures(data, examples, model, baselines, budget, precursor)
    return rows


def _event_figures(
    data: str,
    examples: Judged,
    model: Contestant,
    baselines: Sequence[Contestant],
    budget: float,
    precursor: Mask | None,
) -> list[Row]:
    def tally(contestant: Contestant) -> _Tally:
        return _Tally.of(
            examples, outcome(examples, contestant.scores, contestant.thresholds[budget]), precursor
        )

    mine, beside = tally(model), {f.name: tally(f) for f in baselines}
    measurable = budget * float(mine.quiet.sum()) / mine.day >= MEASURABLE
    horizon = None if model.horizon is None else write_duration(model.horizon)
    plain, draws = np.ones((1, len(mine.quiet))), _draws(len(mine.quiet))
    best = max(beside, key=lambda name: _recall(beside[name], plain)[0], default=None)

    def row(
        metric: str,
        value: Floats,
        resampled: Floats,
        baseline: str | None,
        baseline_value: Floats | None,
    ) -> Row:
        name = f"{metric}@{budget:g}/day"
        if not measurable:
            return Row(data, model.name, horizon, name, None, baseline=baseline)
        low, high = _interval(resampled)
        against = None if baseline_value is None else _number(baseline_value[0])
        return Row(data, model.name, horizon, name, _number(value[0]), low, high, baseline, against)

    rows = []
    for metric, figure in FIGURES.items():
        if metric == "precursor_recall" and precursor is None:
            continue
        baseline_value = figure(beside[best], plain) if best else None
        rows.append(row(metric, figure(mine, plain), figure(mine, draws), best, baseline_value))
    for name, baseline in beside.items():
        gain, resampled = (_recall(mine, w) - _recall(baseline, w) for w in (plain, draws))
        rows.append(row("recall_gain", gain, resampled, name, _recall(baseline, plain)))
    return rows


def row_figures(data: str, model: Contestant) -> list[Row]:
    """Average precision beside the base rate and, of a probability, its Brier skill; nothing where only one thing happened."""
    known = ~np.isnan(model.target) & ~np.isnan(model.scores)
    target, score = model.target[known], model.scores[known]
    base = float(target.mean()) if len(target) else 0.0
    if not 0 < base < 1:
        return []
    horizon = None if model.horizon is None else write_duration(model.horizon)
    precision = float(average_precision_score(target, score))
    rows = [
        Row(
            data,
            model.name,
            horizon,
            "average_precision",
            precision,
            baseline="base rate",
            baseline_value=base,
        )
    ]
    if model.probability:
        skill = 1 - float(np.mean((score - target) ** 2)) / (base * (1 - base))
        rows.append(
            Row(
                data,
                model.name,
                horizon,
                "brier_skill",
                skill,
                baseline="base rate",
                baseline_value=0.0,
            )
        )
    return rows


@dataclass(frozen=True)
class _Tally:
    """An outcome counted by week: float [weeks] each; `lead` hours of the hits and the week each belongs to."""

    onsets: Floats
    hits: Floats
    announced: Floats
    announced_hits: Floats
    false: Floats
    quiet: Floats
    warned: Floats
    lead: Floats
    lead_week: npt.NDArray[np.intp]
    day: float

    @classmethod
    def of(cls, examples: Judged, result: Outcome, precursor: Mask | None) -> _Tally:
        week = np.arange(len(examples)) // (timedelta(days=7) // examples.step)
        weeks = int(week[-1]) + 1

        def count(rows: npt.NDArray[np.intp], which: Mask | None = None) -> Floats:
            return np.bincount(
                week[rows if which is None else rows[which]], minlength=weeks
            ).astype(float)

        hit = ~np.isnan(result.lead)
        told = np.zeros(len(hit), bool) if precursor is None else precursor
        return cls(
            onsets=count(result.onset),
            hits=count(result.onset, hit),
            announced=count(result.onset, told),
            announced_hits=count(result.onset, told & hit),
            false=count(result.activation, result.false),
            quiet=count(np.flatnonzero(result.quiet)),
            warned=count(np.flatnonzero(result.quiet & result.warned)),
            lead=result.lead[hit],
            lead_week=week[result.onset[hit]],
            day=result.day,
        )


Figure = Callable[[_Tally, Floats], Floats]
"""A figure of a tally for each row of week weights [draws, weeks]: float [draws]."""


def _recall(tally: _Tally, weights: Floats) -> Floats:
    return _ratio(weights @ tally.hits, weights @ tally.onsets)


def _lead_quantile(share: float) -> Figure:
    def figure(tally: _Tally, weights: Floats) -> Floats:
        if not len(tally.lead):
            return np.full(len(weights), np.nan)
        repeats = weights[:, tally.lead_week].astype(int)
        return np.array(
            [
                np.quantile(np.repeat(tally.lead, times), share) if times.any() else np.nan
                for times in repeats
            ]
        )

    return figure


FIGURES: dict[str, Figure] = {
    "event_recall": _recall,
    "precursor_recall": lambda t, w: _ratio(w @ t.announced_hits, w @ t.announced),
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
    """How often each week is drawn in each resample: float [RESAMPLES, weeks]. Seeded: the same table every time."""
    return (
        np.random.default_rng(0)
        .multinomial(weeks, np.full(weeks, 1 / weeks), RESAMPLES)
        .astype(float)
    )


def _interval(values: Floats) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.percentile(known, INTERVAL)
    return float(low), float(high)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = [
    "FEW_EVENTS",
    "FIGURES",
    "INTERVAL",
    "RESAMPLES",
    "Contestant",
    "Row",
    "evaluate",
    "row_figures",
]
