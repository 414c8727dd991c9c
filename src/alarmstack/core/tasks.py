"""Supervision of long-running tasks: no error stops a task for good, and no error is silent.

A task runs under `Tasks.keep_running`. When it fails, the error is logged with its traceback, shown
with its reason, and the task is restarted after a pause that doubles with each failure in a row. A
task that makes no progress counts as stalled. It is shown as stalled and restarted too. Data that a
task must not lose when it restarts is in a database or a file, never in the task.

This is supervision, not a retry of one call, so it does not use stamina as bounded retries do. The
number of restarts has no bound, the state between them is part of the health of the process, and
the pause begins again at its shortest once the task has made progress.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from alarmstack.core.clock import Clock, SystemClock
from alarmstack.core.errors import AlarmstackError

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds until a failed task is restarted: doubled with each failure in a row."""
MOST_DOUBLINGS = 10
"""Keeps the power small however often a task fails; 2**10 s is longer than any pause."""
STALLS_AFTER = 60.0
"""Seconds without progress after which a task counts as stalled, unless it names its own limit."""
CHECK_SECONDS = 1.0
"""How often a running task is checked for progress."""
CANCEL_SECONDS = 5.0
"""How long a stalled task may take to stop when it is cancelled."""
LONGEST_REASON = 300
"""Characters of an error that are shown."""
CANCELLED = "the work was cancelled unexpectedly"
"""Reason of a failure: a cancellation inside the work, while its supervision continues."""
State = Literal["running", "failed", "stalled"]
log = logging.getLogger(__name__)


class TaskStatus(NamedTuple):
    """One task at one instant: its state, since when, and why it is not running."""

    name: str
    state: State
    reason: str | None
    since: datetime
    restarts: int


class Task:
    """The state of a running task. The task reports progress, and when it has nothing to do."""

    def __init__(
        self, name: str, stalls_after: float, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self.name, self.stalls_after, self._clock = name, timedelta(seconds=stalls_after), clock
        self._changed = changed
        self.reason: str | None = None
        self.restarts = self._failures = self._waiting = 0
        self._since = self._progressed = clock.now()

    def progress(self) -> None:
        """Report that a piece of work is done: the task is running, whatever happened before."""
        self._progressed = self._clock.now()
        if self.reason is not None:
            log.info("%s: running again", self.name)
            self.reason, self._since = None, self._progressed
            self._changed()
        self._failures = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Report that there is nothing to do at present: waiting is not a stall."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._progressed = self._clock.now()

    @property
    def stalled(self) -> bool:
        """Whether the task has work and has made no progress for too long."""
        return not self._waiting and self._clock.now() - self._progressed > self.stalls_after

    @property
    def status(self) -> TaskStatus:
        """The present state."""
        if self.reason is not None:
            return TaskStatus(self.name, "failed", self.reason, self._since, self.restarts)
        if self.stalled:
            return TaskStatus(
                self.name, "stalled", self._stall_reason(), self._progressed, self.restarts
            )
        return TaskStatus(self.name, "running", None, self._since, self.restarts)

    def fail(self, reason: str) -> float:
        """Note why the task failed. Returns the pause before its restart, in seconds."""
        if self.reason is None:
            self._since = self._clock.now()
        self.reason = reason
        self._failures += 1
        self.restarts += 1
        self._changed()
        return pause(self._failures)

    def begin(self) -> None:
        """Start or restart. The reason of the last failure stays until there is progress."""
        self._progressed = self._clock.now()

    def check(self) -> None:
        """Raise StallError where the task is stalled."""
        if self.stalled:
            raise StallError(self._stall_reason())

    def _stall_reason(self) -> str:
        return f"no progress for {(self._clock.now() - self._progressed).total_seconds():.0f} s"


class StallError(AlarmstackError):
    """A task made no progress for longer than its limit."""


Work = Callable[[Task], Awaitable[None]]


class Tasks:
    """The long-running tasks of one process.

    `report` is called with one line for each known error; by default it goes to the log.
    """

    def __init__(
        self, clock: Clock | None = None, report: Callable[[str], None] = log.warning
    ) -> None:
        self._clock, self._report = clock or SystemClock(), report
        self._tasks: dict[str, Task] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a task fails or runs again. Its own errors are logged."""
        self._listeners.append(listener)

    @property
    def statuses(self) -> list[TaskStatus]:
        """Every supervised task, in the order of the starts."""
        return [task.status for task in self._tasks.values()]

    @property
    def down(self) -> list[TaskStatus]:
        """The tasks that are not running."""
        return [status for status in self.statuses if status.state != "running"]

    async def keep_running(
        self,
        name: str,
        work: Work,
        *,
        stalls_after: float = STALLS_AFTER,
        restart_stalled: bool = True,
    ) -> None:
        """Run `work(task)` until it returns or this call is cancelled. Restart it after an error.

        A cancellation that comes from the work itself, and not from the caller, counts as an error.

        `work` calls `task.progress()` after each piece of work and waits inside `task.waiting()`.
        `restart_stalled=False` is for work in a thread, which cannot be cancelled. A stall is then
        shown, and lasts until the thread continues.
        """
        task = self._tasks[name] = Task(name, stalls_after, self._clock, self._changed)
        while True:
            try:
                task.begin()
                await self._watched(task, work, restart_stalled)
                del self._tasks[name]
                return
            except asyncio.CancelledError:
                if (current := asyncio.current_task()) is not None and current.cancelling():
                    raise
                # The work was cancelled, but nobody stopped its supervision.
                seconds = task.fail(CANCELLED)
                log.exception("%s failed; next attempt in %.0f s", name, seconds)
            except AlarmstackError as error:
                seconds = task.fail(reason_of(error))
                self._report(f"{name}: {task.reason}; next attempt in {seconds:.0f} s")
            except Exception as error:
                seconds = task.fail(reason_of(error))
                log.exception("%s failed; next attempt in %.0f s", name, seconds)
            await self._clock.sleep(seconds)

    def _changed(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.exception("a listener for task states failed")

    async def _watched(self, task: Task, work: Work, restart_stalled: bool) -> None:
        running = asyncio.ensure_future(work(task))
        try:
            while not running.done():
                check = asyncio.create_task(self._clock.sleep(CHECK_SECONDS))
                await asyncio.wait({running, check}, return_when=asyncio.FIRST_COMPLETED)
                check.cancel()
                if restart_stalled and not running.done():
                    task.check()
            await running
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=CANCEL_SECONDS)


def pause(failures: int, longest: float = LONGEST_PAUSE) -> float:
    """Seconds to wait after this many failures in a row: twice as long each time, up to `longest`.

    >>> [pause(failures) for failures in (1, 2, 3, 4, 5, 6)]
    [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    """
    doublings = min(failures - 1, MOST_DOUBLINGS)
    return min(FIRST_PAUSE * 2.0**doublings, longest)


def reason_of(error: BaseException) -> str:
    """An error in one line, for a status: `No space left on device: /data/alarmstack.db`.

    >>> reason_of(ValueError("first line\\nsecond line"))
    'first line'
    """
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        text = f"{cause.strerror}: {cause.filename}" if cause.filename else cause.strerror
    else:
        text = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return text[:LONGEST_REASON]


__all__ = [
    "STALLS_AFTER",
    "StallError",
    "State",
    "Task",
    "TaskStatus",
    "Tasks",
    "pause",
    "reason_of",
]
