"""What lies in the drop folder, and when a drop is whole.

A drop is a file that a historian or a person put there, or a folder of such files. Copying takes
time: a drop is whole when nothing about it has changed for a while. One that was renamed into place
is whole as soon as it has been looked at for that long. Symbolic links are never followed: they may
lead anywhere on this computer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alarmstack.core.formats import is_data_file

UNFINISHED = ("~$", ".")
"""How names begin that programs use while they write: Excel's lock files, hidden files."""
Look = tuple[tuple[str, int, int], ...]
"""Name, bytes and time of change of every file of a drop: equal looks mean that nothing was written
in between.
"""


def lying_in(folder: Path) -> dict[Path, Look]:
    """Every drop in a folder, oldest first. Raises OSError where the folder cannot be read."""
    looks = {
        path: look_at(path) for path in folder.iterdir() if not path.name.startswith(UNFINISHED)
    }
    found = {path: look for path, look in looks.items() if any(size for _, size, _ in look)}
    return dict(
        sorted(
            found.items(),
            key=lambda item: (max(changed for _, _, changed in item[1]), item[0].name),
        )
    )


def look_at(path: Path) -> Look:
    """What a drop looks like now; empty: it is gone."""
    return tuple(_looked_at(path))


def links_in(path: Path) -> list[Path]:
    """The symbolic links of a drop."""
    return [file for file in _files(path) if file.is_symlink()]


def fingerprint(path: Path) -> str:
    """SHA-256 of a drop's names and content, in hexadecimal. Raises OSError when it is gone or
    cannot be read.
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


def fingerprint_of(look: Look) -> str:
    """SHA-256 of what a drop looks like, for one that is too large to be read."""
    lines = (
        f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape")
        for name, size, changed in look
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()


@dataclass
class Settling:
    """Which drops have come to rest. `seconds`: how long nothing may change before a
    drop is whole.
    """

    seconds: float
    _since: dict[Path, tuple[Look, float]] = field(default_factory=dict)

    def whole(self, now: float, lying: Mapping[Path, Look]) -> list[Path]:
        """Drops at which nothing has changed since `now` − `seconds` (a monotonic clock), in the
        order given.
        """
        known = {path: self._since.get(path) for path in lying}
        self._since = {
            path: before
            if (before := known[path]) is not None and before[0] == look
            else (look, now)
            for path, look in lying.items()
        }
        return [path for path, (_, since) in self._since.items() if now - since >= self.seconds]

    @property
    def waiting(self) -> bool:
        """Whether there is anything to look at again."""
        return bool(self._since)


def _looked_at(path: Path) -> Iterator[tuple[str, int, int]]:
    for file in _files(path):
        # Gone since it was listed: the next look shows the change.
        with suppress(OSError):
            about = file.lstat()
            yield str(file.relative_to(path.parent)), about.st_size, about.st_mtime_ns


def _files(path: Path) -> Iterator[Path]:
    """The files of a drop that may hold data, and its symbolic links, which would."""
    inside = iter([path]) if path.is_symlink() or not path.is_dir() else _all_inside(path)
    return (file for file in sorted(inside) if _is_data(file))


def _all_inside(folder: Path) -> Iterator[Path]:
    """Everything in a folder and below it, through no link. However deep: `os.walk` recurses, which
    ends at some 900 levels.
    """
    folders = [folder]
    while folders:
        # Gone since it was listed, or not to be read: nothing in it is data.
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


def _is_data(file: Path) -> bool:
    if file.name.startswith(UNFINISHED):
        return False
    known = is_data_file(file)
    if file.is_symlink():
        return known or file.is_dir()
    return known and file.is_file()


__all__ = [
    "Look",
    "Settling",
    "fingerprint",
    "fingerprint_of",
    "links_in",
    "look_at",
    "lying_in",
]
