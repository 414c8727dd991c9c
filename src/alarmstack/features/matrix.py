"""The feature code: an interval block in, a feature matrix out.

Training, batch scoring and live serving call the same functions. There are two groups of features.
*Point* features describe one row and its past, for models of the present state: values, spreads,
rolling statistics, deltas, deviations, controller effort, time of day, and how often limits were
exceeded recently. *Window* features describe the last window of rows, for the forecasters: level,
spread, trend, shifts, distance to the limits, and the difference to the days before the window.

All features are causal and NaN-aware: a missing input makes its features missing, never zero. Sums
are taken in a fixed order over shifted copies. Neither later data nor the start of a chunk can
change a single bit of the result. The same code gives the names and the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl

from alarmstack.core.errors import FeatureError
from alarmstack.core.intervals import STATISTICS, Floats, IntervalBlock
from alarmstack.core.plant import Plant, write_duration
from alarmstack.preparation.derived import (
    any_rule,
    column,
    deviation,
    looking_back,
    mean_and_std,
    shifted,
    short_statistics,
)

Group = Literal["point", "window"]
GROUPS: tuple[Group, ...] = ("point", "window")
Named = Iterator[tuple[str, Floats]]

RECENT = 3
"""Rows at the end of a window that are compared with the rest of it."""
UNREST_ROWS = RECENT + 3
"""Row-to-row moves that the feature `unrest` averages."""
LIMIT_OUT_OF_REACH = 48.0
"""Hours to a limit are clipped here.

A trend that needs more than two days to reach the limit, or leads away from it, is no warning sign.
"""


def build(plant: Plant, block: IntervalBlock, group: Group) -> Floats:
    """Feature matrix: float64 [rows, features], columns in the order of `feature_names`.

    The first rows of a block have less than `plant.lookback` rows of history. Features that need
    more are NaN there.
    """
    return np.stack([values for _, values in _features(plant, block, group)], axis=1)


def feature_names(plant: Plant, group: Group) -> tuple[str, ...]:
    """Names of a group's features, in the order of the matrix."""
    return tuple(name for name, _ in _features(plant, _empty_block(plant), group))


def source_of(plant: Plant, feature: str) -> str | None:
    """Key of the instrument or controller behind a feature; None for the clock and the counts."""
    keys = [i.key for i in plant.modelled] + [c.name.lower() for c in plant.controllers]
    matching = (key for key in keys if feature == key or feature.startswith(f"{key}_"))
    return max(matching, key=len, default=None)


def _features(plant: Plant, block: IntervalBlock, group: Group) -> Named:
    groups = {"point": _point, "window": _window}
    if group not in groups:
        raise FeatureError(f"feature group {group!r} is unknown: use one of {', '.join(groups)}")
    return groups[group](plant, block)


def _point(plant: Plant, block: IntervalBlock) -> Named:
    yield from _clock(plant, block)
    yield _failure_frequency(plant, block)
    for instrument in plant.modelled:
        yield from _instrument_now(plant, block, instrument.tag, instrument.key)
    for controller in plant.controllers:
        name = controller.name.lower()
        yield f"{name}_op", block.statistic(controller.op)
        yield f"{name}_sp", block.statistic(controller.sp)
        yield f"{name}_deviation", deviation(block, controller)
        yield f"{name}_deviation_max", deviation(block, controller, "max")
        yield f"{name}_effort_{_long(plant)}", _effort(plant, block, controller.op)
    for tag in plant.derived.short_statistics:
        mean, std = short_statistics(plant, block, tag)
        short = write_duration(plant.time.short_window)
        yield f"{tag.lower()}_roll{short}_mean", mean
        yield f"{tag.lower()}_roll{short}_std", std


def _instrument_now(plant: Plant, block: IntervalBlock, tag: str, key: str) -> Named:
    median, high, low = (block.statistic(tag, s) for s in ("median", "max", "min"))
    yield key, median
    yield f"{key}_max", high
    yield f"{key}_min", low
    yield f"{key}_spread", high - low
    mean, std = mean_and_std(
        looking_back(median, block.segment, plant.rows(plant.time.statistics_window))
    )
    yield f"{key}_mean_{_long(plant)}", mean
    yield f"{key}_std_{_long(plant)}", std
    for back in (1, RECENT):
        yield f"{key}_delta_{_hours(plant, back)}", median - shifted(median, block.segment, back)


def _window(plant: Plant, block: IntervalBlock) -> Named:
    yield from _clock(plant, block)
    for instrument in plant.modelled:
        yield from _instrument_window(plant, block, instrument.tag, instrument.key)
    for controller in plant.controllers:
        name = controller.name.lower()
        for signal, end in ((controller.op, "op"), (controller.sp, "sp")):
            values = block.statistic(signal)
            past = looking_back(values, block.segment, plant.rows(plant.time.window))
            yield f"{name}_{end}_last", past[0]
            yield f"{name}_{end}_shift", _shift(past)
        yield f"{name}_deviation_last", deviation(block, controller)
        yield f"{name}_effort_{_long(plant)}", _effort(plant, block, controller.op)
    for rule in plant.labels.rules:
        value = rule.height(column(plant, block, rule.column))
        past = looking_back(value, block.segment, plant.rows(plant.time.window))
        yield f"{rule.name}_margin", rule.level - value
        yield f"{rule.name}_peak", rule.height(_fmax(past))
        yield f"{rule.name}_hours_to_limit", _hours_to_limit(plant, past, rule.level)


def _instrument_window(plant: Plant, block: IntervalBlock, tag: str, key: str) -> Named:
    window = plant.rows(plant.time.window)
    median = block.statistic(tag)
    history = looking_back(median, block.segment, window + plant.rows(plant.time.frequency_window))
    past, before = history[:window], history[window:]
    mean, std = mean_and_std(past)
    level_before = _median(before)
    yield f"{key}_last", past[0]
    yield f"{key}_mean", mean
    yield f"{key}_std", std
    yield f"{key}_trend", _trend(past) / _cadence_hours(plant)
    yield f"{key}_shift", _shift(past)
    yield f"{key}_recent", mean_and_std(past[:RECENT])[0] - level_before
    yield f"{key}_half", mean_and_std(past[: window // 2])[0] - level_before
    yield f"{key}_level", mean - level_before
    moves = np.abs(past[:UNREST_ROWS] - past[1 : UNREST_ROWS + 1])
    yield f"{key}_unrest", mean_and_std(moves)[0]
    spread = looking_back(
        block.statistic(tag, "max") - block.statistic(tag, "min"), block.segment, window
    )
    yield f"{key}_spread_recent", mean_and_std(spread[:RECENT])[0]
    yield f"{key}_spread_mean", mean_and_std(spread)[0]
    yield f"{key}_max_last", block.statistic(tag, "max")
    yield f"{key}_min_last", block.statistic(tag, "min")


def clock(plant: Plant, block: IntervalBlock) -> Floats:
    """Time of day as a circle, in plant time: float64 [rows, 2], sine and cosine."""
    utc = pl.Series(block.start.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(plant.timezone)
    hours = local.dt.hour().to_numpy() + local.dt.minute().to_numpy() / 60
    angle = 2 * np.pi * hours / 24
    return np.stack((np.sin(angle), np.cos(angle)), axis=1)


def _clock(plant: Plant, block: IntervalBlock) -> Named:
    """The time of day. The day of the week is left out: with few events it identifies dates."""
    yield from zip(("time_of_day_sin", "time_of_day_cos"), clock(plant, block).T, strict=True)


def _failure_frequency(plant: Plant, block: IntervalBlock) -> tuple[str, Floats]:
    """How many of the rows before this one, within the frequency window, exceed a limit.

    Periods of the operator log do not count.
    """
    rows = plant.rows(plant.time.frequency_window)
    exceeded = any_rule(plant, block).astype(float)
    total = np.zeros(len(block))
    for back in range(1, rows + 1):
        total = total + np.nan_to_num(shifted(exceeded, block.segment, back))
    total[np.isnan(shifted(exceeded, block.segment, 1))] = np.nan
    return f"failure_frequency_{rows}", total


def _effort(plant: Plant, block: IntervalBlock, op: str) -> Floats:
    """Mean absolute move of a controller's output per row, over the statistics window."""
    window = looking_back(
        block.statistic(op), block.segment, plant.rows(plant.time.statistics_window)
    )
    return mean_and_std(np.abs(window[:-1] - window[1:]))[0]


def _trend(past: Floats) -> Floats:
    """Least-squares slope per row through the known values; NaN with fewer than three."""
    known = ~np.isnan(past)
    place = np.where(known, -np.arange(len(past), dtype=float)[:, None], np.nan)
    centre, level = mean_and_std(place)[0], mean_and_std(past)[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        above = mean_and_std((place - centre) * (past - level))[0]
        below = mean_and_std((place - centre) ** 2)[0]
        return np.where(known.sum(axis=0) >= RECENT, above / below, np.nan)


def _shift(past: Floats) -> Floats:
    """Mean of the last rows less the mean of those before them."""
    return mean_and_std(past[:RECENT])[0] - mean_and_std(past[RECENT:])[0]


def _hours_to_limit(plant: Plant, past: Floats, limit: float) -> Floats:
    """Hours until the trend of the window's second half reaches the limit.

    0 beyond the limit, `LIMIT_OUT_OF_REACH` if the trend leads away from it.
    """
    half = past[: max(len(past) // 2, RECENT)]
    slope = _trend(half) / _cadence_hours(plant)
    with np.errstate(invalid="ignore", divide="ignore"):
        hours = np.where(slope > 0, (limit - past[0]) / slope, LIMIT_OUT_OF_REACH)
    return np.where(np.isnan(slope), np.nan, np.clip(hours, 0.0, LIMIT_OUT_OF_REACH))


def _median(window: Floats) -> Floats:
    """Median over axis 0 of the known values; NaN where there is none."""
    ordered = np.sort(window, axis=0)
    count = (~np.isnan(window)).sum(axis=0)
    columns = np.arange(window.shape[1])
    below_middle = ordered[np.maximum(count - 1, 0) // 2, columns]
    middle = (below_middle + ordered[count // 2, columns]) / 2
    return np.where(count == 0, np.nan, middle)


def _fmax(window: Floats) -> Floats:
    """Largest known value over axis 0."""
    return np.asarray(np.fmax.reduce(window, axis=0))


def _long(plant: Plant) -> str:
    return write_duration(plant.time.statistics_window)


def _hours(plant: Plant, rows: int) -> str:
    return write_duration(rows * plant.time.cadence)


def _cadence_hours(plant: Plant) -> float:
    return plant.time.cadence / timedelta(hours=1)


def _empty_block(plant: Plant) -> IntervalBlock:
    shape = (1, len(plant.signals))
    return IntervalBlock(
        start=np.zeros(1, "datetime64[us]"),
        cadence=plant.time.cadence,
        signals=plant.signals,
        values=np.full((*shape, len(STATISTICS)), np.nan),
        count=np.zeros(shape, np.int32),
        age=np.full(shape, np.nan),
        segment=np.zeros(1, np.int32),
    )


__all__ = ["GROUPS", "Group", "build", "clock", "feature_names", "source_of"]
