"""Row metrics and event metrics of one model on unseen rows, and the comparison with its baseline.

| target | metric compared | baseline |
| --- | --- | --- |
| in alarm now | `f1_anomaly`, sealed fifth | the better of always alarm and the limit rules |
| none (unsupervised) | `roc_auc_anomaly`, sealed fifth | 0.5 |
| regime | `f1_macro`, sealed fifth | the most frequent regime |
| next deviation | `rmse`, sealed fifth | the next row equals this one |
| onset within a horizon | event recall, held-back rows | the best baseline at the plant's budget |
| none (normal behaviour) | the same | the best baseline with as many false alarms |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.model_list import OPERATING
from alarmstack.evaluation.baselines import BASELINES, out_of_fold
from alarmstack.evaluation.comparison import BaselineComparison
from alarmstack.evaluation.events import Outcome, outcome
from alarmstack.evaluation.splits import Fold
from alarmstack.evaluation.thresholds import threshold_for
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names
from alarmstack.models import Fitted, Recipe

Evaluated = tuple[dict[str, float], BaselineComparison]
"""Metrics by name, and the comparison of the model with its baseline."""


def judge(
    recipe: Recipe,
    fitted: Fitted,
    thresholds: Mapping[str, float | None],
    open_rows: Examples,
    sealed: Examples,
    folds: Sequence[Fold],
) -> Evaluated:
    """Evaluate a fitted recipe on the sealed rows, and a forecaster also on the held-back open
    rows.
    """
    score = fitted.predict(sealed.features(recipe.group))
    operating = thresholds.get(OPERATING)
    if recipe.target == "onset":
        return _onset(recipe, score, operating, fitted.out_of_fold, open_rows, sealed, folds)
    by_target: dict[str, Callable[[], Evaluated]] = {
        "alarm": lambda: _alarm(score, operating, sealed),
        "none": lambda: _anomaly(score, operating, sealed),
        "regime": lambda: _regime(score, sealed),
        "next_deviation": lambda: _deviation(score, sealed),
    }
    return by_target[recipe.target]()


def _alarm(score: Floats, operating: float | None, sealed: Examples) -> Evaluated:
    metrics = _label_metrics(score, operating, sealed.alarm)
    alarm_share = float(sealed.alarm.mean())
    metrics["brier_skill"] = _brier_skill(score, sealed.alarm.astype(float))
    baselines = {
        "always alarm": 2 * alarm_share / (1 + alarm_share),
        "limit rules alone": _f1(sealed.alarm, _rules(sealed)),
    }
    best = max(baselines, key=lambda name: baselines[name])
    return finite(metrics), BaselineComparison(
        "f1_anomaly", metrics["f1_anomaly"], best, baselines[best]
    )


def _anomaly(score: Floats, operating: float | None, sealed: Examples) -> Evaluated:
    metrics = _label_metrics(score, operating, sealed.alarm)
    return finite(metrics), BaselineComparison(
        "roc_auc_anomaly", metrics["roc_auc_anomaly"], "random score", 0.5
    )


def _regime(score: Floats, sealed: Examples) -> Evaluated:
    predicted = score.argmax(axis=1)
    most_frequent = np.full(len(sealed), np.bincount(sealed.regime.astype(int)).argmax())
    metrics = {
        "f1_macro": _f1_macro(sealed, predicted),
        "accuracy": float(np.mean(predicted == sealed.regime)),
    }
    return metrics, BaselineComparison(
        "f1_macro",
        metrics["f1_macro"],
        "most frequent regime",
        _f1_macro(sealed, most_frequent),
    )


def _f1_macro(sealed: Examples, predicted: npt.NDArray[np.intp]) -> float:
    return float(f1_score(sealed.regime, predicted, average="macro", zero_division=0))


def _deviation(score: Floats, sealed: Examples) -> Evaluated:
    target = sealed.next_deviation
    controller = sealed.plant.deviation_controller.name.lower()
    place = feature_names(sealed.plant, "point").index(f"{controller}_deviation")
    now = sealed.point[:, place]
    known = ~np.isnan(target) & ~np.isnan(now)
    metrics = {
        "rmse": _rmse(score[known], target[known]),
        "rmse_persistence": _rmse(now[known], target[known]),
        "mae": float(np.mean(np.abs(score - target)[known])),
    }
    return metrics, BaselineComparison(
        "rmse",
        metrics["rmse"],
        "the next row equals this one",
        metrics["rmse_persistence"],
        lower_is_better=True,
    )


def _rmse(predicted: Floats, target: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - target) ** 2)))


def _onset(
    recipe: Recipe,
    score: Floats,
    operating: float | None,
    out_of_fold_score: Floats,
    open_rows: Examples,
    sealed: Examples,
    folds: Sequence[Fold],
) -> Evaluated:
    assert recipe.horizon is not None
    budget = open_rows.plant.warnings.false_alarms_per_day
    inner = outcome(open_rows, out_of_fold_score, threshold_or_never(operating))
    later = outcome(sealed, score, threshold_or_never(operating))
    metrics = event_metrics(inner, later)
    target = sealed.onset_target(recipe.horizon)
    known = ~np.isnan(target)
    metrics |= {
        "sealed_average_precision": _average_precision(score[known], target[known]),
        "sealed_brier_skill": _brier_skill(score[known], target[known]),
    }
    baselines = baseline_recalls(open_rows, folds, recipe.horizon, budget)
    best = max(baselines, key=lambda name: baselines[name])
    return finite(metrics), BaselineComparison(
        f"event recall at {budget:g} false alarms a day", inner.recall, best, baselines[best]
    )


def event_metrics(inner: Outcome, later: Outcome) -> dict[str, float]:
    """Event metrics by name: `inner` on held-back open rows, `later` on the sealed rows."""
    return {
        "inner_event_recall": inner.recall,
        "inner_false_alarms_per_day": inner.false_per_day,
        "inner_lead_median_h": _median(inner.lead),
        "inner_share_in_warning": inner.share_in_warning,
        "sealed_event_recall": later.recall,
        "sealed_false_alarms_per_day": later.false_per_day,
    }


def baseline_recalls(
    examples: Examples, folds: Sequence[Fold], horizon: timedelta | None, budget: float
) -> dict[str, float]:
    """Event recall of every baseline on held-back rows; its threshold is chosen there for the
    budget.
    """
    recalls = {}
    for name in BASELINES:
        scores = out_of_fold(name, examples, folds, horizon)
        recalls[name] = outcome(examples, scores, threshold_for(examples, scores, budget)).recall
    return recalls


def threshold_or_never(threshold: float | None) -> float:
    """A threshold as a number: infinity, which no score reaches, where no threshold keeps the
    budget.
    """
    return float("inf") if threshold is None else threshold


def _label_metrics(score: Floats, operating: float | None, label: Mask) -> dict[str, float]:
    both_classes = 0 < label.mean() < 1
    return {
        "f1_anomaly": _f1(label, score >= threshold_or_never(operating)),
        "roc_auc_anomaly": float(roc_auc_score(label, score)) if both_classes else float("nan"),
        "average_precision": _average_precision(score, label),
    }


def _average_precision(score: Floats, target: Floats | Mask) -> float:
    """NaN unless both classes occur."""
    both_classes = 0 < target.mean() < 1 if len(target) else False
    return float(average_precision_score(target, score)) if both_classes else float("nan")


def _brier_skill(score: Floats, target: Floats) -> float:
    """1 − the Brier score divided by that of the constant share; NaN unless both classes occur."""
    share = float(target.mean()) if len(target) else float("nan")
    if not 0 < share < 1:
        return float("nan")
    return 1 - float(np.mean((score - target) ** 2)) / (share * (1 - share))


def _f1(label: Mask, predicted: Mask) -> float:
    return float(f1_score(label, predicted, zero_division=0))


def _rules(examples: Examples) -> Mask:
    """Rows that meet a limit rule, by the margins among the window features."""
    names = feature_names(examples.plant, "window")
    places = [names.index(f"{rule.name}_margin") for rule in examples.plant.labels.rules]
    return np.asarray((examples.window[:, places] < 0).any(axis=1))


def _median(lead: Floats) -> float:
    return float(np.nanmedian(lead)) if np.isfinite(lead).any() else float("nan")


def finite(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that are defined: not NaN and not infinite."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


__all__ = ["baseline_recalls", "event_metrics", "finite", "judge", "threshold_or_never"]
