"""Long-running tasks: errors and stalls are logged, shown and followed by a restart."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from alarmstack.core.errors import UpstreamError
from alarmstack.core.tasks import Task, Tasks, pause, reason_of
from tests.world import ManualClock, settle

pytestmark = pytest.mark.anyio
Work = Callable[[Task], Awaitable[None]]


class Running:
    """A task under supervision, on a clock that the test moves."""

    def __init__(self, work: Work, stalls_after: float = 30.0) -> None:
        self.clock = ManualClock()
        self.tasks = Tasks(self.clock)
        self.future = asyncio.create_task(
            self.tasks.keep_running("assessing", work, stalls_after=stalls_after)
        )

    async def __aenter__(self) -> "Running":
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.future.cancel()
        await asyncio.wait({self.future}, timeout=10)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await settle()


async def test_an_unexpected_error_is_logged_with_its_traceback_shown_and_followed_by_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = 0

    async def work(task: Task) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise KeyError("feature_7")
        task.progress()
        with task.waiting():
            await asyncio.Event().wait()

    async with Running(work) as run:
        (down,) = run.tasks.down
        assert (down.state, down.reason) == ("failed", "'feature_7'")
        assert "Traceback" in caplog.text and 'raise KeyError("feature_7")' in caplog.text
        await run.wait(1)
        assert starts == 2 and not run.tasks.down
        assert run.tasks.statuses[0].restarts == 1


async def test_a_known_error_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work(task: Task) -> None:
        raise UpstreamError(503, "the sensor API does not answer")

    caplog.set_level(logging.WARNING)
    async with Running(work) as run:
        assert run.tasks.down[0].reason == "the sensor API does not answer"
        assert "Traceback" not in caplog.text


async def test_the_pause_grows_with_each_failure_and_ends_with_the_first_progress() -> None:
    failures = 0

    async def work(task: Task) -> None:
        nonlocal failures
        failures += 1
        if failures == 4:
            task.progress()
        raise ValueError(failures)

    async with Running(work) as run:
        reached = []
        for seconds in (1, 2, 4, 1):
            await run.wait(seconds)
            reached.append(failures)
        assert reached == [2, 3, 4, 5], "pauses of 1, 2, 4 s, and of 1 s again after progress"
    assert pause(50) == 10


async def test_a_reason_is_shown_until_the_task_makes_progress_not_until_it_starts() -> None:
    gate = asyncio.Event()

    async def work(task: Task) -> None:
        if not gate.is_set():
            gate.set()
            raise OSError(28, "No space left on device", "/data/alarmstack.db")
        await asyncio.Event().wait()

    async with Running(work) as run:
        await run.wait(1)
        assert run.tasks.down[0].reason == "No space left on device: /data/alarmstack.db"


async def test_listeners_are_called_for_failure_and_recovery_and_cannot_stop_the_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts, reported = 0, []

    async def work(task: Task) -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            task.progress()
            await asyncio.Event().wait()
        raise ValueError("no")

    def listener() -> None:
        reported.append([status.reason for status in run.tasks.down])
        raise RuntimeError("the screen is gone")

    run = Running(work)
    run.tasks.on_change(listener)
    async with run:
        await run.wait(1)
        assert reported == [["no"], []] and not run.tasks.down
    assert "the screen is gone" in caplog.text


async def test_a_task_without_progress_is_cancelled_and_restarted() -> None:
    starts = []

    async def work(task: Task) -> None:
        starts.append(task)
        task.progress()
        await asyncio.Event().wait()

    async with Running(work, stalls_after=30) as run:
        await run.wait(29)
        assert not run.tasks.down and len(starts) == 1
        await run.wait(2)
        assert run.tasks.down[0].reason == "no progress for 31 s"
        await run.wait(1)
        assert len(starts) == 2 and not run.tasks.down


async def test_a_task_that_waits_for_work_is_not_stalled() -> None:
    async def work(task: Task) -> None:
        with task.waiting():
            await asyncio.Event().wait()

    async with Running(work, stalls_after=30) as run:
        await run.wait(3600)
        assert not run.tasks.down


async def test_work_in_a_thread_is_shown_as_stalled_and_not_started_twice() -> None:
    starts = 0

    async def work(task: Task) -> None:
        nonlocal starts
        starts += 1
        await asyncio.Event().wait()

    clock = ManualClock()
    tasks = Tasks(clock)
    running = asyncio.create_task(
        tasks.keep_running("models", work, stalls_after=30, restart_stalled=False)
    )
    await settle()
    clock.advance(40)
    await settle()
    assert [status.state for status in tasks.down] == ["stalled"] and starts == 1
    running.cancel()
    await asyncio.wait({running}, timeout=10)
    assert running.cancelled()


async def test_a_task_that_returns_is_done_and_the_work_is_cancelled_with_its_supervisor() -> None:
    ended = asyncio.Event()

    async def forever(task: Task) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def once(task: Task) -> None:
        task.progress()

    async with Running(once) as run:
        await asyncio.wait_for(run.future, 10)
    async with Running(forever):
        pass
    assert ended.is_set()


def test_the_reason_of_a_database_error_is_its_cause() -> None:
    class WrappedError(Exception):
        orig = RuntimeError("database is locked\n[SQL: insert …]")

    error = WrappedError("(sqlite3.OperationalError) database is locked")
    assert reason_of(error) == "database is locked"
    assert reason_of(ValueError()) == "ValueError"


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancellation_just_after_a_failure_ends_the_supervision(turns: int) -> None:
    """The loop runs so many turns between the failure and the cancellation."""

    async def cancel() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        run.future.cancel()

    async def work(task: Task) -> None:
        cancelling.append(asyncio.create_task(cancel()))
        raise ValueError("no")

    cancelling: list[asyncio.Task[None]] = []
    run = Running(work)
    async with run:
        await asyncio.wait({run.future}, timeout=1)
        assert run.future.cancelled() and len(cancelling) == 1


async def test_a_cancellation_inside_the_work_is_a_failure_and_followed_by_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = 0

    async def work(task: Task) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            cancelled = asyncio.create_task(asyncio.Event().wait())
            cancelled.cancel()
            await cancelled
        task.progress()
        with task.waiting():
            await asyncio.Event().wait()

    async with Running(work) as run:
        (down,) = run.tasks.down
        assert (down.state, down.reason) == ("failed", "the work was cancelled unexpectedly")
        assert "Traceback" in caplog.text and "await cancelled" in caplog.text
        await run.wait(1)
        assert starts == 2 and not run.tasks.down
    assert run.future.cancelled(), "a cancellation of the supervision still ends it"


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancellation_just_after_one_inside_the_work_ends_the_supervision(
    turns: int,
) -> None:
    """The loop runs so many turns between the two cancellations."""

    async def cancel() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        run.future.cancel()

    async def work(task: Task) -> None:
        cancelling.append(asyncio.create_task(cancel()))
        raise asyncio.CancelledError

    cancelling: list[asyncio.Task[None]] = []
    run = Running(work)
    async with run:
        await asyncio.wait({run.future}, timeout=1)
        assert run.future.cancelled() and len(cancelling) == 1
