"""Limits of size, cells, memory and time for files from outside."""

from __future__ import annotations

from dataclasses import dataclass

from alarmstack.core.errors import SourceError
from alarmstack.core.settings import Settings

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The limits for one file or one folder of exports. Each is a setting with the same default.

    `unpacked`: megabytes of a file after unpacking; `cells`, `columns`: of one sheet; `memory`,
    `seconds`: of the process that reads a drop (`guarded`), in megabytes of address space and wall
    seconds.
    """

    unpacked: int = 1024
    cells: int = 25_000_000
    columns: int = 5_000
    memory: int = 4096
    seconds: float = 300.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits of the settings."""
        return cls(
            settings.read_unpacked,
            settings.read_cells,
            settings.read_columns,
            settings.read_memory,
            settings.read_seconds,
        )

    def check_size(self, name: str, size: int) -> None:
        """Raise SourceError when a file has too many bytes after unpacking."""
        if size > self.unpacked * MEGABYTE:
            raise SourceError(
                f"{name} has more than {self.unpacked} MB after unpacking: {_advice('UNPACKED_MB')}"
            )

    def check_cells(self, name: str, rows: int, columns: int) -> None:
        """Raise SourceError when a sheet has too many columns or cells."""
        if columns > self.columns:
            raise SourceError(
                f"{name} has {columns:,} columns, at most {self.columns:,} are read: "
                f"{_advice('COLUMNS')}"
            )
        if rows * columns > self.cells:
            raise SourceError(
                f"{name} has {rows:,} rows × {columns:,} columns, "
                f"at most {self.cells:,} cells are read: {_advice('CELLS')}"
            )

    def too_slow(self) -> str:
        """The reason for a drop that takes too long to read."""
        return f"reading it takes more than {self.seconds:g} s: {_advice('SECONDS')}"

    def too_large(self) -> str:
        """The reason for a drop that needs too much memory."""
        return f"reading it needs more than {self.memory} MB of memory: {_advice('MEMORY_MB')}"


def _advice(name: str) -> str:
    return f"check for a filled cell far outside the data, or raise ALARMSTACK_READ_{name}"


__all__ = ["MEGABYTE", "Limits"]
