"""Why a score: how much each input moved it, so that base value and contributions add up to the score on a stated scale.

Boosted trees are explained by their libraries' own exact Shapley values, linear models by their products, forests by the decision
path: at every split a row passes, the change of the node's value is credited to the feature that split (Saabas' method). Inputs
that are missing are explained as the model treats them: filled with the training median, or sent the way trees send them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.models.native import read_arrays

Scale = Literal["log-odds", "probability", "unit"]


@dataclass(frozen=True)
class Shares:
    """What moved one row's score. base + contributions.sum() = the model's output on `scale`, before calibration."""

    base: float
    contributions: Floats
    scale: Scale
    method: str

    @property
    def total(self) -> float:
        """The score on the scale."""
        return float(self.base + self.contributions.sum())


def explain(form: str, native: bytes, kind: str, row: Floats) -> Shares:
    """Contributions [features] to the score of a row [features]. Raises ValueError for a model that has none: isolation forests."""
    return _explainer(form, native, kind)(row)


def importance(form: str, native: bytes) -> tuple[Floats, str]:
    """How much each feature matters, as shares of 1 [features], and the method: gains of splits, or sizes of coefficients."""
    if form == "lightgbm":
        return _shares(_lightgbm(native).feature_importance("gain")), "gain of splits"
    if form == "xgboost":
        booster = _xgboost(native)
        gains = booster.get_score(importance_type="total_gain")
        return _shares(
            np.array([gains.get(f"f{place}", 0.0) for place in range(booster.num_features())])
        ), "gain of splits"
    arrays = read_arrays(native)
    if form == "linear":
        return _shares(
            np.abs(arrays["coefficients"]).mean(axis=0)
        ), "size of standardised coefficients"
    return _shares(_split_gains(arrays)), "gain of splits"


@lru_cache(maxsize=32)
def _explainer(form: str, native: bytes, kind: str) -> Callable[[Floats], Shares]:
    """Opened once a model: parsing takes longer than explaining."""
    if form == "lightgbm":
        light = _lightgbm(native)
        return lambda row: _shapley(
            light.predict(row.astype(np.float32)[None], pred_contrib=True)[0]
        )
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
    each = (filled - arrays["centre"]) / arrays["scale"] * arrays["coefficients"][0]
    return Shares(
        float(arrays["intercept"][0]),
        each,
        scale,
        "coefficient times distance from the training mean",
    )


def _path(arrays: dict[str, Any], row: Floats) -> Shares:
    filled = np.where(np.isnan(row), arrays["medians"], row).astype(np.float32)
    value, rate = arrays["value"] * arrays["rate"], float(arrays["initial"])
    offset = np.concatenate(([0], np.flatnonzero(np.diff(arrays["tree"])) + 1))
    node, each = offset.copy(), np.zeros(len(row))
    base = rate + float(value[offset].sum())
    while (inner := arrays["feature"][node] >= 0).any():
        offset, node = offset[inner], node[inner]
        feature = arrays["feature"][node]
        left = filled[feature] <= arrays["threshold"][node]
        below = offset + np.where(left, arrays["left"][node], arrays["right"][node])
        np.add.at(each, feature, value[below] - value[node])
        node = below
    scale: Scale = "log-odds" if arrays["odds"] else "probability"
    return Shares(base, each, scale, "decision paths")


def _split_gains(arrays: dict[str, Any]) -> Floats:
    """Cover-weighted change of the node value at each split, per feature."""
    inner = np.flatnonzero(arrays["feature"] >= 0)
    first = np.concatenate(([0], np.flatnonzero(np.diff(arrays["tree"])) + 1))[
        arrays["tree"][inner]
    ]
    left, right = first + arrays["left"][inner], first + arrays["right"][inner]
    value, cover = arrays["value"], arrays["cover"]
    moved = cover[left] * np.abs(value[left] - value[inner]) + cover[right] * np.abs(
        value[right] - value[inner]
    )
    return np.asarray(
        np.bincount(arrays["feature"][inner], moved, minlength=len(arrays["medians"])), float
    )


def _shares(sizes: Floats) -> Floats:
    total = float(np.sum(sizes))
    return np.asarray(sizes, float) / total if total else np.zeros(len(sizes))


def _lightgbm(native: bytes) -> Any:
    import lightgbm

    text = native.decode()
    sizes = re.search(r"^tree_sizes=(.*)$", text, re.MULTILINE)
    # LightGBM ends the process where a model's text is cut short.
    if (
        sizes is None
        or "\nend of trees\n" not in text
        or text.count("\nTree=") != len(sizes[1].split())
    ):
        raise ValueError("the LightGBM model is cut short")
    return lightgbm.Booster(model_str=text)


def _xgboost(native: bytes) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(native))
    return booster


def _xgboost_row(row: Floats) -> Any:
    import xgboost

    return xgboost.DMatrix(row.astype(np.float32)[None])


__all__ = ["Shares", "explain", "importance"]
