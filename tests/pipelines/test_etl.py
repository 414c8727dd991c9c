"""One ETL run: the tables that it publishes, its archive, and what training reads from it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.core.errors import GateRefused, SourceError
from alarmstack.core.plant import Plant
from alarmstack.features.examples import examples
from alarmstack.features.matrix import feature_names
from alarmstack.pipelines.etl.local import Archive, run
from alarmstack.pipelines.etl.tables import read_examples, read_table
from alarmstack.preparation.datasets import cleaned_table
from alarmstack.preparation.intake import Intake, ingest, take_in
from alarmstack.storage.files import Store
from tests.blocks import block

HOURS = 600


@pytest.fixture(scope="module")
def drop(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled dataset with an alarm of four rows every 40 rows."""
    table = cleaned_table(plant, block(plant, HOURS, seed=5))
    label = ((np.arange(len(table)) % 40) >= 36).astype(int)
    path = tmp_path_factory.mktemp("drop") / "labelled.parquet"
    table.with_columns(pl.Series("anomaly_label", label)).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def taken(plant: Plant, drop: Path) -> Intake:
    return take_in(plant, drop)


@pytest.fixture(scope="module")
def store(plant: Plant, taken: Intake, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store.at(tmp_path_factory.mktemp("store"))
    run(plant, taken, store)
    return store


def table(store: Store, name: str) -> pl.DataFrame:
    return read_table(store, store.latest() or {}, name)


def test_the_labels_of_a_drop_are_used_unchanged(taken: Intake) -> None:
    assert np.flatnonzero(taken.alarm)[:5].tolist() == [36, 37, 38, 39, 76]


def test_the_manifest_lists_the_tables_and_their_origin(plant: Plant, store: Store) -> None:
    manifest = store.latest() or {}
    assert set(manifest["files"]) == {
        f"{n}.parquet"
        for n in (
            "train",
            "valid",
            "train_smote",
            "windows_1h",
            "windows_3h",
            "windows_6h",
            "intervals",
        )
    }
    assert manifest["plant_fingerprint"] == plant.fingerprint
    assert manifest["rows"] == HOURS == len(table(store, "train")) + len(table(store, "valid"))
    assert set(feature_names(plant, "point")) < set(manifest["schema"]["train"])
    json.dumps(manifest)


def test_the_split_is_in_time_and_cuts_no_episode(store: Store) -> None:
    train, valid = table(store, "train"), table(store, "valid")
    assert train["timestamp"].max() < valid["timestamp"].min()  # type: ignore[operator]
    assert 0.78 < len(train) / HOURS <= 0.8
    assert (train["anomaly_label"][-1], valid["anomaly_label"][0]) != (1, 1)


def test_synthetic_rows_are_marked_and_stay_in_their_own_table(store: Store) -> None:
    train, balanced = table(store, "train"), table(store, "train_smote")
    assert balanced.filter(~pl.col("synthetic")).height == train.height
    assert balanced["anomaly_label"].mean() == 0.5
    assert balanced.filter("synthetic")["anomaly_label"].unique().to_list() == [1]
    for name in ("train", "valid", "windows_1h", "windows_3h", "windows_6h"):
        assert "synthetic" not in table(store, name).columns
        assert table(store, name)["timestamp"].is_unique().all()


def test_targets_of_the_windows_look_ahead(store: Store) -> None:
    onset = table(store, "windows_3h")["onset"].to_list()
    assert onset[32:41] == [0.0, 1.0, 1.0, 1.0, None, None, None, None, 0.0]


def test_training_reads_the_published_examples_bit_for_bit(
    plant: Plant, taken: Intake, store: Store
) -> None:
    built, read = (
        examples(plant, taken.block, taken.alarm),
        read_examples(plant, store, store.latest() or {}),
    )
    for name in ("start", "segment", "point", "window", "alarm", "regime", "next_deviation"):
        np.testing.assert_array_equal(getattr(read, name), getattr(built, name), err_msg=name)


def test_a_refused_drop_does_not_change_the_latest_run(
    plant: Plant, store: Store, drop: Path, tmp_path: Path
) -> None:
    before = store.latest()
    invalid = tmp_path / "invalid.parquet"
    pl.read_parquet(drop).with_columns(anomaly_label=pl.lit(7)).write_parquet(invalid)
    with pytest.raises(GateRefused, match="anomaly_label"):
        take_in(plant, invalid)
    assert store.latest() == before


def test_too_few_rows_are_refused_with_a_reason(plant: Plant, store: Store, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("timestamp,PDT31008\n2023-01-01 00:00:00,200\n")
    with pytest.raises(SourceError, match="too few rows"):
        run(plant, take_in(plant, tmp_path / "one.csv"), store)


def test_a_file_with_the_longest_possible_name_is_archived(
    plant: Plant, taken: Intake, tmp_path: Path
) -> None:
    longest = tmp_path / f"{'v' * 251}.csv"
    shutil.copy(taken.files[0], longest)
    archive = Archive(Store.at(tmp_path / "raw"), Store.at(tmp_path / "curated"))
    archive.keep(plant, replace(taken, files=(longest,)), "run")
    assert len(archive.raw.names("drops")) == 1


def test_the_real_file_is_read_unchanged(plant: Plant, real_data: Path, tmp_path: Path) -> None:
    taken = take_in(plant, real_data / "gas_plant/cleaned_dataset.csv")
    cleaned, labelled = (pl.read_csv(p) for p in ingest(plant, taken, tmp_path))
    given = pl.read_csv(real_data / "gas_plant/labeled_dataset.csv")
    assert cleaned.shape == (673, 53)
    assert labelled.columns == given.columns
    assert labelled.select("timestamp", "anomaly_label", "regime").equals(
        given.select("timestamp", "anomaly_label", "regime")
    )


def test_the_files_and_datasets_of_a_run_are_archived(
    plant: Plant, taken: Intake, tmp_path: Path
) -> None:
    """The files byte for byte, and the datasets as `ingest` writes them. The manifest names both
    places.
    """
    archive = Archive(Store.at(tmp_path / "raw"), Store.at(tmp_path / "curated"))
    manifest = run(plant, taken, Store.at(tmp_path / "store"), archive=archive)
    (archived,) = archive.raw.names("drops")
    assert archive.raw.get(archived) == taken.files[0].read_bytes()
    assert manifest["raw"] == f"{archive.raw.url}/drops/{manifest['run']}"
    for path in ingest(plant, taken, tmp_path / "out"):
        assert archive.curated.get(f"runs/{manifest['run']}/{path.name}") == path.read_bytes()


def test_the_files_of_a_run_are_removed_after_keep_days_and_its_datasets_are_not(
    plant: Plant, taken: Intake, tmp_path: Path
) -> None:
    """They are removed when another run is archived. Files of other programs stay."""
    raw, curated = Store.at(tmp_path / "raw"), Store.at(tmp_path / "curated")
    archive = Archive(raw, curated, keep_days=90)
    raw.put("drops/other-program/notes.txt", b"notes")
    runs = [
        f"2026{day}T120000000000-{number:08x}"
        for number, day in enumerate(("0101", "0102", "0402"))
    ]
    for run_ in runs:
        archive.keep(plant, taken, run_)
    kept = [name.split("/")[1] for name in raw.names("drops")]
    assert kept == [*runs[1:], "other-program"], (
        "the first is older than 90 days, the second is not"
    )
    assert {name.split("/")[1] for name in curated.names("runs")} == set(runs)


def test_a_run_removes_the_files_of_a_run_that_is_too_old(
    plant: Plant, taken: Intake, tmp_path: Path
) -> None:
    archive = Archive(Store.at(tmp_path / "raw"), Store.at(tmp_path / "curated"))
    archive.raw.put("drops/20200101T000000000000-00000000/old.csv", b"old")
    manifest = run(plant, taken, Store.at(tmp_path / "store"), archive=archive)
    assert [name.split("/")[1] for name in archive.raw.names("drops")] == [manifest["run"]]
