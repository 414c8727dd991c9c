"""Interval blocks and readings that are generated from a seed, for property tests."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.preparation.interval_closer import close_intervals

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
STEP = 0.02
"""Standard deviation of the random walk's steps and of the noise."""
AMPLITUDE_SHARE = 0.4
"""Values stay within this share of the range above and below its middle."""


def readings(
    plant: Plant, hours: int, seed: int, gap: tuple[int, int] | None = None
) -> pl.DataFrame:
    """Irregular readings of every signal around the middle of its range.

    The hours inside `gap` have no readings.
    """
    random = np.random.default_rng(seed)
    ranges = {i.tag: i.range for i in plant.instruments}
    frames = []
    for signal in plant.signals:
        low, high = ranges.get(signal, (0.0, 100.0))
        seconds = np.unique(random.integers(0, hours * 3600, hours * 2))
        if gap is not None:
            seconds = seconds[(seconds < gap[0] * 3600) | (seconds >= gap[1] * 3600)]
        walk = np.cumsum(random.normal(0, STEP, len(seconds)))
        noise = random.normal(0, STEP, len(seconds))
        middle, amplitude = (low + high) / 2, AMPLITUDE_SHARE * (high - low)
        frames.append(
            pl.DataFrame(
                {
                    "tag": signal,
                    "time": [BEGIN + timedelta(seconds=int(s)) for s in seconds],
                    "value": middle + amplitude * np.tanh(walk + noise),
                },
                schema=READING_SCHEMA,
            )
        )
    return pl.concat(frames).sort("time")


def block(plant: Plant, hours: int, seed: int, gap: tuple[int, int] | None = None) -> IntervalBlock:
    return close_intervals(plant, readings(plant, hours, seed, gap))
