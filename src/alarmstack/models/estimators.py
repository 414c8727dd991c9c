"""The estimators of the recipes: each maps a matrix with NaN for missing values to scores.

Higher scores mean worse. All have the same methods `fit` and `raw`. Boosted trees process NaN
directly; forests, linear models and the isolation forest replace it by training medians first.
`raw` returns float64 [rows], or [rows, classes] for more than two classes. Each estimator uses one
thread. Several are fitted at the same time (`fit.side_by_side`), which is faster than threads
within one estimator and gives the same result on any number of processors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import lightgbm
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from alarmstack.core.intervals import Floats


class Estimator(Protocol):
    """The methods that a recipe needs."""

    def fit(self, x: Floats, y: Floats, weight: Floats) -> Estimator:
        """Fit on rows [rows, features], targets [rows] and weights [rows]; returns itself."""
        ...

    def raw(self, x: Floats) -> Floats:
        """Scores before calibration."""
        ...


class LightGBM:
    """Boosted trees by LightGBM.

    Thresholds are rounded down to float32, so that a float32 graph takes the same branches.
    """

    def __init__(self, seed: int, **settings: Any) -> None:
        self.settings = {
            "random_state": seed,
            "n_jobs": 1,
            "verbosity": -1,
            "deterministic": True,
            "force_row_wise": True,
            **settings,
        }
        self.booster: lightgbm.Booster | None = None

    def fit(self, x: Floats, y: Floats, weight: Floats) -> LightGBM:
        """See `Estimator.fit`."""
        model = lightgbm.LGBMClassifier(**self.settings).fit(_narrow(x), y, sample_weight=weight)
        text = re.sub(
            r"^threshold=(.*)$",
            lambda m: f"threshold={_floored_text(m[1].split())}",
            model.booster_.model_to_string(),
            flags=re.M,
        )
        # The tree sizes in the header no longer match the text. LightGBM does not need them.
        text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M)
        self.booster = lightgbm.Booster(model_str=text)
        return self

    def raw(self, x: Floats) -> Floats:
        """See `Estimator.raw`."""
        assert self.booster is not None, "fit first"
        return np.asarray(self.booster.predict(_narrow(x), num_threads=1), float)


class XGBoost:
    """Boosted trees by XGBoost, which itself works in float32."""

    def __init__(self, seed: int, **settings: Any) -> None:
        self.model = XGBClassifier(random_state=seed, n_jobs=1, tree_method="hist", **settings)

    def fit(self, x: Floats, y: Floats, weight: Floats) -> XGBoost:
        """See `Estimator.fit`."""
        self.model.fit(_narrow(x), y, sample_weight=weight)
        return self

    def raw(self, x: Floats) -> Floats:
        """See `Estimator.raw`."""
        return np.asarray(self.model.predict_proba(_narrow(x))[:, 1], float)


class Filled:
    """A scikit-learn estimator with medians for missing values; for linear ones also a scaler."""

    def __init__(self, model: Any, scaled: bool = False) -> None:
        self.model = model
        self.imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        self.scaler = StandardScaler() if scaled else None

    def fit(self, x: Floats, y: Floats, weight: Floats) -> Filled:
        """See `Estimator.fit`."""
        filled = self.imputer.fit_transform(_narrow(x))
        if self.scaler is not None:
            filled = self.scaler.fit_transform(filled.astype(float))
        self.model.fit(filled, y, sample_weight=weight)
        return self

    def raw(self, x: Floats) -> Floats:
        """See `Estimator.raw`."""
        filled = self.imputer.transform(_narrow(x))
        if self.scaler is not None:
            filled = self.scaler.transform(filled.astype(float))
        if isinstance(self.model, IsolationForest):
            return np.asarray(-self.model.score_samples(filled), float)
        if isinstance(self.model, Ridge):
            return np.asarray(self.model.predict(filled), float)
        probabilities = np.asarray(self.model.predict_proba(filled), float)
        return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def light_trees(seed: int) -> Estimator:
    """LightGBM for the present state."""
    return LightGBM(
        seed,
        n_estimators=150,
        num_leaves=15,
        learning_rate=0.06,
        min_child_samples=20,
        colsample_bytree=0.6,
        subsample=0.8,
        subsample_freq=1,
    )


def light_forecaster(seed: int) -> Estimator:
    """LightGBM for onsets, which are rare and have many weak signs.

    Hence shallow trees, strong shrinkage, and few features per tree.
    """
    return LightGBM(
        seed,
        n_estimators=350,
        num_leaves=15,
        learning_rate=0.03,
        min_child_samples=40,
        colsample_bytree=0.15,
        subsample=0.7,
        subsample_freq=1,
        reg_lambda=5.0,
    )


def extreme_trees(seed: int) -> Estimator:
    """XGBoost for the present state."""
    return XGBoost(
        seed, n_estimators=150, max_depth=4, learning_rate=0.08, subsample=0.8, colsample_bytree=0.6
    )


def random_forest(seed: int) -> Estimator:
    """A random forest."""
    return Filled(
        RandomForestClassifier(
            n_estimators=120, min_samples_leaf=4, max_samples=0.5, n_jobs=1, random_state=seed
        )
    )


def gradient_boosting(seed: int) -> Estimator:
    """scikit-learn's gradient boosting."""
    return Filled(
        GradientBoostingClassifier(
            n_estimators=100, max_depth=3, subsample=0.5, max_features="sqrt", random_state=seed
        )
    )


def isolation_forest(seed: int) -> Estimator:
    """An isolation forest of 300 trees, the number that the mission text requires."""
    return Filled(IsolationForest(n_estimators=300, random_state=seed, n_jobs=1))


def logistic(seed: int) -> Estimator:
    """Logistic regression; multinomial for more than two classes."""
    return Filled(LogisticRegression(max_iter=2000, C=0.1), scaled=True)


def ridge(seed: int) -> Estimator:
    """Ridge regression."""
    return Filled(Ridge(alpha=10.0), scaled=True)


def _narrow(x: Floats) -> Any:
    """Values in float32, the precision of the graph."""
    return x.astype(np.float32)


def floored(thresholds: Floats) -> Floats:
    """Thresholds rounded down to float32: the result of `x <= threshold` is the same for float32 x.

    >>> floored(np.array([0.5, 0.1])).tolist()
    [0.5, 0.09999999403953552]
    """
    near = thresholds.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(float) > thresholds, below, near).astype(float)


def _floored_text(thresholds: Sequence[str]) -> str:
    return " ".join(repr(t) for t in floored(np.array(thresholds, float)).tolist())


__all__ = [
    "Estimator",
    "Filled",
    "LightGBM",
    "XGBoost",
    "extreme_trees",
    "floored",
    "gradient_boosting",
    "isolation_forest",
    "light_forecaster",
    "light_trees",
    "logistic",
    "random_forest",
    "ridge",
]
