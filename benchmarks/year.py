"""A simulated year through the real services: memory, disk and unassessed intervals, month by month.

    python -m benchmarks.year --models sqlite:////DATA/mlflow.db [--days 365] [--speed 7200]

Sensor API, inference and gateway run as processes over an empty data folder and the models of a registry that
`alarmstack demo --no-serve` has made. The simulated plant runs faster than in the demo; nothing else differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from tests.object_store import free_ports

from alarmstack.storage.database.engine import WAL_BYTES

SERVICES = ("sensors", "inference", "gateway")
MOST_GROWTH = 1.15
"""Memory at the end beside memory after a fifth of the time: more is not flat."""
MOST_BYTES = 2000
"""Of a compact interval, with its row."""
WHOLE_BYTES = 16_000
"""Of an interval whose whole assessment is still kept."""
KEPT_DAYS = 7
MOST_BACKLOG = 5
"""Intervals that may wait at any look: the plant runs on while they are assessed."""
LOOKS = 12
LONGEST_WAIT = 600.0
"""Seconds without a new interval after which the run has failed."""


@dataclass(frozen=True)
class Look:
    """One row of the table."""

    intervals: int
    unassessed: int
    megabytes: dict[str, float]
    disk: int

    def line(self) -> str:
        """As it is printed."""
        memory = "  ".join(f"{name} {self.megabytes[name]:6.0f} MB" for name in SERVICES)
        each = self.disk / max(self.intervals, 1)
        disk = f"disk {self.disk / 1e6:6.1f} MB  {each:6.0f} B each"
        return f"{self.intervals:7d} intervals  {memory}  {disk}  {self.unassessed} waiting"


@contextmanager
def services(folder: Path, models: str, speed: float) -> Iterator[dict[str, psutil.Process]]:
    """The three services as processes."""
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    told = {f"ALARMSTACK_{name.upper()}_PORT": str(port) for name, port in ports.items()} | {
        "ALARMSTACK_DATA_DIR": str(folder),
        "ALARMSTACK_SENSORS_URL": f"http://127.0.0.1:{ports['sensors']}",
        "ALARMSTACK_INFERENCE_URL": f"http://127.0.0.1:{ports['inference']}",
        "ALARMSTACK_SPEED": str(speed),
        "ALARMSTACK_SERVE_UNPROMOTED": "true",
        "ALARMSTACK_KEEP_ASSESSMENTS_DAYS": str(KEPT_DAYS),
        "MLFLOW_TRACKING_URI": models,
        "JWT_SECRET": "0123456789abcdefghijklmnopqrstuv",
    }
    started = []
    for name in SERVICES:
        more = ["--page-port", "0"] if name == "gateway" else []
        command = [sys.executable, "-m", "alarmstack.cli", "serve", name, *more]
        with (folder / f"{name}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log))
    try:
        yield {name: psutil.Process(one.pid) for name, one in zip(SERVICES, started, strict=True)}
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()


def look(folder: Path, running: dict[str, psutil.Process]) -> Look:
    """How things are now."""
    intervals, unassessed = _counts(folder / "alarmstack.db")
    memory = {name: _resident(process) / 1e6 for name, process in running.items()}
    return Look(
        intervals,
        unassessed,
        memory,
        sum(path.stat().st_size for path in folder.glob("alarmstack.db*")),
    )


def _counts(path: Path) -> tuple[int, int]:
    """Intervals stored, and those that nothing was said of yet."""
    if not path.exists():
        return 0, 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        try:
            intervals = database.execute("SELECT count(*) FROM plant_intervals").fetchone()[0]
            return intervals, intervals - database.execute(
                "SELECT count(*) FROM plant_assessments"
            ).fetchone()[0]
        except sqlite3.OperationalError:
            return 0, 0


def _resident(process: psutil.Process) -> int:
    return process.memory_info().rss + sum(
        child.memory_info().rss for child in process.children(recursive=True)
    )


def run(models: str, days: float, speed: float) -> dict[str, object]:
    """Print the table; the row of this benchmark."""
    aim, seen = int(days * 24), list[Look]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with services(folder, models, speed) as running:
            for part in range(1, LOOKS + 1):
                seen.append(_when(folder, running, aim * part // LOOKS))
                print(f"{datetime.now():%H:%M:%S}  {seen[-1].line()}", flush=True)
    return _row(seen)


def _when(folder: Path, running: dict[str, psutil.Process], intervals: int) -> Look:
    """The first look at so many assessed intervals."""
    now, heard = look(folder, running), time.monotonic()
    while now.intervals - now.unassessed < intervals:
        dead = [
            name for name, process in running.items() if process.status() == psutil.STATUS_ZOMBIE
        ]
        if dead or time.monotonic() - heard > LONGEST_WAIT:
            raise SystemExit(
                f"{', '.join(dead) or 'the gateway'} does not go on: {(folder / 'gateway.log').read_text()[-2000:]}"
            )
        time.sleep(1)
        before, now = now, look(folder, running)
        progress = (now.intervals, -now.unassessed) > (before.intervals, -before.unassessed)
        heard = time.monotonic() if progress else heard
    return now


def _row(seen: list[Look]) -> dict[str, object]:
    """Whether memory is flat, the disk bounded, and nothing was left unassessed."""
    early, last = seen[LOOKS // 5], seen[-1]
    growth = max(last.megabytes[name] / early.megabytes[name] for name in SERVICES)
    # SQLite keeps the space of its write-ahead log up to a limit.
    bound = last.intervals * MOST_BYTES + (KEPT_DAYS + 1) * 24 * WHOLE_BYTES + WAL_BYTES
    met = growth <= MOST_GROWTH and last.disk <= bound and last.unassessed <= MOST_BACKLOG
    row = {
        "name": "simulated_year_memory_growth",
        "value": round(growth, 3),
        "aim": MOST_GROWTH,
        "disk": last.disk,
    }
    return row | {
        "disk_aim": bound,
        "intervals": last.intervals,
        "unassessed": last.unassessed,
        "met": met,
    }


def main() -> None:
    """Print the table and the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--models", required=True, help="Registry with models, such as sqlite:////DATA/mlflow.db."
    )
    arguments.add_argument("--days", type=float, default=365)
    arguments.add_argument("--speed", type=float, default=7200)
    print(json.dumps(run(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
