"""The models that a plant can have, and the names that everything else uses for them.

The list follows from plant.toml. Models of the alarm state and forecasters learn from labels, so
only a plant with limit rules or an operator log has them; the regime classifier also needs
transition columns, the deviation predictor a `[deviation_target]`, and each horizon gives one
forecaster. A `[normality]` section gives the normal-behaviour model, which needs no label. This
module imports no library that fits models, so that every service can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alarmstack.core.plant import Plant, duration_in_hours, spaced, write_duration

Kind = Literal["probability", "classes", "anomaly", "value"]
"""What a score is."""
Scale = Literal["log-odds", "probability", "score", "unit"]
"""The scale on which a base value and contributions add up to a score.

"unit" is the unit of the target; "score" is the model's own score.
"""
CHAMPION = "risk_score"
"""Column of the champion: the best of several algorithms for the risk of alarm now."""
NORMALITY = "normality"
"""Column of the normal-behaviour model, which learns from intervals without labels."""
OPERATING = "operating"
"""Key of the threshold at which a warning is raised, among a model's thresholds."""


@dataclass(frozen=True)
class ModelEntry:
    """One model of a plant.

    `name` is its name in the registry and `column` the name of its score in results. `label` is a
    short heading for the score, `title` describes it, and `unit` is the unit of a score that is a
    value. `horizon` is set for forecasters only.
    """

    name: str
    column: str
    label: str
    title: str
    kind: Kind
    horizon: timedelta | None = None
    unit: str | None = None

    @property
    def horizon_text(self) -> str | None:
        """The horizon as a duration such as `1h` or `10min`."""
        return None if self.horizon is None else write_duration(self.horizon)

    @property
    def horizon_hours(self) -> int | float | None:
        """The horizon in hours."""
        return None if self.horizon is None else duration_in_hours(self.horizon)


def model_list(plant: Plant) -> tuple[ModelEntry, ...]:
    """The plant's models: the champion first, then the other models that learn from labels, then
    the normal-behaviour model.
    """
    supervised = _supervised(plant) if plant.has_labels else []
    unsupervised = [_normality(plant)] if plant.normality else []
    return (*supervised, *unsupervised)


def _supervised(plant: Plant) -> list[ModelEntry]:
    """The models of a plant that has labels."""
    entries = [
        _entry(plant, "champion", CHAMPION, "Risk now", "Risk of alarm now"),
        _entry(
            plant,
            "isolation_forest",
            "anomaly_score",
            "Anomaly score",
            "Anomaly score (unsupervised)",
            kind="anomaly",
        ),
    ]
    if plant.labels.transition.columns:
        title = "Probabilities of the regimes normal, transition, alarm"
        entries.append(_entry(plant, "regime_classifier", "regime", "Regime", title, "classes"))
    for name, short, algorithm in (
        ("lr_soft_alarm", "linear", "linear"),
        ("rf_soft_alarm", "forest", "random forest"),
    ):
        title = f"Alarm probability now ({algorithm})"
        entries.append(_entry(plant, name, name, f"Soft alarm, {short}", title))
    if plant.deviation_target is not None:
        entries.append(_deviation_predictor(plant))
    return entries + [_forecaster(plant, horizon) for horizon in plant.time.horizons]


def _deviation_predictor(plant: Plant) -> ModelEntry:
    controller = plant.deviation_controller
    return _entry(
        plant,
        "deviation_predictor",
        "next_deviation",
        f"Next deviation {controller.name}",
        f"{controller.name}'s deviation from its setpoint in the next interval",
        kind="value",
        unit=plant.instrument(controller.pv).unit,
    )


def _forecaster(plant: Plant, horizon: timedelta) -> ModelEntry:
    duration = write_duration(horizon)
    within = f"within {spaced(duration)}"
    return _entry(
        plant,
        f"forecaster_{duration}",
        f"forecast_{duration}",
        f"Alarm {within}",
        f"Probability that an alarm begins {within}",
        horizon=horizon,
    )


def _normality(plant: Plant) -> ModelEntry:
    title = "Distance from normal behaviour (unsupervised)"
    return _entry(plant, NORMALITY, NORMALITY, "Distance from normal", title, kind="anomaly")


def _entry(
    plant: Plant,
    name: str,
    column: str,
    label: str,
    title: str,
    kind: Kind = "probability",
    *,
    horizon: timedelta | None = None,
    unit: str | None = None,
) -> ModelEntry:
    return ModelEntry(f"{plant.registry_prefix}_{name}", column, label, title, kind, horizon, unit)


__all__ = ["CHAMPION", "NORMALITY", "OPERATING", "Kind", "ModelEntry", "Scale", "model_list"]
