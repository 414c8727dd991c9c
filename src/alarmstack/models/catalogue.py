"""The catalogue: one recipe for each registry name. What a model learns, from what, by which candidates, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alarmstack.features import Group
from alarmstack.models import estimators as make
from alarmstack.models.estimators import Estimator
from alarmstack.plant import Plant, write_duration

Target = Literal["alarm", "none", "regime", "next_deviation", "onset"]


@dataclass(frozen=True)
class Recipe:
    """One model of a plant.

    `column` is its name in model_results.csv; `candidates` maps names to makers of estimators (seed → estimator), of which the best
    on held-back rows is taken; `calibrated`: scores become probabilities; `smote`: evened-out training rows are tried as well;
    `dropout`: it learns to do without some of its inputs.
    """

    name: str
    column: str
    title: str
    group: Group
    target: Target
    candidates: dict[str, Callable[[int], Estimator]]
    horizon: timedelta | None = None
    calibrated: bool = False
    smote: bool = False
    dropout: bool = True


def recipes(plant: Plant) -> tuple[Recipe, ...]:
    """The plant's models in the order of the catalogue; the champion comes first, a forecaster for each horizon last."""
    prefix, controller = plant.registry_prefix, plant.deviation_target.controller
    present = (
        Recipe(
            f"{prefix}_champion",
            "risk_score",
            "Risk that the plant is in alarm at this row",
            "point",
            "alarm",
            {
                "random forest": make.random_forest,
                "xgboost": make.extreme_trees,
                "lightgbm": make.light_trees,
                "gradient boosting": make.gradient_boosting,
            },
            smote=True,
        ),
        Recipe(
            f"{prefix}_isolation_forest",
            "anomaly_score",
            "How unlike the usual rows this row is; learnt without labels",
            "point",
            "none",
            {"isolation forest": make.isolation_forest},
            dropout=False,
        ),
        Recipe(
            f"{prefix}_regime_classifier",
            "regime",
            "Probabilities of the regimes normal, transition, alarm",
            "point",
            "regime",
            {"multinomial logistic": make.logistic},
        ),
        Recipe(
            f"{prefix}_lr_soft_alarm",
            "lr_soft_alarm",
            "Calibrated probability of being in alarm at this row, linear",
            "point",
            "alarm",
            {"logistic": make.logistic},
            calibrated=True,
        ),
        Recipe(
            f"{prefix}_rf_soft_alarm",
            "rf_soft_alarm",
            "Calibrated probability of being in alarm at this row, by a forest",
            "point",
            "alarm",
            {"random forest": make.random_forest},
            calibrated=True,
        ),
        Recipe(
            f"{prefix}_deviation_predictor",
            "next_deviation",
            f"{controller}'s deviation from its setpoint in the next row",
            "point",
            "next_deviation",
            {"ridge": make.ridge},
            dropout=False,
        ),
    )
    return present + tuple(
        Recipe(
            f"{prefix}_forecaster_{write_duration(horizon)}",
            f"forecast_{write_duration(horizon)}",
            f"Probability that an alarm begins within {write_duration(horizon)}",
            "window",
            "onset",
            {"lightgbm": make.light_forecaster},
            horizon=horizon,
            calibrated=True,
        )
        for horizon in plant.time.horizons
    )


__all__ = ["Recipe", "Target", "recipes"]
