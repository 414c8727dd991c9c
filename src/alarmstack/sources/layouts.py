"""Layouts: where in a sheet the tags, times and values stand.

- *historian*: a workbook an instrument or controller, named after it; value and time columns as plant.toml says;
- *long*: columns tag, time, value (and unit);
- *wide*: a time column and one column a signal;
- *table*: wide, with columns of the cleaned dataset (`X_max`, `anomaly_label`): a finished dataset, not readings.

Every layout ends in the same two frames: numbered readings and findings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from alarmstack.core.plant import ALLOWED_UNITS, Plant
from alarmstack.sources.cells import Cells, Read, read_instants, read_numbers
from alarmstack.sources.grids import Grid
from alarmstack.sources.problems import FINDING_SCHEMA, finding, no_findings

TIME_NAMES = frozenset(
    {"timestamp", "time", "datetime", "date", "date_time", "zeit", "zeitstempel"}
)
TAG_NAMES = frozenset({"tag", "signal", "tagname", "tag_name", "sensor"})
VALUE_NAMES = frozenset({"value", "val", "wert"})
UNIT_NAMES = frozenset({"unit", "units", "uom", "einheit"})
LABEL_NAMES = ("anomaly_label", "regime")
CLOCK_NAMES = ("hour_of_day", "day_of_week")
NUMBERED_SCHEMA = pl.Schema(
    {"row": pl.Int64(), "tag": pl.String(), "time": pl.Datetime("us", "UTC"), "value": pl.Float64()}
)
_WITH_UNIT = re.compile(r"(.+?)\s*[\[(]\s*([^\])]+?)\s*[\])]")
# Other spellings of the units of plant.toml.
_SPELLINGS = {
    "degc": "°c",
    "c": "°c",
    "deg c": "°c",
    "m3/h": "m³/h",
    "m^3/h": "m³/h",
    "percent": "%",
    "pct": "%",
    "kg/hr": "kg/h",
}


@dataclass(frozen=True)
class Sheet:
    """What a grid says: `readings` (row, tag, time, value) or a `table`; `findings`; `claims`: the signals it is about."""

    readings: pl.DataFrame
    findings: pl.DataFrame
    claims: frozenset[str]
    table: pl.DataFrame | None = None


def read_sheet(plant: Plant, path: Path, grid: Grid) -> Sheet | None:
    """What the sheet says, by the layout it is in; None when it has none of them."""
    grid = _with_units_in_header(grid)
    names = [split_unit(name)[0].lower() for name in grid.names]
    if names and not names[0] and not _has(names, TIME_NAMES):
        names[0] = "timestamp"  # pandas writes its index without a name
    if all(_has(names, wanted) for wanted in (TAG_NAMES, TIME_NAMES, VALUE_NAMES)):
        return _long(plant, grid, names)
    source = historian_names(plant).get(path.stem.lower())
    if source is not None and not (names and names[0] in TIME_NAMES):
        return _historian(plant, grid, source)
    if _has(names, TIME_NAMES) and any(_signal(plant, name) for name in names):
        return _table(plant, grid, names) if _is_table(plant, names) else _wide(plant, grid, names)
    return None


def _with_units_in_header(grid: Grid) -> Grid:
    """The grid with a row of units below the header folded into it: `PDT31008` above `mbar` is `PDT31008 [mbar]`."""
    if not grid.names or grid.rows == 0:
        return grid
    below = [
        grid.column(place).cut(0, 1).shown()[0] if name else None
        for place, name in enumerate(grid.names)
    ]
    known = {_spelled(unit) for unit in ALLOWED_UNITS if unit != "1"}
    units = [
        None if cell is None or cell.strip("[]()").lower() in TIME_NAMES else cell.strip("[]()")
        for cell in below
    ]
    written = [unit for unit in units if unit is not None]
    if not any(_spelled(unit) in known for unit in written) or any(
        re.search(r"\d{2}|^\d$", unit) for unit in written
    ):
        return grid
    names = tuple(
        f"{n} [{u}]" if u and split_unit(n)[1] is None else n
        for n, u in zip(grid.names, units, strict=False)
    )
    column = grid.column
    return replace(
        grid,
        names=names,
        first_row=grid.first_row + 1,
        rows=grid.rows - 1,
        column=lambda place: column(place).cut(1),
    )


def historian_names(plant: Plant) -> dict[str, str]:
    """Lower-case file stem → instrument, controller or single signal that the file is about."""
    stem = Path(plant.historian.file_pattern).stem
    sources = (*plant.signals, *(c.name for c in plant.controllers))
    return {stem.format(name=name).lower(): name for name in sources}


def split_unit(name: str) -> tuple[str, str | None]:
    """A header without its unit, and the unit.

    >>> split_unit("PDT31008 [mbar]")
    ('PDT31008', 'mbar')
    """
    match = _WITH_UNIT.fullmatch(name.strip())
    return (match[1], match[2]) if match else (name.strip(), None)


def unit_of(plant: Plant, signal: str) -> str:
    """The unit plant.toml gives a signal: an output is a percentage, a setpoint has its process value's."""
    for controller in plant.controllers:
        if signal == controller.op:
            return "%"
        if signal == controller.sp:
            return plant.instrument(controller.pv).unit
    return plant.instrument(signal).unit


def _has(names: list[str], wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(names)


def _place(names: list[str], wanted: frozenset[str]) -> int:
    return next(place for place, name in enumerate(names) if name in wanted)


def _signal(plant: Plant, name: str) -> str | None:
    return next((s for s in plant.signals if s.lower() == name), None)


def _is_table(plant: Plant, names: list[str]) -> bool:
    statistics = {f"{s.lower()}_{end}" for s in plant.signals for end in ("max", "min")}
    return not (statistics | set(LABEL_NAMES)).isdisjoint(names)


def _spelled(unit: str) -> str:
    plain = unit.strip().lower()
    return _SPELLINGS.get(plain, plain)


def _unit_mismatch(plant: Plant, signal: str, unit: str | None, what: str) -> pl.DataFrame | None:
    due = unit_of(plant, signal)
    if unit is None or _spelled(unit) == _spelled(due):
        return None
    reason = (
        f"{what} of {signal} is in {unit!r}, plant.toml has {due!r}: not loaded; "
        f"export it in {due} or correct the unit in plant.toml"
    )
    return finding("unit mismatch", reason)


def _numbered(grid: Grid, rows: int) -> pl.Series:
    return pl.int_range(grid.first_row, grid.first_row + rows, eager=True)


def _historian(plant: Plant, grid: Grid, source: str) -> Sheet:
    by_controller = {c.name: (c.pv, c.op, c.sp) for c in plant.controllers}
    if source in by_controller:
        layout = plant.historian.controller
        places = {f"{source}_{part}": layout[part] for part in ("PV", "OP", "SP") if part in layout}
    else:
        places = {source: (plant.historian.simple.value, plant.historian.simple.time)}
    readings, findings = [pl.DataFrame(schema=NUMBERED_SCHEMA)], [no_findings()]
    for signal, (value, time) in places.items():
        if max(value, time) >= grid.width:
            columns = f"columns {_letter(value)} and {_letter(time)}"
            findings.append(
                finding(
                    "missing instrument",
                    f"{signal} should stand in {columns}, the sheet has {grid.width} columns",
                )
            )
            continue
        wrong = (
            _unit_mismatch(
                plant, signal, split_unit(grid.names[value])[1], f"column {_letter(value)}"
            )
            if grid.names
            else None
        )
        if wrong is not None:
            findings.append(wrong)
            continue
        good, bad = _pair(plant, grid, signal, grid.column(value), grid.column(time))
        readings.append(good)
        findings.append(bad)
    return Sheet(pl.concat(readings), pl.concat(findings), frozenset(places))


def _pair(
    plant: Plant, grid: Grid, signal: str, values: Cells, times: Cells
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Readings of a value column and its time column. A row where both are blank is the end of a shorter column."""
    time, value = (
        read_instants(times, plant.zone),
        read_numbers(values, decimal_comma=grid.decimal_comma),
    )
    row = _numbered(grid, len(values))
    both_blank = values.blank() & times.blank()
    header = (row <= plant.historian.header_rows) & time.values.is_null() & value.values.is_null()
    used = ~(both_blank | header)
    no_value = values.blank() & used
    frame = pl.DataFrame({"row": row, "time": time.values, "value": value.values}).with_columns(
        tag=pl.lit(signal)
    )
    good = frame.filter(used & frame["time"].is_not_null() & frame["value"].is_not_null()).select(
        *NUMBERED_SCHEMA
    )
    bad = [
        _faults(row, time, used),
        _faults(row, value, used & time.kind.is_null()),
        _named(row, no_value & time.kind.is_null(), "blank", f"{signal} has a time and no value"),
        _guessed(plant, row, time.guessed),
    ]
    return good, pl.concat(bad)


def _faults(row: pl.Series, read: Read, among: pl.Series, name: str = "") -> pl.DataFrame:
    frame = pl.DataFrame({"row": row, "kind": read.kind, "reason": read.reason})
    bad = frame.filter(among & read.kind.is_not_null()).select(*FINDING_SCHEMA)
    return bad.with_columns(reason=pl.lit(f"{name} ") + pl.col("reason")) if name else bad


def _named(row: pl.Series, mask: pl.Series, kind: str, reason: str) -> pl.DataFrame:
    rows = row.filter(mask)
    return (
        pl.DataFrame({"row": rows})
        .with_columns(kind=pl.lit(kind), reason=pl.lit(reason))
        .cast(FINDING_SCHEMA)
    )


def _guessed(plant: Plant, row: pl.Series, mask: pl.Series) -> pl.DataFrame:
    hour = f"in the hour that {plant.timezone} has twice, and the order does not tell which"
    reason = f"{hour}: read as the first; write times with offsets"
    return _named(row, mask, "clock change", reason)


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"number {place + 1}"


def _wide(plant: Plant, grid: Grid, names: list[str]) -> Sheet:
    at = _place(names, TIME_NAMES)
    times = grid.column(at)
    time = read_instants(times, plant.zone)
    row = _numbered(grid, grid.rows)
    empty = _blank_rows(grid)
    readings = [pl.DataFrame(schema=NUMBERED_SCHEMA)]
    findings = [_faults(row, time, ~empty), _guessed(plant, row, time.guessed)]
    claims: set[str] = set()
    for place, name in enumerate(names):
        if place == at:
            continue
        if not name and grid.column(place).blank().all():
            continue
        signal = _signal(plant, name)
        if signal is None:
            findings.append(
                finding(
                    "unknown column",
                    f"{grid.names[place]!r} is no signal of {plant.name}: not loaded",
                )
            )
            continue
        claims.add(signal)
        wrong = _unit_mismatch(
            plant, signal, split_unit(grid.names[place])[1], f"column {grid.names[place]!r}"
        )
        if wrong is not None:
            findings.append(wrong)
            continue
        value = read_numbers(grid.column(place), decimal_comma=grid.decimal_comma)
        findings.append(_faults(row, value, time.kind.is_null(), signal))
        frame = pl.DataFrame({"row": row, "time": time.values, "value": value.values}).drop_nulls()
        readings.append(frame.with_columns(tag=pl.lit(signal)).select(*NUMBERED_SCHEMA))
    return Sheet(pl.concat(readings), pl.concat(findings), frozenset(claims))


def _blank_rows(grid: Grid) -> pl.Series:
    blank = pl.repeat(True, grid.rows, eager=True)
    for place in range(grid.width):
        blank = blank & grid.column(place).blank()
    return blank


def _long(plant: Plant, grid: Grid, names: list[str]) -> Sheet:
    tags = grid.column(_place(names, TAG_NAMES)).text
    times, values = grid.column(_place(names, TIME_NAMES)), grid.column(_place(names, VALUE_NAMES))
    time = read_instants(times, plant.zone, tags.fill_null(""))
    value = read_numbers(values, decimal_comma=grid.decimal_comma)
    row = _numbered(grid, grid.rows)
    signals = {s.lower(): s for s in plant.signals}
    tag = tags.str.to_lowercase().replace_strict(signals, default=None, return_dtype=pl.String)
    empty = tags.is_null() & times.blank() & values.blank()
    known = tag.is_not_null()
    in_unit, mismatches = _units_of_rows(plant, grid, names, tag)
    frame = pl.DataFrame({"row": row, "tag": tag, "time": time.values, "value": value.values})
    findings = [
        _faults(row, time, known),
        _faults(row, value, known & time.kind.is_null()),
        _named(row, known & values.blank() & time.kind.is_null(), "blank", "a time and no value"),
        _named(row, tags.is_null() & ~empty, "blank", "no tag"),
        _guessed(plant, row, time.guessed & known),
        _unknown_tags(plant, row, tags, known),
        mismatches,
    ]
    claims = frozenset(tag.drop_nulls().unique().to_list())
    return Sheet(
        frame.filter(in_unit).drop_nulls().select(*NUMBERED_SCHEMA), pl.concat(findings), claims
    )


def _unknown_tags(plant: Plant, row: pl.Series, tags: pl.Series, known: pl.Series) -> pl.DataFrame:
    strange = pl.DataFrame({"row": row, "tag": tags}).filter(~known & tags.is_not_null())
    counted = strange.group_by("tag", maintain_order=True).agg(pl.col("row").min(), count=pl.len())
    reason = pl.format(
        "'{}' is no signal of {}: {} rows not loaded", "tag", pl.lit(plant.name), "count"
    )
    return counted.select("row", kind=pl.lit("unknown tag"), reason=reason).cast(FINDING_SCHEMA)


def _units_of_rows(
    plant: Plant, grid: Grid, names: list[str], tag: pl.Series
) -> tuple[pl.Series, pl.DataFrame]:
    """Which rows are in the plant's unit, where the file has a unit column; a finding for each (tag, unit) that is not."""
    right, findings = pl.repeat(True, len(tag), eager=True), [no_findings()]
    if not _has(names, UNIT_NAMES):
        return right, findings[0]
    unit = grid.column(_place(names, UNIT_NAMES)).text
    for signal, other in (
        pl.DataFrame({"t": tag, "u": unit}).drop_nulls().unique(maintain_order=True).iter_rows()
    ):
        wrong = _unit_mismatch(plant, signal, other, "the value")
        if wrong is not None:
            findings.append(wrong)
            right = right & ~((tag == signal) & (unit == other)).fill_null(False)
    return right, pl.concat(findings)


def _table(plant: Plant, grid: Grid, names: list[str]) -> Sheet:
    """A finished dataset, as it stands: rows without a time and rows of one time stay in it, for the gate to judge."""
    time = read_instants(grid.column(_place(names, TIME_NAMES)), plant.zone)
    row = _numbered(grid, grid.rows)
    empty = _blank_rows(grid)
    findings = [_faults(row, time, ~empty), _guessed(plant, row, time.guessed)]
    columns: dict[str, pl.Series] = {"timestamp": time.values}
    for place, name in enumerate(names):
        known = _dataset_column(plant, name)
        if place == _place(names, TIME_NAMES):
            continue
        if known is None:
            findings.append(
                finding(
                    "unknown column",
                    f"{grid.names[place]!r} is no column of a cleaned dataset: not loaded",
                )
            )
            continue
        signal = _signal(plant, name)
        wrong = (
            _unit_mismatch(plant, signal, split_unit(grid.names[place])[1], f"column {name!r}")
            if signal
            else None
        )
        if wrong is not None:
            findings.append(wrong)
            continue
        value = read_numbers(grid.column(place), decimal_comma=grid.decimal_comma)
        findings.append(_faults(row, value, ~empty, known))
        columns[known] = _whole(value.values) if known in LABEL_NAMES else value.values
    table = pl.DataFrame(columns).filter(~empty).unique(maintain_order=True)
    claims = frozenset(s for s in plant.signals if s.lower() in names)
    return Sheet(pl.DataFrame(schema=NUMBERED_SCHEMA), pl.concat(findings), claims, table)


def _dataset_column(plant: Plant, name: str) -> str | None:
    """A column's name in the plant's own spelling; None for a column that no cleaned dataset has."""
    if name in (*LABEL_NAMES, *CLOCK_NAMES):
        return name
    beginnings = (*plant.signals, *(c.name for c in plant.controllers))
    for own in sorted(beginnings, key=len, reverse=True):
        if name == own.lower() or name.startswith(own.lower() + "_"):
            return own + name[len(own) :]
    return None


def _whole(values: pl.Series) -> pl.Series:
    whole = values.cast(pl.Int64, strict=False)
    return whole if (whole.cast(pl.Float64).eq_missing(values)).all() else values


__all__ = [
    "LABEL_NAMES",
    "NUMBERED_SCHEMA",
    "Sheet",
    "historian_names",
    "read_sheet",
    "split_unit",
    "unit_of",
]
