"""What both labels and features need: deviations, short rolling statistics, saturation, limit rules.

Every function maps an interval block to float64 [rows] (NaN: not known) or bool [rows]. Windows look back only, never across a
segment, and add in a fixed order (shifted copies, no running sums), so that a result does not depend on where a chunk begins.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from alarmstack.errors import PlantError
from alarmstack.intervals import NO_SEGMENT, Floats, IntervalBlock
from alarmstack.plant import Controller, Instrument, Limit, Plant, write_duration

Mask = npt.NDArray[np.bool_]


def shifted(values: Floats, segment: npt.NDArray[np.int32], rows: int) -> Floats:
    """The value `rows` rows ago; NaN before the segment's beginning."""
    out = np.full(values.shape, np.nan)
    if rows < len(values):
        same = (segment[rows:] == segment[: len(segment) - rows]) & (segment[rows:] != NO_SEGMENT)
        out[rows:][same] = values[: len(values) - rows][same]
    return out


def looking_back(values: Floats, segment: npt.NDArray[np.int32], rows: int) -> Floats:
    """The last `rows` values of each row, newest first: float64 [rows of window, rows]."""
    return np.stack([shifted(values, segment, back) for back in range(rows)])


def mean_and_std(window: Floats) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation over axis 0, missing values left out.

    One value alone has standard deviation 0; none: NaN.
    """
    known = ~np.isnan(window)
    count = known.sum(axis=0).astype(float)
    total = _add(np.where(known, window, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        squares = _add(np.where(known, (window - mean) ** 2, 0.0))
        std = np.sqrt(squares / np.maximum(count - 1.0, 1.0))
    std[count == 0] = np.nan
    return mean, std


def _add(terms: Floats) -> Floats:
    total = np.zeros(terms.shape[1:])
    for term in terms:
        total = total + term
    return total


def deviation(block: IntervalBlock, controller: Controller, statistic: str = "median") -> Floats:
    """PV − SP in the PV's unit; `statistic` is taken of the PV."""
    return block.statistic(controller.pv, statistic) - block.statistic(controller.sp)


def short_statistics(plant: Plant, block: IntervalBlock, signal: str) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the last `short_window` of hourly medians."""
    return mean_and_std(looking_back(block.statistic(signal), block.segment, plant.rows(plant.time.short_window)))


def saturated(block: IntervalBlock, instrument: Instrument) -> Floats:
    """1.0 where the transmitter stands beyond its saturation limit."""
    value = block.statistic(instrument.tag)
    return np.where(np.isnan(value), np.nan, value > (instrument.saturated_above or np.inf))


def column(plant: Plant, block: IntervalBlock, name: str) -> Floats:
    """One column of the cleaned dataset by its name.

    Raises PlantError when the plant has no such column.
    """
    short = f"roll{write_duration(plant.time.short_window)}"
    if match := re.fullmatch(rf"(\w+)_{short}_(mean|std)", name):
        return short_statistics(plant, block, match[1])[match[2] == "std"]
    for controller in plant.controllers:
        if name in (controller.deviation, f"{controller.deviation}_max"):
            return deviation(block, controller, "max" if name.endswith("_max") else "median")
    for instrument in plant.instruments:
        if name == f"{instrument.tag}_saturated":
            return saturated(block, instrument)
    signal, _, statistic = name.rpartition("_") if name.endswith(("_max", "_min")) else (name, "", "median")
    if signal not in block.signals:
        raise PlantError(f"{plant.name} has no column {name!r}: its signals are {', '.join(block.signals)}")
    return block.statistic(signal, statistic)


def holds(plant: Plant, block: IntervalBlock, rule: Limit) -> Mask:
    """Where a limit rule holds; a missing value breaks no limit."""
    value = column(plant, block, rule.column)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(value) if rule.absolute else value) > rule.above)


def any_rule(plant: Plant, block: IntervalBlock) -> Mask:
    """Where at least one limit rule holds."""
    alarm = np.zeros(len(block), bool)
    for rule in plant.labels.rules:
        alarm |= holds(plant, block, rule)
    return alarm


__all__ = [
    "Mask",
    "any_rule",
    "column",
    "deviation",
    "holds",
    "looking_back",
    "mean_and_std",
    "saturated",
    "shifted",
    "short_statistics",
]
