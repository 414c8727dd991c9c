"""Live readings of many assets are scored on arrival, each interval once, as the batch does."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alarmstack.core.errors import ClusterError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.model_list import NORMALITY
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.pipelines.local import champions
from alarmstack.pipelines.scoring import score_block
from alarmstack.pipelines.spark.streaming import Followed, Remembered, follow
from alarmstack.pipelines.spark.validation import AssetClock, longest_step, sift
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import close_intervals
from tests.blocks import readings
from tests.conftest import REPOSITORY
from tests.home import alarmstack
from tests.pipelines.spark import same_scores
from tests.waiting import end_of, until

STATE_OF_RELEASE_0_1 = Path(__file__).with_name("state_of_release_0_1.pickle")
HOURS = 24 * 8
ASSETS = {"north": 1, "south": 2, "west": 3}
GRACE = timedelta(minutes=5)


def expected_rows(plant: Plant, home: Path, seed: int) -> pl.DataFrame:
    """The batch scores of an asset, without the model that depends on all earlier rows."""
    block = close_intervals(plant, readings(plant, HOURS, seed))
    results = score_block(
        plant, block, champions(plant, Settings(data=home)), any_rule(plant, block)
    )
    return results.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).drop(NORMALITY)


@pytest.mark.parametrize("hours", [1, 7, 40])
def test_the_scores_of_a_stream_equal_those_of_the_batch(
    plant: Plant, home: Path, hours: int
) -> None:
    received = readings(plant, HOURS, 1)
    bundles, first = champions(plant, Settings(data=home)), received["time"].min()
    assert isinstance(first, datetime)
    followed: Followed | None = None
    rows = []
    for begin in range(0, HOURS + 1, hours):
        since = pl.col("time") - first
        piece = received.filter(
            (since >= timedelta(hours=begin)) & (since < timedelta(hours=begin + hours))
        )
        if len(piece):
            followed, table = follow(plant, bundles, followed, piece, GRACE)
            rows += [] if table is None else [table]
    scored = pl.concat(rows).drop(NORMALITY)
    assert len(scored) >= HOURS - 2
    same_scores(scored, expected_rows(plant, home, 1).head(len(scored)))


def drop(plant: Plant, folder: Path, days: range) -> None:
    """Write the readings of some days of every asset, as the live feed does: one file per day."""
    for asset, seed in ASSETS.items():
        received = readings(plant, HOURS, seed)
        first = received["time"].min()
        assert isinstance(first, datetime)
        for day in days:
            since = pl.col("time") - first
            file = folder / f"asset={asset}" / f"{day:02d}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            received.filter(
                (since >= timedelta(days=day)) & (since < timedelta(days=day + 1))
            ).write_parquet(partial)
            partial.rename(file)


YEAR = timedelta(days=365)
STEP = timedelta(days=1)


def moved(received: pl.DataFrame, by: timedelta) -> pl.DataFrame:
    return received.with_columns(pl.col("time") + by)


def sifted_in_pieces(
    plant: Plant, pieces: list[pl.DataFrame]
) -> tuple[AssetClock, pl.DataFrame, pl.DataFrame]:
    """The clock, the accepted readings and those set aside, with one batch per piece."""
    clock, sound, aside = AssetClock(), [], []
    for piece in pieces:
        sifted = sift(plant, clock, piece, STEP)
        clock = sifted.clock
        sound.append(sifted.sound)
        aside.append(sifted.aside)
    return clock, pl.concat(sound), pl.concat(aside)


@pytest.mark.parametrize("at", [0, 1, 11])
@pytest.mark.parametrize("by", [YEAR, -YEAR, timedelta(days=400 * 365), timedelta(days=-400 * 365)])
@pytest.mark.parametrize("batch", [1, 40])
def test_one_reading_with_a_wrong_time_is_set_aside_at_any_position(
    plant: Plant, at: int, by: timedelta, batch: int
) -> None:
    valid = readings(plant, 24, 1)[:120]
    wrong = moved(valid[at * 10 : at * 10 + 1], by)
    pieces = [valid[begin : begin + batch] for begin in range(0, len(valid), batch)]
    pieces.insert(at * 10 // batch, wrong)
    clock, sound, aside = sifted_in_pieces(plant, pieces)
    assert clock.newest == valid["time"].max() and clock.held.is_empty()
    assert aside["time"].to_list() == wrong["time"].to_list() and aside["reason"].null_count() == 0
    assert sound.sort("time", "tag").equals(valid.sort("time", "tag"))


@pytest.mark.parametrize("batch", [1, 16, 320])
def test_a_gap_of_a_year_is_accepted_without_loss_if_readings_agree(
    plant: Plant, batch: int
) -> None:
    before_gap = readings(plant, 12, 1)[:160]
    both = pl.concat([before_gap, moved(before_gap, YEAR)])
    clock, sound, aside = sifted_in_pieces(
        plant, [both[begin : begin + batch] for begin in range(0, len(both), batch)]
    )
    assert clock.newest == both["time"].max()
    assert sound.sort("time", "tag").equals(both.sort("time", "tag")) and aside.is_empty()


def test_one_instrument_with_a_wrong_clock_does_not_advance_the_assets_clock(
    plant: Plant,
) -> None:
    received = readings(plant, 200, 1)
    wrong = moved(received.filter(tag=plant.signals[0]), YEAR)
    valid = received.filter(pl.col("tag") != plant.signals[0])
    both = pl.concat([valid, wrong]).sample(fraction=1.0, shuffle=True, seed=1)
    clock, sound, aside = sifted_in_pieces(plant, [both])
    assert clock.newest is not None
    assert clock.newest <= received["time"].max()  # type: ignore[operator]
    assert sound.sort("time", "tag").equals(valid.sort("time", "tag"))
    assert aside["tag"].unique().to_list() == [plant.signals[0]] and len(aside) == len(wrong)


def test_readings_of_one_instrument_that_nothing_confirms_are_held_up_to_a_limit(
    plant: Plant,
) -> None:
    """The others stopped. Its older readings are set aside with a reason; none is lost."""
    received = readings(plant, 200, 1)
    begin = received["time"].min()
    assert isinstance(begin, datetime)
    first = received.filter(pl.col("time") < begin + timedelta(hours=6))
    wrong = moved(received.filter(tag=plant.signals[0]), YEAR)
    pieces = [first, *(wrong[at : at + 25] for at in range(0, len(wrong), 25))]
    clock, sound, aside = sifted_in_pieces(plant, pieces)
    assert clock.newest == first["time"].max() and len(sound) == len(first)
    assert len(wrong) > 300 and len(clock.held) == 100
    assert clock.held["time"].max() == wrong["time"].max()
    assert len(aside) + len(clock.held) == len(wrong) and aside["reason"].null_count() == 0


def six_hours(plant: Plant, begin: datetime) -> pl.DataFrame:
    """Readings of every signal every 20 minutes, as in the stored state."""
    rows = [
        (tag, begin + timedelta(minutes=20 * step), 100.0 + step % 7 + place)
        for step in range(18)
        for place, tag in enumerate(plant.signals)
    ]
    return pl.DataFrame(rows, schema=READING_SCHEMA, orient="row")


def test_a_stream_continues_from_a_checkpoint_of_release_0_1(plant: Plant) -> None:
    """That release stored the state with the module names of that time."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    stored = Remembered.of(STATE_OF_RELEASE_0_1.read_bytes())
    assert stored.clock.newest == begin + timedelta(hours=6)
    here, _ = follow(plant, {}, None, six_hours(plant, begin))
    later = six_hours(plant, begin + timedelta(hours=6))
    (_, continued), (_, expected) = (
        follow(plant, {}, state, later) for state in (stored.followed, here)
    )
    assert continued is not None and expected is not None
    assert_frame_equal(continued, expected)


def test_a_state_of_an_unknown_version_is_refused_by_name() -> None:
    state = STATE_OF_RELEASE_0_1.read_bytes().replace(b"CloserState", b"CloserStat9")
    with pytest.raises(ClusterError, match=r"another version.*CloserStat9"):
        Remembered.of(state)


def test_a_plant_with_long_gaps_has_longer_steps(plant: Plant) -> None:
    slow = plant.model_copy(
        update={"time": plant.time.model_copy(update={"longest_gap": timedelta(days=6)})}
    )
    assert longest_step(slow, 86_400) == timedelta(days=6) and longest_step(plant, 86_400) == STEP


def test_unknown_tags_and_missing_times_are_set_aside_with_their_reasons(plant: Plant) -> None:
    valid = readings(plant, 6, 1)
    times = [valid["time"][0]] * 2 + [None]
    invalid = pl.DataFrame({"tag": [None, "X", "PDT31008"], "time": times, "value": [1.0] * 3})
    _, sound, aside = sifted_in_pieces(plant, [valid, invalid.cast({"time": valid.schema["time"]})])
    assert len(sound) == len(valid)
    assert sorted(aside["reason"].to_list()) == ["no signal of this plant"] * 2 + ["no time"]


@pytest.mark.slow
def test_a_reading_dated_a_year_ahead_adds_no_rows_and_the_stream_continues(
    plant: Plant, home: Path, tmp_path: Path
) -> None:
    """The real command: the wrong reading is set aside and reported, every interval is scored."""
    live, out = tmp_path / "live", tmp_path / "scores"
    words = [
        "stream",
        str(live),
        str(out),
        "--master",
        "local[2]",
        "--grace",
        str(GRACE.total_seconds()),
        "--once",
    ]
    drop(plant, live, range(3))
    first = pl.read_parquet(live / "asset=north/00.parquet")
    moved(first[:1], YEAR).write_parquet(live / "asset=north/future.parquet")
    alarmstack(home, *words)
    drop(plant, live, range(3, 9))
    moved(first[1:2], -YEAR).write_parquet(live / "asset=south/past.parquet")
    printed = alarmstack(home, *words).stdout
    assert "2 readings set aside so far" in " ".join(printed.split())
    aside = pl.read_parquet(sorted((tmp_path / "scores_quarantine").glob("asset=*/*.parquet")))
    assert aside["value"].to_list() == first["value"][:2].to_list()
    scored = read_stream(out)
    for asset, seed in ASSETS.items():
        own = scored.filter(pl.col("asset") == asset).drop("asset", NORMALITY).sort("timestamp")
        assert HOURS - 2 <= len(own) <= HOURS
        same_scores(own, expected_rows(plant, home, seed).head(len(own)))


@pytest.mark.slow
def test_every_interval_is_scored_once_although_the_stream_is_killed(
    plant: Plant, home: Path, tmp_path: Path
) -> None:
    live, out = tmp_path / "live", tmp_path / "scores"
    words = [
        "stream",
        str(live),
        str(out),
        "--master",
        "local[2]",
        "--grace",
        str(GRACE.total_seconds()),
    ]
    drop(plant, live, range(3))
    environment = os.environ | {"ALARMSTACK_DATA_DIR": str(home)}
    command = [str(Path(sys.executable).with_name("alarmstack")), *words]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(
            lambda: list(out.glob("_spark_metadata/0")),
            lambda: end_of(tmp_path / "log"),
            seconds=120,
            process=running,
        )
        # The stream is killed during the next batch.
        drop(plant, live, range(3, 6))
        batch = tmp_path / "scores_checkpoint/offsets/1"
        until(
            batch.exists, lambda: end_of(tmp_path / "log"), seconds=120, every=0.01, process=running
        )
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    drop(plant, live, range(6, 9))
    alarmstack(home, *words, "--once")
    alarmstack(home, *words, "--once")
    scored = read_stream(out)
    for asset, seed in ASSETS.items():
        own = scored.filter(pl.col("asset") == asset).drop("asset", NORMALITY).sort("timestamp")
        assert own["timestamp"].is_unique().all()
        assert len(own) >= HOURS - 2
        same_scores(own, expected_rows(plant, home, seed).head(len(own)))


def read_stream(out: Path) -> pl.DataFrame:
    """The files in the sink's log. Other files belong to batches that were not completed."""
    committed = set()
    for entry in sorted((out / "_spark_metadata").iterdir()):
        if entry.name.startswith("."):
            continue
        for line in entry.read_text().splitlines()[1:]:
            committed.add(Path(pl.read_json(line.encode())["path"][0].removeprefix("file://")))
    return pl.concat(pl.read_parquet(file) for file in sorted(committed))
