"""Live readings of many assets are scored as they come, each interval once, and as the batch scores them."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from alarmstack.clean import close_intervals
from alarmstack.derived import any_rule
from alarmstack.expected import NORMALITY
from alarmstack.pipeline import champions
from alarmstack.plant import Plant
from alarmstack.scoring import score_block
from alarmstack.settings import Settings
from alarmstack.spark.streaming import Followed, follow
from tests.blocks import readings
from tests.conftest import REPOSITORY
from tests.home import alarmstack
from tests.spark import same_scores
from tests.waiting import end_of, until

HOURS = 24 * 8
ASSETS = {"north": 1, "south": 2, "west": 3}
GRACE = timedelta(minutes=5)


def expected_rows(plant: Plant, home: Path, seed: int) -> pl.DataFrame:
    """What the batch says of an asset, but for the model that remembers more than a look-back."""
    block = close_intervals(plant, readings(plant, HOURS, seed))
    results = score_block(plant, block, champions(plant, Settings(data=home)), any_rule(plant, block))
    return results.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).drop(NORMALITY)


@pytest.mark.parametrize("hours", [1, 7, 40])
def test_a_followed_asset_says_what_the_batch_says(plant: Plant, home: Path, hours: int) -> None:
    told = readings(plant, HOURS, 1)
    bundles, first = champions(plant, Settings(data=home)), told["time"].min()
    assert isinstance(first, datetime)
    followed: Followed | None = None
    rows = []
    for begin in range(0, HOURS + 1, hours):
        since = pl.col("time") - first
        piece = told.filter((since >= timedelta(hours=begin)) & (since < timedelta(hours=begin + hours)))
        if len(piece):
            followed, table = follow(plant, bundles, followed, piece, GRACE)
            rows += [] if table is None else [table]
    said = pl.concat(rows).drop(NORMALITY)
    assert len(said) >= HOURS - 2
    same_scores(said, expected_rows(plant, home, 1).head(len(said)))


def drop(plant: Plant, folder: Path, days: range) -> None:
    """Readings of some days of every asset, as the live feed flushes them: whole files, in the order of time."""
    for asset, seed in ASSETS.items():
        told = readings(plant, HOURS, seed)
        first = told["time"].min()
        assert isinstance(first, datetime)
        for day in days:
            since = pl.col("time") - first
            file = folder / f"asset={asset}" / f"{day:02d}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            told.filter((since >= timedelta(days=day)) & (since < timedelta(days=day + 1))).write_parquet(partial)
            partial.rename(file)


@pytest.mark.slow
def test_every_interval_is_scored_once_though_the_stream_is_killed(plant: Plant, home: Path, tmp_path: Path) -> None:
    live, out = tmp_path / "live", tmp_path / "scores"
    words = ["stream", str(live), str(out), "--master", "local[2]", "--grace", str(GRACE.total_seconds())]
    drop(plant, live, range(3))
    environment = os.environ | {"ALARMSTACK_DATA_DIR": str(home)}
    command = [str(Path(sys.executable).with_name("alarmstack")), *words]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: list(out.glob("_spark_metadata/0")), lambda: end_of(tmp_path / "log"), seconds=120, process=running)
        # The next batch begins, and the lights go out.
        drop(plant, live, range(3, 6))
        batch = tmp_path / "scores_checkpoint/offsets/1"
        until(batch.exists, lambda: end_of(tmp_path / "log"), seconds=120, every=0.01, process=running)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    drop(plant, live, range(6, 9))
    alarmstack(home, *words, "--once")
    alarmstack(home, *words, "--once")
    said = read_stream(out)
    for asset, seed in ASSETS.items():
        mine = said.filter(pl.col("asset") == asset).drop("asset", NORMALITY).sort("timestamp")
        assert mine["timestamp"].is_unique().all()
        assert len(mine) >= HOURS - 2
        same_scores(mine, expected_rows(plant, home, seed).head(len(mine)))


def read_stream(out: Path) -> pl.DataFrame:
    """The files that the sink's log names: others are of batches that never ended."""
    named = set()
    for entry in sorted((out / "_spark_metadata").iterdir()):
        if entry.name.startswith("."):
            continue
        for line in entry.read_text().splitlines()[1:]:
            named.add(Path(pl.read_json(line.encode())["path"][0].removeprefix("file://")))
    return pl.concat(pl.read_parquet(file) for file in sorted(named))
