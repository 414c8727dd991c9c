"""The readings that a historian stores: it samples, and stores values that moved by the deadband.

After a long time without a change a value is stored too. A stuck transmitter or a historian that is
down gives no readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from alarmstack.core.intervals import READING_SCHEMA, Floats, Mask
from alarmstack.core.plant import Plant
from alarmstack.simulator.chance import HISTORIAN, Draws
from alarmstack.simulator.events import HOUR, Happening
from alarmstack.simulator.parameters import Parameters

SILENCE_STEPS = 72
"""Steps after which a value is stored although it has not moved: 6 h at 5 min."""
ALWAYS = 4.0
"""A move of this many deadbands is stored at once, between samples too."""
DIGITS = 3
"""Digits after the decimal point of stored values."""
OUTPUT_RANGE = (0.0, 100.0)
"""Per cent of a controller's output."""


def written(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    hours: Floats,
    signals: Mapping[str, Floats],
    happenings: Sequence[Happening],
    last: dict[str, tuple[float, int]],
    seed: int,
) -> pl.DataFrame:
    """Readings (READING_SCHEMA) of the steps at `hours` since `begin`.

    `last` has the last value of each signal and its age in steps, and is updated in place. Values
    are clipped to the range of the transmitter.
    """
    ranges = {i.tag: i.range for i in plant.instruments}
    ranges |= {c.op: OUTPUT_RANGE for c in plant.controllers}
    step = parameters.step.total_seconds()
    per_hour = round(HOUR / step)
    names = ("*", *plant.signals, *(f"jitter {s}" for s in plant.signals))
    draws = Draws(seed, HISTORIAN, round(float(hours[0])), len(hours) // per_hour, per_hour, names)
    sampled_share = parameters.step / parameters.scan.every
    together = draws.uniform("*") < sampled_share * parameters.scan.shared
    frames = []
    for name in plant.signals:
        low, high = ranges.get(name, (-np.inf, np.inf))
        values = np.asarray(np.round(np.clip(signals[name], low, high), DIGITS), float)
        alone = draws.uniform(name) < sampled_share * (1 - parameters.scan.shared)
        kept = _moved(
            values, together | alone, deadband_of(plant, parameters, name), name, last
        ) & ~_silent(name, hours, happenings)
        jitter = np.floor(draws.uniform(f"jitter {name}") * step)
        seconds = (np.floor(hours * HOUR + 0.5) + jitter)[kept]
        times = np.datetime64(begin.replace(tzinfo=None), "us") + (seconds * 1e6).astype(
            "timedelta64[us]"
        )
        frames.append(
            pl.DataFrame(
                {"tag": [name] * len(times), "time": times, "value": values[kept]},
                schema_overrides={"tag": pl.String},
            )
        )
    return (
        pl.concat(frames)
        .with_columns(pl.col("time").dt.replace_time_zone("UTC"))
        .select(*READING_SCHEMA)
    )


def deadband_of(plant: Plant, parameters: Parameters, name: str) -> float:
    """How far a signal must move to be stored. Every move of a setpoint is stored."""
    for controller in plant.controllers:
        if name == controller.op:
            return parameters.loops[controller.name].output_deadband
        if name == controller.sp:
            return 0.0
    return parameters.signals[name].deadband


def _moved(
    values: Floats, sampled: Mask, deadband: float, name: str, last: dict[str, tuple[float, int]]
) -> Mask:
    kept = np.zeros(len(values), bool)
    value, age = last.get(name, (np.inf, 0))
    for place, (now, sample) in enumerate(zip(values.tolist(), sampled.tolist(), strict=True)):
        age += 1
        moved = abs(now - value)
        if (sample and moved > deadband) or moved > ALWAYS * deadband or age >= SILENCE_STEPS:
            kept[place] = True
            value, age = now, 0
    last[name] = (value, age)
    return kept


def _silent(name: str, hours: Floats, happenings: Sequence[Happening]) -> Mask:
    quiet = np.zeros(len(hours), bool)
    for happened in happenings:
        if happened.silent == "*" or (
            happened.silent is not None and name.startswith(happened.silent.removesuffix("_PV"))
        ):
            quiet |= (hours >= happened.begin) & (hours < happened.end)
    return quiet


def since(begin: datetime, hours: float) -> datetime:
    """The instant this many hours after the beginning, to the second."""
    return begin + timedelta(seconds=round(hours * HOUR))


__all__ = ["deadband_of", "since", "written"]
