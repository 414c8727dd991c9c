"""How much one file may cost: limits of size, cells, memory and time that a file from outside must keep."""

from __future__ import annotations

from dataclasses import dataclass

from alarmstack.core.errors import SourceError
from alarmstack.core.settings import Settings

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one file, or one folder of exports, may need. Each limit is a setting with the same default.

    `unpacked`: megabytes of a file as it is once unpacked; `cells`, `columns`: of one sheet; `memory`, `seconds`: of the process
    that reads a drop (`guarded`), in megabytes of address space and wall seconds.
    """

    unpacked: int = 1024
    cells: int = 25_000_000
    columns: int = 5_000
    memory: int = 4096
    seconds: float = 300.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings name."""
        return cls(
            settings.read_unpacked,
            settings.read_cells,
            settings.read_columns,
            settings.read_memory,
            settings.read_seconds,
        )

    def check_size(self, name: str, size: int) -> None:
        """Raise SourceError where a file, unpacked, has more bytes than it may."""
        if size > self.unpacked * MEGABYTE:
            raise SourceError(
                f"{name} has more than {self.unpacked} MB once unpacked: {_raise('UNPACKED_MB')}"
            )

    def check_cells(self, name: str, rows: int, columns: int) -> None:
        """Raise SourceError where a sheet has more columns or cells than it may."""
        if columns > self.columns:
            raise SourceError(
                f"{name} has {columns:,} columns, at most {self.columns:,} are read: {_raise('COLUMNS')}"
            )
        if rows * columns > self.cells:
            raise SourceError(
                f"{name} reaches over {rows:,} rows × {columns:,} columns, at most {self.cells:,} cells are read: {_raise('CELLS')}"
            )

    def too_slow(self) -> str:
        """Why a drop was not read that takes too long."""
        return f"reading it takes more than {self.seconds:g} s: {_raise('SECONDS')}"

    def too_large(self) -> str:
        """Why a drop was not read that needs too much memory."""
        return f"reading it needs more than {self.memory} MB of memory: {_raise('MEMORY_MB')}"


def _raise(name: str) -> str:
    return f"is a cell far outside the data filled? If not, raise ALARMSTACK_READ_{name}"


__all__ = ["MEGABYTE", "Limits"]
