"""Assessments per second with and without ten connections that request trends.

    python -m benchmarks.viewer_load [--seconds 10] [--intervals 7000] [--connections 10]

The trends cover 7,000 intervals. The gateway runs as a real process with an SQLite database. Its
feed closes intervals as fast as they are assessed, and its inference API answers at once, so the
rate depends only on the gateway. Both values come from one run, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from tests.object_store import free_ports
from tests.upstreams import BEGIN, Feed, Models_, serving

from alarmstack.core.plant import load_plant
from alarmstack.services.gateway.credentials import hash_password
from alarmstack.storage.database import Database, accounts, migrate
from benchmarks.pasts import fill

AIM_RATIO = 0.8
PLANT = Path("plants/gas_treatment/plant.toml")
PASSWORD = "a password of the benchmark"
LONGEST_START = 120.0
"""Limit of seconds until the gateway answers."""
AHEAD = 5
"""Intervals that wait to be assessed at any time."""
ROUNDS = 3


class Busy:
    """A feed that always has intervals to assess."""

    def __init__(self, feed: Feed, models: Models_) -> None:
        self.feed, self.models = feed, models

    async def keep_ahead(self) -> None:
        """Close intervals so that AHEAD of them always wait."""
        closed = len(self.models.assessed)
        while True:
            while closed < len(self.models.assessed) + AHEAD:
                self.feed.close_hour()
                closed += 1
            await asyncio.sleep(0.005)


@asynccontextmanager
async def gateway(folder: Path, sensors: str, inference: str) -> AsyncIterator[tuple[str, int]]:
    """Run the gateway as a process until the block ends; its address and process ID."""
    (port,) = free_ports(1)
    environment = {
        "ALARMSTACK_DATA_DIR": str(folder),
        "ALARMSTACK_SENSORS_URL": sensors,
        "ALARMSTACK_INFERENCE_URL": inference,
        "ALARMSTACK_GATEWAY_PORT": str(port),
        "ALARMSTACK_HEAVY_READS_PER_MINUTE": "1000000",
        "ALARMSTACK_REQUESTS_PER_MINUTE": "1000000",
        "JWT_SECRET": "0123456789abcdefghijklmnopqrstuv",
    }
    code = (
        "from alarmstack.services.gateway.serving import serve; "
        "from alarmstack.core.settings import load_settings; "
        f"serve(load_settings(), {port}, None)"
    )
    with (folder / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env=os.environ | environment, stdout=log, stderr=log
        )
    try:
        await _answers(f"http://127.0.0.1:{port}", folder / "gateway.log")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(url: str, log: Path) -> None:
    end = time.monotonic() + LONGEST_START
    async with httpx.AsyncClient(base_url=url) as client:
        while time.monotonic() < end:
            try:
                if (await client.get("/health")).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.2)
    raise SystemExit(f"the gateway does not answer: {log.read_text()[-2000:]}")


async def rate(models: Models_, seconds: float) -> float:
    """Assessments per second, measured over `seconds`."""
    before, begin = len(models.assessed), time.monotonic()
    await asyncio.sleep(seconds)
    return (len(models.assessed) - before) / (time.monotonic() - begin)


async def view(client: httpx.AsyncClient, begin: datetime, count: list[int]) -> None:
    """Request trends over the whole history repeatedly, as a viewer does who moves the chart.

    `count` holds the number of answers, and of refused requests.
    """
    for shift in range(1_000_000):
        query: dict[str, str | int] = {
            "tags": "pdt31008,lt301031,risk_score",
            "from": (begin + timedelta(minutes=shift % 60)).isoformat(),
            "points": 2000,
        }
        answer = await client.get("/trends", params=query)
        count[answer.status_code != 200] += 1


async def run(seconds: float, intervals: int, connections: int) -> dict[str, object]:
    """Run the benchmark; return its row."""
    plant = load_plant(PLANT)
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/alarmstack.db"
        migrate(url)
        begin = BEGIN - intervals * plant.time.cadence
        database = Database(url)
        await fill(database, plant, begin, intervals)
        async with database.begin() as session:
            for name in range(connections):
                await accounts.add(
                    session, f"viewer{name}", hash_password(PASSWORD), "viewer", BEGIN
                )
        await database.close()
        feed, models = Feed(plant, 3), Models_(plant)
        async with (
            serving(feed.app()) as sensors,
            serving(models.app()) as inference,
            gateway(Path(scratch), sensors, inference) as (address, _),
        ):
            return await _measured(address, Busy(feed, models), begin, seconds, connections)


async def _measured(
    address: str, busy: Busy, begin: datetime, seconds: float, connections: int
) -> dict[str, object]:
    clients = [await logged_in(address, f"viewer{name}") for name in range(connections)]
    feed, count = asyncio.create_task(busy.keep_ahead()), [0, 0]
    await clients[0].get("/trends", params={"tags": "pdt31008"})
    quiet, loaded = [], []
    for _ in range(ROUNDS):
        quiet.append(await rate(busy.models, seconds / ROUNDS))
        viewers = [asyncio.create_task(view(client, begin, count)) for client in clients]
        await asyncio.sleep(1)
        loaded.append(await rate(busy.models, seconds / ROUNDS))
        for task in viewers:
            task.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)
    feed.cancel()
    value, baseline = sum(loaded) / ROUNDS, sum(quiet) / ROUNDS
    ratio = value / baseline
    row = {
        "name": "assessments_per_second_beside_ten_viewers",
        "value": round(value, 1),
        "baseline": round(baseline, 1),
    }
    return row | {
        "ratio": round(ratio, 3),
        "aim": AIM_RATIO,
        "met": ratio >= AIM_RATIO,
        "trends": count[0],
        "refused": count[1],
    }


async def logged_in(address: str, name: str) -> httpx.AsyncClient:
    """A client with an access token."""
    client = httpx.AsyncClient(base_url=address, timeout=120)
    answer = await client.post("/auth/login", data={"username": name, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


def measure(seconds: float = 10, intervals: int = 7000, connections: int = 10) -> dict[str, object]:
    """Run the benchmark; return its row."""
    return asyncio.run(run(seconds, intervals, connections))


def main() -> None:
    """Print the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--intervals", type=int, default=7000)
    arguments.add_argument("--connections", type=int, default=10)
    print(json.dumps(measure(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
