"""The loop of the watcher: list the folder, process each complete drop once, retry later on
failure.

No file can end the loop. An error in a drop becomes its outcome in the ledger, with the reason.
After an error of this computer or of another service, the drop is retried with longer and longer
pauses.
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
    Settling,
    Snapshot,
    drop_fingerprint,
    drops_in,
    fingerprint_of,
    links_in,
    snapshot,
)
from alarmstack.pipelines.watcher.handlers import Handler
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from alarmstack.sources.limits import MEGABYTE, Limits
from alarmstack.sources.problems import printable

LONGEST_PAUSE = 60.0
"""Longest pause in wall seconds before a failed drop is processed again."""
IDLE_CHECK_MS = 5000
"""Milliseconds between two checks of an idle folder, in case a file notification is lost."""
MOST_BEGUN = 3
"""A drop is refused if the process ended this often while it was processed."""
STALLS_AFTER = 1800.0
"""Wall seconds for one check, including the ETL of its drops, which can take minutes."""
LINK = "a symbolic link is not followed: copy the file itself into the folder"

Report = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass
class Watcher:
    """Processes the drops in a folder. `report` receives one line for each drop."""

    folder: Path
    ledger: Ledger
    take: Handler
    report: Report
    settling: Settling
    limits: Limits = field(default_factory=Limits)
    _done: dict[Path, Snapshot] = field(default_factory=dict)
    _tries: dict[Path, tuple[float, int]] = field(default_factory=dict)
    """When a failed drop may be processed again, and how often it has failed."""

    def check(self, now: float) -> list[Entry]:
        """Check the folder once. Returns the drops with an outcome.

        `now`: seconds of a monotonic clock. Raises StorageError if the folder cannot be read or the
        ledger cannot be written. Outcomes are kept in memory and written by the next check.
        """
        try:
            drops = drops_in(self.folder)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be read: {error.strerror}") from error
        self._done = {path: state for path, state in self._done.items() if drops.get(path) == state}
        self._tries = {path: tried for path, tried in self._tries.items() if path in drops}
        fresh = {path: state for path, state in drops.items() if path not in self._done}
        done = []
        for path in self._in_order(self.settling.complete(now, fresh)):
            if (
                now >= self._tries.get(path, (now, 0))[0]
                and (entry := self._process(path, now)) is not None
            ):
                done.append(entry)
        self.ledger.write()
        return done

    @property
    def waiting(self) -> bool:
        """Whether the folder contains drops without an outcome."""
        return self.settling.waiting

    def _in_order(self, complete: list[Path]) -> list[Path]:
        """The drops in the given order; those during which the process ended come last."""
        unfinished = self.ledger.unfinished
        return sorted(complete, key=lambda path: path.name in unfinished)

    def _process(self, path: Path, now: float) -> Entry | None:
        state = snapshot(path)
        if not state:
            return None
        try:
            too_large = self._too_large(state)
            sha256 = fingerprint_of(state) if too_large else drop_fingerprint(path)
            if self.ledger.knows(path.name, sha256):
                self._done[path] = state
                return None
            entry = self._outcome(path, sha256, too_large)
        except (AlarmstackError, OSError) as error:
            # A drop that is gone is not listed by the next check, so it is not retried.
            self._postpone(path, now, error)
            return None
        self.ledger.note(entry)
        self._tries.pop(path, None)
        self._done[path] = state
        self.report(f"{printable(path.name)}: {entry.outcome}: {entry.detail}")
        return entry

    def _too_large(self, state: Snapshot) -> str:
        """Why a drop is too large to be read; empty if it is not."""
        size = sum(size for _, size, _ in state)
        if size <= self.limits.unpacked * MEGABYTE:
            return ""
        return (
            f"{size // MEGABYTE:,} MB, the limit is {self.limits.unpacked:,}: "
            "raise ALARMSTACK_READ_UNPACKED_MB"
        )

    def _outcome(self, path: Path, sha256: str, too_large: str) -> Entry:
        """Process a drop. Raises AlarmstackError or OSError if a retry may succeed."""

        def refused(reason: str) -> Entry:
            return Entry(path.name, sha256, "refused", printable(reason))

        if too_large or links_in(path):
            return refused(too_large or LINK)
        if self.ledger.begun(path.name, sha256) >= MOST_BEGUN:
            self.ledger.finish(path.name, sha256)
            return refused(
                f"the watcher ended {MOST_BEGUN} times while it processed this drop; "
                "rename it to try again"
            )
        self.ledger.begin(path.name, sha256)
        try:
            return self.take(path, sha256)
        except (GateRefused, SourceError) as error:
            return refused(str(error).partition("\n")[0])
        except (AlarmstackError, OSError):
            raise
        except BaseException as error:
            # A panic of the Rust readers is not an Exception and has no public class.
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
        reason = printable(reason_of(error))
        self.report(f"{printable(path.name)}: failed ({reason}); retry in {seconds:.0f} s")


def watch(watcher: Watcher, *, polling: bool, once: bool = False) -> None:
    """Watch until the process is stopped; with `once`, until every drop has an outcome.

    `polling`: check the files regularly instead of waiting for file notifications, which network
    mounts and Windows volumes do not send. Raises StorageError if the folder cannot be created.
    """
    _make(watcher.folder)
    asyncio.run(
        _until_done(watcher, polling) if once else keep_watching(watcher, Tasks(), polling=polling)
    )


async def keep_watching(watcher: Watcher, tasks: Tasks, *, polling: bool) -> None:
    """Watch under supervision: after an error, its reason is reported and watching continues."""

    async def work(task: Task) -> None:
        _make(watcher.folder)
        while True:
            await asyncio.to_thread(watcher.check, monotonic())
            task.progress()
            with task.waiting():
                await _change(watcher, polling)

    # A check runs in a thread, which cannot be cancelled.
    await tasks.keep_running("watcher", work, stalls_after=STALLS_AFTER, restart_stalled=False)


async def _until_done(watcher: Watcher, polling: bool) -> None:
    while True:
        watcher.check(monotonic())
        if not watcher.waiting:
            return
        await _change(watcher, polling)


async def _change(watcher: Watcher, polling: bool) -> None:
    """Wait for a change in the folder, for a short time only while drops wait there.

    Subfolders are not watched, because the library would follow links in them to other folders. The
    next check detects their changes.
    """
    timeout = (
        round(max(50, 1000 * watcher.settling.seconds / 2)) if watcher.waiting else IDLE_CHECK_MS
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


__all__ = ["Report", "Watcher", "keep_watching", "watch"]
