"""Contributions: how much each input changed a score.

The base value and the contributions add up to the score on a stated scale. Boosted trees are
explained by the exact Shapley values of their libraries, linear models by coefficient times value,
and forests by the decision path: at every split on the path of a row, the change of the node's
value is credited to the feature of the split (Saabas' method). A missing input is explained as the
model treats it: as the training median, or by the branch that trees take for missing values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import Scale
from alarmstack.models.native import read_arrays


@dataclass(frozen=True)
class Shares:
    """The contributions to one row's score.

    base + contributions.sum() is the model's output on `scale`, before calibration.
    """

    base: float
    contributions: Floats
    scale: Scale
    method: str

    @property
    def total(self) -> float:
        """The score on the scale."""
        return float(self.base + self.contributions.sum())


def explain(form: str, native: bytes, kind: str, row: Floats) -> Shares:
    """Contributions [features] to the score of a row [features].

    Raises ValueError for models without contributions: isolation forests and several classes.
    """
    return _explainer(form, native, kind)(row)


def importance(form: str, native: bytes) -> tuple[Floats, str]:
    """The importance of each feature, as shares of 1 [features], and the method."""
    if form == "lightgbm":
        return _shares(_lightgbm(native).feature_importance("gain")), "gain of splits"
    if form == "xgboost":
        booster = _xgboost(native)
        gain_of = booster.get_score(importance_type="total_gain")
        gains = [gain_of.get(f"f{place}", 0.0) for place in range(booster.num_features())]
        return _shares(np.array(gains)), "gain of splits"
    arrays = read_arrays(native)
    if form == "linear":
        sizes = np.abs(arrays["coefficients"]).mean(axis=0)
        return _shares(sizes), "size of standardised coefficients"
    return _shares(_split_gains(arrays)), "gain of splits"


@lru_cache(maxsize=32)
def _explainer(form: str, native: bytes, kind: str) -> Callable[[Floats], Shares]:
    """A function from a row to its contributions. Cached: parsing takes longer than explaining."""
    if form == "lightgbm":
        light = _lightgbm(native)
        return lambda row: _shapley(light.predict(_one_row(row), pred_contrib=True)[0])
    if form == "xgboost":
        extreme = _xgboost(native)
        return lambda row: _shapley(extreme.predict(_xgboost_row(row), pred_contribs=True)[0])
    arrays = read_arrays(native)
    if form == "linear":
        if len(arrays["coefficients"]) > 1:
            raise ValueError("a model of several classes has no single score to explain")
        return lambda row: _products(arrays, row, "log-odds" if kind == "probability" else "unit")
    if kind == "anomaly":
        raise ValueError("an isolation forest scores path lengths, which have no contributions")
    return lambda row: _path(arrays, row)


def _shapley(values: Floats) -> Shares:
    return Shares(float(values[-1]), np.asarray(values[:-1], float), "log-odds", "Shapley values")


def _products(arrays: dict[str, Any], row: Floats, scale: Scale) -> Shares:
    filled = np.where(np.isnan(row), arrays["medians"], row.astype(np.float32))
    products = (filled - arrays["centre"]) / arrays["scale"] * arrays["coefficients"][0]
    method = "coefficient times distance from the training mean"
    return Shares(float(arrays["intercept"][0]), products, scale, method)


def _path(arrays: dict[str, Any], row: Floats) -> Shares:
    filled = np.where(np.isnan(row), arrays["medians"], row).astype(np.float32)
    value, rate = arrays["value"] * arrays["rate"], float(arrays["initial"])
    offset = _first_nodes(arrays)
    node, contributions = offset.copy(), np.zeros(len(row))
    base = rate + float(value[offset].sum())
    while (inner := arrays["feature"][node] >= 0).any():
        offset, node = offset[inner], node[inner]
        feature = arrays["feature"][node]
        goes_left = filled[feature] <= arrays["threshold"][node]
        below = offset + np.where(goes_left, arrays["left"][node], arrays["right"][node])
        np.add.at(contributions, feature, value[below] - value[node])
        node = below
    scale: Scale = "log-odds" if arrays["odds"] else "probability"
    return Shares(base, contributions, scale, "decision paths")


def _split_gains(arrays: dict[str, Any]) -> Floats:
    """Cover-weighted change of the node value at each split, per feature."""
    inner = np.flatnonzero(arrays["feature"] >= 0)
    first = _first_nodes(arrays)[arrays["tree"][inner]]
    left, right = first + arrays["left"][inner], first + arrays["right"][inner]
    value, cover = arrays["value"], arrays["cover"]
    change_left = cover[left] * np.abs(value[left] - value[inner])
    change_right = cover[right] * np.abs(value[right] - value[inner])
    features = len(arrays["medians"])
    gains = np.bincount(arrays["feature"][inner], change_left + change_right, minlength=features)
    return np.asarray(gains, float)


def _first_nodes(arrays: dict[str, Any]) -> Any:
    """The place of each tree's root among all nodes."""
    return np.concatenate(([0], np.flatnonzero(np.diff(arrays["tree"])) + 1))


def _shares(sizes: Floats) -> Floats:
    total = float(np.sum(sizes))
    return np.asarray(sizes, float) / total if total else np.zeros(len(sizes))


def _lightgbm(native: bytes) -> Any:
    import lightgbm

    text = native.decode()
    sizes = re.search(r"^tree_sizes=(.*)$", text, re.MULTILINE)
    # LightGBM ends the process if the text of a model is truncated.
    if (
        sizes is None
        or "\nend of trees\n" not in text
        or text.count("\nTree=") != len(sizes[1].split())
    ):
        raise ValueError("the LightGBM model is truncated")
    return lightgbm.Booster(model_str=text)


def _xgboost(native: bytes) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(native))
    return booster


def _xgboost_row(row: Floats) -> Any:
    import xgboost

    return xgboost.DMatrix(_one_row(row))


def _one_row(row: Floats) -> Any:
    """A float32 matrix of one row."""
    return row.astype(np.float32)[None]


__all__ = ["Shares", "explain", "importance"]
