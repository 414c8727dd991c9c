"""Row and event figures of one model on the rows it did not see, and the baseline it has to beat.

| target | figure | baseline |
| --- | --- | --- |
| in alarm now | `f1_anomaly` on the sealed fifth | always alarm, or the limit rules alone, whichever is better |
| nothing (unsupervised) | `roc_auc_anomaly` on the sealed fifth | 0.5 |
| regime | `f1_macro` on the sealed fifth | the most frequent regime |
| next deviation | `rmse` on the sealed fifth | the next row equals this one |
| onset within a horizon | event recall at the plant's budget, on held-back rows | the best of the baselines at the same budget |
| nothing (normal behaviour) | the same, with a threshold chosen without labels | the best of the baselines with as many false alarms |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.model_list import OPERATING
from alarmstack.evaluation.baselines import BASELINES, out_of_fold
from alarmstack.evaluation.comparison import BaselineComparison
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.splits import Fold
from alarmstack.evaluation.thresholds import threshold_for
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names
from alarmstack.models import Fitted, Recipe

Judged = tuple[dict[str, float], BaselineComparison]


def judge(
    recipe: Recipe,
    fitted: Fitted,
    thresholds: Mapping[str, float | None],
    open_rows: Examples,
    sealed: Examples,
    folds: Sequence[Fold],
) -> Judged:
    """Metrics by name, and the model beside its baseline."""
    score = fitted.predict(sealed.features(recipe.group))
    operating = thresholds.get(OPERATING)
    if recipe.target == "onset":
        return _onset(recipe, score, operating, fitted.out_of_fold, open_rows, sealed, folds)
    by_target: dict[str, Callable[[], Judged]] = {
        "alarm": lambda: _alarm(score, operating, sealed),
        "none": lambda: _anomaly(score, operating, sealed),
        "regime": lambda: _regime(score, sealed),
        "next_deviation": lambda: _deviation(score, sealed),
    }
    return by_target[recipe.target]()


def _alarm(score: Floats, operating: float | None, sealed: Examples) -> Judged:
    metrics = _label_metrics(score, operating, sealed.alarm)
    base = float(sealed.alarm.mean())
    metrics["brier_skill"] = (
        1 - float(np.mean((score - sealed.alarm) ** 2)) / (base * (1 - base))
        if 0 < base < 1
        else float("nan")
    )
    baselines = {
        "always alarm": 2 * base / (1 + base),
        "limit rules alone": _f1(sealed.alarm, _rules(sealed)),
    }
    best = max(baselines, key=lambda name: baselines[name])
    return _known(metrics), BaselineComparison(
        "f1_anomaly", metrics["f1_anomaly"], best, baselines[best]
    )


def _anomaly(score: Floats, operating: float | None, sealed: Examples) -> Judged:
    metrics = _label_metrics(score, operating, sealed.alarm)
    return _known(metrics), BaselineComparison(
        "roc_auc_anomaly", metrics["roc_auc_anomaly"], "coin", 0.5
    )


def _regime(score: Floats, sealed: Examples) -> Judged:
    said = score.argmax(axis=1)
    usual = np.full(len(sealed), np.bincount(sealed.regime.astype(int)).argmax())
    metrics = {
        "f1_macro": float(f1_score(sealed.regime, said, average="macro", zero_division=0)),
        "accuracy": float(np.mean(said == sealed.regime)),
    }
    baseline = float(f1_score(sealed.regime, usual, average="macro", zero_division=0))
    return metrics, BaselineComparison(
        "f1_macro", metrics["f1_macro"], "most frequent regime", baseline
    )


def _deviation(score: Floats, sealed: Examples) -> Judged:
    target = sealed.next_deviation
    controller = sealed.plant.deviation_controller.name.lower()
    now = sealed.point[:, feature_names(sealed.plant, "point").index(f"{controller}_deviation")]
    known = ~np.isnan(target) & ~np.isnan(now)
    rmse, persistence = (
        float(np.sqrt(np.mean((s[known] - target[known]) ** 2))) for s in (score, now)
    )
    metrics = {
        "rmse": rmse,
        "rmse_persistence": persistence,
        "mae": float(np.mean(np.abs(score - target)[known])),
    }
    return metrics, BaselineComparison(
        "rmse", rmse, "the next row equals this one", persistence, lower_is_better=True
    )


def _onset(
    recipe: Recipe,
    score: Floats,
    operating: float | None,
    inner: Floats,
    open_rows: Examples,
    sealed: Examples,
    folds: Sequence[Fold],
) -> Judged:
    assert recipe.horizon is not None
    budget = open_rows.plant.warnings.false_alarms_per_day
    found = outcome(open_rows, inner, _threshold(operating))
    metrics = {
        "inner_event_recall": found.recall,
        "inner_false_alarms_per_day": found.false_per_day,
        "inner_lead_median_h": _median(found.lead),
        "inner_share_in_warning": found.share_in_warning,
    }
    later = outcome(sealed, score, _threshold(operating))
    metrics |= {
        "sealed_event_recall": later.recall,
        "sealed_false_alarms_per_day": later.false_per_day,
    }
    target = sealed.onset_target(recipe.horizon)
    known = ~np.isnan(target)
    base = float(target[known].mean())
    if 0 < base < 1:
        metrics["sealed_average_precision"] = float(
            average_precision_score(target[known], score[known])
        )
        metrics["sealed_brier_skill"] = 1 - float(np.mean((score[known] - target[known]) ** 2)) / (
            base * (1 - base)
        )
    baselines = baseline_recalls(open_rows, folds, recipe.horizon, budget)
    best = max(baselines, key=lambda name: baselines[name])
    return _known(metrics), BaselineComparison(
        f"event recall at {budget:g} false alarms a day", found.recall, best, baselines[best]
    )


def baseline_recalls(
    examples: Examples, folds: Sequence[Fold], horizon: timedelta | None, budget: float
) -> dict[str, float]:
    """Event recall of every baseline on held-back rows, its threshold chosen there for a budget."""
    recalls = {}
    for name in BASELINES:
        scores = out_of_fold(name, examples, folds, horizon)
        recalls[name] = outcome(examples, scores, threshold_for(examples, scores, budget)).recall
    return recalls


def _label_metrics(score: Floats, operating: float | None, label: Mask) -> dict[str, float]:
    both = 0 < label.mean() < 1
    return {
        "f1_anomaly": _f1(label, score >= _threshold(operating)),
        "roc_auc_anomaly": float(roc_auc_score(label, score)) if both else float("nan"),
        "average_precision": float(average_precision_score(label, score)) if both else float("nan"),
    }


def _f1(label: Mask, said: Mask) -> float:
    return float(f1_score(label, said, zero_division=0))


def _rules(examples: Examples) -> Mask:
    """Rows where a limit rule holds, from the margins among the window features."""
    names = feature_names(examples.plant, "window")
    places = [names.index(f"{rule.name}_margin") for rule in examples.plant.labels.rules]
    return np.asarray((examples.window[:, places] < 0).any(axis=1))


def _threshold(operating: float | None) -> float:
    return float("inf") if operating is None else operating


def _median(lead: Floats) -> float:
    return float(np.nanmedian(lead)) if np.isfinite(lead).any() else float("nan")


def _known(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


__all__ = ["baseline_recalls", "judge"]
