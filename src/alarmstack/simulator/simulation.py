"""A simulated plant: what its historian wrote, what its operators wrote, and, apart, the truth.

    simulate(plant, start=…, days=28, seed=7) -> Simulation

Pure: the same arguments give the same result. The truth says of every event when it began to act, whether it had a
precursor, and when its limit was crossed; no model may read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.simulator.dynamics import BATCH, Motion, State, jittered
from alarmstack.simulator.events import Happening, schedule
from alarmstack.simulator.historian import since, written
from alarmstack.simulator.parameters import Parameters, load_parameters

SIMULATOR_VERSION = "1"
UTC_TIME = pl.Datetime("us", "UTC")
TRUTH_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "asset": pl.String,
    "fault": pl.String,
    "is_fault": pl.Boolean,
    "has_precursor": pl.Boolean,
    "physical_onset": UTC_TIME,
    "breakout": UTC_TIME,
    "limit_crossing": UTC_TIME,
    "end": UTC_TIME,
}
LOG_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "start": UTC_TIME,
    "end": UTC_TIME,
    "description": pl.String,
}


@dataclass(frozen=True)
class Simulation:
    """Readings (READING_SCHEMA), the operator log (start, end, description) and the truth (TRUTH_SCHEMA) of one plant."""

    asset: str
    seed: int
    start: datetime
    days: int
    readings: pl.DataFrame
    operator_log: pl.DataFrame
    truth: pl.DataFrame


def simulate(
    plant: Plant, *, start: datetime, days: int, seed: int, asset: str = "plant"
) -> Simulation:
    """Simulate `days` of a plant from the hour of `start` on. `asset` names one plant of a fleet, with parameters of its own."""
    begin = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    parameters = load_parameters(plant)
    if asset != "plant":
        parameters = jittered(parameters, asset)
    random = np.random.default_rng([seed, sum(ord(letter) for letter in asset)])
    measured = [i.tag for i in plant.modelled]
    found = schedule(parameters, days, random, measured)
    # One hour more than the days: an export ends with the stamp it began with, as the real month's does.
    readings = _run(
        plant,
        parameters,
        begin,
        days * 24 + 1,
        seed + sum(ord(c) for c in asset) * 1_000_003,
        found,
    )
    truth = _truth(plant, parameters, begin, days, asset, readings, found)
    return Simulation(
        asset,
        seed,
        begin,
        days,
        readings,
        _operator_log(parameters, begin, days, found, random),
        truth,
    )


def simulate_fleet(
    plant: Plant, *, start: datetime, days: int, seed: int, assets: int
) -> Iterator[tuple[str, Simulation]]:
    """Several plants, one after another; a single one is the plant itself."""
    for number in range(assets):
        name = "plant" if assets == 1 else f"asset_{number + 1:03d}"
        yield name, simulate(plant, start=start, days=days, seed=seed + number, asset=name)


def _run(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    hours: int,
    seed: int,
    found: Sequence[Happening],
) -> pl.DataFrame:
    motion, state = Motion(plant, parameters, seed), State()
    last: dict[str, tuple[float, int]] = {}
    parts: list[pl.DataFrame] = []
    while state.hour < hours:
        state, now, signals = motion.advance(state, min(BATCH, hours - state.hour), found)
        parts.append(written(plant, parameters, begin, now, signals, found, last, seed))
    return pl.concat(parts).sort("tag", "time").select(*READING_SCHEMA)


def _operator_log(
    parameters: Parameters,
    begin: datetime,
    days: int,
    found: Sequence[Happening],
    random: np.random.Generator,
) -> pl.DataFrame:
    """As people write it: late, in whole hours, one event forgotten."""
    logged = [one for one in found if one.fault and one.event.logged and one.end < days * 24]
    if len(logged) > 1:
        logged.pop(int(random.integers(len(logged))))
    low, high = (d.total_seconds() / 3600 for d in parameters.late_log)
    rows = [
        (
            since(begin, float(np.floor(one.breakout + random.uniform(low, high)))),
            since(begin, float(np.ceil(one.end + random.uniform(low, high)))),
            one.event.name.replace("_", " "),
        )
        for one in logged
    ]
    return pl.DataFrame(rows, schema=LOG_SCHEMA, orient="row")


def _truth(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    days: int,
    asset: str,
    readings: pl.DataFrame,
    found: Sequence[Happening],
) -> pl.DataFrame:
    block = close_intervals(plant, readings)
    broken = block.start[any_rule(plant, block)]
    rows = []
    for one in found:
        first, last = (
            np.datetime64(since(begin, h).replace(tzinfo=None), "us") for h in (one.begin, one.end)
        )
        hit = broken[(broken >= first - np.timedelta64(plant.time.cadence)) & (broken <= last)]
        crossed = (
            None
            if not (one.fault and len(hit))
            else datetime.fromisoformat(str(hit[0])).replace(tzinfo=UTC)
        )
        times = (
            since(begin, one.begin),
            since(begin, one.breakout),
            crossed,
            since(begin, one.end),
        )
        rows.append((asset, one.event.name, one.fault, one.has_precursor and one.fault, *times))
    ends = begin + timedelta(days=days)
    return pl.DataFrame(rows, schema=TRUTH_SCHEMA, orient="row").filter(
        pl.col("physical_onset") < ends
    )


__all__ = ["SIMULATOR_VERSION", "Simulation", "simulate", "simulate_fleet"]
