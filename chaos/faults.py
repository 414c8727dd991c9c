"""The faults of the running services, and the checks of their reaction.

A fault is a function of the stack. It returns what was observed and the seconds until recovery. It
raises ExpectationError if a service did not react as expected. The faults are in the order of the
table.
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
from chaos.stack import ExpectationError, Stack

LOCK_SECONDS = 14.0
DATABASE_AWAY_SECONDS = 12.0
NOTICED_WITHIN = 30.0
"""Limit of wall seconds until a lasting fault is reported."""
HUNG_WITHIN = 10.0
"""Limit of wall seconds until a service that hangs is killed; the new process starts after that."""
STARTS_WITHIN = 40.0
"""Limit of wall seconds until a new process runs."""


class Observed(NamedTuple):
    """The reaction of the services.

    `recovery` is the wall seconds from the end of the fault until everything works again.
    """

    text: str
    recovery: float | None = None


Inject = Callable[[Stack], Awaitable[Observed]]


@dataclass(frozen=True)
class Fault:
    """A fault, its expected effect, and the function that injects it."""

    name: str
    expected: str
    inject: Inject


async def database_locked(stack: Stack) -> Observed:
    """Another process holds SQLite's write lock for longer than a writer waits."""
    path = stack.settings.database.removeprefix("sqlite:///")
    with sqlite3.connect(path, isolation_level=None, timeout=5) as lock:
        lock.execute("BEGIN IMMEDIATE")
        end = monotonic() + LOCK_SECONDS
        report = await stack.reported("locked", LOCK_SECONDS)
        await asyncio.sleep(max(0.0, end - monotonic()))
        lock.execute("ROLLBACK")
    lock.close()
    return Observed(f"reported: {report}", await stack.recovered())


async def disk_full(stack: Stack) -> Observed:
    """The file system of the data folder is full, and has free space again later."""
    ballast = stack.data / "ballast"
    _fill(ballast)
    try:
        report = await stack.reported("gateway is not ready", NOTICED_WITHIN)
    finally:
        ballast.unlink()
    return Observed(f"reported: {report}", await stack.recovered())


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
    """A second set of services starts in the same folder, on other ports."""
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
    lines = done.stderr.strip().splitlines()
    if done.returncode == 0 or "is in use by" not in done.stderr or len(lines) != 1:
        raise ExpectationError(f"code {done.returncode}: {done.stderr[-200:]}")
    return Observed("refused, naming the process that uses the folder", await stack.recovered())


def bad_row(change: Callable[[Row], Row]) -> Inject:
    """Inject a fault that changes the next closed interval from the feed."""

    async def inject(stack: Stack) -> Observed:
        before = (await stack.overview() or {})["status"]["quarantined"]
        stack.feed.change = change

        async def new_reason() -> str | None:
            status = (await stack.overview() or {}).get("status", {"quarantined": 0})
            return status["quarantine_reason"] if status["quarantined"] > before else None

        reason = await stack.until(new_reason, "the row is quarantined", NOTICED_WITHIN)
        return Observed(f"quarantined: {reason}", await stack.recovered())

    return inject


def before_christ(row: Row) -> Row:
    """A timestamp that cannot be converted to UTC, because it lies before the year 1."""
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
    """An infinite value."""
    key = next(key for key, value in row.items() if isinstance(value, float))
    return row | {key: float("inf")}


async def feed_silent(stack: Stack) -> Observed:
    """The connection to the feed stays open, but transfers no data."""
    stack.feed.stall()
    try:
        report = await stack.reported("feed stale", NOTICED_WITHIN)
    finally:
        stack.feed.flow()
    return Observed(f"reported: {report}", await stack.recovered())


async def feed_writes_nonsense(stack: Stack) -> Observed:
    """The feed restarts, and a proxy answers instead with a page of HTML."""
    stack.feed.garbage = True
    pid = stack.signal("sensors", signal.SIGKILL)
    await stack.restarted("sensors", pid, STARTS_WITHIN)
    try:
        report = await stack.reported("unusable answer", NOTICED_WITHIN)
    finally:
        stack.feed.garbage = False
    return Observed(f"reported: {report}", await stack.recovered())


def killed(name: str) -> Inject:
    """Inject a fault that kills a service with SIGKILL."""

    async def inject(stack: Stack) -> Observed:
        pid = stack.signal(name, signal.SIGKILL)
        begin = monotonic()
        await stack.restarted(name, pid, STARTS_WITHIN)
        return Observed("restarted", await stack.recovered(begin))

    return inject


def hung(name: str) -> Inject:
    """Inject a fault that stops a service with SIGSTOP: its process exists but does not answer."""

    async def inject(stack: Stack) -> Observed:
        pid = stack.signal(name, signal.SIGSTOP)
        begin = monotonic()

        async def gone() -> bool:
            return not Path(f"/proc/{pid}").exists()

        await stack.until(gone, f"{name} is killed", HUNG_WITHIN)
        noticed = monotonic() - begin
        await stack.restarted(name, pid, STARTS_WITHIN)
        return Observed(f"killed after {noticed:.0f} s and restarted", await stack.recovered())

    return inject


async def store_broken(stack: Stack) -> Observed:
    """The sensor API cannot write to the store of its readings."""
    raw, backup = stack.data / "raw", stack.data / "raw.backup"
    raw.rename(backup)
    raw.write_text("a file where a folder should be")
    try:
        report = await stack.reported("readings", NOTICED_WITHIN)
        before = await _plant_time(stack)

        async def advances() -> bool:
            return await _plant_time(stack) > before

        await stack.until(advances, "the plant clock advances", NOTICED_WITHIN)
    finally:
        raw.unlink()
        backup.rename(raw)
    return Observed(f"plant clock advances; reported: {report}", await stack.recovered())


async def _plant_time(stack: Stack) -> datetime:
    answer = await stack.get("sensors", "/sensors/live")
    if answer is None:
        raise ExpectationError("the sensor API does not answer")
    return datetime.fromisoformat(answer.json()["reading"]["timestamp"])


def damaged_copy(damage: Callable[[Path], None]) -> Inject:
    """Inject a fault that damages the cached models and restarts the inference API."""

    async def inject(stack: Stack) -> Observed:
        damage(stack.data / "serving")
        pid = stack.signal("inference", signal.SIGKILL)
        begin = monotonic()
        await stack.restarted("inference", pid, STARTS_WITHIN)
        recovery = await stack.recovered(begin)
        return Observed("damaged copies fetched again; every model serves", recovery)

    return inject


def truncated_graphs(serving: Path) -> None:
    """Truncate every ONNX graph to half its length."""
    graphs = sorted(serving.rglob("*.onnx"))
    if not graphs:
        raise ExpectationError(f"no ONNX graph in {serving}")
    for graph in graphs:
        graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])


def edited_thresholds(serving: Path) -> None:
    """Change a number in the JSON description of every model."""
    files = [path for path in serving.rglob("*.json") if path.name != "current.json"]
    if not files:
        raise ExpectationError(f"no model description in {serving}")
    for path in files:
        path.write_text(path.read_text().replace("0.", "0.9", 1))


def list_as_index(serving: Path) -> None:
    """Replace the index of the cached models with valid JSON of the wrong type."""
    (serving / "current.json").write_text("[]")


async def registry_damaged(stack: Stack) -> Observed:
    """The registry's database file is overwritten, and restored later."""
    registry = stack.data / "mlflow.db"
    backup = stack.data / "mlflow.db.backup"
    shutil.copy(registry, backup)
    registry.write_bytes(b"not a database" * 1000)
    try:
        report = await stack.until(
            partial(_registry_reported, stack), "the registry is reported", NOTICED_WITHIN
        )
        if await stack.overview() is None or (await stack.get("inference", "/models")) is None:
            raise ExpectationError("a service does not answer while the registry is damaged")
    finally:
        backup.replace(registry)
    return Observed(f"the last good models serve; reported: {report}", await stack.recovered())


async def _registry_reported(stack: Stack) -> str | None:
    answer = await stack.get("inference", "/ready")
    if answer is None or answer.json()["registry_reachable"]:
        return None
    return str(answer.json()["reason"])[:160]


async def database_stopped(server: Postgres, stack: Stack) -> Observed:
    """Postgres stops, and starts again later."""
    server.stop()
    end = monotonic() + DATABASE_AWAY_SECONDS
    try:
        report = await stack.reported("", NOTICED_WITHIN)
        await asyncio.sleep(max(0.0, end - monotonic()))
    finally:
        server.resume()
    return Observed(f"reported: {report[:160]}", await stack.recovered())


def faults() -> list[Fault]:
    """The faults of services that use SQLite, in the order of the table."""
    quarantined = "quarantined with its reason; the rows around it are assessed"
    restarted = "restarted; nothing lost"
    fetched = "not served; fetched again from the registry"
    rows = [
        Fault(
            f"SQLite write lock held for {LOCK_SECONDS:.0f} s",
            "reported; monitoring resumes; nothing lost",
            database_locked,
        ),
        Fault("disk full, freed later", "reported; monitoring resumes; nothing lost", disk_full),
        Fault("second `make run` in the same folder", "refused in one line", second_demo),
        Fault("interval dated 0001-01-01T00:00+14:00", quarantined, bad_row(before_christ)),
        Fault("row 17 min off the grid", quarantined, bad_row(off_the_grid)),
        Fault("row with an unknown key", quarantined, bad_row(unknown_key)),
        Fault("row with an infinite value", quarantined, bad_row(not_finite)),
        Fault("feed connection silent", "reported as stale; gap filled afterwards", feed_silent),
        Fault("feed answers with HTML", "reported; gap filled afterwards", feed_writes_nonsense),
        Fault(
            "store of the sensor API cannot be written",
            "plant clock advances; readings kept",
            store_broken,
        ),
        Fault("truncated graphs in the cached models", fetched, damaged_copy(truncated_graphs)),
        Fault("edited thresholds in the cached models", fetched, damaged_copy(edited_thresholds)),
        Fault("index of the cached models is []", fetched, damaged_copy(list_as_index)),
        Fault("registry file damaged", "last good models serve; reported", registry_damaged),
    ]
    names = ("sensors", "inference", "gateway")
    rows += [Fault(f"kill -9 {name}", restarted, killed(name)) for name in names]
    rows += [
        Fault(
            f"{name} hangs (SIGSTOP)", f"killed within {HUNG_WITHIN:.0f} s; {restarted}", hung(name)
        )
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
    """Mount a small file system on `folder` until the block ends. Needs root."""
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
