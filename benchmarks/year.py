"""A simulated year with the real services: memory, disk and unassessed intervals in 12 snapshots.

    python -m benchmarks.year [--models sqlite:////DATA/mlflow.db] [--days 365] [--speed 7200]

Sensor API, inference API and gateway run as processes with an empty data folder and the models of a
registry; `alarmstack demo --no-serve` makes one. Only the speed of the plant differs from the demo.

The database may take 2 kB per interval, and 14 kB more per whole assessment. Whole assessments are
kept for ALARMSTACK_KEEP_ASSESSMENTS_DAYS, and then until the next retention pass. SQLite's
write-ahead log is counted separately.
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
"""Limit of the memory at the end, as a ratio to the memory early in the run."""
COMPACT_BYTES = 2000
"""Of the database, for an interval of nine instruments: its row, scores and warnings."""
WHOLE_BYTES = 14_000
"""Additional bytes for an interval whose whole assessment is kept: 8 to 14 kB were measured before
retention existed.
"""
KEPT_DAYS = 7
MOST_WHOLE = int((timedelta(days=KEPT_DAYS) + 2 * STRETCH) / timedelta(hours=1))
"""Limit of whole assessments in a snapshot: those of the days that are kept, and of the time until
the next retention pass and during it.
"""
MOST_REST = 2_000_000
"""Limit of bytes by which the rest of the data folder grows: the logs of the services."""
MOST_BACKLOG = 5
"""Limit of unassessed intervals in a snapshot: the plant keeps running during an assessment."""
SNAPSHOTS = 12
LONGEST_WAIT = 600.0
"""Seconds without progress after which the run fails."""


class Disk(NamedTuple):
    """Bytes of the data folder: the database, its write-ahead log, and everything else."""

    data: int
    log: int
    rest: int


@dataclass(frozen=True)
class Snapshot:
    """One row of the table.

    `whole` is the number of intervals whose whole assessment is kept, `megabytes` the memory of
    each service.
    """

    intervals: int
    unassessed: int
    whole: int
    megabytes: dict[str, float]
    disk: Disk

    @property
    def most_data(self) -> int:
        """Limit of the database's size, in bytes."""
        return self.intervals * COMPACT_BYTES + min(self.whole, MOST_WHOLE) * WHOLE_BYTES

    def line(self) -> str:
        """The row as text."""
        memory = "  ".join(f"{name} {self.megabytes[name]:4.0f} MB" for name in SERVICES)
        data, log, rest = (part / 1e6 for part in self.disk)
        bound = self.most_data / 1e6
        disk = f"data {data:5.1f} of {bound:5.1f} MB  log {log:4.1f} MB  rest {rest:5.1f} MB"
        counts = f"{self.intervals:6d} intervals, {self.whole:4d} whole, {self.unassessed} waiting"
        return f"{counts}  {memory}  {disk}"


@contextmanager
def services(
    folder: Path, models: str, speed: float, ports: Mapping[str, int]
) -> Iterator[dict[str, psutil.Process]]:
    """Run the three services until the block ends; their processes by name."""
    environment = {f"ALARMSTACK_{name.upper()}_PORT": str(port) for name, port in ports.items()} | {
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
            started.append(
                subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
            )
    try:
        yield {name: psutil.Process(one.pid) for name, one in zip(SERVICES, started, strict=True)}
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()


def service_ports() -> dict[str, int]:
    """A free port for each service."""
    return dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))


def snapshot(folder: Path, running: dict[str, psutil.Process]) -> Snapshot:
    """Counts, memory and disk now."""
    memory = {name: _resident(process) / 1e6 for name, process in running.items()}
    return Snapshot(*_counts(folder / "alarmstack.db"), memory, disk_of(folder))


def disk_of(folder: Path) -> Disk:
    """The size of the data folder."""
    sizes = {path.name: path.stat().st_size for path in folder.glob("alarmstack.db*")}
    data = sizes.get("alarmstack.db", 0)
    log = sum(sizes.values()) - data
    everything = sum(_size(path) for path in folder.rglob("*"))
    return Disk(data, log, everything - data - log)


def _size(path: Path) -> int:
    """Size of a file in bytes; 0 for a folder, and for a file that was removed meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _counts(path: Path) -> tuple[int, int, int]:
    """Numbers of stored intervals, of unassessed ones, and of whole assessments."""
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
    """Run the benchmark and print its table; return its row."""
    hours, snapshots = int(days * 24), list[Snapshot]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with services(folder, models, speed, service_ports()) as running:
            for part in range(1, SNAPSHOTS + 1):
                snapshots.append(snapshot_after(folder, running, hours * part // SNAPSHOTS))
                print(f"{datetime.now():%H:%M:%S}  {snapshots[-1].line()}", flush=True)
    return _row(snapshots)


def snapshot_after(folder: Path, running: dict[str, psutil.Process], intervals: int) -> Snapshot:
    """Wait until `intervals` intervals are assessed; return the first snapshot after that.

    Raises SystemExit if a service has ended, or makes no progress for LONGEST_WAIT.
    """
    now, last_progress = snapshot(folder, running), time.monotonic()
    while now.intervals - now.unassessed < intervals:
        dead = [
            name for name, process in running.items() if process.status() == psutil.STATUS_ZOMBIE
        ]
        if dead or time.monotonic() - last_progress > LONGEST_WAIT:
            raise SystemExit(
                f"{', '.join(dead) or 'the gateway'} makes no progress: "
                f"{(folder / 'gateway.log').read_text()[-2000:]}"
            )
        time.sleep(1)
        before, now = now, snapshot(folder, running)
        progress = (now.intervals, -now.unassessed) > (before.intervals, -before.unassessed)
        last_progress = time.monotonic() if progress else last_progress
    return now


def growth(early: Snapshot, last: Snapshot) -> float:
    """Ratio of the memory in two snapshots, for the service that grew most."""
    return max(last.megabytes[name] / early.megabytes[name] for name in SERVICES)


def _row(snapshots: list[Snapshot]) -> dict[str, object]:
    """The row: memory is flat, the disk is bounded, and every interval is assessed."""
    early, last = snapshots[SNAPSHOTS // 5], snapshots[-1]
    grown, whole = growth(early, last), max(one.whole for one in snapshots)
    most_log = max(one.disk.log for one in snapshots)
    rest = last.disk.rest - early.disk.rest
    bounded = all(one.disk.data <= one.most_data for one in snapshots) and whole <= MOST_WHOLE
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
        "--models", default=registry, help="Model registry. Default: that of the data folder."
    )
    arguments.add_argument("--days", type=float, default=365)
    arguments.add_argument("--speed", type=float, default=7200)
    print(json.dumps(run(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
