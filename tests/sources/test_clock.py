"""Plant time becomes UTC: normal days, the skipped hour, the repeated hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmstack.core.plant import Plant
from alarmstack.sources import Drop, read_source
from alarmstack.sources.clock import to_utc

from . import writers

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = "2024-03-31 ", "2024-10-27 "
FOLD = datetime(2024, 10, 27, 1, tzinfo=UTC)  # the clock falls back from 03:00 to 02:00


@pytest.fixture
def berlin(plant: Plant) -> Plant:
    elsewhere = plant.model_copy(update={"timezone": "Europe/Berlin"})
    elsewhere.__dict__.pop("zone", None)  # the copy has the cached zone of the original
    return elsewhere


def read(plant: Plant, path: Path) -> Drop:
    return read_source(plant, path, now=datetime(2025, 1, 1, tzinfo=UTC))


def utc(drop: Drop, tag: str = "PDT31008") -> list[str]:
    assert drop.readings is not None
    return drop.readings.filter(tag=tag)["time"].dt.strftime("%H:%M").to_list()


def clock_problems(drop: Drop) -> list[int | None]:
    return [p.row for p in drop.problems if p.kind == "clock change"]


ORDERS = [
    # local times in file order, UTC, rows whose pass is uncertain
    (
        "one series through the change",
        ["01:50", "02:10", "02:50", "02:05", "02:40", "03:10"],
        "23:50 00:10 00:50 01:05 01:40 02:10",
        [],
    ),
    ("an hourly file", ["01:00", "02:00", "02:00", "03:00"], "23:00 00:00 01:00 02:00", []),
    (
        "the export begins in the second pass: no sign",
        ["02:10", "02:40", "03:10"],
        "00:10 00:40 02:10",
        [3, 4],
    ),
    ("a single row: no sign", ["01:30", "02:30", "03:30"], "23:30 00:30 02:30", [4]),
    (
        "newest first",
        ["03:10", "02:40", "02:05", "02:50", "02:10", "01:50"],
        "23:50 00:10 00:50 01:05 01:40 02:10",
        [],
    ),
]


@pytest.mark.parametrize(
    ("local", "expected", "guessed"), [o[1:] for o in ORDERS], ids=[o[0] for o in ORDERS]
)
def test_the_repeated_hour(
    berlin: Plant, tmp_path: Path, local: list[str], expected: str, guessed: list[int]
) -> None:
    rows = [(float(at), datetime.fromisoformat(AUTUMN + clock)) for at, clock in enumerate(local)]
    drop = read(berlin, writers.simple(tmp_path / "PDT31008.xlsx", rows))
    assert utc(drop) == expected.split()
    assert clock_problems(drop) == guessed


def test_the_passes_of_the_repeated_hour_are_distinguished_for_each_tag_of_a_long_file(
    berlin: Plant, tmp_path: Path
) -> None:
    clocks = [("PDT31008", c) for c in ("02:10", "02:50", "02:20")] + [
        ("TE301020", c) for c in ("02:05", "02:45", "02:15")
    ]
    rows = [("tag", "time", "value"), *((tag, AUTUMN + c, 1.0) for tag, c in clocks)]
    drop = read(berlin, writers.write(tmp_path / "long.csv", rows))
    assert utc(drop) == ["00:10", "00:50", "01:20"]
    assert utc(drop, "TE301020") == ["00:05", "00:45", "01:15"]
    assert clock_problems(drop) == []


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv", ".parquet"])
def test_the_skipped_hour(berlin: Plant, tmp_path: Path, suffix: str) -> None:
    rows = [
        (float(at), datetime.fromisoformat(SPRING + c))
        for at, c in enumerate(("01:30", "02:30", "03:30"))
    ]
    path = tmp_path / f"wide{suffix}"
    drop = read(
        berlin,
        writers.write(path, [("timestamp", "PDT31008"), *((time, value) for value, time in rows)]),
    )
    assert utc(drop) == ["00:30", "01:30"]
    assert clock_problems(drop) == ([2] if suffix == ".parquet" else [3])
    assert any("skips this time" in p.reason for p in drop.problems)


@pytest.mark.parametrize(
    "stamp", ["2024-10-27 02:30:00+01:00", "2024-10-27T01:30Z", "2024-10-27T02:30:00.000 +0100"]
)
def test_an_offset_is_used(berlin: Plant, tmp_path: Path, stamp: str) -> None:
    drop = read(
        berlin, writers.write(tmp_path / "wide.csv", [("timestamp", "PDT31008"), (stamp, 229.5)])
    )
    assert utc(drop) == ["01:30"] and clock_problems(drop) == []


def test_instants_of_a_parquet_file_keep_their_zone(berlin: Plant, tmp_path: Path) -> None:
    times = pl.Series([FOLD], dtype=pl.Datetime("ns", "UTC")).dt.convert_time_zone(
        "America/New_York"
    )
    pl.DataFrame({"tag": ["PDT31008"], "time": times, "value": [229.5]}).write_parquet(
        tmp_path / "drop.parquet"
    )
    assert utc(read(berlin, tmp_path / "drop.parquet")) == ["01:00"]


@given(st.lists(st.integers(-300, 300), min_size=1, unique=True))
def test_a_series_with_a_step_back_gives_its_instants(minutes: Sequence[int]) -> None:
    """Readings around the change; 02:59 before it and 02:00 after it show the step back."""
    instants = sorted({FOLD + timedelta(minutes=m) for m in (*minutes, -1, 0)})
    local = pl.Series(
        [i.astimezone(BERLIN).replace(tzinfo=None) for i in instants], dtype=pl.Datetime("us")
    )
    passed = to_utc(local, BERLIN)
    assert passed.instants.to_list() == instants
    assert not passed.undecided.any() and not passed.absent.any()
