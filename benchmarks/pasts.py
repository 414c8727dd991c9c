"""A synthetic plant history as large as that of real models, for benchmarks and tests of growth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.services.monitor.warning import outputs_of
from alarmstack.services.schemas.inference import (
    Assessment,
    Driver,
    ModelOutput,
    ModelRef,
    RuleState,
    TagQuality,
)
from alarmstack.services.schemas.observations import Observation, observation_keys
from alarmstack.storage.database import Database, plant_history

MISSING_FEATURES = 12
"""Features that one model output lists as missing: about as many as in a normal hour of the
simulated plant.
"""
DRIVERS = 30
"""Contributions in one assessment, as for the simulated plant."""
BATCH = 500
"""Intervals that are stored in one transaction."""


@dataclass(frozen=True)
class Hour:
    """An interval and its assessment."""

    row: Observation
    assessment: Assessment


def hours(plant: Plant, begin: datetime, count: int, seed: int = 0) -> Iterator[Hour]:
    """`count` consecutive intervals from `begin`.

    Numbers have their full length, a few intervals are in alarm, and some scores are over their
    threshold.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield _hour(plant, begin + number * plant.time.cadence, rng)


async def fill(
    database: Database, plant: Plant, begin: datetime, count: int, seed: int = 0
) -> None:
    """Store `count` intervals of `hours` in the database."""
    history, left = hours(plant, begin, count, seed), count
    while left > 0:
        async with database.begin() as session:
            for _, hour in zip(range(BATCH), history, strict=False):
                start, assessment = hour.row.timestamp, hour.assessment
                assert start is not None
                await plant_history.store(
                    session, plant.name, start, hour.row.model_dump(mode="json"), start
                )
                body = assessment.model_dump(mode="json")
                await plant_history.store_assessment(
                    session,
                    plant.name,
                    start,
                    body,
                    outputs_of(assessment),
                    assessment.in_alarm_now,
                    start,
                )
        left -= BATCH


def _hour(plant: Plant, start: datetime, rng: np.random.Generator) -> Hour:
    in_alarm = bool(rng.random() < 0.02)
    values = {key: round(float(rng.normal(100, 10)), 4) for key in observation_keys(plant)}
    models = [
        ModelOutput(
            name=one.name,
            column=one.column,
            title=one.title,
            kind=one.kind,
            horizon_hours=one.horizon_hours,
            unit=one.unit,
            score=None if one.kind == "classes" else float(rng.random() ** 4),
            probabilities={"normal": float(rng.random()), "other": float(rng.random())}
            if one.kind == "classes"
            else None,
            threshold=None if one.kind == "classes" else 0.340448196832639,
            alarm=0,
            missing=[f"{next(iter(values))}_slope_{lag}" for lag in range(MISSING_FEATURES)],
            model=ModelRef(name=one.name, version="1"),
        )
        for one in model_list(plant)
    ]
    assessment = Assessment(
        timestamp=start,
        known_at=start + plant.time.cadence,
        n_intervals=plant.lookback,
        in_alarm_now=in_alarm,
        models=models,
        drivers=[_driver(plant, rng, number) for number in range(DRIVERS)],
        rules=[
            RuleState(name=r.name, column=r.column, value=1.5, above=r.above, unit="", met=in_alarm)
            for r in plant.labels.rules
        ],
        quality=[
            TagQuality(key=i.key, status="good", value=values[i.key], age_seconds=60.0)
            for i in plant.modelled
        ],
    )
    return Hour(Observation(timestamp=start, segment=0, **values), assessment)


def _driver(plant: Plant, rng: np.random.Generator, number: int) -> Driver:
    instrument = plant.modelled[number % len(plant.modelled)]
    return Driver(
        feature=f"{instrument.key}_deviation_from_mean_{number}h",
        key=instrument.key,
        value=float(rng.normal()),
        contribution=float(rng.normal()),
        text=f"{instrument.title}: deviation from the mean of {number} h: "
        f"{rng.normal():.1f} {instrument.unit}",
        column="risk_score",
    )


__all__ = ["Hour", "fill", "hours"]
