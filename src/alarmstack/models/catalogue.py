"""The catalogue: a recipe for each model that learns from features.

A recipe states what the model learns, from which features, which algorithms are tried, and how
scores become probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alarmstack.core.errors import PlantError
from alarmstack.core.model_list import NORMALITY, ModelEntry, model_list
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import Group
from alarmstack.models import estimators as make
from alarmstack.models.calibration import Form
from alarmstack.models.estimators import Estimator

Target = Literal["alarm", "none", "regime", "next_deviation", "onset"]
Candidates = dict[str, Callable[[int], Estimator]]


@dataclass(frozen=True)
class Recipe:
    """How one model of a plant is made.

    `name` is its name in the registry, `column` its column in model_results.csv. `candidates` maps
    the name of an algorithm to a function from a seed to an estimator; the best on held-back rows
    is used. `calibrated`: how scores become probabilities. `smote`: training rows with synthetic
    alarms are tried as well. `dropout`: training also uses rows with inputs removed at random, so
    that the model accepts missing inputs.
    """

    name: str
    column: str
    title: str
    group: Group
    target: Target
    candidates: Candidates
    horizon: timedelta | None = None
    calibrated: Form | None = None
    smote: bool = False
    dropout: bool = True


CHAMPION_CANDIDATES: Candidates = {
    "random forest": make.random_forest,
    "xgboost": make.extreme_trees,
    "lightgbm": make.light_trees,
    "gradient boosting": make.gradient_boosting,
}


def recipes(plant: Plant) -> tuple[Recipe, ...]:
    """The plant's models that learn from features, in the order of `model_list`."""
    return tuple(_recipe(entry) for entry in model_list(plant) if entry.column != NORMALITY)


def _recipe(entry: ModelEntry) -> Recipe:
    """The recipe of one entry of the model list."""
    if entry.horizon is not None:
        forecasters: Candidates = {"lightgbm": make.light_forecaster}
        return _of(entry, "window", "onset", forecasters, calibrated="smooth")
    forest: Candidates = {"random forest": make.random_forest}
    match entry.column:
        case "risk_score":
            return _of(entry, "point", "alarm", CHAMPION_CANDIDATES, smote=True)
        case "anomaly_score":
            isolation: Candidates = {"isolation forest": make.isolation_forest}
            return _of(entry, "point", "none", isolation, dropout=False)
        case "regime":
            return _of(entry, "point", "regime", {"multinomial logistic": make.logistic})
        case "lr_soft_alarm":
            logistic: Candidates = {"logistic": make.logistic}
            return _of(entry, "point", "alarm", logistic, calibrated="isotonic")
        case "rf_soft_alarm":
            return _of(entry, "point", "alarm", forest, calibrated="isotonic")
        case "next_deviation":
            return _of(entry, "point", "next_deviation", {"ridge": make.ridge}, dropout=False)
    raise PlantError(f"the catalogue has no recipe for {entry.name} ({entry.column}): add one")


def _of(
    entry: ModelEntry,
    group: Group,
    target: Target,
    candidates: Candidates,
    *,
    calibrated: Form | None = None,
    smote: bool = False,
    dropout: bool = True,
) -> Recipe:
    return Recipe(
        entry.name,
        entry.column,
        entry.title,
        group,
        target,
        candidates,
        entry.horizon,
        calibrated,
        smote,
        dropout,
    )


__all__ = ["Recipe", "Target", "recipes"]
