"""Every fault: what is done to the running services, what they must do, and how it is seen that
they did.

A fault is a function of the stack. It returns what was observed and the seconds until everything
worked again; it raises NotHeldError where a service did not do what is expected. The order is the
order of the table.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.databases import Postgres
from tests.object_store import free_ports

from chaos.feed import Row
from chaos.stack import NotHeldError, Stack

LOCK_SECONDS = 14.0
DATABASE_AWAY_SECONDS = 12.0
NOTICED_WITHIN = 30.0
"""A fault that lasts is reported within so many wall seconds."""
HUNG_WITHIN = 10.0
"""A hung service is known and killed within so many seconds; its successor then needs its own time
to start.
"""
STARTS_WITHIN = 40.0


class Observed(NamedTuple):
    """What the services did. `recovery`: wall seconds from the end of the fault until everything
    worked again.
    """

    text: str
    recovery: float | None = None


Inject = Callable[[Stack], Awaitable[Observed]]


@dataclass(frozen=True)
class Fault:
    """A row of the table."""

    name: str
    expected: str
    inject: Inject


async def database_locked(stack: Stack) -> Observed:
    """Another process holds SQLite's write lock for longer than a writer waits."""
    path = stack.settings.database.removeprefix("sqlite:///")
    with sqlite3.connect(path, isolation_level=None, timeout=5) as holder:
        holder.execute("BEGIN IMMEDIATE")
        end = monotonic() + LOCK_SECONDS
        seen = await stack.seen("locked", LOCK_SECONDS)
        await asyncio.sleep(max(0.0, end - monotonic()))
        holder.execute("ROLLBACK")
    holder.close()
    return Observed(f"reported: {seen}", await stack.recovered())


async def disk_full(stack: Stack) -> Observed:
    """The file system of the data folder has no room left, and gets some again."""
    ballast = stack.data / "ballast"
    _fill(ballast)
    try:
        seen = await stack.seen("gateway is not ready", NOTICED_WITHIN)
    finally:
        ballast.unlink()
    return Observed(f"reported: {seen}", await stack.recovered())


def _fill(path: Path) -> None:
    """Write zeros until the file system is full."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


async def second_demo(stack: Stack) -> Observed:
    """A second `make run` in the same folder, on other ports."""
    names = [f"ALARMSTACK_{name}_PORT" for name in ("SENSORS", "INFERENCE", "GATEWAY", "PAGE")]
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    environment = os.environ | ports | {"ALARMSTACK_DATA_DIR": str(stack.data)}
    command = [str(Path(sys.executable).with_name("alarmstack")), "serve", "all"]
    run = partial(
        subprocess.run,
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    done = await asyncio.to_thread(run)
    told = done.stderr.strip().splitlines()
    if done.returncode == 0 or "is in use by" not in done.stderr or len(told) != 1:
        raise NotHeldError(f"code {done.returncode}: {done.stderr[-200:]}")
    return Observed("refused, naming the process that uses the folder", await stack.recovered())


def bad_row(change: Callable[[Row], Row]) -> Inject:
    """One closed interval that the feed sends is changed."""

    async def inject(stack: Stack) -> Observed:
        before = (await stack.overview() or {})["status"]["quarantined"]
        stack.feed.change = change

        async def counted() -> str | None:
            status = (await stack.overview() or {}).get("status", {"quarantined": 0})
            return status["quarantine_reason"] if status["quarantined"] > before else None

        reason = await stack.until(counted, "the row is set aside", NOTICED_WITHIN)
        return Observed(f"set aside: {reason}", await stack.recovered())

    return inject


def before_christ(row: Row) -> Row:
    """A timestamp that is no instant in UTC: it lies before the year 1."""
    return row | {"timestamp": "0001-01-01T00:00:00+14:00"}


def off_the_grid(row: Row) -> Row:
    """A timestamp between two intervals."""
    return row | {
        "timestamp": (datetime.fromisoformat(row["timestamp"]) + timedelta(minutes=17)).isoformat()
    }


def unknown_key(row: Row) -> Row:
    """A value of a tag that the plant does not have."""
    return row | {"tag_of_another_plant": 1.0}


def not_finite(row: Row) -> Row:
    """A value that is no number of this world."""
    key = next(key for key, value in row.items() if isinstance(value, float))
    return row | {key: float("inf")}


async def feed_silent(stack: Stack) -> Observed:
    """The connection to the feed stays open, and nothing comes through it."""
    stack.feed.stall()
    try:
        seen = await stack.seen("feed stale", NOTICED_WITHIN)
    finally:
        stack.feed.flow()
    return Observed(f"reported: {seen}", await stack.recovered())


async def feed_writes_nonsense(stack: Stack) -> Observed:
    """The feed restarts, and a proxy answers in its place with a page of HTML."""
    stack.feed.garbage = True
    pid = stack.signal("sensors", signal.SIGKILL)
    await stack.restarted("sensors", pid, STARTS_WITHIN)
    try:
        seen = await stack.seen("unusable answer", NOTICED_WITHIN)
    finally:
        stack.feed.garbage = False
    return Observed(f"reported: {seen}", await stack.recovered())


def killed(name: str) -> Inject:
    """A service is killed with kill -9."""

    async def inject(stack: Stack) -> Observed:
        pid = stack.signal(name, signal.SIGKILL)
        begin = monotonic()
        await stack.restarted(name, pid, STARTS_WITHIN)
        return Observed("started again", await stack.recovered(begin))

    return inject


def hung(name: str) -> Inject:
    """A service stops answering while its process lives."""

    async def inject(stack: Stack) -> Observed:
        pid = stack.signal(name, signal.SIGSTOP)
        begin = monotonic()

        async def gone() -> bool:
            return not Path(f"/proc/{pid}").exists()

        await stack.until(gone, f"{name} is killed", HUNG_WITHIN)
        noticed = monotonic() - begin
        await stack.restarted(name, pid, STARTS_WITHIN)
        return Observed(f"killed after {noticed:.0f} s and started again", await stack.recovered())

    return inject


async def store_broken(stack: Stack) -> Observed:
    """The store that the sensor API writes its readings to cannot be written."""
    raw, aside = stack.data / "raw", stack.data / "raw.aside"
    raw.rename(aside)
    raw.write_text("a file where a folder should be")
    try:
        seen = await stack.seen("readings", NOTICED_WITHIN)
        before = await _plant_time(stack)

        async def moves() -> bool:
            return await _plant_time(stack) > before

        await stack.until(moves, "the plant clock goes on", NOTICED_WITHIN)
    finally:
        raw.unlink()
        aside.rename(raw)
    return Observed(f"plant clock goes on; reported: {seen}", await stack.recovered())


async def _plant_time(stack: Stack) -> datetime:
    answer = await stack.get("sensors", "/sensors/live")
    if answer is None:
        raise NotHeldError("the sensor API does not answer")
    return datetime.fromisoformat(answer.json()["reading"]["timestamp"])


def damaged_copy(damage: Callable[[Path], None]) -> Inject:
    """The cached copies of the models are damaged, and the inference API starts with them."""

    async def inject(stack: Stack) -> Observed:
        damage(stack.data / "serving")
        pid = stack.signal("inference", signal.SIGKILL)
        begin = monotonic()
        await stack.restarted("inference", pid, STARTS_WITHIN)
        recovery = await stack.recovered(begin)
        return Observed("the damaged copies were fetched again; every model answers", recovery)

    return inject


def half_graphs(serving: Path) -> None:
    """Cut every ONNX graph in half."""
    graphs = sorted(serving.rglob("*.onnx"))
    if not graphs:
        raise NotHeldError(f"no graph below {serving}")
    for graph in graphs:
        graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])


def edited_thresholds(serving: Path) -> None:
    """Change a number in every JSON file that describes a model."""
    files = [path for path in serving.rglob("*.json") if path.name != "current.json"]
    if not files:
        raise NotHeldError(f"no description below {serving}")
    for path in files:
        path.write_text(path.read_text().replace("0.", "0.9", 1))


def list_as_index(serving: Path) -> None:
    """The index of the copies holds valid JSON of another kind."""
    (serving / "current.json").write_text("[]")


async def registry_damaged(stack: Stack) -> Observed:
    """The registry's database file is overwritten, and restored later."""
    registry = stack.data / "mlflow.db"
    whole = stack.data / "mlflow.db.whole"
    shutil.copy(registry, whole)
    registry.write_bytes(b"no database at all" * 1000)
    try:
        seen = await stack.until(
            partial(_registry_reported, stack), "the registry is reported", NOTICED_WITHIN
        )
        if await stack.overview() is None or (await stack.get("inference", "/models")) is None:
            raise NotHeldError("a service went away with the registry")
    finally:
        whole.replace(registry)
    return Observed(f"the last good models go on; reported: {seen}", await stack.recovered())


async def _registry_reported(stack: Stack) -> str | None:
    answer = await stack.get("inference", "/ready")
    if answer is None or answer.json()["registry_reachable"]:
        return None
    return str(answer.json()["reason"])[:160]


async def database_stopped(server: Postgres, stack: Stack) -> Observed:
    """Postgres is stopped, and started again."""
    server.stop()
    end = monotonic() + DATABASE_AWAY_SECONDS
    try:
        seen = await stack.seen("", NOTICED_WITHIN)
        await asyncio.sleep(max(0.0, end - monotonic()))
    finally:
        server.resume()
    return Observed(f"reported: {seen[:160]}", await stack.recovered())


def faults() -> list[Fault]:
    """The faults of the live services, in the order of the table."""
    aside = "quarantined with its reason; the rows around it are assessed"
    again = "restarted; nothing lost"
    fetched = "not served; fetched again from the registry"
    rows = [
        Fault(
            f"SQLite write lock held for {LOCK_SECONDS:.0f} s",
            "reported; monitoring resumes; nothing lost",
            database_locked,
        ),
        Fault("disk full, freed later", "reported; monitoring resumes; nothing lost", disk_full),
        Fault("second `make run` in the same folder", "refused in one line", second_demo),
        Fault("interval dated 0001-01-01T00:00+14:00", aside, bad_row(before_christ)),
        Fault("row 17 min off the grid", aside, bad_row(off_the_grid)),
        Fault("row with an unknown key", aside, bad_row(unknown_key)),
        Fault("row with an infinite value", aside, bad_row(not_finite)),
        Fault("feed connection silent", "reported as stale; gap filled afterwards", feed_silent),
        Fault("feed answers with HTML", "reported; gap filled afterwards", feed_writes_nonsense),
        Fault(
            "store of the sensor API cannot be written",
            "plant clock goes on; readings kept",
            store_broken,
        ),
        Fault("half graphs in the models' copies", fetched, damaged_copy(half_graphs)),
        Fault("edited thresholds in the models' copies", fetched, damaged_copy(edited_thresholds)),
        Fault("current.json = []", fetched, damaged_copy(list_as_index)),
        Fault("registry file damaged", "last good models serve; reported", registry_damaged),
    ]
    names = ("sensors", "inference", "gateway")
    rows += [Fault(f"kill -9 {name}", again, killed(name)) for name in names]
    rows += [
        Fault(f"{name} hangs (SIGSTOP)", f"killed within {HUNG_WITHIN:.0f} s; {again}", hung(name))
        for name in names
    ]
    return rows


def postgres_faults(server: Postgres) -> list[Fault]:
    """The faults of a stack whose database is `server`."""
    expected = "reported; monitoring resumes; nothing lost"
    return [
        Fault(
            f"Postgres stopped for {DATABASE_AWAY_SECONDS:.0f} s",
            expected,
            partial(database_stopped, server),
        )
    ]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder on a file system of its own, which a test can fill. Needs root."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "chaos", str(folder)],
        check=True,
        timeout=30,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


__all__ = ["Fault", "Observed", "faults", "postgres_faults", "small_disk"]
