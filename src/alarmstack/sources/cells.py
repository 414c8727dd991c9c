"""Cells: the content of a sheet's column before its meaning is known.

A cell is a number, a text, a local time (a clock time without zone), an instant (with zone), or
blank. `Cells` keeps these as four aligned columns, at most one of them filled in each row, so that
a million cells are processed as columns and not one by one. `read_numbers` and `read_instants` then
interpret the column: they give the values, and a fault for each row that has none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from alarmstack.sources.clock import to_utc
from alarmstack.sources.problems import ProblemKind

MOMENT = pl.Datetime("us")
INSTANT = pl.Datetime("us", "UTC")
# Day 0 of Excel's serial numbers. Its leap-year error of 1900 is before every date we accept.
EXCEL_EPOCH = dt.datetime(1899, 12, 30)
MILLISECONDS_A_DAY = 86_400_000
# No historian has older readings. A mistyped year (0201) or an empty date (1900) would give
# centuries of empty rows.
EARLIEST = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)
LATEST_SERIAL = 73_050  # 2099-12-31
_DATES = ("%Y-%m-%d", "%d.%m.%Y")
_TIMES = (" %H:%M:%S%.f", " %H:%M", "")
_OFFSET = r"\d:\d\d.*?\s*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"
_DECIMAL_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+$"
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"  # 1,234: 1.234 or 1234
_THOUSANDS = r"^[+-]?\d{1,3}(?:,\d{3})+\.\d+$|^[+-]?\d{1,3}(?:,\d{3}){2,}$"


@dataclass(frozen=True)
class Cells:
    """A column of cells: in each row at most one of the four series has a value."""

    number: pl.Series
    text: pl.Series
    moment: pl.Series
    instant: pl.Series

    def __len__(self) -> int:
        return len(self.number)

    def shown(self) -> pl.Series:
        """Each cell as text for a report; blank: null."""
        frame = pl.DataFrame(
            {"i": self.instant, "m": self.moment, "t": self.text, "n": self.number}
        )
        return frame.select(
            pl.coalesce(*(pl.col(name).cast(pl.String) for name in "itmn"))
        ).to_series()

    def cut(self, begin: int, length: int | None = None) -> Cells:
        """The cells from `begin`, at most `length` of them."""
        return Cells(
            *(
                series.slice(begin, length)
                for series in (self.number, self.text, self.moment, self.instant)
            )
        )

    def blank(self) -> pl.Series:
        """Which cells are blank."""
        return (
            self.number.is_null()
            & self.text.is_null()
            & self.moment.is_null()
            & self.instant.is_null()
        )


@dataclass(frozen=True)
class Read:
    """An interpreted column: `values`, and `kind` and `reason` of the fault in rows without one."""

    values: pl.Series
    kind: pl.Series
    reason: pl.Series


@dataclass(frozen=True)
class ReadTimes(Read):
    """Instants. `guessed` [rows]: in a repeated hour with unclear order, read as the first pass."""

    guessed: pl.Series


def cells_of(
    rows: int,
    *,
    number: pl.Series | None = None,
    text: pl.Series | None = None,
    moment: pl.Series | None = None,
    instant: pl.Series | None = None,
) -> Cells:
    """Cells from the given series; the others are blank."""

    def or_blank(series: pl.Series | None, dtype: pl.DataType) -> pl.Series:
        return (
            pl.repeat(None, rows, dtype=dtype, eager=True) if series is None else series.cast(dtype)
        )

    if text is not None:
        text = text.str.strip_chars().replace("", None)
    return Cells(
        or_blank(number, pl.Float64()),
        or_blank(text, pl.String()),
        or_blank(moment, MOMENT),
        or_blank(instant, INSTANT),
    )


def cells_of_objects(cells: Sequence[object]) -> Cells:
    """Cells of a workbook's column from calamine, which gives midnight as a date without time."""
    kinds = set(map(type, cells))
    if kinds <= {float, int}:
        return cells_of(len(cells), number=pl.Series(cells, dtype=pl.Float64, strict=False))
    if kinds == {dt.datetime}:
        return cells_of(len(cells), moment=pl.Series(cells, dtype=MOMENT).dt.round("1ms"))
    dates = {dt.date, dt.datetime}
    moments = [_midnight(c) if type(c) in dates else None for c in cells]
    numbers = [c if type(c) is float or type(c) is int else None for c in cells]
    plain = {float, int} | dates
    texts = [None if type(c) in plain or c is None else str(c) for c in cells]
    return cells_of(
        len(cells),
        number=pl.Series(numbers, dtype=pl.Float64, strict=False),
        text=pl.Series(texts, dtype=pl.String),
        moment=pl.Series(moments, dtype=MOMENT).dt.round("1ms"),
    )


def cells_of_series(series: pl.Series) -> Cells:
    """Cells of a typed column of a Parquet file."""
    if series.dtype.is_numeric():
        return cells_of(len(series), number=series)
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
        return cells_of(len(series), instant=series.dt.convert_time_zone("UTC"))
    if series.dtype in (pl.Date, pl.Datetime):
        return cells_of(len(series), moment=series)
    return cells_of(len(series), text=series.cast(pl.String))


def _midnight(cell: object) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime(cell.year, cell.month, cell.day) if isinstance(cell, dt.date) else None


def read_numbers(cells: Cells, *, decimal_comma: bool = False) -> Read:
    """The column as float64.

    A decimal comma is accepted where it cannot mean thousands: `1,5`, `0,125`, `1.234,5`. `1,234`
    alone is ambiguous. Another cell of the column, or `decimal_comma` (a file that separates with
    semicolons), decides.
    """
    text = cells.text
    if text.null_count() == len(text):
        parsed = pl.repeat(None, len(text), dtype=pl.Float64, eager=True)
    else:
        parsed = _numbers_in(text, decimal_comma)
    values = cells.number.fill_null(parsed) if cells.number.null_count() else cells.number
    unreadable = values.is_null() & ~cells.blank()
    infinite = values.is_not_null() & ~values.is_finite().fill_null(False)
    return _judged(
        values,
        cells,
        [
            (unreadable, "text", "not a number: correct the cell or leave it blank"),
            (
                infinite,
                "bad number",
                "not a finite number: leave the cell blank if there was no value",
            ),
        ],
    )


def _numbers_in(text: pl.Series, decimal_comma: bool) -> pl.Series:
    plain = text.cast(pl.Float64, strict=False)
    commas = text.filter(plain.is_null()).drop_nulls()
    if not commas.str.contains(",", literal=True).any():
        return plain
    comma = pl.col("t").str.contains(_DECIMAL_COMMA)
    either = pl.col("t").str.contains(_EITHER)
    thousands = pl.col("t").str.contains(_THOUSANDS)
    frame = pl.DataFrame({"t": text, "plain": plain})
    has_decimal, has_thousands = frame.select(
        decimal=(comma & ~either).any().fill_null(False), thousands=thousands.any().fill_null(False)
    ).row(0)
    decimal = decimal_comma or (has_decimal and not has_thousands)
    return frame.select(
        pl.when(thousands | (either & (has_thousands and not decimal)))
        .then(pl.col("t").str.replace_all(",", "").cast(pl.Float64, strict=False))
        .when(comma & (~either | decimal))
        .then(
            pl.col("t")
            .str.replace_all(r"\.", "")
            .str.replace(",", ".")
            .cast(pl.Float64, strict=False)
        )
        .otherwise(pl.col("plain"))
    ).to_series()


def read_instants(cells: Cells, zone: ZoneInfo, series: pl.Series | None = None) -> ReadTimes:
    """The column as UTC instants.

    Clock times without offset are in plant time. `series` [rows] names the series of each row
    (None: one series). Within a series, the order of the rows distinguishes the two passes of a
    repeated hour. Excel's serial numbers count as clock times.
    """
    offset = cells.text.str.contains(_OFFSET).fill_null(False)
    aware, naive = cells.text.set(~offset, None), cells.text.set(offset, None)
    instant = cells.instant.fill_null(_parse(aware, "%#z").cast(INSTANT))
    serial = cells.number.fill_null(naive.cast(pl.Float64, strict=False))
    moment = cells.moment.fill_null(_parse(naive, "")).fill_null(_from_serial(serial))
    passed = to_utc(moment, zone, series)
    values = instant.fill_null(passed.instants)
    unreadable = moment.is_null() & instant.is_null()
    ancient = values.is_not_null() & (values < EARLIEST).fill_null(False)
    forms = "write 2015-01-31 14:05:00, 31.01.2015 14:05 or with an offset +01:00"
    skipped = f"the clock in {zone.key} skips this time: write times with offsets"
    too_old = f"before {EARLIEST:%Y}, older than any historian: correct the year"
    read = _judged(
        values,
        cells,
        [
            (cells.blank(), "blank", "no time: a value without a time cannot be loaded"),
            (unreadable, "bad time", f"not a readable time: {forms}"),
            (passed.absent, "clock change", skipped),
            (ancient, "bad time", too_old),
        ],
    )
    return ReadTimes(read.values, read.kind, read.reason, passed.undecided)


def _parse(text: pl.Series, offset_form: str) -> pl.Series:
    """Instants (with an offset form) or local times; null when no form fits."""
    dtype = INSTANT if offset_form else MOMENT
    parsed = pl.repeat(None, len(text), dtype=dtype, eager=True)
    if text.null_count() == len(text):
        return parsed
    clean = text.str.replace(r"^(\S{8,10})[Tt](\d)", "$1 $2").str.replace(
        r"\s+([Zz]|[+-]\d\d:?\d\d)$", "$1"
    )
    clean = clean.str.replace("z$", "Z").str.replace(r"(:\d\d(?:\.\d+)?)([+-]\d\d)$", "${1}${2}:00")
    for form in (date + time + offset_form for date in _DATES for time in _TIMES):
        left = parsed.is_null() & clean.is_not_null()
        if not left.any():
            break
        instants = clean.set(~left, None).str.to_datetime(
            form, strict=False, time_unit="us", ambiguous="raise"
        )
        parsed = parsed.fill_null(instants.cast(dtype))
    return parsed


def _from_serial(days: pl.Series) -> pl.Series:
    usable = days.is_between(1, LATEST_SERIAL).fill_null(False)
    milliseconds = (days.set(~usable, None) * MILLISECONDS_A_DAY).round().cast(pl.Int64)
    return (milliseconds.cast(pl.Duration("ms")) + EXCEL_EPOCH).cast(MOMENT)


def _judged(
    values: pl.Series, cells: Cells, faults: Sequence[tuple[pl.Series, ProblemKind, str]]
) -> Read:
    """The values without the faulty ones. Each row gets the first fault that applies."""
    nothing = pl.repeat(None, len(values), dtype=pl.String, eager=True)
    present = [(mask, kind, advice) for mask, kind, advice in faults if mask.any()]
    if not present:
        return Read(values, nothing, nothing)
    frame = pl.DataFrame({"value": values, "shown": cells.shown().fill_null("blank")})
    kind, reason = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for mask, name, advice in reversed(present):
        kind = pl.when(mask).then(pl.lit(name)).otherwise(kind)
        reason = (
            pl.when(mask).then(pl.format("'{}': {}", "shown", pl.lit(advice))).otherwise(reason)
        )
    judged = frame.with_columns(kind=kind, reason=reason).with_columns(
        value=pl.when(pl.col("kind").is_null()).then(pl.col("value"))
    )
    return Read(judged["value"], judged["kind"], judged["reason"])


__all__ = [
    "Cells",
    "Read",
    "ReadTimes",
    "cells_of",
    "cells_of_objects",
    "cells_of_series",
    "read_instants",
    "read_numbers",
]
