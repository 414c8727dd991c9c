"""Units of a file: converted to the plant's with a notice, or refused with the reason."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.plant import Plant, load_plant
from alarmstack.core.units import ALLOWED_UNITS, UNITS, convert, quantity_of, read_unit
from alarmstack.sources import Drop, read_source

from . import writers

BEGIN = datetime(2024, 5, 1, 6)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def read(plant: Plant, path: Path) -> Drop:
    return read_source(plant, path, now=NOW)


def complaints(drop: Drop) -> list[tuple[str, int | None, str]]:
    return [(p.file, p.row, p.kind) for p in drop.problems if p.kind != "missing instrument"]


def reasons(drop: Drop) -> list[str]:
    return [p.reason for p in drop.problems if p.kind != "missing instrument"]


def values(drop: Drop, tag: str = "PDT31008") -> list[float]:
    assert drop.readings is not None
    return drop.readings.filter(tag=tag)["value"].to_list()


def one_column(folder: Path, layout: str, header: str, cells: list[object]) -> Path:
    times = [BEGIN + timedelta(hours=hour) for hour in range(len(cells))]
    if layout == "historian":
        readings: list[tuple[object, datetime]] = list(zip(cells, times, strict=True))
        return writers.simple(folder / "PDT31008.csv", readings, header=(header, "Timestamp"))
    rows: list[tuple[object, object]] = [("timestamp", header), *zip(times, cells, strict=True)]
    return writers.write(folder / "drop.csv", rows)


@pytest.mark.parametrize("layout", ["wide", "historian"])
@pytest.mark.parametrize(
    ("header", "unit", "cell", "expected"),
    [
        ("PDT31008 [bar]", "bar", 0.2295, 229.5),
        ("PDT31008 (Pa)", "Pa", 22_950, 229.5),
        ("pdt31008[ kPa ]", "kPa", 22.95, 229.5),
        ("PDT31008 (psi)", "psi", 1.0, 68.947573),
    ],
)
def test_another_unit_of_the_same_quantity_is_converted_with_a_notice(
    plant: Plant,
    tmp_path: Path,
    layout: str,
    header: str,
    unit: str,
    cell: float,
    expected: float,
) -> None:
    file = one_column(tmp_path, layout, header, [cell, "Bad", cell])
    drop = read(plant, file)
    assert values(drop) == pytest.approx([expected, expected])
    assert sorted(kind for _, _, kind in complaints(drop)) == ["text", "unit converted"]
    assert f"PDT31008: converted from {unit} to mbar" in reasons(drop)


@pytest.mark.parametrize("layout", ["wide", "historian"])
@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("PDT31008 [°C]", "'°C' (temperature)"),
        ("PDT31008 [barg]", "'barg' (gauge pressure)"),
        ("PDT31008 (bar(a))", "'bar(a)' (absolute pressure)"),
        ("PDT31008 [Nm3/h]", "'Nm3/h' (unknown unit)"),
    ],
)
def test_a_unit_that_cannot_be_converted_is_refused_with_the_reason(
    plant: Plant, tmp_path: Path, header: str, why: str, layout: str
) -> None:
    good = writers.simple(tmp_path / "TE301020.csv", [(107.0, BEGIN)])
    file = one_column(tmp_path, layout, header, [0.23])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [(file.name, None, "unit mismatch")]
    (reason,) = reasons(drop)
    assert why in reason and "'mbar' (pressure without a stated zero)" in reason
    assert "export it in mbar or correct the unit in plant.toml" in reason
    assert values(drop) == [] and values(drop, good.stem) == [107.0]


@pytest.mark.parametrize(
    "header", ["PDT31008", "PDT31008 [mbar]", "PDT31008 (MBAR)", "pdt31008[mbar]"]
)
def test_the_plant_s_own_unit_needs_no_notice(plant: Plant, tmp_path: Path, header: str) -> None:
    drop = read(plant, one_column(tmp_path, "wide", header, [229.5]))
    assert complaints(drop) == [] and values(drop) == [229.5]


def test_other_spellings_of_a_unit(plant: Plant, tmp_path: Path) -> None:
    head = ("timestamp", "TE301020 [degC]", "FQ31050 [m3/h]")
    drop = read(plant, writers.write(tmp_path / "drop.csv", [head, (BEGIN, 107.0, 85.0)]))
    assert complaints(drop) == [] and values(drop, "FQ31050") == [85.0]


def test_a_unit_column_in_a_long_file(plant: Plant, tmp_path: Path) -> None:
    later = BEGIN + timedelta(hours=1)
    rows = [
        ("tag", "time", "value", "unit"),
        ("PDT31008", BEGIN, 229.5, "mbar"),
        ("PDT31008", later, 0.23, "bar"),
        ("TE301020", BEGIN, 380.0, "K"),
        ("TE301020", later, 108.0, ""),
        ("FQ31050", BEGIN, 85.0, "kg/hr"),
    ]
    drop = read(plant, writers.write(tmp_path / "drop.csv", rows))
    assert values(drop) == pytest.approx([229.5, 230.0])
    assert values(drop, "TE301020") == pytest.approx([106.85, 108.0])
    assert values(drop, "FQ31050") == []
    kinds = [kind for _, _, kind in complaints(drop)]
    assert sorted(kinds) == ["unit converted", "unit converted", "unit mismatch"]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
@pytest.mark.parametrize(
    ("unit", "loaded", "notice"),
    [
        ("mbar", [229.5, 230.0], None),
        ("[mbar]", [229.5, 230.0], None),
        ("bar", [229_500.0, 230_000.0], "unit converted"),
        ("bar(g)", [], "unit mismatch"),
        ("K", [], "unit mismatch"),
    ],
)
def test_a_row_of_units_below_the_header(
    plant: Plant, tmp_path: Path, suffix: str, unit: str, loaded: list[float], notice: str | None
) -> None:
    head, units = ("timestamp", "PDT31008", "TE301020"), ("", unit, "°C")
    rows = [head, units, (BEGIN, 229.5, 107.0), (BEGIN + timedelta(hours=1), 230.0, "Bad")]
    drop = read(plant, writers.write(tmp_path / f"wide{suffix}", rows))
    assert values(drop) == pytest.approx(loaded) and values(drop, "TE301020") == [107.0]
    expected: list[tuple[str, int | None, str]] = [(f"wide{suffix}", 4, "text")]
    if notice:
        expected.append((f"wide{suffix}", None, notice))
    assert sorted(complaints(drop), key=str) == sorted(expected, key=str)


def test_a_unit_below_the_header_of_a_historian_s_sheet(plant: Plant, tmp_path: Path) -> None:
    writers.write(tmp_path / "PDT31008.xlsx", [("Value", "Timestamp"), ("bar", ""), (0.23, BEGIN)])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("PDT31008.xlsx", None, "unit converted")]
    assert values(drop) == pytest.approx([230.0])


def test_a_finished_dataset_is_converted_with_its_extremes(plant: Plant, tmp_path: Path) -> None:
    head = ("timestamp", "PDT31008 [bar]", "PDT31008_max [bar]", "PDT31008_min")
    file = writers.write(tmp_path / "cleaned.csv", [head, (BEGIN, 0.23, 0.24, 229.0)])
    table = read(plant, file).table
    assert table is not None
    columns = ["PDT31008", "PDT31008_max", "PDT31008_min"]
    assert table.select(columns).row(0) == pytest.approx((230.0, 240.0, 229.0))


BOILER = """
name = "boiler"
title = "Boiler"
timezone = "UTC"
registry_prefix = "boiler"
units = [{ key = "B1", title = "Boiler 1" }]

[time]
cadence = "1min"

[[instruments]]
tag = "STEAM"
title = "Steam flow"
process_unit = "B1"
unit = "t/h"
range = [0, 50]
normal = [20, 40]
stale_after = "5min"

[[instruments]]
tag = "DRUM"
title = "Drum pressure"
process_unit = "B1"
unit = "barg"
range = [0, 100]
normal = [60, 70]
stale_after = "5min"

[[instruments]]
tag = "FIC1_PV"
title = "Feed water"
process_unit = "B1"
unit = "L/s"
range = [0, 20]
normal = [5, 15]
stale_after = "5min"

[[controllers]]
name = "FIC1"
setpoint_stale_after = "1h"

[warnings]
false_alarms_per_day = 0.2
on_delay = "1min"
off_delay = "5min"
minimum_on = "5min"
hysteresis = 0.8
"""


def test_another_plant_in_other_units(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(BOILER, encoding="utf-8")
    boiler = load_plant(tmp_path / "plant.toml")
    head = ("time", "STEAM [kg/s]", "DRUM [psig]", "FIC1_PV [m³/h]", "FIC1_SP [m3/h]", "FIC1_OP")
    rows = [head, (BEGIN, 10.0, 1000.0, 36.0, 18.0, 55.0)]
    drop = read(boiler, writers.write(tmp_path / "export.csv", rows))
    assert drop.readings is not None
    latest = dict(drop.readings.select("tag", "value").iter_rows())
    assert latest == pytest.approx(
        {"STEAM": 36.0, "DRUM": 68.947573, "FIC1_PV": 10.0, "FIC1_SP": 5.0, "FIC1_OP": 55.0}
    )
    assert reasons(drop) == [
        "STEAM: converted from kg/s to t/h",
        "DRUM: converted from psig to barg",
        "FIC1_PV: converted from m³/h to L/s",
        "FIC1_SP: converted from m3/h to L/s",
    ]


PAIRS = [(a, b) for units in UNITS.values() for a in units for b in units]
finite = st.floats(-1e9, 1e9)


@given(st.sampled_from(PAIRS), st.lists(finite, min_size=1, max_size=20))
@settings(deadline=None)
def test_a_conversion_and_its_inverse_give_the_values_back(
    pair: tuple[str, str], numbers: list[float]
) -> None:
    unit, other = pair
    measured = np.array([*numbers, np.nan])
    back = convert(convert(measured, unit, other), other, unit)
    np.testing.assert_allclose(back, measured, rtol=1e-9, atol=1e-6)


@given(st.sampled_from(PAIRS), st.lists(finite, min_size=2, max_size=20, unique=True))
@settings(deadline=None)
def test_a_conversion_keeps_the_order_of_values(
    pair: tuple[str, str], numbers: list[float]
) -> None:
    ordered = convert(np.array(sorted(numbers)), *pair)
    assert (np.diff(ordered) >= 0).all()


@given(st.sampled_from(ALLOWED_UNITS), st.sampled_from(ALLOWED_UNITS))
def test_only_units_of_one_quantity_are_converted(unit: str, other: str) -> None:
    if quantity_of(unit) == quantity_of(other):
        assert convert(np.array([1.0]), unit, other).shape == (1,)
    else:
        with pytest.raises(ValueError, match=f"is a .*{quantity_of(other)[:5]}"):
            convert(np.array([1.0]), unit, other)


@given(st.sampled_from([n for units in UNITS.values() for n in units]), st.booleans())
def test_a_unit_is_read_in_upper_and_lower_case(name: str, upper: bool) -> None:
    assert read_unit(f" {name.upper() if upper else name.lower()} ") == name


@given(st.text(max_size=12))
def test_any_text_is_a_known_unit_or_none(text: str) -> None:
    unit = read_unit(text)
    assert unit is None or unit in {n for units in UNITS.values() for n in units}


def test_every_spelling_names_one_unit() -> None:
    spellings = [
        spelling.casefold()
        for units in UNITS.values()
        for name, unit in units.items()
        for spelling in (name, *unit.spellings)
    ]
    assert len(spellings) == len(set(spellings))


def test_pint_is_loaded_by_a_conversion_only() -> None:
    code = "import sys, alarmstack.sources; print('pint' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert shown.stdout.strip() == "False"


def test_missing_values_stay_missing(plant: Plant, tmp_path: Path) -> None:
    rows = [("timestamp", "TE301020 [K]", "PDT31008"), (BEGIN, "", 229.5)]
    drop = read(plant, writers.write(tmp_path / "drop.csv", rows))
    assert values(drop, "TE301020") == [] and values(drop) == [229.5]
    assert drop.readings is not None
    assert drop.readings["value"].is_finite().all() and drop.readings["value"].dtype == pl.Float64
