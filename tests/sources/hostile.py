"""Small files that end a simple reader, made on purpose or by mistake."""

import struct
import zipfile
from pathlib import Path

import polars as pl
import xlsxwriter

LAST_ROW, LAST_COLUMN = 1_048_575, 16_383
"""The last cell of an Excel sheet, counted from 0."""
MEGABYTE = 1024 * 1024


def corner(path: Path) -> Path:
    """A workbook with a cell in the first and in the last row and column."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    sheet.write(0, 0, 1)
    sheet.write(LAST_ROW, LAST_COLUMN, 1)
    book.close()
    return path


def last_cell(path: Path) -> Path:
    """A workbook with one cell, in the last row and column."""
    book = xlsxwriter.Workbook(str(path))
    book.add_worksheet().write(LAST_ROW, LAST_COLUMN, 1)
    book.close()
    return path


def bomb(path: Path, megabytes: int, *, declared: bool = True) -> Path:
    """A workbook whose sheet unpacks to this many megabytes.

    Not `declared`: its header states a length of one byte.
    """
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for _ in range(megabytes):
            sheet.write(b" " * MEGABYTE)
    if not declared:
        content = path.read_bytes()
        path.write_bytes(
            content.replace(struct.pack("<L", megabytes * MEGABYTE), struct.pack("<L", 1))
        )
    return path


def wide(path: Path, columns: int = 100_000) -> Path:
    """A CSV with this many columns."""
    path.write_text(
        ",".join(f"c{place}" for place in range(columns)) + "\n" + ",".join("1" * columns) + "\n"
    )
    return path


def long_parquet(path: Path, rows: int = 200_000_000) -> Path:
    """A Parquet file of some kilobytes with this many rows."""
    pl.LazyFrame({"value": [1.0]}).select(
        pl.col("value").repeat_by(rows).list.explode()
    ).sink_parquet(path)
    return path


def nested_parquet(path: Path) -> Path:
    """A Parquet file whose cells are lists and structures."""
    pl.DataFrame({"timestamp": [[1, 2]], "PDT31008": [{"a": 1}]}).write_parquet(path)
    return path
