"""What a historian keeps of a plant's motion: it looks now and then, and writes what has moved by more than its deadband.

After a long silence a value is written all the same. A stuck transmitter and a dead historian leave nothing.
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
"""Steps after which a value is written although it has not moved: 6 h at 5 min."""
ALWAYS = 4.0
"""A move of this many deadbands is written at once, whether the historian looks or not."""
DIGITS = 3


def written(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    hours: Floats,
    signals: Mapping[str, Floats],
    found: Sequence[Happening],
    last: dict[str, tuple[float, int]],
    seed: int,
) -> pl.DataFrame:
    """Readings (READING_SCHEMA) of the steps at `hours` since `begin`; `last` remembers each signal's last value and its age
    in steps and is brought up to date in place. Values are cut to what the transmitter can say.
    """
    ranges = {i.tag: i.range for i in plant.instruments} | {
        c.op: (0.0, 100.0) for c in plant.controllers
    }
    step = parameters.step.total_seconds()
    per_hour = round(HOUR / step)
    names = ("*", *plant.signals, *(f"jitter {s}" for s in plant.signals))
    draws = Draws(seed, HISTORIAN, round(float(hours[0])), len(hours) // per_hour, per_hour, names)
    looks = parameters.step / parameters.scan.every
    together = draws.uniform("*") < looks * parameters.scan.shared
    frames = []
    for name in plant.signals:
        low, high = ranges.get(name, (-np.inf, np.inf))
        values = np.asarray(np.round(np.clip(signals[name], low, high), DIGITS), float)
        seen = together | (draws.uniform(name) < looks * (1 - parameters.scan.shared))
        kept = _moved(values, seen, deadband_of(plant, parameters, name), name, last) & ~_silent(
            name, hours, found
        )
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
    """How far a signal must move to be written; a setpoint is written whenever it moves."""
    for controller in plant.controllers:
        if name == controller.op:
            return parameters.loops[controller.name].output_deadband
        if name == controller.sp:
            return 0.0
    return parameters.signals[name].deadband


def _moved(
    values: Floats, seen: Mask, deadband: float, name: str, last: dict[str, tuple[float, int]]
) -> Mask:
    kept = np.zeros(len(values), bool)
    value, age = last.get(name, (np.inf, 0))
    for place, (now, looked) in enumerate(zip(values.tolist(), seen.tolist(), strict=True)):
        age += 1
        moved = abs(now - value)
        if (looked and moved > deadband) or moved > ALWAYS * deadband or age >= SILENCE_STEPS:
            kept[place] = True
            value, age = now, 0
    last[name] = (value, age)
    return kept


def _silent(name: str, hours: Floats, found: Sequence[Happening]) -> Mask:
    quiet = np.zeros(len(hours), bool)
    for one in found:
        if one.silent == "*" or (
            one.silent is not None and name.startswith(one.silent.removesuffix("_PV"))
        ):
            quiet |= (hours >= one.begin) & (hours < one.end)
    return quiet


def since(begin: datetime, hours: float) -> datetime:
    """The moment some hours after the beginning, to the second."""
    return begin + timedelta(seconds=round(hours * HOUR))


__all__ = ["deadband_of", "since", "written"]
