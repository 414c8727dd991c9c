"""Exports that are written from rows: the same rows as Excel, old Excel, CSV or Parquet."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import xlsxwriter
import xlwt

Row = Sequence[object]
STAMP = "yyyy-mm-dd hh:mm:ss"


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows, which include the header, in the format of the suffix."""
    {".xlsx": _xlsx, ".xls": _xls, ".csv": _csv, ".parquet": _parquet}[path.suffix.lower()](
        path, rows
    )
    return path


def simple(
    path: Path, readings: Sequence[tuple[object, object]], header: Row = ("Value", "Timestamp")
) -> Path:
    """The historian's sheet of a simple instrument: a header, a blank row, then value and time."""
    return write(path, [header, ("", ""), *readings])


def controller(path: Path, pv: Sequence[Row], op: Sequence[Row], sp: Sequence[Row]) -> Path:
    """The historian's sheet of a controller: PV in A/B, OP in E/F, SP in I/J, of any lengths."""
    header = ("PV", "Timestamp", "", "", "OP", "Timestamp", "", "", "SP", "Timestamp")
    rows: list[list[object]] = [list(header), [""] * 10]
    for at in range(max(map(len, (pv, op, sp)))):
        row: list[object] = [""] * 10
        for place, part in ((0, pv), (4, op), (8, sp)):
            if at < len(part):
                row[place : place + 2] = part[at]
        rows.append(row)
    return write(path, rows)


def hours(begin: datetime, values: Sequence[object]) -> list[tuple[object, object]]:
    """One reading for each hour."""
    return [(value, begin + timedelta(hours=at)) for at, value in enumerate(values)]


def _xlsx(path: Path, rows: Sequence[Row]) -> None:
    book = xlsxwriter.Workbook(str(path))
    sheet, stamp = book.add_worksheet(), book.add_format({"num_format": STAMP})
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(y, x, cell, stamp)
            elif isinstance(cell, str):
                sheet.write_string(y, x, cell)
            elif cell is not None:
                sheet.write(y, x, cell)
    book.close()


def _xls(path: Path, rows: Sequence[Row]) -> None:
    book = xlwt.Workbook()
    sheet, stamp = book.add_sheet("Sheet1"), xlwt.easyxf(num_format_str=STAMP)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is not None and cell != "":
                sheet.write(y, x, cell, stamp) if isinstance(cell, date) else sheet.write(
                    y, x, cell
                )
    book.save(str(path))


def _csv(path: Path, rows: Sequence[Row]) -> None:
    lines = (
        ",".join("" if c is None else f"{c!r}" if isinstance(c, float) else str(c) for c in row)
        for row in rows
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _parquet(path: Path, rows: Sequence[Row]) -> None:
    head, *body = rows
    names = [str(name) or f"blank{at}" for at, name in enumerate(head)]
    names = [name if names.index(name) == at else f"{name}{at}" for at, name in enumerate(names)]
    filled = [[None if cell == "" else cell for cell in row] for row in body]
    pl.DataFrame(filled, schema=names, orient="row", strict=False).write_parquet(path)
