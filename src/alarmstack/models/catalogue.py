"""The catalogue: one recipe for each registry name. What a model learns, from what, by which candidates, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alarmstack.core.errors import PlantError
from alarmstack.core.model_list import NORMALITY, Expected, expected
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import Group
from alarmstack.models import estimators as make
from alarmstack.models.calibration import Form
from alarmstack.models.estimators import Estimator

Target = Literal["alarm", "none", "regime", "next_deviation", "onset"]
Candidates = dict[str, Callable[[int], Estimator]]


@dataclass(frozen=True)
class Recipe:
    """One model of a plant.

    `column` is its name in model_results.csv; `candidates` maps names to makers of estimators (seed → estimator), of which the best
    on held-back rows is taken; `calibrated`: how scores become probabilities; `smote`: evened-out training rows are tried as well;
    `dropout`: it learns to do without some of its inputs.
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


def recipes(plant: Plant) -> tuple[Recipe, ...]:
    """The plant's models that learn from features, in the order of `expected`; the champion comes first, forecasters last."""
    return tuple(_recipe(one) for one in expected(plant) if one.column != NORMALITY)


def _recipe(one: Expected) -> Recipe:
    """How to make a model that the plant is expected to have."""
    if one.horizon is not None:
        return _made(
            one, "window", "onset", {"lightgbm": make.light_forecaster}, calibrated="smooth"
        )
    match one.column:
        case "risk_score":
            champions: Candidates = {
                "random forest": make.random_forest,
                "xgboost": make.extreme_trees,
                "lightgbm": make.light_trees,
                "gradient boosting": make.gradient_boosting,
            }
            return _made(one, "point", "alarm", champions, smote=True)
        case "anomaly_score":
            return _made(
                one, "point", "none", {"isolation forest": make.isolation_forest}, dropout=False
            )
        case "regime":
            return _made(one, "point", "regime", {"multinomial logistic": make.logistic})
        case "lr_soft_alarm":
            return _made(one, "point", "alarm", {"logistic": make.logistic}, calibrated="isotonic")
        case "rf_soft_alarm":
            return _made(
                one, "point", "alarm", {"random forest": make.random_forest}, calibrated="isotonic"
            )
        case "next_deviation":
            return _made(one, "point", "next_deviation", {"ridge": make.ridge}, dropout=False)
    raise PlantError(f"no recipe makes {one.name} ({one.column}): write one beside the others")


def _made(
    one: Expected,
    group: Group,
    target: Target,
    candidates: Candidates,
    *,
    calibrated: Form | None = None,
    smote: bool = False,
    dropout: bool = True,
) -> Recipe:
    return Recipe(
        one.name,
        one.column,
        one.title,
        group,
        target,
        candidates,
        one.horizon,
        calibrated,
        smote,
        dropout,
    )


__all__ = ["Recipe", "Target", "recipes"]
