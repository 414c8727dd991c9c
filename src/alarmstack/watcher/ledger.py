"""What became of every drop: one JSON line each, written when the outcome is known, read again after a restart."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from alarmstack.errors import StorageError

Outcome = Literal["taken", "handed over", "refused", "unreadable"]


@dataclass(frozen=True)
class Entry:
    """One drop and what became of it. `detail`: the run it became, or why it did not."""

    name: str
    sha256: str
    outcome: Outcome
    detail: str
    at: str = ""


class Ledger:
    """A file that only grows. A line that a power cut left half is no entry: its drop is taken again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[tuple[str, str]] = {(entry.name, entry.sha256) for entry in self.entries()}

    def knows(self, name: str, sha256: str) -> bool:
        """Whether a drop of that name with that content was dealt with."""
        return (name, sha256) in self._known

    def note(self, entry: Entry) -> None:
        """Write an entry down, for good."""
        line = json.dumps(asdict(entry) | {"at": datetime.now(UTC).isoformat(timespec="seconds")}, ensure_ascii=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error}; without it a drop would be taken twice") from error
        self._known.add((entry.name, entry.sha256))

    def entries(self) -> list[Entry]:
        """Everything so far, oldest first."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [entry for line in lines if (entry := _read(line)) is not None]


def _read(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


__all__ = ["Entry", "Ledger", "Outcome"]
