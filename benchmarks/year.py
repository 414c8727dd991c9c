"""A simulated year through the real services: memory, disk and unassessed intervals, twelve times.

    python -m benchmarks.year [--models sqlite:////DATA/mlflow.db] [--days 365] [--speed 7200]

Sensor API, inference and gateway run as processes over an empty data folder and the models of a
registry that `alarmstack demo --no-serve` has made. The simulated plant runs faster than in the
demo; nothing else differs.

The database may take 2 kB for each interval, and 14 kB more for each whole assessment, of which
there may be as many as ALARMSTACK_KEEP_ASSESSMENTS_DAYS has hours and as come until the next pass.
SQLite's write-ahead log is counted apart.
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
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psutil
from tests.object_store import free_ports

from alarmstack.core.settings import load_settings
from alarmstack.services.gateway.retention import STRETCH
from alarmstack.storage.database.engine import WAL_BYTES

SERVICES = ("sensors", "inference", "gateway")
MOST_GROWTH = 1.15
"""Memory at the end beside memory after a fifth of the time: more is not flat."""
COMPACT_BYTES = 2000
"""Of the database for an interval of nine instruments: its row, scores and warnings."""
WHOLE_BYTES = 14_000
"""More than that for an interval whose whole assessment is kept: with it, 8 to 14 kB were measured
before there was retention.
"""
KEPT_DAYS = 7
MOST_WHOLE = int((timedelta(days=KEPT_DAYS) + 2 * STRETCH) / timedelta(hours=1))
"""Whole assessments at any look: of the days that they are kept for, of the intervals until the
next pass, and during it.
"""
MOST_REST = 2_000_000
"""Bytes that everything else in the data folder may grow by: what the services have logged."""
MOST_BACKLOG = 5
"""Intervals that may wait at any look: the plant runs on while they are assessed."""
LOOKS = 12
LONGEST_WAIT = 600.0
"""Seconds without a new interval after which the run has failed."""


class Disk(NamedTuple):
    """Bytes of the data folder: the database, its write-ahead log, and everything else."""

    data: int
    log: int
    rest: int


@dataclass(frozen=True)
class Look:
    """One row of the table. `whole`: intervals whose whole assessment is kept."""

    intervals: int
    unassessed: int
    whole: int
    megabytes: dict[str, float]
    disk: Disk

    @property
    def most_data(self) -> int:
        """Bytes that the database may have."""
        return self.intervals * COMPACT_BYTES + min(self.whole, MOST_WHOLE) * WHOLE_BYTES

    def line(self) -> str:
        """As it is printed."""
        memory = "  ".join(f"{name} {self.megabytes[name]:4.0f} MB" for name in SERVICES)
        data, log, rest = (part / 1e6 for part in self.disk)
        disk = f"data {data:5.1f} of {self.most_data / 1e6:5.1f} MB  log {log:4.1f} MB  rest {rest:5.1f} MB"
        return f"{self.intervals:6d} intervals, {self.whole:4d} whole, {self.unassessed} waiting  {memory}  {disk}"


@contextmanager
def services(
    folder: Path, models: str, speed: float, ports: Mapping[str, int]
) -> Iterator[dict[str, psutil.Process]]:
    """The three services as processes."""
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


def some_ports() -> dict[str, int]:
    """A free port for each service."""
    return dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))


def look(folder: Path, running: dict[str, psutil.Process]) -> Look:
    """How things are now."""
    memory = {name: _resident(process) / 1e6 for name, process in running.items()}
    return Look(*_counts(folder / "alarmstack.db"), memory, disk_of(folder))


def disk_of(folder: Path) -> Disk:
    """What the data folder takes."""
    sizes = {path.name: path.stat().st_size for path in folder.glob("alarmstack.db*")}
    data = sizes.get("alarmstack.db", 0)
    log = sum(sizes.values()) - data
    everything = sum(_size(path) for path in folder.rglob("*"))
    return Disk(data, log, everything - data - log)


def _size(path: Path) -> int:
    """Bytes of a file; none of a folder, or of a file that is gone since it was listed."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _counts(path: Path) -> tuple[int, int, int]:
    """Intervals stored, those that nothing was said of yet, and those whose whole assessment is
    kept.
    """
    if not path.exists():
        return 0, 0, 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        try:
            counts = [
                database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("plant_intervals", "plant_assessments", "plant_bodies")
            ]
        except sqlite3.OperationalError:
            return 0, 0, 0
    intervals, assessed, whole = counts
    return intervals, max(intervals - assessed, 0), whole


def _resident(process: psutil.Process) -> int:
    return process.memory_info().rss + sum(
        child.memory_info().rss for child in process.children(recursive=True)
    )


def run(models: str, days: float, speed: float) -> dict[str, object]:
    """Print the table; the row of this benchmark."""
    aim, seen = int(days * 24), list[Look]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with services(folder, models, speed, some_ports()) as running:
            for part in range(1, LOOKS + 1):
                seen.append(when(folder, running, aim * part // LOOKS))
                print(f"{datetime.now():%H:%M:%S}  {seen[-1].line()}", flush=True)
    return _row(seen)


def when(folder: Path, running: dict[str, psutil.Process], intervals: int) -> Look:
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


def growth(early: Look, last: Look) -> float:
    """Memory of the service that grew most, as a ratio."""
    return max(last.megabytes[name] / early.megabytes[name] for name in SERVICES)


def _row(seen: list[Look]) -> dict[str, object]:
    """Whether memory is flat, the disk bounded, and nothing was left unassessed."""
    early, last = seen[LOOKS // 5], seen[-1]
    grown, whole = growth(early, last), max(one.whole for one in seen)
    most_log = max(one.disk.log for one in seen)
    rest = last.disk.rest - early.disk.rest
    bounded = all(one.disk.data <= one.most_data for one in seen) and whole <= MOST_WHOLE
    met = (
        grown <= MOST_GROWTH
        and bounded
        and most_log <= WAL_BYTES
        and rest <= MOST_REST
        and last.unassessed <= MOST_BACKLOG
    )
    return {
        "name": "simulated_year_memory_growth",
        "value": round(grown, 3),
        "aim": MOST_GROWTH,
        "intervals": last.intervals,
        "unassessed": last.unassessed,
        "whole": whole,
        "whole_aim": MOST_WHOLE,
        "data": last.disk.data,
        "data_aim": last.most_data,
        "log": most_log,
        "log_aim": WAL_BYTES,
        "rest_growth": rest,
        "folder": sum(last.disk),
        "met": met,
    }


def main() -> None:
    """Print the table and the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    registry = load_settings().registry
    arguments.add_argument(
        "--models", default=registry, help="Registry. Default: the data folder's."
    )
    arguments.add_argument("--days", type=float, default=365)
    arguments.add_argument("--speed", type=float, default=7200)
    print(json.dumps(run(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
