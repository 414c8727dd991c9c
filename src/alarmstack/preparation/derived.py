"""Values that labels and features need: deviations, short statistics, saturation, limit rules.

Every function maps an interval block to float64 [rows] (NaN: unknown) or bool [rows]. Windows look
back only, never across segments, and add in a fixed order (shifted copies, no running sums), so
that a result does not depend on where a chunk begins.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import NO_SEGMENT, Floats, IntervalBlock, Mask
from alarmstack.core.plant import Controller, Instrument, Limit, Plant, write_duration


def shifted(values: Floats, segment: npt.NDArray[np.int32], rows: int) -> Floats:
    """The value `rows` rows ago; NaN before the beginning of the segment."""
    out = np.full(values.shape, np.nan)
    if rows < len(values):
        same = (segment[rows:] == segment[: len(segment) - rows]) & (segment[rows:] != NO_SEGMENT)
        out[rows:][same] = values[: len(values) - rows][same]
    return out


def looking_back(values: Floats, segment: npt.NDArray[np.int32], rows: int) -> Floats:
    """For each row the last `rows` values, newest first: float64 [rows of window, rows]."""
    return np.stack([shifted(values, segment, back) for back in range(rows)])


def mean_and_std(window: Floats) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation over axis 0 without missing values.

    The standard deviation of one value is 0, of no value NaN.
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
    """PV − SP in the PV's unit; `statistic` applies to the PV."""
    return block.statistic(controller.pv, statistic) - block.statistic(controller.sp)


def short_statistics(plant: Plant, block: IntervalBlock, signal: str) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the last `short_window` of hourly medians."""
    return mean_and_std(
        looking_back(block.statistic(signal), block.segment, plant.rows(plant.time.short_window))
    )


def saturated(block: IntervalBlock, instrument: Instrument) -> Floats:
    """1.0 where the transmitter is above its saturation limit."""
    value = block.statistic(instrument.tag)
    return np.where(np.isnan(value), np.nan, value > (instrument.saturated_above or np.inf))


class ColumnName(NamedTuple):
    """The meaning of a column's name: a `statistic` of a `signal`, or a value derived from it."""

    kind: Literal["own", "deviation", "saturated", "short_mean", "short_std"]
    signal: str
    statistic: str = "median"


def read_column(plant: Plant, name: str) -> ColumnName:
    """The meaning of a column of the cleaned dataset. Raises PlantError for an unknown column."""
    read = _derived_column(plant, name) or _own_column(name)
    if read.signal not in plant.signals:
        raise PlantError(
            f"{plant.name} has no column {name!r}: its signals are {', '.join(plant.signals)}"
        )
    return read


def _own_column(name: str) -> ColumnName:
    if name.endswith(("_max", "_min")):
        signal, _, statistic = name.rpartition("_")
        return ColumnName("own", signal, statistic)
    return ColumnName("own", name)


def _derived_column(plant: Plant, name: str) -> ColumnName | None:
    short = f"roll{write_duration(plant.time.short_window)}"
    if match := re.fullmatch(rf"(\w+)_{short}_(mean|std)", name):
        return ColumnName("short_mean" if match[2] == "mean" else "short_std", match[1])
    for controller in plant.controllers:
        if name in (controller.deviation, f"{controller.deviation}_max"):
            return ColumnName(
                "deviation", controller.pv, "max" if name.endswith("_max") else "median"
            )
    for instrument in plant.instruments:
        if name == f"{instrument.tag}_saturated":
            return ColumnName("saturated", instrument.tag)
    return None


def column(plant: Plant, block: IntervalBlock, name: str) -> Floats:
    """One column of the cleaned dataset by its name.

    Raises PlantError when the plant has no such column.
    """
    read = read_column(plant, name)
    match read.kind:
        case "short_mean" | "short_std":
            return short_statistics(plant, block, read.signal)[read.kind == "short_std"]
        case "deviation":
            controller = next(c for c in plant.controllers if c.pv == read.signal)
            return deviation(block, controller, read.statistic)
        case "saturated":
            return saturated(block, plant.instrument(read.signal))
    return block.statistic(read.signal, read.statistic)


def instrument_of(plant: Plant, name: str) -> Instrument:
    """The instrument of a column; for a setpoint or an output, the PV of its controller."""
    signal = read_column(plant, name).signal
    for controller in plant.controllers:
        if signal in (controller.sp, controller.op):
            return plant.instrument(controller.pv)
    return plant.instrument(signal)


def holds(plant: Plant, block: IntervalBlock, rule: Limit) -> Mask:
    """Rows where a limit is exceeded; a missing value exceeds no limit."""
    value = column(plant, block, rule.column)
    with np.errstate(invalid="ignore"):
        return np.asarray(rule.height(value) > rule.level)


def any_rule(plant: Plant, block: IntervalBlock) -> Mask:
    """Rows where at least one limit is exceeded."""
    alarm = np.zeros(len(block), bool)
    for rule in plant.labels.rules:
        alarm |= holds(plant, block, rule)
    return alarm


__all__ = [
    "ColumnName",
    "Mask",
    "any_rule",
    "column",
    "deviation",
    "holds",
    "instrument_of",
    "looking_back",
    "mean_and_std",
    "read_column",
    "saturated",
    "shifted",
    "short_statistics",
]
