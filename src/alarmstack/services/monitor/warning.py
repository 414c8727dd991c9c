"""Warnings from stored assessments: the alarm engine runs over the past, so a restart changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import nan

from alarmstack.alarms import IDLE, State, WarningRule, step
from alarmstack.alarms.wording import forecast_text
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant, duration_in_hours, parse_duration, write_duration
from alarmstack.services.monitor.alarm_state import Warned
from alarmstack.services.schemas.gateway import PlantAssessment, WarningState
from alarmstack.services.schemas.inference import Assessment
from alarmstack.storage.database.outputs import CHALLENGERS, CHAMPIONS
from alarmstack.storage.database.plant_history import Past
from alarmstack.storage.database.tables import Body

OLDEST_ASSESSMENT = 3
"""Cadences after which the newest assessment is too old to describe the present."""
LEAD_IN = 240
"""Intervals before the requested ones at which the fold begins: longer than warnings last."""
NO_THRESHOLD = 1.0
"""Threshold of a rule for an unknown score, which never reaches it."""


def outputs_of(assessment: Assessment) -> Body:
    """The part of an assessment that is stored for trends, warnings and comparisons.

    It holds scores with thresholds and versions, and the limit rules that were met.
    """
    return {
        "scores": {output.column: output.score for output in assessment.models},
        CHAMPIONS: {
            output.column: (output.score, output.threshold, output.model.version)
            for output in assessment.models
            if output.model and output.score is not None
        },
        CHALLENGERS: {
            shadow.column: (shadow.score, shadow.threshold, shadow.version)
            for shadow in assessment.shadows
        },
        "forecasts": [
            {
                "column": output.column,
                "horizon": output.horizon,
                "horizon_hours": output.horizon_hours,
                "score": output.score,
                "threshold": output.threshold,
            }
            for output in assessment.models
            if output.horizon is not None
        ],
        "rules": [rule.name for rule in assessment.rules if rule.met],
    }


def warnings(plant: Plant, past: Sequence[Past]) -> list[list[WarningState]]:
    """The warnings after each interval, oldest first.

    An interval without an assessment has unknown scores; a long gap clears the warnings.
    """
    horizons = _horizons(plant, past)
    states: dict[str, State] = {}
    by_interval = []
    for before, interval in zip((None, *past), past, strict=False):
        if before is not None and _cut(plant, before, interval):
            states = {}
        states = {
            column: _next(plant, states.get(column, IDLE), interval, column) for column in horizons
        }
        by_interval.append(
            [
                _shown(interval, column, horizon, states[column])
                for column, horizon in horizons.items()
            ]
        )
    return by_interval


def _horizons(plant: Plant, past: Sequence[Past]) -> dict[str, timedelta]:
    """The horizon of every forecaster in the stored outputs, by column.

    A forecaster that the plant still has takes its horizon from plant.toml, another one from what
    was stored. Earlier releases stored hours only.
    """
    own = {entry.column: entry.horizon for entry in model_list(plant)}
    horizons = {}
    for interval in past:
        for forecast in (interval.outputs or {}).get("forecasts", []):
            stored = forecast.get("horizon") or f"{forecast['horizon_hours']}h"
            horizons[forecast["column"]] = own.get(forecast["column"]) or parse_duration(stored)
    return horizons


def warned(plant: Plant, newest: PlantAssessment | None, plant_time: datetime | None) -> Warned:
    """The warnings after the newest assessment; none if there is no assessment, or it is too
    old.
    """
    known_at = newest.assessment.known_at if newest else None
    if newest is None or known_at is None:
        return Warned((), "no assessment yet")
    if plant_time is not None and plant_time - known_at > OLDEST_ASSESSMENT * plant.time.cadence:
        return Warned((), f"no assessment since {known_at.astimezone(plant.zone):%Y-%m-%d %H:%M}")
    return Warned(newest.warnings)


def _next(plant: Plant, state: State, interval: Past, column: str) -> State:
    forecast = _forecast(interval, column)
    if forecast is None or forecast["threshold"] is None:
        threshold, score = NO_THRESHOLD, nan
    else:
        threshold = forecast["threshold"]
        score = nan if forecast["score"] is None else forecast["score"]
    rule = WarningRule.of(plant, threshold)
    return step(rule, state, _known_at(plant, interval), score, interval.in_alarm)


def _known_at(plant: Plant, interval: Past) -> float:
    return (interval.start + plant.time.cadence).timestamp()


def _cut(plant: Plant, before: Past, after: Past) -> bool:
    """Whether there is a gap between two intervals that no warning may cross."""
    return after.start - before.start > plant.time.longest_gap or after.row.get("segment") == -1


def _forecast(interval: Past, column: str) -> Body | None:
    """The stored forecast of an interval."""
    forecasts: list[Body] = (interval.outputs or {}).get("forecasts", [])
    return next((forecast for forecast in forecasts if forecast["column"] == column), None)


def _shown(interval: Past, column: str, horizon: timedelta, state: State) -> WarningState:
    forecast = _forecast(interval, column) or {}
    score = forecast.get("score")
    active_since = state.since if state.on else None
    return WarningState(
        column=column,
        horizon=write_duration(horizon),
        horizon_hours=duration_in_hours(horizon),
        standing=state.on,
        since=None if active_since is None else datetime.fromtimestamp(active_since, UTC),
        score=score,
        threshold=forecast.get("threshold"),
        text=forecast_text(score, horizon) if state.on and score is not None else None,
    )


__all__ = ["LEAD_IN", "OLDEST_ASSESSMENT", "outputs_of", "warned", "warnings"]
