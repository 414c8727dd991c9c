"""The native model beside the graph: what contributions need and the graph does not contain.

| form | content |
| --- | --- |
| `lightgbm` | the model text for `Booster(model_str=…)`; contributions are in log-odds |
| `xgboost` | the model as UBJSON for `Booster.load_model`; contributions are in log-odds |
| `linear` | arrays `medians`, `centre`, `scale`, `coefficients` [classes, features], `intercept` |
| `trees` | arrays `tree` … `cover`, one entry per node; `medians`, `rate`, `initial`, `odds` |

`odds` states whether the values are log-odds. Arrays are stored as npz without pickled objects, so
that reading them runs no code.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from alarmstack.models.estimators import Estimator, Filled, LightGBM, XGBoost

Native = tuple[str, bytes]


def to_native(estimator: Estimator) -> Native:
    """Form and bytes of a fitted estimator. Raises TypeError for one that is not in the table."""
    if isinstance(estimator, LightGBM) and estimator.booster is not None:
        return "lightgbm", estimator.booster.model_to_string().encode()
    if isinstance(estimator, XGBoost):
        return "xgboost", bytes(estimator.model.get_booster().save_raw("ubj"))
    if isinstance(estimator, Filled):
        if estimator.scaler is not None:
            return "linear", _linear(estimator)
        return "trees", _trees(estimator)
    raise TypeError(f"{type(estimator).__name__} has no native form: add it to {__name__}")


def read_arrays(content: bytes) -> dict[str, Any]:
    """Arrays of the forms `linear` and `trees`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _linear(estimator: Filled) -> bytes:
    assert estimator.scaler is not None
    return _written(
        medians=estimator.imputer.statistics_,
        centre=estimator.scaler.mean_,
        scale=estimator.scaler.scale_,
        coefficients=np.atleast_2d(estimator.model.coef_),
        intercept=np.atleast_1d(estimator.model.intercept_),
    )


def _trees(estimator: Filled) -> bytes:
    model = estimator.model
    trees = [e.tree_ for e in np.ravel(model.estimators_)]
    # An isolation tree may use a subset of the features: map its numbers to the matrix's columns.
    all_columns = [np.arange(model.n_features_in_)] * len(trees)
    columns_of_trees = getattr(model, "estimators_features_", all_columns)
    features = [
        np.where(t.feature >= 0, columns[t.feature], -1)
        for t, columns in zip(trees, columns_of_trees, strict=True)
    ]
    return _written(
        medians=estimator.imputer.statistics_,
        tree=np.repeat(np.arange(len(trees)), [t.node_count for t in trees]).astype(np.int32),
        left=np.concatenate([t.children_left for t in trees]).astype(np.int32),
        right=np.concatenate([t.children_right for t in trees]).astype(np.int32),
        feature=np.concatenate(features).astype(np.int32),
        threshold=np.concatenate([t.threshold for t in trees]),
        value=np.concatenate([t.value[:, 0, -1] for t in trees]),
        cover=np.concatenate([t.weighted_n_node_samples for t in trees]),
        rate=np.array(getattr(model, "learning_rate", 1 / len(trees))),
        initial=np.array(_initial(model)),
        odds=np.array(hasattr(model, "learning_rate")),
    )


def _initial(model: Any) -> float:
    """The initial score of boosting, in log-odds; 0 for a forest."""
    if not hasattr(model, "learning_rate"):
        return 0.0
    share = float(model.init_.class_prior_[1])
    return float(np.log(share / (1 - share)))


def _written(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


__all__ = ["read_arrays", "to_native"]
