"""The units of a file: the values of a column become values in the unit that plant.toml states."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from alarmstack.core.plant import Plant
from alarmstack.core.units import convert, quantity_of, read_unit
from alarmstack.sources.problems import finding, no_findings


@dataclass(frozen=True)
class ColumnUnit:
    """The unit of some values and the plant's unit. `unit` None: the values must not be loaded."""

    unit: str | None
    plant_unit: str
    findings: pl.DataFrame

    def apply(self, values: pl.Series) -> pl.Series:
        """The values in the plant's unit; missing ones stay missing."""
        if self.unit is None or self.unit == self.plant_unit:
            return values
        converted = convert(values.cast(pl.Float64).to_numpy(), self.unit, self.plant_unit)
        return pl.Series(values.name, converted).fill_nan(None)


def column_unit(plant: Plant, signal: str, written: str | None, place: str) -> ColumnUnit:
    """How values of a signal are loaded that a file gives in the unit `written` (None: not stated).

    `place` names the values in a message. A finding says that values are converted, or why they
    are not loaded: the unit is unknown or measures something else.
    """
    plant_unit = unit_of(plant, signal)
    if written is None:
        return ColumnUnit(plant_unit, plant_unit, no_findings())
    unit = read_unit(written)
    if unit == plant_unit:
        return ColumnUnit(unit, plant_unit, no_findings())
    if unit is not None and quantity_of(unit) == quantity_of(plant_unit):
        notice = f"{signal}: converted from {written} to {plant_unit}"
        return ColumnUnit(unit, plant_unit, finding("unit converted", notice))
    reason = (
        f"{place} of {signal} is in {_described(written)}, "
        f"plant.toml has {_described(plant_unit)}: not loaded; "
        f"export it in {plant_unit} or correct the unit in plant.toml"
    )
    return ColumnUnit(None, plant_unit, finding("unit mismatch", reason))


def unit_of(plant: Plant, signal: str) -> str:
    """The unit of a signal: an output is a percentage, a setpoint has its process value's unit."""
    for controller in plant.controllers:
        if signal == controller.op:
            return "%"
        if signal == controller.sp:
            return plant.instrument(controller.pv).unit
    return plant.instrument(signal).unit


def _described(written: str) -> str:
    unit = read_unit(written)
    return f"{written!r} ({'unknown unit' if unit is None else quantity_of(unit)})"


__all__ = ["ColumnUnit", "column_unit", "unit_of"]
