"""The models a plant is expected to have, and what others call them. Light enough for a service that never fits one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alarmstack.core.plant import Plant, spaced, write_duration

Kind = Literal["probability", "classes", "anomaly", "value"]
"""What a score is."""
Scale = Literal["log-odds", "probability", "score", "unit"]
"""The scale on which a base value and contributions add up to a score.

"unit" is the unit of the target; "score" is the model's own score.
"""
NORMALITY = "normality"
"""Column of the normal-behaviour model, which learns from intervals as they are and needs no label."""


OPERATING = "operating"
"""Key of the threshold at which a warning is raised, among a model's thresholds."""


@dataclass(frozen=True)
class Expected:
    """One model as others know it: `column` names its score in results, `label` heads its figure, `unit` is that of a value."""

    name: str
    column: str
    label: str
    title: str
    kind: Kind
    horizon: timedelta | None = None
    unit: str | None = None

    @property
    def horizon_hours(self) -> int | None:
        """The horizon in whole hours, as the wire says it."""
        return None if self.horizon is None else round(self.horizon / timedelta(hours=1))


def expected(plant: Plant) -> tuple[Expected, ...]:
    """The plant's models in the order of the catalogue; the champion comes first, then a forecaster for each horizon.

    A plant with a [normality] has one more.
    """
    controller = plant.deviation_controller.name
    unit = plant.instrument(f"{controller}_PV").unit
    soft = "Alarm probability now"

    def one(
        name: str,
        column: str,
        label: str,
        title: str,
        kind: Kind,
        *,
        horizon: timedelta | None = None,
        unit: str | None = None,
    ) -> Expected:
        return Expected(
            f"{plant.registry_prefix}_{name}", column, label, title, kind, horizon, unit
        )

    def forecaster(ahead: timedelta) -> Expected:
        written = write_duration(ahead)
        name, column, within = (
            f"forecaster_{written}",
            f"forecast_{written}",
            f"within {spaced(written)}",
        )
        return one(
            name,
            column,
            f"Alarm {within}",
            f"Probability that an alarm begins {within}",
            "probability",
            horizon=ahead,
        )

    return (
        one("champion", "risk_score", "Risk now", "Risk of alarm now", "probability"),
        one(
            "isolation_forest",
            "anomaly_score",
            "Anomaly score",
            "Anomaly score (unsupervised)",
            "anomaly",
        ),
        one(
            "regime_classifier",
            "regime",
            "Regime",
            "Probabilities of the regimes normal, transition, alarm",
            "classes",
        ),
        one(
            "lr_soft_alarm",
            "lr_soft_alarm",
            "Soft alarm, linear",
            f"{soft} (linear)",
            "probability",
        ),
        one(
            "rf_soft_alarm",
            "rf_soft_alarm",
            "Soft alarm, forest",
            f"{soft} (random forest)",
            "probability",
        ),
        one(
            "deviation_predictor",
            "next_deviation",
            f"Next deviation {controller}",
            f"{controller}'s deviation from its setpoint in the next interval",
            "value",
            unit=unit,
        ),
        *map(forecaster, plant.time.horizons),
        *(
            (
                one(
                    NORMALITY,
                    NORMALITY,
                    "Distance from normal",
                    "Distance from normal behaviour (unsupervised)",
                    "anomaly",
                ),
            )
            if plant.normality
            else ()
        ),
    )


__all__ = ["NORMALITY", "OPERATING", "Expected", "Kind", "expected"]
