"""Bodies of the sensor API: what the plant says now, said lately, and what it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from alarmstack.services.schemas.instants import Moment
from alarmstack.services.schemas.observations import Number, Observation, Reading

Age = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
"""Seconds: about thirty years either way."""


class Live(BaseModel):
    """The newest value of each instrument and the scenario that is being played."""

    reading: Reading
    scenario: str
    scenario_description: str
    scenario_color: str
    ages: dict[str, Age | None] = Field(
        default={}, description="Seconds since each instrument's last reading."
    )
    setpoints: dict[str, Number | None] = Field(
        default={}, description="The newest setpoint of each controller, by key."
    )


KEPT_READINGS = 600
"""Readings that a feed keeps, one a step."""


class Readings(BaseModel):
    """Readings, oldest first. `ages`: of each, seconds since each instrument's last reading at that time; `setpoints`: of each."""

    readings: list[Reading]
    count: int
    ages: list[dict[str, Age | None]] = []
    setpoints: list[dict[str, Number | None]] = []


class Intervals(BaseModel):
    """Intervals, each a cadence long, oldest first."""

    intervals: list[Observation]
    count: int


class Scenario(BaseModel):
    """Something the simulated plant can be asked to do."""

    name: str
    description: str
    color: str
    active: bool


class Activation(BaseModel):
    """Which scenario to play from now on."""

    name: str = Field(examples=["pressure_rise"], max_length=100)


class Sensor(BaseModel):
    """One instrument as the feed names it."""

    key: str
    tag: str
    title: str
    unit: str
    process_unit: str


class FeedMeta(BaseModel):
    """What plays, on which clock. `speed`: plant seconds in a wall second; durations in seconds."""

    plant: str
    fingerprint: str
    simulated: bool
    simulator_version: str
    timezone: str
    cadence_seconds: float
    step_seconds: float
    speed: float
    plant_time: Moment
    sensors: list[Sensor]


__all__ = [
    "KEPT_READINGS",
    "Activation",
    "FeedMeta",
    "Intervals",
    "Live",
    "Readings",
    "Scenario",
    "Sensor",
]
