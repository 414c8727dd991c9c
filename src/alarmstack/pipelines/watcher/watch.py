"""The loop: look, wait until drops are whole, take each of them once, try again later what could
not be done now.

No file ends the loop. What is wrong with a drop is its outcome, with the reason, in the ledger;
what is wrong with this computer or another one is tried again, with longer pauses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from watchfiles import awatch as changes

from alarmstack.core.errors import AlarmstackError, GateRefused, SourceError, StorageError
from alarmstack.core.tasks import Task, Tasks, pause, reason_of
from alarmstack.pipelines.watcher.drops import (
    Look,
    Settling,
    fingerprint,
    fingerprint_of,
    links_in,
    look_at,
    lying_in,
)
from alarmstack.pipelines.watcher.handlers import Taker
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from alarmstack.sources.limits import MEGABYTE, Limits
from alarmstack.sources.problems import printable

LONGEST_PAUSE = 60.0
"""Wall seconds, at most, before a drop that could not be taken is tried again."""
IDLE_LOOK_MS = 5000
"""With nothing in the folder, a look every so often all the same: no system of notices
is perfect.
"""
MOST_BEGUN = 3
"""A drop during which the process ended so often is refused. Once or twice may be a power cut."""
STALLS_AFTER = 1800.0
"""Wall seconds for one look, with all that is taken in it: the longest ETL that we know takes
minutes.
"""
LINK = "a symbolic link is not followed: copy the file itself into the folder"

Tell = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass
class Watcher:
    """Takes what lies in a folder. `tell` hears one line about every drop."""

    folder: Path
    ledger: Ledger
    take: Taker
    tell: Tell
    settling: Settling
    limits: Limits = field(default_factory=Limits)
    _dealt: dict[Path, Look] = field(default_factory=dict)
    _tries: dict[Path, tuple[float, int]] = field(default_factory=dict)
    """When a drop may be tried again, and how often it could not be taken."""

    def look(self, now: float) -> list[Entry]:
        """One look at the folder; what was dealt with. `now`: seconds of a monotonic clock.

        Raises StorageError where the folder cannot be read, or the ledger cannot be written: then
        what was dealt with is not forgotten, and the next look writes it.
        """
        try:
            lying = lying_in(self.folder)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be read: {error.strerror}") from error
        self._dealt = {path: look for path, look in self._dealt.items() if lying.get(path) == look}
        self._tries = {path: tried for path, tried in self._tries.items() if path in lying}
        fresh = {path: look for path, look in lying.items() if path not in self._dealt}
        done = []
        for path in self._in_order(self.settling.whole(now, fresh)):
            if (
                now >= self._tries.get(path, (now, 0))[0]
                and (entry := self._deal(path, now)) is not None
            ):
                done.append(entry)
        self.ledger.write()
        return done

    @property
    def waiting(self) -> bool:
        """Whether something lies there that has not been dealt with."""
        return self.settling.waiting

    def _in_order(self, whole: list[Path]) -> list[Path]:
        """As given; last those during which the process ended before, so that they keep no other
        drop waiting.
        """
        unfinished = self.ledger.unfinished
        return sorted(whole, key=lambda path: path.name in unfinished)

    def _deal(self, path: Path, now: float) -> Entry | None:
        look = look_at(path)
        if not look:
            return None
        try:
            too_large = self._too_large(look)
            sha256 = fingerprint_of(look) if too_large else fingerprint(path)
            if self.ledger.knows(path.name, sha256):
                self._dealt[path] = look
                return None
            entry = self._outcome(path, sha256, too_large)
        except (AlarmstackError, OSError) as error:
            # A drop that is gone is not in the next look: nothing is tried again.
            self._postpone(path, now, error)
            return None
        self.ledger.note(entry)
        self._tries.pop(path, None)
        self._dealt[path] = look
        self.tell(f"{printable(path.name)}: {entry.outcome}: {entry.detail}")
        return entry

    def _too_large(self, look: Look) -> str:
        """Why a drop is not even read; empty: it is."""
        size = sum(size for _, size, _ in look)
        if size <= self.limits.unpacked * MEGABYTE:
            return ""
        return f"{size // MEGABYTE:,} MB, at most {self.limits.unpacked:,} are read: raise ALARMSTACK_READ_UNPACKED_MB"

    def _outcome(self, path: Path, sha256: str, too_large: str) -> Entry:
        """What becomes of a drop. Raises AlarmstackError or OSError where it may go
        better later.
        """

        def refused(reason: str) -> Entry:
            return Entry(path.name, sha256, "refused", printable(reason))

        if too_large or links_in(path):
            return refused(too_large or LINK)
        if self.ledger.begun(path.name, sha256) >= MOST_BEGUN:
            self.ledger.finish(path.name, sha256)
            return refused(
                f"the watcher ended {MOST_BEGUN} times while it took this drop in; rename it to try again"
            )
        self.ledger.begin(path.name, sha256)
        try:
            return self.take(path, sha256)
        except (GateRefused, SourceError) as error:
            return refused(str(error).partition("\n")[0])
        except (AlarmstackError, OSError):
            raise
        except BaseException as error:
            # A panic of the Rust readers is no Exception, and of no public class.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            log.exception("%s: unexpected error", printable(path.name))
            return refused(
                f"unexpected error, see the log: {type(error).__name__}: {reason_of(error)}"
            )
        finally:
            self.ledger.finish(path.name, sha256)

    def _postpone(self, path: Path, now: float, error: Exception) -> None:
        failures = self._tries.get(path, (now, 0))[1] + 1
        seconds = pause(failures, LONGEST_PAUSE)
        self._tries[path] = (now + seconds, failures)
        self.tell(
            f"{printable(path.name)}: not now ({printable(reason_of(error))}); again in {seconds:.0f} s"
        )


def watch(watcher: Watcher, *, polling: bool, once: bool = False) -> None:
    """Watch until the process is asked to stop; with `once`, until everything that lies there has
    been dealt with.

    `polling`: look at every file again and again instead of waiting for the system's notices, which
    do not cross network mounts and Windows volumes. Raises StorageError where there is no folder to
    watch.
    """
    _make(watcher.folder)
    asyncio.run(
        _look_once(watcher, polling) if once else keep_watching(watcher, Tasks(), polling=polling)
    )


async def keep_watching(watcher: Watcher, tasks: Tasks, *, polling: bool) -> None:
    """Watch under supervision: an error is shown with its reason and watching goes on."""

    async def work(task: Task) -> None:
        _make(watcher.folder)
        while True:
            await asyncio.to_thread(watcher.look, monotonic())
            task.progress()
            with task.waiting():
                await _change(watcher, polling)

    # A look runs in a thread, which cannot be cancelled.
    await tasks.keep_running("watcher", work, stalls_after=STALLS_AFTER, restart_stalled=False)


async def _look_once(watcher: Watcher, polling: bool) -> None:
    while True:
        watcher.look(monotonic())
        if not watcher.waiting:
            return
        await _change(watcher, polling)


async def _change(watcher: Watcher, polling: bool) -> None:
    """Wait until something changes in the folder, not long while something waits there.

    Folders in it are not watched: the library would follow links in them over the whole computer.
    The next look sees their changes.
    """
    timeout = (
        round(max(50, 1000 * watcher.settling.seconds / 2)) if watcher.waiting else IDLE_LOOK_MS
    )
    notices = changes(
        watcher.folder,
        force_polling=polling,
        yield_on_timeout=True,
        rust_timeout=timeout,
        debounce=timeout,
        recursive=False,
    )
    async for _ in notices:
        return


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be watched: {error.strerror}") from error


__all__ = ["Tell", "Watcher", "keep_watching", "watch"]
