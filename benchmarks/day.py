"""A day at the demo's speed under load: services ready, intervals assessed, memory flat.

python -m benchmarks.day [--models sqlite:////DATA/mlflow.db] [--days 1.25] [--speed 720] [--viewers
6]

The services of `benchmarks.year` run at the demo's speed while viewers look: each follows the
stream and asks for overview, trends, history, drift and the comparison, a pause between two
questions. Every second each service is asked whether it is ready.
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
from benchmarks.year import MOST_GROWTH, SERVICES, Look, growth, services, some_ports, when

LOOKS = 6
LONGEST_START = 300.0
"""Seconds that the services may take to be ready: a busy machine loads ten models slowly."""
PAUSE_SECONDS = 0.5
"""Between two questions of a viewer."""
LONGEST_WAIT_SECONDS = 5.0
"""Wall time of one plant hour at the demo's speed: an interval is assessed before the next one is
closed.
"""
LAST_WAIT_SECONDS = 30.0
"""How long the last interval of the day may take to be assessed."""
QUESTIONS = (
    "/overview",
    "/trends?tags=pdt31008,lt301031,risk_score&points=600",
    "/history?size=50",
    "/drift",
    "/comparison",
)


@dataclass
class Seen:
    """What viewers and the one who asks for readiness have seen."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    events: int = 0
    unready: list[str] = field(default_factory=list)

    def line(self) -> str:
        """As it is printed behind a look."""
        return (
            f"{self.answers:5d} answers, {len(self.failures)} failed, slowest {self.slowest:.1f} s, "
            f"{self.events:6d} events, not ready {len(self.unready)} times"
        )


async def view(address: str, name: str, seen: Seen) -> None:
    """A viewer: a stream, and one question after another. Whoever is no longer logged in logs in
    again.
    """
    while True:
        client = await logged_in(address, name)
        async with aclosing(client), asyncio.TaskGroup() as group:
            asking = group.create_task(_ask(client, seen))
            group.create_task(_follow(client, seen, asking))


async def _follow(client: httpx.AsyncClient, seen: Seen, asking: asyncio.Task[None]) -> None:
    """Read the stream until it ends with the login."""
    async with client.stream("GET", "/stream") as answer:
        async for line in answer.aiter_lines():
            seen.events += line.startswith("event:")
    asking.cancel()


async def _ask(client: httpx.AsyncClient, seen: Seen) -> None:
    while True:
        for question in QUESTIONS:
            begin = time.monotonic()
            answer = await client.get(question)
            seen.slowest = max(seen.slowest, time.monotonic() - begin)
            seen.answers += 1
            if answer.status_code != httpx.codes.OK:
                seen.failures.append(f"{question}: {answer.status_code} {answer.text[:200]}")
            await asyncio.sleep(PAUSE_SECONDS)


async def keep_asking_whether_ready(ports: Mapping[str, int], seen: Seen) -> None:
    """Ask each service once a second."""
    async with httpx.AsyncClient(timeout=LONGEST_WAIT_SECONDS) as client:
        while True:
            for name in SERVICES:
                if reason := await _why_not_ready(client, f"http://127.0.0.1:{ports[name]}/ready"):
                    seen.unready.append(f"{datetime.now(UTC):%H:%M:%S} {name}: {reason}")
            await asyncio.sleep(1)


async def _why_not_ready(client: httpx.AsyncClient, url: str) -> str:
    """Empty: it is ready."""
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return repr(error)
    return "" if answer.status_code == httpx.codes.OK else answer.text[:300]


async def prepared(folder: Path, viewers: int) -> None:
    """The database with the viewers' accounts."""
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
    """Wait for the services' start."""
    async with asyncio.timeout(seconds), httpx.AsyncClient() as client:
        for name in SERVICES:
            while await _why_not_ready(client, f"http://127.0.0.1:{ports[name]}/ready"):
                await asyncio.sleep(0.2)


async def run(models: str, days: float, speed: float, viewers: int) -> dict[str, object]:
    """Print the table; the row of this benchmark."""
    seen, ports = Seen(), some_ports()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        await prepared(folder, viewers)
        with services(folder, models, speed, ports) as running:
            await until_ready(ports)
            # What the feed has of the days before is assessed first.
            first = await asyncio.to_thread(when, folder, running, 1)
            begun = await asyncio.to_thread(when, folder, running, first.intervals)
            print(f"{datetime.now():%H:%M:%S}  {begun.line()}", flush=True)
            async with _viewed(f"http://127.0.0.1:{ports['gateway']}", ports, viewers, seen):
                looks = await _day(folder, running, begun.intervals, int(days * 24), seen)
            longest, unassessed = await _assessed(folder, begun.intervals)
    return _row(looks, seen, longest, unassessed)


async def _day(
    folder: Path, running: dict[str, psutil.Process], begun: int, hours: int, seen: Seen
) -> list[Look]:
    """Looks at the day, with what viewers have seen until then."""
    looks = []
    for part in range(1, LOOKS + 1):
        looks.append(await asyncio.to_thread(when, folder, running, begun + hours * part // LOOKS))
        print(f"{datetime.now():%H:%M:%S}  {looks[-1].line()}  {seen.line()}", flush=True)
    return looks


@asynccontextmanager
async def _viewed(
    address: str, ports: Mapping[str, int], viewers: int, seen: Seen
) -> AsyncIterator[None]:
    """Viewers look, and readiness is asked for, meanwhile. What one of them fails with ends the
    day.
    """
    async with asyncio.TaskGroup() as group:
        looking = [view(address, f"viewer{number}", seen) for number in range(viewers)]
        looking.append(keep_asking_whether_ready(ports, seen))
        tasks = [group.create_task(one) for one in looking]
        yield
        for task in tasks:
            task.cancel()


async def _assessed(folder: Path, begun: int) -> tuple[float, int]:
    """The longest that an interval of the day waited for its assessment, in seconds; intervals that
    were left without one.

    The plant runs on: what was closed by now is waited for.
    """
    with closing(sqlite3.connect(f"file:{folder}/alarmstack.db?mode=ro", uri=True)) as database:
        closed = database.execute("SELECT count(*), max(start) FROM plant_intervals").fetchone()
        missing = (
            "SELECT count(*) FROM plant_intervals i LEFT JOIN plant_assessments a USING (plant, start)"
            " WHERE i.start <= ? AND a.start IS NULL"
        )
        end = time.monotonic() + LAST_WAIT_SECONDS
        while (
            left := database.execute(missing, closed[1:]).fetchone()[0]
        ) and time.monotonic() < end:
            await asyncio.sleep(0.1)
        longest = database.execute(
            "SELECT max(wait) FROM (SELECT 86400 * (julianday(a.stored_at) - julianday(i.stored_at)) AS wait"
            " FROM plant_intervals i JOIN plant_assessments a USING (plant, start)"
            " ORDER BY i.start DESC LIMIT ?)",
            (closed[0] - begun,),
        ).fetchone()[0]
    return longest, left


def _row(looks: list[Look], seen: Seen, longest: float, unassessed: int) -> dict[str, object]:
    for one in [*seen.unready[:5], *seen.failures[:5]]:
        print(one)
    grown = growth(looks[0], looks[-1])
    nothing_failed = not seen.unready and not seen.failures and not unassessed
    return {
        "name": "day_under_load_memory_growth",
        "value": round(grown, 3),
        "aim": MOST_GROWTH,
        "intervals": looks[-1].intervals,
        "unassessed": unassessed,
        "longest_wait_seconds": round(longest, 2),
        "longest_wait_aim": LONGEST_WAIT_SECONDS,
        "not_ready": len(seen.unready),
        "answers": seen.answers,
        "failed_answers": len(seen.failures),
        "slowest_answer_seconds": round(seen.slowest, 2),
        "met": grown <= MOST_GROWTH and nothing_failed and longest <= LONGEST_WAIT_SECONDS,
    }


def main() -> None:
    """Print the table and the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    registry = load_settings().registry
    arguments.add_argument(
        "--models", default=registry, help="Registry. Default: the data folder's."
    )
    arguments.add_argument("--days", type=float, default=1.25)
    arguments.add_argument("--speed", type=float, default=720)
    arguments.add_argument("--viewers", type=int, default=6)
    print(json.dumps(asyncio.run(run(**vars(arguments.parse_args())))))


if __name__ == "__main__":
    main()
