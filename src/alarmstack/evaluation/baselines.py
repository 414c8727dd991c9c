"""Baselines: the forecasts that a plant gets without a model.

Each has the same budget, delays and hysteresis as the models. *random* gives random scores;
*static limit* lowers every limit; *slope* extrapolates each limit's column to its limit;
*last value* is a logistic regression on the last row. A model that is not better has no skill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from alarmstack.core.intervals import Floats
from alarmstack.evaluation.splits import Fold, Rows
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import LIMIT_OUT_OF_REACH, feature_names

Scorer = Callable[[Examples], Floats]
BASELINES = ("random", "static limit", "slope", "last value")
STEEPNESS = 4.0
"""Slope of the curve that maps a distance to a score: 0.5 at the median, 0.98 at the limit."""
NO_DISTANCE = -10.0
"""Distance for a row without any value: the lowest score."""


def fit_baseline(
    name: str,
    examples: Examples,
    rows: Sequence[int] | None = None,
    horizon: timedelta | None = None,
) -> Scorer:
    """A function from examples to scores in [0, 1]; higher means worse.

    A baseline with a trained model is trained on `rows` (default: all).
    """
    training_rows = np.asarray(range(len(examples)) if rows is None else rows, np.intp)
    makers = {
        "random": _random,
        "static limit": _static_limit,
        "slope": _slope,
        "last value": _last_value,
    }
    return makers[name](examples, training_rows, horizon or examples.plant.time.farthest_horizon)


def out_of_fold(
    name: str, examples: Examples, folds: Sequence[Fold], horizon: timedelta | None = None
) -> Floats:
    """Scores of a baseline on rows that it was not trained on; NaN in other rows."""
    scores = np.full(len(examples), np.nan)
    for fold in folds:
        scorer = fit_baseline(name, examples, fold.train.tolist(), horizon)
        scores[fold.held_back] = scorer(examples)[fold.held_back]
    return scores


def _random(examples: Examples, rows: Rows, horizon: timedelta) -> Scorer:
    return lambda new: np.random.default_rng(len(new)).random(len(new))


def _static_limit(examples: Examples, rows: Rows, horizon: timedelta) -> Scorer:
    """How far each limit's column has moved from its median to the limit; the largest counts."""
    places = [_place(examples, f"{rule.name}_margin") for rule in examples.plant.labels.rules]
    if not places:
        return _constant
    quiet = examples.quiet[rows]
    median_margin = np.array([np.nanmedian(examples.window[rows][quiet, p]) for p in places])
    return lambda new: _squash(np.fmax.reduce(1 - new.window[:, places] / median_margin, axis=1))


def _slope(examples: Examples, rows: Rows, horizon: timedelta) -> Scorer:
    rules = examples.plant.labels.rules
    places = [_place(examples, f"{rule.name}_hours_to_limit") for rule in rules]
    if not places:
        return _constant
    return lambda new: 1 - np.fmin.reduce(new.window[:, places], axis=1) / LIMIT_OUT_OF_REACH


def _last_value(examples: Examples, rows: Rows, horizon: timedelta) -> Scorer:
    names = feature_names(examples.plant, "window")
    places = [p for p, name in enumerate(names) if name.endswith("_last")]
    target = examples.onset_target(horizon)[rows]
    known = ~np.isnan(target)
    if len(np.unique(target[known])) < 2:
        return _constant
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    model.fit(examples.window[rows][known][:, places], target[known])
    return lambda new: np.asarray(model.predict_proba(new.window[:, places])[:, 1])


def _constant(examples: Examples) -> Floats:
    """The scores of a baseline without a limit rule, or without an onset to train on."""
    return np.zeros(len(examples))


def _squash(distance: Floats) -> Floats:
    """A logistic curve from distances to scores in (0, 1)."""
    return np.asarray(1 / (1 + np.exp(-STEEPNESS * np.nan_to_num(distance, nan=NO_DISTANCE))))


def _place(examples: Examples, name: str) -> int:
    return feature_names(examples.plant, "window").index(name)


__all__ = ["BASELINES", "Scorer", "fit_baseline", "out_of_fold"]
