"""The file formats that alarmstack reads: the one list of suffixes."""

from __future__ import annotations

from pathlib import Path

PACKED = (".xlsx", ".xlsm")
"""Workbooks that are ZIP files."""
EXCEL = (*PACKED, ".xls")
TEXT = (".csv",)
PARQUET = (".parquet",)
SUFFIXES = EXCEL + TEXT + PARQUET
NAMES = ", ".join(suffix.removeprefix(".") for suffix in SUFFIXES)
"""The formats as help texts list them."""


def is_data_file(path: Path) -> bool:
    """Whether the file's name ends like that of a data file, in upper or lower case.

    >>> is_data_file(Path("PDT31008.XLSX")), is_data_file(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES


__all__ = ["EXCEL", "NAMES", "PACKED", "PARQUET", "SUFFIXES", "TEXT", "is_data_file"]
