"""Stored assessments become standing warnings: a fold of the alarm engine over the past, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import nan

from alarmstack.alarms import IDLE, State, WarningRule, step
from alarmstack.alarms.wording import forecast_text
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.services.monitor.alarm_state import Warned
from alarmstack.services.schemas.gateway import PlantAssessment, WarningState
from alarmstack.services.schemas.inference import Assessment
from alarmstack.storage.database.plant_history import Past
from alarmstack.storage.database.tables import Body

OLDEST_ASSESSMENT = 3
"""Cadences after which the newest assessment no longer says anything about now."""
LEAD_IN = 240
"""Intervals before those asked for that the fold begins with: longer than warnings stand."""


def said(assessment: Assessment) -> Body:
    """The little of an assessment that trends, warnings and contests need: scores with thresholds and versions, rules met."""
    return {
        "scores": {one.column: one.score for one in assessment.models},
        "spoken": {
            one.column: (one.score, one.threshold, one.model.version)
            for one in assessment.models
            if one.model and one.score is not None
        },
        "shadows": {
            one.column: (one.score, one.threshold, one.version) for one in assessment.shadows
        },
        "forecasts": [
            {
                "column": one.column,
                "horizon_hours": one.horizon_hours,
                "score": one.score,
                "threshold": one.threshold,
            }
            for one in assessment.models
            if one.horizon_hours is not None
        ],
        "rules": [rule.name for rule in assessment.rules if rule.met],
    }


def warnings(plant: Plant, past: Sequence[Past]) -> list[list[WarningState]]:
    """The warnings after each interval, oldest first. What was not assessed is an unknown score; a long gap clears warnings."""
    states: dict[str, State] = {}
    shown = []
    horizons = {
        one["column"]: one["horizon_hours"]
        for interval in past
        for one in (interval.said or {}).get("forecasts", [])
    }
    for before, interval in zip((None, *past), past, strict=False):
        states = {} if before is not None and _cut(plant, before, interval) else states
        states = {
            column: _next(plant, states.get(column, IDLE), interval, column) for column in horizons
        }
        shown.append(
            [
                _shown(plant, interval, column, hours, states[column])
                for column, hours in horizons.items()
            ]
        )
    return shown


def warned(plant: Plant, newest: PlantAssessment | None, plant_time: datetime | None) -> Warned:
    """The warnings after the newest assessment; none are claimed where it is missing or too old."""
    known_at = newest.assessment.known_at if newest else None
    if newest is None or known_at is None:
        return Warned((), "no assessment yet")
    if plant_time is not None and plant_time - known_at > OLDEST_ASSESSMENT * plant.time.cadence:
        return Warned((), f"no assessment since {known_at.astimezone(plant.zone):%Y-%m-%d %H:%M}")
    return Warned(newest.warnings)


def _next(plant: Plant, state: State, interval: Past, column: str) -> State:
    told = _forecast(interval, column)
    if told is None or told["threshold"] is None:
        return step(
            WarningRule.of(plant, 1.0), state, _known_at(plant, interval), nan, interval.in_alarm
        )
    score = nan if told["score"] is None else told["score"]
    return step(
        WarningRule.of(plant, told["threshold"]),
        state,
        _known_at(plant, interval),
        score,
        interval.in_alarm,
    )


def _known_at(plant: Plant, interval: Past) -> float:
    return (interval.start + plant.time.cadence).timestamp()


def _cut(plant: Plant, before: Past, after: Past) -> bool:
    """Whether a gap lies between two intervals that nothing may be carried over."""
    return after.start - before.start > plant.time.longest_gap or after.row.get("segment") == -1


def _forecast(interval: Past, column: str) -> Body | None:
    """What a forecaster said of an interval."""
    return next(
        (one for one in (interval.said or {}).get("forecasts", []) if one["column"] == column), None
    )


def _shown(
    plant: Plant, interval: Past, column: str, horizon_hours: int, state: State
) -> WarningState:
    since = (
        datetime.fromtimestamp(state.since, UTC) if state.on and state.since is not None else None
    )
    told = _forecast(interval, column) or {}
    score = told.get("score")
    horizon = next((one.horizon for one in model_list(plant) if one.column == column), None)
    ahead = horizon or timedelta(hours=horizon_hours)
    return WarningState(
        column=column,
        horizon_hours=horizon_hours,
        standing=state.on,
        since=since,
        score=score,
        threshold=told.get("threshold"),
        text=forecast_text(score, ahead) if state.on and score is not None else None,
    )


__all__ = ["LEAD_IN", "OLDEST_ASSESSMENT", "said", "warned", "warnings"]
