"""The estimators behind the recipes: each takes a matrix with NaN for what is missing and gives a score, higher meaning worse.

They share one face (`fit`, `raw`): boosted trees take NaN as it is; forests, linear models and the isolation forest fill it with
training medians first. `raw` gives float64 [rows], or [rows, classes] for more than two classes. Each works on one thread: several
learn side by side (`fit.side_by_side`), which is quicker than threads within one, and the same on any number of processors.
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
    """What a recipe needs of an estimator."""

    def fit(self, x: Floats, y: Floats, weight: Floats) -> Estimator:
        """Learn from rows [rows, features], targets [rows] and weights [rows]; returns itself."""
        ...

    def raw(self, x: Floats) -> Floats:
        """Scores before calibration."""
        ...


class LightGBM:
    """Boosted trees by LightGBM. Its limits are rounded down to float32, so that a float32 graph takes the same turns."""

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
        # The tree sizes in the header no longer fit the text; LightGBM reads without them.
        self.booster = lightgbm.Booster(model_str=re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M))
        return self

    def raw(self, x: Floats) -> Floats:
        """See `Estimator.raw`."""
        assert self.booster is not None, "fit first"
        return np.asarray(self.booster.predict(_narrow(x), num_threads=1), float)


class XGBoost:
    """Boosted trees by XGBoost, which works in float32 itself."""

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
    """A scikit-learn estimator behind medians for missing values, and, for linear ones, a scaler."""

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
        chances = np.asarray(self.model.predict_proba(filled), float)
        return chances[:, 1] if chances.shape[1] == 2 else chances


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
    """LightGBM for onsets: rare targets, many weak signs; shallow trees, strong shrinkage, few of the many features at a time."""
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
    """An isolation forest of 300 trees (the number the founding text asks for)."""
    return Filled(IsolationForest(n_estimators=300, random_state=seed, n_jobs=1))


def logistic(seed: int) -> Estimator:
    """Logistic regression; multinomial where there are more than two classes."""
    return Filled(LogisticRegression(max_iter=2000, C=0.1), scaled=True)


def ridge(seed: int) -> Estimator:
    """Ridge regression."""
    return Filled(Ridge(alpha=10.0), scaled=True)


def _narrow(x: Floats) -> Any:
    """Values as a float32 graph sees them."""
    return x.astype(np.float32)


def floored(thresholds: Floats) -> Floats:
    """Thresholds rounded down to float32: `x <= threshold` stays as it was for every float32 x."""
    near = thresholds.astype(np.float32)
    return np.where(
        near.astype(float) > thresholds, np.nextafter(near, np.float32(-np.inf)), near
    ).astype(float)


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
