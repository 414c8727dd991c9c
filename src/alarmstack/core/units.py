"""Units of measurement: how plants spell them, and how values are converted from one to another.

`UNITS` is the table of all units that are understood, grouped by the quantity that they measure.
The library pint calculates the conversions. It never reads a spelling from a file: to pint, `Nm3/h`
is newton metres and `rpm` is an angle. Units of different groups are never converted into each
other, so gauge and absolute pressures, or frequency and rotational speed, are groups of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Unit(NamedTuple):
    """A unit: its expression for pint, other spellings, and whether plant.toml may use it."""

    expression: str
    spellings: tuple[str, ...] = ()
    in_plant: bool = True


PRESSURE = "pressure without a stated zero"
GAUGE = "gauge pressure"
ABSOLUTE = "absolute pressure"
TEMPERATURE = "temperature"
UNITS: Mapping[str, Mapping[str, Unit]] = {
    TEMPERATURE: {
        "°C": Unit("degC", ("C", "degC", "deg C", "deg. C", "ºC", "℃", "Celsius")),
        "K": Unit("kelvin", ("Kelvin", "degK")),
        "°F": Unit("degF", ("degF", "deg F", "℉", "Fahrenheit"), in_plant=False),
    },
    PRESSURE: {
        "bar": Unit("bar"),
        "mbar": Unit("millibar", ("hPa",)),
        "MPa": Unit("megapascal"),
        "kPa": Unit("kilopascal"),
        "Pa": Unit("pascal"),
        "psi": Unit("psi", ("lbf/in2", "lbf/in²"), in_plant=False),
        "mmH2O": Unit("mmH2O", ("mmH₂O", "mmWC"), in_plant=False),
        "inH2O": Unit("inH2O", ("inH₂O", "inWC"), in_plant=False),
        "mmHg": Unit("mmHg", in_plant=False),
        "kgf/cm²": Unit("kgf/cm**2", ("kgf/cm2", "kg/cm²", "kg/cm2"), in_plant=False),
    },
    GAUGE: {
        "barg": Unit("bar", ("bar(g)", "bar g", "bar_g")),
        "mbarg": Unit("millibar", ("mbar(g)", "mbar g")),
        "kPag": Unit("kilopascal", ("kPa(g)", "kPa g"), in_plant=False),
        "psig": Unit("psi", ("psi(g)", "psi g"), in_plant=False),
    },
    ABSOLUTE: {
        "bara": Unit("bar", ("bar(a)", "bar a", "bar_a")),
        "mbara": Unit("millibar", ("mbar(a)", "mbar a")),
        "kPaa": Unit("kilopascal", ("kPa(a)", "kPa a"), in_plant=False),
        "psia": Unit("psi", ("psi(a)", "psi a"), in_plant=False),
    },
    "percentage": {"%": Unit("percent", ("percent", "pct", "per cent"))},
    "mole fraction": {"mol%": Unit("percent", ("mol %", "mol-%", "mole %"))},
    "volume flow": {
        "m³/h": Unit("meter**3/hour", ("m3/h", "m^3/h", "m3/hr", "m³/hr", "cbm/h", "cmh")),
        "L/s": Unit("liter/second", ("lps",)),
        "L/min": Unit("liter/minute", ("lpm",)),
        "L/h": Unit("liter/hour", ("L/hr", "lph"), in_plant=False),
        "m³/s": Unit("meter**3/second", ("m3/s", "m^3/s"), in_plant=False),
    },
    "volume flow in thousands of m³/h": {"km³/h": Unit("meter**3/hour", ("km3/h",))},
    "mass flow": {
        "kg/s": Unit("kilogram/second", ("kg/sec",)),
        "kg/h": Unit("kilogram/hour", ("kg/hr",)),
        "t/h": Unit("tonne/hour", ("t/hr", "tonne/h")),
        "kg/min": Unit("kilogram/minute", in_plant=False),
        "lb/h": Unit("pound/hour", ("lb/hr",), in_plant=False),
    },
    "mass per volume": {
        "kg/m³": Unit("kilogram/meter**3", ("kg/m3", "kg/m^3")),
        "mg/L": Unit("milligram/liter"),
        "g/cm³": Unit("gram/cm**3", ("g/cm3", "g/mL"), in_plant=False),
    },
    "length": {
        "m": Unit("meter", ("metre", "meter")),
        "cm": Unit("centimeter", in_plant=False),
        "mm": Unit("millimeter", in_plant=False),
        "ft": Unit("foot", ("feet",), in_plant=False),
    },
    "electric current": {"A": Unit("ampere"), "mA": Unit("milliampere", in_plant=False)},
    "voltage": {"V": Unit("volt"), "mV": Unit("millivolt")},
    "power": {"kW": Unit("kilowatt"), "W": Unit("watt", in_plant=False)},
    "frequency": {"Hz": Unit("hertz")},
    "rotational speed": {"rpm": Unit("revolution/minute", ("1/min", "r/min"))},
    "acceleration or mass": {"g": Unit("gram")},
    "electrical conductivity": {
        "µS/cm": Unit("microsiemens/cm", ("uS/cm",)),
        "mS/cm": Unit("millisiemens/cm", in_plant=False),
    },
    "turbidity": {"NTU": Unit("dimensionless")},
    "number without a unit": {"1": Unit("dimensionless")},
}
"""Quantity → unit → what it is. Spellings are compared without regard to case. A unit that differs
from another one in case alone (mW, MW) is therefore left out.
"""
_UNITS = {name: unit for units in UNITS.values() for name, unit in units.items()}
ALLOWED_UNITS = tuple(name for name, unit in _UNITS.items() if unit.in_plant)
"""The units that plant.toml may use."""
_NAMES = {
    spelling.casefold(): name
    for name, unit in _UNITS.items()
    for spelling in (name, *unit.spellings)
}
_QUANTITIES = {name: quantity for quantity, units in UNITS.items() for name in units}


def read_unit(spelling: str) -> str | None:
    """The unit that is written in one of its spellings, by its name in `UNITS`; None: unknown.

    >>> read_unit("m3/hr"), read_unit("DEGC"), read_unit("Nm3/h")
    ('m³/h', '°C', None)
    """
    return _NAMES.get(" ".join(spelling.split()).casefold())


def quantity_of(unit: str) -> str:
    """What a unit of `UNITS` measures.

    >>> quantity_of("mbar"), quantity_of("barg")
    ('pressure without a stated zero', 'gauge pressure')
    """
    return _QUANTITIES[unit]


def convert(values: npt.NDArray[np.float64], unit: str, into: str) -> npt.NDArray[np.float64]:
    """Values in another unit of the same quantity, as new float64 values; NaN stays NaN.

    >>> convert(np.array([32.0, 212.0]), "°F", "°C").round(6).tolist()
    [0.0, 100.0]
    """
    quantity = _QUANTITIES[unit]
    if quantity != _QUANTITIES[into]:
        raise ValueError(f"{unit!r} is a {quantity}, {into!r} is a {_QUANTITIES[into]}")
    units = UNITS[quantity]
    measured = _registry().Quantity(values.astype(np.float64), units[unit].expression)
    return np.asarray(measured.to(units[into].expression).magnitude, np.float64)


@cache
def _registry() -> Any:
    """pint's definitions. They take about a second to read, so only a conversion reads them."""
    import pint

    return pint.UnitRegistry()


__all__ = [
    "ABSOLUTE",
    "ALLOWED_UNITS",
    "GAUGE",
    "PRESSURE",
    "TEMPERATURE",
    "UNITS",
    "Unit",
    "convert",
    "quantity_of",
    "read_unit",
]
