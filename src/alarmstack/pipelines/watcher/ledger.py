"""The outcome of every drop: one JSON line each, read again after a restart.

A second file lists the drops that were begun and not finished. A drop that is listed after a
restart may have ended the process. A drop that was begun too often is not begun again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from alarmstack.core.errors import StorageError
from alarmstack.core.whole_files import replacing

Outcome = Literal["taken", "handed over", "refused"]
Key = tuple[str, str]
"""Name and SHA-256 of a drop."""


@dataclass(frozen=True)
class Entry:
    """One drop and its outcome. `detail`: the run, or the reason of a refusal."""

    name: str
    sha256: str
    outcome: Outcome
    detail: str
    at: str = ""


class Ledger:
    """An append-only file. An incomplete line after a power cut is ignored; its drop runs again.

    Entries that cannot be written (full disk) are kept in memory until `write` succeeds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[Key] = {(entry.name, entry.sha256) for entry in self.entries()}
        self._unwritten: list[Entry] = []
        self._begun = _read_begun(self._note)
        self._begun_changed = False

    def knows(self, name: str, sha256: str) -> bool:
        """Whether a drop of this name and content has an outcome."""
        return (name, sha256) in self._known

    def note(self, entry: Entry) -> None:
        """Add an entry; `write` stores it."""
        stamped = Entry(**asdict(entry) | {"at": datetime.now(UTC).isoformat(timespec="seconds")})
        self._unwritten.append(stamped)
        self._known.add((entry.name, entry.sha256))

    def write(self) -> None:
        """Write all new entries. Raises StorageError on failure; call it again later."""
        try:
            if self._unwritten:
                self._append()
            if self._begun_changed:
                self._write_begun()
        except OSError as error:
            count = len(self._unwritten)
            raise StorageError(
                f"{self.path} cannot be written ({error.strerror}): "
                f"{count} outcomes are kept in memory until it can be"
            ) from error

    def begun(self, name: str, sha256: str) -> int:
        """How often the process ended while it processed a drop."""
        return self._begun.get((name, sha256), 0)

    @property
    def unfinished(self) -> frozenset[str]:
        """Names of the drops that were begun and not finished."""
        return frozenset(name for name, _ in self._begun)

    def begin(self, name: str, sha256: str) -> None:
        """Record on disk that a drop begins. Raises StorageError: do not process it now."""
        self._begun[name, sha256] = self.begun(name, sha256) + 1
        self._begun_changed = True
        try:
            self.write()
        except StorageError:
            self.finish(name, sha256)
            raise

    def finish(self, name: str, sha256: str) -> None:
        """Record the end of an attempt, with any outcome; `write` stores it."""
        self._begun.pop((name, sha256), None)
        self._begun_changed = True

    def entries(self) -> list[Entry]:
        """Everything so far, oldest first."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error
        return [entry for line in lines if (entry := _read(line)) is not None]

    @property
    def _note(self) -> Path:
        return self.path.with_name("begun.json")

    def _append(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = b"".join(json.dumps(asdict(entry)).encode() + b"\n" for entry in self._unwritten)
        with self.path.open("ab+") as file:
            # An incomplete line of a failed write must not be joined with the next line.
            file.write((b"" if _ends_a_line(self.path) else b"\n") + lines)
            file.flush()
            os.fsync(file.fileno())
        self._unwritten.clear()

    def _write_begun(self) -> None:
        with replacing(self._note) as partial:
            partial.write_text(json.dumps([[*key, times] for key, times in self._begun.items()]))
        self._begun_changed = False


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read_begun(path: Path) -> dict[Key, int]:
    """Read the list of unfinished drops; a damaged file counts as empty."""
    try:
        return {
            (str(name), str(sha256)): int(times)
            for name, sha256, times in json.loads(path.read_bytes())
        }
    except (OSError, ValueError, TypeError):
        return {}


def _read(line: bytes) -> Entry | None:
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
    return entry if all(isinstance(value, str) for value in asdict(entry).values()) else None


__all__ = ["Entry", "Ledger", "Outcome"]
