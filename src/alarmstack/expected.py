"""The models a plant is expected to have: name, column, title, kind, horizon. Light enough for a service that never fits one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alarmstack.plant import Plant, write_duration
from alarmstack.wire.scoring import Kind


@dataclass(frozen=True)
class Expected:
    """One model as others know it: `column` names its score in results, `unit` is that of a value."""

    name: str
    column: str
    title: str
    kind: Kind
    horizon: timedelta | None = None
    unit: str | None = None

    @property
    def horizon_hours(self) -> int | None:
        """The horizon in whole hours, as the wire says it."""
        return None if self.horizon is None else round(self.horizon / timedelta(hours=1))


def expected(plant: Plant) -> tuple[Expected, ...]:
    """The plant's models in the order of the catalogue; the champion comes first, a forecaster for each horizon last."""
    prefix, controller = plant.registry_prefix, plant.deviation_target.controller
    unit = plant.instrument(f"{controller}_PV").unit
    present = (
        ("champion", "risk_score", "Risk that the plant is in alarm at this row", "probability"),
        ("isolation_forest", "anomaly_score", "How unlike the usual rows this row is; learnt without labels", "anomaly"),
        ("regime_classifier", "regime", "Probabilities of the regimes normal, transition, alarm", "classes"),
        ("lr_soft_alarm", "lr_soft_alarm", "Calibrated probability of being in alarm at this row, linear", "probability"),
        ("rf_soft_alarm", "rf_soft_alarm", "Calibrated probability of being in alarm at this row, by a forest", "probability"),
        ("deviation_predictor", "next_deviation", f"{controller}'s deviation from its setpoint in the next row", "value"),
    )
    ahead = (
        Expected(f"{prefix}_forecaster_{h}", f"forecast_{h}", f"Probability that an alarm begins within {h}", "probability", d)
        for d in plant.time.horizons
        for h in (write_duration(d),)
    )
    kinds: dict[str, Kind] = {"probability": "probability", "anomaly": "anomaly", "classes": "classes", "value": "value"}
    return (
        *(Expected(f"{prefix}_{n}", c, t, kinds[k], unit=unit if k == "value" else None) for n, c, t, k in present),
        *ahead,
    )


__all__ = ["Expected", "expected"]
