"""Memory of the gateway above idle while one account exports its whole history as CSV.

    python -m benchmarks.csv_export [--entries 100000]

The gateway runs as a real process with an SQLite database. Prints one row as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, select
from tests.upstreams import BEGIN

from alarmstack.services.gateway.credentials import hash_password
from alarmstack.storage.database import migrate
from alarmstack.storage.database.engine import plain_engine
from alarmstack.storage.database.tables import HistoryEntry, User
from benchmarks.viewer_load import PASSWORD, gateway, logged_in

AIM_MEGABYTES = 50.0
UNREACHABLE = "http://127.0.0.1:9"
"""Address of the feed and of the models, which this benchmark does not need."""
BATCH = 1000
WINDOW = {"recent_observations": [{f"key_{number}": 123.456 + number for number in range(45)}] * 6}
"""The request of a typical history entry: about 6 kB."""


def write(url: str, count: int) -> None:
    """Write an account with `count` history entries into the database."""
    engine = plain_engine(url)
    with engine.begin() as connection:
        person = {"username": "anna", "login": "anna", "role": "viewer", "created_at": BEGIN}
        connection.execute(insert(User).values(password_hash=hash_password(PASSWORD), **person))
        user_id = connection.scalar(select(User.id))
        for first in range(0, count, BATCH):
            connection.execute(
                insert(HistoryEntry), list(_entries(user_id, min(BATCH, count - first)))
            )
    engine.dispose()


def _entries(user_id: int | None, count: int) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        yield {
            "user_id": user_id,
            "type": "forecast",
            "created_at": BEGIN,
            "plant_time": BEGIN,
            "horizon_hours": 1,
            "score": 0.5,
            "alarm": 0,
            "model": "m",
            "model_version": "1",
            "request": WINDOW,
            "response": {"anomaly_probability": 0.5},
        }


async def run(entries: int) -> dict[str, object]:
    """Run the benchmark; return its row."""
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/alarmstack.db"
        migrate(url)
        write(url, entries)
        async with gateway(Path(scratch), UNREACHABLE, UNREACHABLE) as (address, pid):
            client = await logged_in(address, "anna")
            process, lines, peak = psutil.Process(pid), 0, 0
            idle = process.memory_info().rss
            async with client.stream("GET", "/history", headers={"Accept": "text/csv"}) as answer:
                async for chunk in answer.aiter_bytes():
                    lines += chunk.count(b"\r\n")
                    peak = max(peak, process.memory_info().rss)
            await client.aclose()
    above = (peak - idle) / 1e6
    row = {
        "name": "csv_export_megabytes_above_idle",
        "value": round(above, 1),
        "baseline": round(idle / 1e6, 1),
    }
    return row | {
        "entries": lines - 1,
        "aim": AIM_MEGABYTES,
        "met": above <= AIM_MEGABYTES and lines == entries + 1,
    }


def measure(entries: int = 100_000) -> dict[str, object]:
    """Run the benchmark; return its row."""
    return asyncio.run(run(entries))


def main() -> None:
    """Print the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--entries", type=int, default=100_000)
    print(json.dumps(measure(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
