"""What lies in the drop folder, and when a drop is whole.

A drop is a file that a historian or a person put there, or a folder of such files. Copying takes time: a drop is whole when nothing
about it has changed for a while. One that was renamed into place is whole as soon as it has been looked at for that long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".csv", ".xls", ".xlsx")
UNFINISHED = ("~$", ".")
"""How names begin that programs use while they write: Excel's lock files, hidden files."""
Look = tuple[tuple[str, int, int], ...]
"""Name, bytes and time of change of every file of a drop: equal looks mean that nothing was written in between."""


def lying_in(folder: Path) -> dict[Path, Look]:
    """Every drop in a folder, oldest first."""
    found = {}
    for path in folder.iterdir():
        if path.name.startswith(UNFINISHED):
            continue
        look = tuple(_looked_at(path))
        if any(size for _, size, _ in look):
            found[path] = look
    return dict(sorted(found.items(), key=lambda item: (max(changed for _, _, changed in item[1]), item[0].name)))


def fingerprint(path: Path) -> str:
    """SHA-256 of a drop's names and content, in hexadecimal. Raises OSError when it is gone."""
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(str(file.relative_to(path.parent)).encode() + b"\0")
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


@dataclass
class Settling:
    """Which drops have come to rest. `seconds`: how long nothing may change before a drop is whole."""

    seconds: float
    _since: dict[Path, tuple[Look, float]] = field(default_factory=dict)

    def whole(self, now: float, lying: Mapping[Path, Look]) -> list[Path]:
        """Drops at which nothing has changed since `now` − `seconds` (a monotonic clock), in the order given."""
        known = {path: self._since.get(path) for path in lying}
        self._since = {
            path: before if (before := known[path]) is not None and before[0] == look else (look, now)
            for path, look in lying.items()
        }
        return [path for path, (_, since) in self._since.items() if now - since >= self.seconds]

    @property
    def waiting(self) -> bool:
        """Whether there is anything to look at again."""
        return bool(self._since)


def _looked_at(path: Path) -> Iterator[tuple[str, int, int]]:
    for file in _files(path):
        try:
            about = file.stat()
        except FileNotFoundError:
            continue
        yield str(file.relative_to(path.parent)), about.st_size, about.st_mtime_ns


def _files(path: Path) -> Iterator[Path]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return (file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith(UNFINISHED) and file.is_file())


__all__ = ["SUFFIXES", "Look", "Settling", "fingerprint", "lying_in"]
