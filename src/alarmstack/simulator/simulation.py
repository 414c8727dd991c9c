"""A simulated plant: the readings of its historian, the operator log and, separately, the truth.

    simulate(plant, start=…, days=28, seed=7) -> Simulation

Pure: the same arguments give the same result. For each event the truth has the time when it began
to act, whether it had a precursor, and when its limit was crossed. No model may read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from alarmstack.core.intervals import LOG_SCHEMA, READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.simulator.dynamics import BATCH, Motion, State, jittered
from alarmstack.simulator.events import HOUR, Happening, schedule
from alarmstack.simulator.historian import since, written
from alarmstack.simulator.parameters import Parameters, load_parameters

SIMULATOR_VERSION = "1"
HOURS_A_DAY = 24
ASSET_PRIME = 1_000_003
"""Separates the seeds of assets further than any number of seeds in use."""
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


@dataclass(frozen=True)
class Simulation:
    """Readings (READING_SCHEMA), operator log (LOG_SCHEMA), truth (TRUTH_SCHEMA) of one plant."""

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
    """Simulate `days` of a plant from the hour of `start`.

    `asset` names one of several plants, which has parameters of its own.
    """
    begin = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    parameters = load_parameters(plant)
    if asset != "plant":
        parameters = jittered(parameters, asset)
    random = np.random.default_rng([seed, sum(ord(letter) for letter in asset)])
    measured = [i.tag for i in plant.modelled]
    happenings = schedule(parameters, days, random, measured)
    # One hour more than the days: like the real month, an export ends at the hour of its start.
    readings = _run(
        plant,
        parameters,
        begin,
        days * HOURS_A_DAY + 1,
        seed + sum(ord(letter) for letter in asset) * ASSET_PRIME,
        happenings,
    )
    truth = _truth(plant, parameters, begin, days, asset, readings, happenings)
    return Simulation(
        asset,
        seed,
        begin,
        days,
        readings,
        _operator_log(parameters, begin, days, happenings, random),
        truth,
    )


def simulate_fleet(
    plant: Plant, *, start: datetime, days: int, seed: int, assets: int
) -> Iterator[tuple[str, Simulation]]:
    """Several plants, one after another. A single plant has no asset number."""
    for number in range(assets):
        name = "plant" if assets == 1 else f"asset_{number + 1:03d}"
        yield name, simulate(plant, start=start, days=days, seed=seed + number, asset=name)


def _run(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    hours: int,
    seed: int,
    happenings: Sequence[Happening],
) -> pl.DataFrame:
    motion, state = Motion(plant, parameters, seed), State()
    last: dict[str, tuple[float, int]] = {}
    parts: list[pl.DataFrame] = []
    while state.hour < hours:
        state, now, signals = motion.advance(state, min(BATCH, hours - state.hour), happenings)
        parts.append(written(plant, parameters, begin, now, signals, happenings, last, seed))
    return pl.concat(parts).sort("tag", "time").select(*READING_SCHEMA)


def _operator_log(
    parameters: Parameters,
    begin: datetime,
    days: int,
    happenings: Sequence[Happening],
    random: np.random.Generator,
) -> pl.DataFrame:
    """An operator log as people write it: late, in whole hours, and with one event missing."""
    logged = [
        happened
        for happened in happenings
        if happened.fault and happened.event.logged and happened.end < days * HOURS_A_DAY
    ]
    if len(logged) > 1:
        logged.pop(int(random.integers(len(logged))))
    low, high = (late.total_seconds() / HOUR for late in parameters.late_log)
    rows = [
        (
            since(begin, float(np.floor(happened.breakout + random.uniform(low, high)))),
            since(begin, float(np.ceil(happened.end + random.uniform(low, high)))),
            happened.event.name.replace("_", " "),
        )
        for happened in logged
    ]
    return pl.DataFrame(rows, schema=LOG_SCHEMA, orient="row")


def _truth(
    plant: Plant,
    parameters: Parameters,
    begin: datetime,
    days: int,
    asset: str,
    readings: pl.DataFrame,
    happenings: Sequence[Happening],
) -> pl.DataFrame:
    block = close_intervals(plant, readings)
    exceeded = block.start[any_rule(plant, block)]
    rows = []
    for happened in happenings:
        times = (since(begin, happened.begin), since(begin, happened.end))
        first, last = (np.datetime64(time.replace(tzinfo=None), "us") for time in times)
        near = (exceeded >= first - np.timedelta64(plant.time.cadence)) & (exceeded <= last)
        crossings = exceeded[near]
        crossed = None
        if happened.fault and len(crossings):
            crossed = datetime.fromisoformat(str(crossings[0])).replace(tzinfo=UTC)
        rows.append(
            (
                asset,
                happened.event.name,
                happened.fault,
                happened.has_precursor and happened.fault,
                since(begin, happened.begin),
                since(begin, happened.breakout),
                crossed,
                since(begin, happened.end),
            )
        )
    ends = begin + timedelta(days=days)
    return pl.DataFrame(rows, schema=TRUTH_SCHEMA, orient="row").filter(
        pl.col("physical_onset") < ends
    )


__all__ = ["SIMULATOR_VERSION", "Simulation", "simulate", "simulate_fleet"]
