"""Layouts: which cells of a sheet hold the tags, times and values.

- *historian*: a workbook for each instrument or controller, named after it; plant.toml gives the
  value and time columns;
- *long*: columns tag, time, value (and unit);
- *wide*: a time column and one column for each signal;
- *table*: wide, with columns of the cleaned dataset (`X_max`, `anomaly_label`): a finished dataset,
  not readings.

Every layout results in the same two frames: numbered readings and findings. A header may state a
unit, as `PDT31008 [bar]`, `PDT31008 (bar)` or in a row of units below the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from alarmstack.core.plant import Plant
from alarmstack.core.units import read_unit
from alarmstack.sources.cells import Cells, Read, read_instants, read_numbers
from alarmstack.sources.grids import Grid
from alarmstack.sources.problems import FINDING_SCHEMA, ProblemKind, finding, no_findings
from alarmstack.sources.units import ColumnUnit, column_unit

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
LETTERS = 26
"""Columns that Excel names with one letter."""
_WITH_UNIT = re.compile(r"(.+?)\s*(?:\[\s*([^\]]+?)\s*\]|\(\s*(.+?)\s*\))")
_BRACKETED = re.compile(r"[\[(](.*)[\])]")
_NUMBER_LIKE = re.compile(r"\d{2}|^\d$")
"""In the text of a cell that is a value or a date, not a unit."""


@dataclass(frozen=True)
class Sheet:
    """The content of a grid: `readings` (row, tag, time, value) or a `table`, and `findings`.

    `claims`: the signals that the sheet has columns or rows for.
    """

    readings: pl.DataFrame
    findings: pl.DataFrame
    claims: frozenset[str]
    table: pl.DataFrame | None = None


def read_sheet(plant: Plant, path: Path, grid: Grid) -> Sheet | None:
    """The content of the sheet, read by its layout; None when no layout fits."""
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
    """The grid with a row of units below the header moved into it.

    `PDT31008` above `mbar` becomes `PDT31008 [mbar]`.
    """
    if not grid.names or grid.rows == 0:
        return grid
    units = [_unit_below(grid, place) for place in range(len(grid.names))]
    texts = [unit for unit in units if unit is not None]
    if not any(map(read_unit, texts)) or any(map(_NUMBER_LIKE.search, texts)):
        return grid
    names = tuple(
        f"{name} [{unit}]" if unit and split_unit(name)[1] is None else name
        for name, unit in zip(grid.names, units, strict=True)
    )
    column = grid.column
    return replace(
        grid,
        names=names,
        first_row=grid.first_row + 1,
        rows=grid.rows - 1,
        column=lambda place: column(place).cut(1),
    )


def _unit_below(grid: Grid, place: int) -> str | None:
    """The text below a column's name, where it may be a unit."""
    if not grid.names[place]:
        return None
    text = grid.column(place).cut(0, 1).shown()[0]
    if text is None:
        return None
    bracketed = _BRACKETED.fullmatch(text)
    unit = bracketed[1].strip() if bracketed else text
    return None if unit.lower() in TIME_NAMES else unit


def historian_names(plant: Plant) -> dict[str, str]:
    """Lower-case file stem → instrument, controller or single signal that the file is about."""
    stem = Path(plant.historian.file_pattern).stem
    sources = (*plant.signals, *(c.name for c in plant.controllers))
    return {stem.format(name=name).lower(): name for name in sources}


def split_unit(name: str) -> tuple[str, str | None]:
    """A header without its unit, and the unit.

    >>> split_unit("PDT31008 [mbar]"), split_unit("PT100 (bar(g))"), split_unit("TE301020")
    (('PDT31008', 'mbar'), ('PT100', 'bar(g)'), ('TE301020', None))
    """
    match = _WITH_UNIT.fullmatch(name.strip())
    return (match[1], match[2] or match[3]) if match else (name.strip(), None)


def _has(names: list[str], wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(names)


def _place(names: list[str], wanted: frozenset[str]) -> int:
    return next(place for place, name in enumerate(names) if name in wanted)


def _signal(plant: Plant, name: str) -> str | None:
    return next((s for s in plant.signals if s.lower() == name), None)


def _is_table(plant: Plant, names: list[str]) -> bool:
    statistics = {f"{s.lower()}_{end}" for s in plant.signals for end in ("max", "min")}
    return not (statistics | set(LABEL_NAMES)).isdisjoint(names)


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
            reason = f"{signal} must be in {columns}, the sheet has {grid.width} columns"
            findings.append(finding("missing instrument", reason))
            continue
        written = split_unit(grid.names[value])[1] if grid.names else None
        unit = column_unit(plant, signal, written, f"column {_letter(value)}")
        findings.append(unit.findings)
        if unit.unit is not None:
            good, bad = _pair(plant, grid, unit, signal, grid.column(value), grid.column(time))
            readings.append(good)
            findings.append(bad)
    return Sheet(pl.concat(readings), pl.concat(findings), frozenset(places))


def _pair(
    plant: Plant, grid: Grid, unit: ColumnUnit, signal: str, values: Cells, times: Cells
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Readings and findings of a value column and its time column.

    Rows in which both are blank lie below the end of a shorter column.
    """
    time = read_instants(times, plant.zone)
    value = read_numbers(values, decimal_comma=grid.decimal_comma)
    row = _numbered(grid, len(values))
    both_blank = values.blank() & times.blank()
    header = (row <= plant.historian.header_rows) & time.values.is_null() & value.values.is_null()
    used = ~(both_blank | header)
    no_value = values.blank() & used
    frame = pl.DataFrame({"row": row, "time": time.values, "value": unit.apply(value.values)})
    complete = frame["time"].is_not_null() & frame["value"].is_not_null()
    tagged = frame.with_columns(tag=pl.lit(signal))
    good = tagged.filter(used & complete).select(*NUMBERED_SCHEMA)
    has_time = time.kind.is_null()
    bad = [
        _faults(row, time, used),
        _faults(row, value, used & has_time),
        _named(row, no_value & has_time, "blank", f"{signal} has a time and no value"),
        _guessed(plant, row, time.guessed),
    ]
    return good, pl.concat(bad)


def _faults(row: pl.Series, read: Read, among: pl.Series, name: str = "") -> pl.DataFrame:
    frame = pl.DataFrame({"row": row, "kind": read.kind, "reason": read.reason})
    bad = frame.filter(among & read.kind.is_not_null()).select(*FINDING_SCHEMA)
    return bad.with_columns(reason=pl.lit(f"{name} ") + pl.col("reason")) if name else bad


def _named(row: pl.Series, mask: pl.Series, kind: ProblemKind, reason: str) -> pl.DataFrame:
    rows = pl.DataFrame({"row": row.filter(mask)})
    return rows.with_columns(kind=pl.lit(kind), reason=pl.lit(reason)).cast(FINDING_SCHEMA)


def _guessed(plant: Plant, row: pl.Series, mask: pl.Series) -> pl.DataFrame:
    reason = (
        f"in the hour that {plant.timezone} has twice, and the order of the rows does not show "
        "which one: read as the first; write times with offsets"
    )
    return _named(row, mask, "clock change", reason)


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < LETTERS else f"number {place + 1}"


def _wide(plant: Plant, grid: Grid, names: list[str]) -> Sheet:
    time_place = _place(names, TIME_NAMES)
    time = read_instants(grid.column(time_place), plant.zone)
    row = _numbered(grid, grid.rows)
    empty = _blank_rows(grid)
    readings = [pl.DataFrame(schema=NUMBERED_SCHEMA)]
    findings = [_faults(row, time, ~empty), _guessed(plant, row, time.guessed)]
    claims: set[str] = set()
    for place, name in enumerate(names):
        if place == time_place:
            continue
        if not name and grid.column(place).blank().all():
            continue
        signal = _signal(plant, name)
        if signal is None:
            reason = f"{grid.names[place]!r} is not a signal of {plant.name}: not loaded"
            findings.append(finding("unknown column", reason))
            continue
        claims.add(signal)
        unit = _unit_in_header(plant, grid, signal, place)
        findings.append(unit.findings)
        if unit.unit is None:
            continue
        value = read_numbers(grid.column(place), decimal_comma=grid.decimal_comma)
        findings.append(_faults(row, value, time.kind.is_null(), signal))
        values = unit.apply(value.values)
        frame = pl.DataFrame({"row": row, "time": time.values, "value": values}).drop_nulls()
        readings.append(frame.with_columns(tag=pl.lit(signal)).select(*NUMBERED_SCHEMA))
    return Sheet(pl.concat(readings), pl.concat(findings), frozenset(claims))


def _unit_in_header(plant: Plant, grid: Grid, signal: str, place: int) -> ColumnUnit:
    header = grid.names[place]
    return column_unit(plant, signal, split_unit(header)[1], f"column {header!r}")


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
    of_signal = tag.is_not_null()
    in_plant_units, unit_findings = _in_plant_units(plant, grid, names, tag, value.values)
    frame = pl.DataFrame({"row": row, "tag": tag, "time": time.values, "value": in_plant_units})
    has_time = of_signal & time.kind.is_null()
    findings = [
        _faults(row, time, of_signal),
        _faults(row, value, has_time),
        _named(row, values.blank() & has_time, "blank", "a time and no value"),
        _named(row, tags.is_null() & ~empty, "blank", "no tag"),
        _guessed(plant, row, time.guessed & of_signal),
        _unknown_tags(plant, row, tags, of_signal),
        unit_findings,
    ]
    claims = frozenset(tag.drop_nulls().unique().to_list())
    readings = frame.drop_nulls().select(*NUMBERED_SCHEMA)
    return Sheet(readings, pl.concat(findings), claims)


def _unknown_tags(
    plant: Plant, row: pl.Series, tags: pl.Series, of_signal: pl.Series
) -> pl.DataFrame:
    unknown = pl.DataFrame({"row": row, "tag": tags}).filter(~of_signal & tags.is_not_null())
    counted = unknown.group_by("tag", maintain_order=True).agg(pl.col("row").min(), count=pl.len())
    reason = pl.format(
        "'{}' is not a signal of {}: {} rows not loaded", "tag", pl.lit(plant.name), "count"
    )
    return counted.select("row", kind=pl.lit("unknown tag"), reason=reason).cast(FINDING_SCHEMA)


def _in_plant_units(
    plant: Plant, grid: Grid, names: list[str], tag: pl.Series, values: pl.Series
) -> tuple[pl.Series, pl.DataFrame]:
    """The values in the plant's units, missing where the unit column has one that does not fit.

    One finding for each tag and unit that is converted or not loaded.
    """
    findings = [no_findings()]
    if not _has(names, UNIT_NAMES):
        return values, findings[0]
    units = grid.column(_place(names, UNIT_NAMES)).text
    pairs = pl.DataFrame({"tag": tag, "unit": units}).drop_nulls().unique(maintain_order=True)
    for signal, written in pairs.iter_rows():
        unit = column_unit(plant, signal, written, "the value")
        findings.append(unit.findings)
        rows = ((tag == signal) & (units == written)).fill_null(False)
        in_unit = None if unit.unit is None else unit.apply(values)
        values = pl.select(pl.when(rows).then(in_unit).otherwise(values)).to_series()
    return values, pl.concat(findings)


def _table(plant: Plant, grid: Grid, names: list[str]) -> Sheet:
    """A finished dataset, unchanged.

    Rows without a time and rows with the same time stay in it: the quality gate reports them.
    """
    time_place = _place(names, TIME_NAMES)
    time = read_instants(grid.column(time_place), plant.zone)
    row = _numbered(grid, grid.rows)
    empty = _blank_rows(grid)
    findings = [_faults(row, time, ~empty), _guessed(plant, row, time.guessed)]
    columns: dict[str, pl.Series] = {"timestamp": time.values}
    for place, name in enumerate(names):
        if place == time_place:
            continue
        column = _dataset_column(plant, name)
        if column is None:
            reason = f"{grid.names[place]!r} is not a column of a cleaned dataset: not loaded"
            findings.append(finding("unknown column", reason))
            continue
        value = read_numbers(grid.column(place), decimal_comma=grid.decimal_comma)
        values = value.values
        if signal := _signal(plant, name.removesuffix("_max").removesuffix("_min")):
            unit = _unit_in_header(plant, grid, signal, place)
            findings.append(unit.findings)
            if unit.unit is None:
                continue
            values = unit.apply(values)
        findings.append(_faults(row, value, ~empty, column))
        columns[column] = _whole(values) if column in LABEL_NAMES else values
    table = pl.DataFrame(columns).filter(~empty).unique(maintain_order=True)
    claims = frozenset(s for s in plant.signals if s.lower() in names)
    return Sheet(pl.DataFrame(schema=NUMBERED_SCHEMA), pl.concat(findings), claims, table)


def _dataset_column(plant: Plant, name: str) -> str | None:
    """A column's name in the plant's own spelling; None: no cleaned dataset has this column."""
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


__all__ = ["LABEL_NAMES", "NUMBERED_SCHEMA", "Sheet", "historian_names", "read_sheet", "split_unit"]
