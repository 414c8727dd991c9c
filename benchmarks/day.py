"""A day at the demo's speed under load: services ready, intervals assessed, memory flat.

    python -m benchmarks.day [--models sqlite:////DATA/mlflow.db] [--days 1.25] [--speed 720]
        [--viewers 6]

The services of `benchmarks.year` run at the demo's speed while viewers use the gateway. Each viewer
follows the event stream and requests overview, trends, history, drift and the comparison, with a
pause after each request. Every second the readiness of each service is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from alarmstack.core.settings import load_settings
from alarmstack.services.gateway.credentials import hash_password
from alarmstack.storage.database import Database, accounts, migrate
from benchmarks.viewer_load import PASSWORD, logged_in
from benchmarks.year import (
    MOST_GROWTH,
    SERVICES,
    Snapshot,
    growth,
    service_ports,
    services,
    snapshot_after,
)

SNAPSHOTS = 6
LONGEST_START = 300.0
"""Limit of seconds until the services are ready: a busy machine loads ten models slowly."""
PAUSE_SECONDS = 0.5
"""Between two requests of a viewer."""
LONGEST_WAIT_SECONDS = 5.0
"""Wall time of one plant hour at the demo's speed: each interval must be assessed before the next
one closes.
"""
LAST_WAIT_SECONDS = 30.0
"""Limit of seconds until the last interval of the day is assessed."""
REQUESTS = (
    "/overview",
    "/trends?tags=pdt31008,lt301031,risk_score&points=600",
    "/history?size=50",
    "/drift",
    "/comparison",
)


@dataclass
class LoadResults:
    """Results of the viewers' requests and of the readiness checks."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    events: int = 0
    unready: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The text that is printed after a snapshot."""
        return (
            f"{self.answers:5d} answers, {len(self.failures)} failed, "
            f"slowest {self.slowest:.1f} s, "
            f"{self.events:6d} events, not ready {len(self.unready)} times"
        )


async def view(address: str, name: str, results: LoadResults) -> None:
    """Follow the stream and send requests, as a viewer does. Log in again when the session ends."""
    while True:
        client = await logged_in(address, name)
        async with aclosing(client), asyncio.TaskGroup() as group:
            requests = group.create_task(_request(client, results))
            group.create_task(_follow(client, results, requests))


async def _follow(
    client: httpx.AsyncClient, results: LoadResults, requests: asyncio.Task[None]
) -> None:
    """Read the stream until it ends with the session; then cancel the requests."""
    async with client.stream("GET", "/stream") as answer:
        async for line in answer.aiter_lines():
            results.events += line.startswith("event:")
    requests.cancel()


async def _request(client: httpx.AsyncClient, results: LoadResults) -> None:
    while True:
        for path in REQUESTS:
            begin = time.monotonic()
            answer = await client.get(path)
            results.slowest = max(results.slowest, time.monotonic() - begin)
            results.answers += 1
            if answer.status_code != httpx.codes.OK:
                results.failures.append(f"{path}: {answer.status_code} {answer.text[:200]}")
            await asyncio.sleep(PAUSE_SECONDS)


async def keep_checking_readiness(ports: Mapping[str, int], results: LoadResults) -> None:
    """Check the readiness of each service once a second."""
    async with httpx.AsyncClient(timeout=LONGEST_WAIT_SECONDS) as client:
        while True:
            for name in SERVICES:
                if reason := await _why_not_ready(client, f"http://127.0.0.1:{ports[name]}/ready"):
                    results.unready.append(f"{datetime.now(UTC):%H:%M:%S} {name}: {reason}")
            await asyncio.sleep(1)


async def _why_not_ready(client: httpx.AsyncClient, url: str) -> str:
    """The reason that a service gives; empty if it is ready."""
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return repr(error)
    return "" if answer.status_code == httpx.codes.OK else answer.text[:300]


async def prepare(folder: Path, viewers: int) -> None:
    """Make the database with the viewers' accounts."""
    url = f"sqlite:///{folder}/alarmstack.db"
    migrate(url)
    database = Database(url)
    async with database.begin() as session:
        for number in range(viewers):
            await accounts.add(
                session, f"viewer{number}", hash_password(PASSWORD), "viewer", datetime.now(UTC)
            )
    await database.close()


async def until_ready(ports: Mapping[str, int], seconds: float = LONGEST_START) -> None:
    """Wait until every service is ready. Raises TimeoutError."""
    async with asyncio.timeout(seconds), httpx.AsyncClient() as client:
        for name in SERVICES:
            while await _why_not_ready(client, f"http://127.0.0.1:{ports[name]}/ready"):
                await asyncio.sleep(0.2)


async def run(models: str, days: float, speed: float, viewers: int) -> dict[str, object]:
    """Run the benchmark and print its table; return its row."""
    results, ports = LoadResults(), service_ports()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        await prepare(folder, viewers)
        with services(folder, models, speed, ports) as running:
            await until_ready(ports)
            # The day begins after the feed's history is assessed.
            first = await asyncio.to_thread(snapshot_after, folder, running, 1)
            start = await asyncio.to_thread(snapshot_after, folder, running, first.intervals)
            print(f"{datetime.now():%H:%M:%S}  {start.line()}", flush=True)
            async with _viewed(f"http://127.0.0.1:{ports['gateway']}", ports, viewers, results):
                snapshots = await _day(folder, running, start.intervals, int(days * 24), results)
            longest, unassessed = await _assessed(folder, start.intervals)
    return _row(snapshots, results, longest, unassessed)


async def _day(
    folder: Path, running: dict[str, psutil.Process], begin: int, hours: int, results: LoadResults
) -> list[Snapshot]:
    """Take and print snapshots during the day. `begin`: intervals stored before it."""
    snapshots = []
    for part in range(1, SNAPSHOTS + 1):
        intervals = begin + hours * part // SNAPSHOTS
        snapshots.append(await asyncio.to_thread(snapshot_after, folder, running, intervals))
        print(f"{datetime.now():%H:%M:%S}  {snapshots[-1].line()}  {results.line()}", flush=True)
    return snapshots


@asynccontextmanager
async def _viewed(
    address: str, ports: Mapping[str, int], viewers: int, results: LoadResults
) -> AsyncIterator[None]:
    """Run viewers and readiness checks until the block ends. An error in one of them ends it."""
    async with asyncio.TaskGroup() as group:
        load = [view(address, f"viewer{number}", results) for number in range(viewers)]
        load.append(keep_checking_readiness(ports, results))
        tasks = [group.create_task(one) for one in load]
        yield
        for task in tasks:
            task.cancel()


async def _assessed(folder: Path, begin: int) -> tuple[float, int]:
    """Longest wait for an assessment, in seconds, and the number of unassessed intervals.

    Both are for the intervals that are closed now, without the first `begin`: the plant keeps
    running.
    """
    with closing(sqlite3.connect(f"file:{folder}/alarmstack.db?mode=ro", uri=True)) as database:
        closed = database.execute("SELECT count(*), max(start) FROM plant_intervals").fetchone()
        missing = (
            "SELECT count(*) FROM plant_intervals i "
            "LEFT JOIN plant_assessments a USING (plant, start)"
            " WHERE i.start <= ? AND a.start IS NULL"
        )
        end = time.monotonic() + LAST_WAIT_SECONDS
        while (
            left := database.execute(missing, closed[1:]).fetchone()[0]
        ) and time.monotonic() < end:
            await asyncio.sleep(0.1)
        longest = database.execute(
            "SELECT max(wait) FROM "
            "(SELECT 86400 * (julianday(a.stored_at) - julianday(i.stored_at)) AS wait"
            " FROM plant_intervals i JOIN plant_assessments a USING (plant, start)"
            " ORDER BY i.start DESC LIMIT ?)",
            (closed[0] - begin,),
        ).fetchone()[0]
    return longest, left


def _row(
    snapshots: list[Snapshot], results: LoadResults, longest: float, unassessed: int
) -> dict[str, object]:
    for one in [*results.unready[:5], *results.failures[:5]]:
        print(one)
    grown = growth(snapshots[0], snapshots[-1])
    nothing_failed = not results.unready and not results.failures and not unassessed
    return {
        "name": "day_under_load_memory_growth",
        "value": round(grown, 3),
        "aim": MOST_GROWTH,
        "intervals": snapshots[-1].intervals,
        "unassessed": unassessed,
        "longest_wait_seconds": round(longest, 2),
        "longest_wait_aim": LONGEST_WAIT_SECONDS,
        "not_ready": len(results.unready),
        "answers": results.answers,
        "failed_answers": len(results.failures),
        "slowest_answer_seconds": round(results.slowest, 2),
        "met": grown <= MOST_GROWTH and nothing_failed and longest <= LONGEST_WAIT_SECONDS,
    }


def main() -> None:
    """Print the table and the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    registry = load_settings().registry
    arguments.add_argument(
        "--models", default=registry, help="Model registry. Default: that of the data folder."
    )
    arguments.add_argument("--days", type=float, default=1.25)
    arguments.add_argument("--speed", type=float, default=720)
    arguments.add_argument("--viewers", type=int, default=6)
    print(json.dumps(asyncio.run(run(**vars(arguments.parse_args())))))


if __name__ == "__main__":
    main()
