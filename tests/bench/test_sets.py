"""Sets are read as closed intervals, for any number of runs and assets in their files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.bench.metrics import METRICS
from alarmstack.bench.sets import find_sets, load_runs, read_set
from alarmstack.core.errors import BenchError
from tests.bench.plants import recording, write_set
from tests.conftest import REPOSITORY


def test_rows_keep_their_ground_truth_and_a_gap_keeps_that_of_the_row_before_it(
    tmp_path: Path,
) -> None:
    description = read_set(write_set(tmp_path / "rig"))
    whole = recording("a", "one", 60, event=(20, 39))
    whole.filter(~pl.col("at").dt.minute().is_between(25, 28)).write_parquet(
        tmp_path / "part.parquet"
    )
    (run,) = load_runs(description, description.load_plant(), tmp_path)
    assert (len(run.block), run.asset) == (60, "one")
    assert np.flatnonzero(run.event).tolist() == list(range(20, 40))
    assert np.flatnonzero(~run.has_reading).tolist() == [25, 26, 27, 28]
    assert run.normal.sum() == 40
    assert run.block.statistic("P")[3] == pytest.approx(whole["P"][3])


def test_all_files_of_a_folder_form_one_set_with_separate_runs(tmp_path: Path) -> None:
    description = read_set(write_set(tmp_path / "rig"))
    recording("a", "one", 30).write_parquet(tmp_path / "1.parquet")
    recording("b", "two", 40).write_parquet(tmp_path / "2.parquet")
    runs = list(load_runs(description, description.load_plant(), tmp_path))
    assert [(run.name, len(run.block)) for run in runs] == [("a", 30), ("b", 40)]


def test_files_may_number_their_rows_instead_of_giving_timestamps(tmp_path: Path) -> None:
    description = read_set(write_set(tmp_path / "rig"))
    recording("a", "one", 30).with_columns(at=pl.int_range(30)).write_parquet(
        tmp_path / "1.parquet"
    )
    (run,) = load_runs(description, description.load_plant(), tmp_path)
    assert len(run.block) == 30 and run.has_reading.all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, ["no file", "*.parquet"]),
        (
            lambda folder: recording("a", "b", 9).drop("Q").write_parquet(folder / "1.parquet"),
            ["no column Q", "stage"],
        ),
    ],
    ids=["no files", "no column"],
)
def test_a_missing_file_or_column_is_named(
    tmp_path: Path, make: Callable[[Path], object], words: list[str]
) -> None:
    description = read_set(write_set(tmp_path / "rig"))
    make(tmp_path)
    with pytest.raises(BenchError) as caught:
        list(load_runs(description, description.load_plant(), tmp_path))
    assert all(word in str(caught.value) for word in words)


def test_an_unknown_key_in_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="hold_outt"):
        read_set(write_set(tmp_path / "rig", "[protocol]\nhold_outt = true\n"))


def test_a_set_with_the_older_keys_is_read(tmp_path: Path) -> None:
    extra = '[[figures]]\nfigure = "event_recall"\nat_least = 0.5\n'
    (wanted,) = read_set(write_set(tmp_path / "rig", extra)).metrics
    assert (wanted.metric, wanted.aim) == ("event_recall", "≥ 0.5")


def test_every_described_set_has_a_plant_and_known_metrics() -> None:
    sets = find_sets(REPOSITORY / "benchmarks" / "sets")
    assert sets
    for description in sets.values():
        assert description.load_plant().registry_prefix
        if description.kind == "recordings":
            assert {wanted.metric for wanted in description.metrics} <= set(METRICS)
