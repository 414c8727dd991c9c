"""Bodies of the sensor API: the newest readings, recent readings and intervals, and the plant."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from alarmstack.services.schemas.instants import Instant
from alarmstack.services.schemas.observations import Number, Observation, Reading

Age = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
"""Seconds: up to about thirty years, in both directions."""


class Live(BaseModel):
    """The newest value of each instrument, and the active scenario."""

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
"""Readings that a feed keeps, one for each step."""


class Readings(BaseModel):
    """Readings, oldest first, with the ages (in seconds) and setpoints of each."""

    readings: list[Reading]
    count: int
    ages: list[dict[str, Age | None]] = []
    setpoints: list[dict[str, Number | None]] = []


class Intervals(BaseModel):
    """Intervals of one cadence each, oldest first."""

    intervals: list[Observation]
    count: int


class Scenario(BaseModel):
    """A scenario that the simulated plant can run."""

    name: str
    description: str
    color: str
    active: bool


class Activation(BaseModel):
    """The scenario to run from now."""

    name: str = Field(examples=["pressure_rise"], max_length=100)


class Sensor(BaseModel):
    """One instrument of the feed."""

    key: str
    tag: str
    title: str
    unit: str
    process_unit: str


class FeedMeta(BaseModel):
    """The plant and its clock. `speed`: plant seconds in a wall second. Durations in seconds."""

    plant: str
    fingerprint: str
    simulated: bool
    simulator_version: str
    timezone: str
    cadence_seconds: float
    step_seconds: float
    speed: float
    plant_time: Instant
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
