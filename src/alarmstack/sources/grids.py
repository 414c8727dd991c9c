"""Grids: one sheet of a file in any format, with a header of names and columns of cells.

Excel files are read by calamine, CSV and Parquet by Polars. Rows keep the number that a person
sees: row 1 is the first line of a sheet or CSV. Parquet has no header line, its first record is row
1.
"""

from __future__ import annotations

import csv
import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from alarmstack.core.errors import SourceError
from alarmstack.core.formats import PACKED, PARQUET, TEXT
from alarmstack.sources.cells import Cells, cells_of, cells_of_objects, cells_of_series
from alarmstack.sources.limits import Limits
from alarmstack.sources.packed import check_unpacked

_VALUE_LIKE = re.compile(r"[+-]?[\d.,:\-/ TZ]*\d[\d.,:\-/ TZ+]*")
_ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_LINES_SNIFFED = 50
Rows = Sequence[Sequence[object]]
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Grid:
    """A sheet. `names` is the header (empty: none), `first_row` the number of the first row."""

    names: tuple[str, ...]
    first_row: int
    rows: int
    width: int
    column: Callable[[int], Cells]
    decimal_comma: bool = False
    unread: tuple[str, ...] = field(default=())


def read_grid(path: Path, limits: Limits = DEFAULT_LIMITS) -> Grid:
    """The first sheet of a file that is not empty.

    Raises SourceError when the file cannot be opened (truncated, encrypted, or of another format
    than its suffix), or exceeds a limit.
    """
    with readable(path):
        limits.check_size(path.name, path.stat().st_size)
        suffix = path.suffix.lower()
        if suffix in PARQUET:
            return _parquet(path, limits)
        if suffix in TEXT:
            return _csv(path, limits)
        if suffix in PACKED:
            check_unpacked(path, limits)
        return _workbook(path, limits)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Translate a library's error about an unreadable file into a SourceError."""
    try:
        yield
    except SourceError:
        raise
    except BaseException as error:
        if not _means_unreadable(error):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        form = path.suffix[1:].upper()
        raise SourceError(
            f"{path.name} cannot be opened ({reason}): truncated or not {form}; export it again"
        ) from error


def _means_unreadable(error: BaseException) -> bool:
    """Whether a library reports an unreadable file.

    A panic of the Rust readers counts too. It is not an Exception and its class is not public.
    """
    unreadable = (
        CalamineError,
        pl.exceptions.PolarsError,
        csv.Error,
        OSError,
        UnicodeError,
        ValueError,
        OverflowError,
    )
    return isinstance(error, unreadable) or type(error).__name__ == "PanicException"


def _workbook(path: Path, limits: Limits) -> Grid:
    # Opened here: the library accepts only file names in UTF-8.
    with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as book, _no_collection():
        names = [s.name for s in book.sheets_metadata if s.typ is SheetTypeEnum.WorkSheet]
        filled: list[str] = []
        rows: Rows = []
        for name in names:
            sheet = book.get_sheet_by_name(name)
            if sheet.height == 0:
                continue
            filled.append(name)
            if len(filled) == 1:
                limits.check_cells(path.name, sheet.total_height, sheet.total_width)
                rows = sheet.to_python(skip_empty_area=False)
    head, below = _split_header(rows)
    while below < len(rows) and not any(cell != "" for cell in rows[below]):
        below += 1
    body = rows[below:]

    def column(place: int) -> Cells:
        return cells_of_objects([row[place] for row in body])

    return Grid(
        head,
        below + 1,
        len(body),
        len(rows[0]) if rows else 0,
        cache(column),
        unread=tuple(filled[1:]),
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: with a million small lists it costs a third of the reading time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _split_header(rows: Rows) -> tuple[tuple[str, ...], int]:
    first = rows[0] if rows else ()
    if any(not _is_name(cell) for cell in first):
        return (), 0
    return tuple(str(cell).strip() for cell in first), min(len(rows), 1)


def _is_name(cell: object) -> bool:
    return isinstance(cell, str) and _VALUE_LIKE.fullmatch(cell.strip()) is None


def _csv(path: Path, limits: Limits) -> Grid:
    content = path.read_bytes()
    text = _decoded(path, content)
    lines = _first_lines(text)
    if not any(line.strip() for line in lines):
        return Grid((), 1, 0, 0, lambda _: cells_of(0))
    separator = max(";\t,", key=lambda mark: lines[0].count(mark))
    width = max(map(len, csv.reader(lines, delimiter=separator)))
    limits.check_cells(path.name, text.count("\n") + 1, width)
    frame = pl.read_csv(
        text.encode(),
        has_header=False,
        schema={f"c{place}": pl.String for place in range(width)},
        separator=separator,
        truncate_ragged_lines=True,
        missing_columns="insert",
    )
    first_row = frame.head(1).fill_null("")
    head, below = _split_header(first_row.rows())
    body = frame.slice(below)
    return Grid(
        head,
        below + 1,
        len(body),
        width,
        lambda place: cells_of(len(body), text=body.to_series(place)),
        decimal_comma=separator == ";",
    )


def _first_lines(text: str) -> list[str]:
    end = 0
    for _ in range(_LINES_SNIFFED):
        end = text.find("\n", end) + 1
        if not end:
            return text.splitlines()[:_LINES_SNIFFED]
    return text[:end].splitlines()[:_LINES_SNIFFED]


def _decoded(path: Path, content: bytes) -> str:
    if b"\x00" in content[:1000] and content[:2] not in _ENCODINGS:
        raise SourceError(f"{path.name} cannot be opened: it is not text; export it again as CSV")
    encoding = next((e for mark, e in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("cp1252")  # written by Windows in Western Europe


def _parquet(path: Path, limits: Limits) -> Grid:
    # Read here: the library accepts only file names in UTF-8.
    content = path.read_bytes()
    rows = pl.scan_parquet(BytesIO(content)).select(pl.len()).collect().item()
    limits.check_cells(path.name, rows, len(pl.read_parquet_schema(BytesIO(content))))
    frame = pl.read_parquet(BytesIO(content))
    return Grid(
        tuple(frame.columns),
        1,
        len(frame),
        frame.width,
        lambda place: cells_of_series(frame.to_series(place)),
    )


__all__ = [
    "DEFAULT_LIMITS",
    "Grid",
    "read_grid",
    "readable",
]
