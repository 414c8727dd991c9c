"""The content of the drop folder, and when a drop is complete.

A drop is a file that a historian or a person copied there, or a folder of such files. Copying takes
time: a drop is complete when it has not changed for the settle time. Symbolic links are never
followed, because they can point to any file of this computer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alarmstack.core.checksum import fingerprint
from alarmstack.core.formats import is_data_file

UNFINISHED = ("~$", ".")
"""Prefixes of names that programs use while they write: Excel's lock files, hidden files."""
Snapshot = tuple[tuple[str, int, int], ...]
"""Name, size and modification time of every file of a drop.

Two equal snapshots mean that nothing was written between them.
"""


def drops_in(folder: Path) -> dict[Path, Snapshot]:
    """Every drop in a folder that is not empty, oldest first.

    Raises OSError if the folder cannot be read.
    """
    finished = [path for path in folder.iterdir() if not path.name.startswith(UNFINISHED)]
    snapshots = {path: snapshot(path) for path in finished}
    filled = {path: state for path, state in snapshots.items() if any(size for _, size, _ in state)}
    return dict(sorted(filled.items(), key=_last_change))


def _last_change(drop: tuple[Path, Snapshot]) -> tuple[int, str]:
    path, state = drop
    return max(changed for _, _, changed in state), path.name


def snapshot(path: Path) -> Snapshot:
    """The current state of a drop; empty if it is gone."""
    return tuple(_snapshot_lines(path))


def links_in(path: Path) -> list[Path]:
    """The symbolic links of a drop."""
    return [file for file in _files(path) if file.is_symlink()]


def drop_fingerprint(path: Path) -> str:
    """SHA-256 of a drop's names and content, in hexadecimal.

    Raises OSError if the drop is gone or cannot be read.
    """
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(os.fsencode(file.relative_to(path.parent)) + b"\0")
        if file.is_symlink():
            digest.update(b"link to " + os.fsencode(file.readlink()))
            continue
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def fingerprint_of(snapshot: Snapshot) -> str:
    """SHA-256 of a drop's names, sizes and times, for a drop that is too large to be read."""
    lines = (
        f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape")
        for name, size, changed in snapshot
    )
    return fingerprint(b"".join(lines))


@dataclass
class Settling:
    """Detects complete drops: those that have not changed for `seconds`."""

    seconds: float
    _since: dict[Path, tuple[Snapshot, float]] = field(default_factory=dict)

    def complete(self, now: float, drops: Mapping[Path, Snapshot]) -> list[Path]:
        """Drops without a change since `now` − `seconds` (a monotonic clock), in the
        given order.
        """
        earlier, self._since = self._since, {}
        for path, state in drops.items():
            before = earlier.get(path)
            unchanged = before is not None and before[0] == state
            self._since[path] = before if before and unchanged else (state, now)
        return [path for path, (_, since) in self._since.items() if now - since >= self.seconds]

    @property
    def waiting(self) -> bool:
        """Whether there are drops that must be checked again."""
        return bool(self._since)


def _snapshot_lines(path: Path) -> Iterator[tuple[str, int, int]]:
    for file in _files(path):
        # The file is gone since it was listed: the next snapshot shows the change.
        with suppress(OSError):
            about = file.lstat()
            yield str(file.relative_to(path.parent)), about.st_size, about.st_mtime_ns


def _files(path: Path) -> Iterator[Path]:
    """The data files of a drop, and the symbolic links that could lead to data."""
    inside = iter([path]) if path.is_symlink() or not path.is_dir() else _all_inside(path)
    return (file for file in sorted(inside) if _is_data(file))


def _all_inside(folder: Path) -> Iterator[Path]:
    """Everything below a folder, at any depth, without following links.

    `os.walk` is recursive and fails at about 900 levels.
    """
    folders = [folder]
    while folders:
        # The folder is gone since it was listed, or not readable: it holds no data.
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


def _is_data(file: Path) -> bool:
    if file.name.startswith(UNFINISHED):
        return False
    named_as_data = is_data_file(file)
    if file.is_symlink():
        return named_as_data or file.is_dir()
    return named_as_data and file.is_file()


__all__ = [
    "Settling",
    "Snapshot",
    "drops_in",
    "fingerprint",
    "fingerprint_of",
    "links_in",
    "snapshot",
]
