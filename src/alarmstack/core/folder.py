"""A data folder has one owner for each use. A second owner is refused; the message names the first.

Two demos in one folder would be two monitors that write to one database, and two plants that set
one clock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from alarmstack.core.errors import ServiceError
from alarmstack.core.tasks import reason_of


@contextmanager
def claimed(folder: Path, use: str) -> Iterator[None]:
    """Lock `folder` for one use ("demo", "gateway") until the `with` block or the process ends.

    Raises ServiceError when another process has the lock, and when the folder cannot be written.
    """
    lock, owner = FileLock(folder / f"{use}.lock", timeout=0), folder / f"{use}.owner"
    _acquire(lock, folder, owner)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, owner: Path) -> None:
    place = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        owner.write_text(f"process {os.getpid()} ({_command()})", encoding="utf-8")
    except Timeout:
        raise ServiceError(
            f"{place} is in use by {_name_of(owner)}: "
            "end it, or set ALARMSTACK_DATA_DIR to another folder"
        ) from None
    except OSError as error:
        raise ServiceError(
            f"{place} cannot be written ({reason_of(error)}): set ALARMSTACK_DATA_DIR to another "
            "folder"
        ) from error


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _name_of(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8")
    except OSError:
        return "another process"


__all__ = ["claimed"]
