"""Horizons in API bodies: a duration such as `1h` or `10min`, and beside it the same in hours.

Bodies carry both, so that clients which count in hours keep working. Either of them can be left out
when a body is built or was stored by an earlier release: it is derived from the other one. In
requests a whole number means hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from alarmstack.core.plant import duration_in_hours, parse_duration, write_duration

Horizon = Annotated[
    str, Field(examples=["1h", "10min"], description="How far ahead it looks, as a duration.")
]
HorizonHours = Annotated[
    int | float, Field(examples=[1, 0.1667], description="The horizon in hours.")
]


def horizon_forms(horizon: timedelta) -> dict[str, Any]:
    """Both fields of a body.

    >>> horizon_forms(timedelta(minutes=10))
    {'horizon': '10min', 'horizon_hours': 0.1667}
    """
    return {"horizon": write_duration(horizon), "horizon_hours": duration_in_hours(horizon)}


class WithHorizon(BaseModel):
    """A body with `horizon` and `horizon_hours`, of which each is derived from the other one."""

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        duration, hours = content.get("horizon"), content.get("horizon_hours")
        if isinstance(duration, str) and hours is None:
            return {**content, "horizon_hours": duration_in_hours(parse_duration(duration))}
        if duration is None and isinstance(hours, int | float):
            return {**content, "horizon": write_duration(_from_hours(hours))}
        if "horizon" in content or "horizon_hours" in content:
            return {**content, "horizon": duration, "horizon_hours": hours}
        return content


def _requested(value: object) -> object:
    """A requested horizon: a whole number of hours as `int`, a duration as it was written.

    Raises ValueError that names the allowed forms.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int | str):
        raise ValueError('write a duration such as "1h" or "10min", or a whole number of hours')
    hours = str(value).isdecimal()
    if parse_duration(f"{value}h" if hours else value) <= timedelta(0):
        raise ValueError("use a horizon longer than 0")
    return int(value) if hours else value


RequestedHorizon = Annotated[
    int | str,
    BeforeValidator(_requested),
    Field(
        examples=[1, "1h", "10min"],
        description="A duration, or a whole number of hours.",
    ),
]
RequestedHours = Annotated[
    float,
    Field(
        gt=0,
        le=87_840,
        examples=[1, 0.5],
        description="The horizon in hours, in place of `horizon`.",
    ),
]


def requested_horizon(horizon: int | str | None, horizon_hours: float | None) -> timedelta | None:
    """The horizon of a request; None if it names none.

    Raises ValueError if both are given and differ.
    """
    from_hours = None if horizon_hours is None else _from_hours(horizon_hours)
    if horizon is None:
        return from_hours
    named = parse_duration(f"{horizon}h" if isinstance(horizon, int) else horizon)
    if from_hours is not None and from_hours != named:
        raise ValueError(
            f"horizon {horizon!r} and horizon_hours {horizon_hours:g} differ: give one of them"
        )
    return named


def requested_form(horizon: timedelta) -> int | str:
    """A horizon as a request writes it: whole hours as a number.

    >>> requested_form(timedelta(hours=3)), requested_form(timedelta(minutes=10))
    (3, '10min')
    """
    hours = duration_in_hours(horizon)
    return hours if isinstance(hours, int) else write_duration(horizon)


def _from_hours(hours: float) -> timedelta:
    """Hours as a duration in whole seconds: clients round them, as in 0.1667 for 10 minutes."""
    return timedelta(seconds=round(timedelta(hours=hours).total_seconds()))


__all__ = [
    "Horizon",
    "HorizonHours",
    "RequestedHorizon",
    "RequestedHours",
    "WithHorizon",
    "horizon_forms",
    "requested_form",
    "requested_horizon",
]
