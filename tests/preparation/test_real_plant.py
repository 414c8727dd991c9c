"""Derived columns, labels and regimes of the real gas plant's file are reproduced exactly."""

from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.plant import Plant
from alarmstack.preparation.datasets import block_from_table, cleaned_columns, cleaned_table
from alarmstack.preparation.labels import RegimeBands, episodes, in_alarm
from alarmstack.preparation.reproduction import running_std


@pytest.fixture(scope="module")
def real(real_data: Path) -> pl.DataFrame:
    table = pl.read_csv(real_data / "gas_plant/labeled_dataset.csv", try_parse_dates=True)
    return table.with_columns(
        pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )


def operator_log(plant: Plant) -> pl.DataFrame:
    log = pl.read_csv(plant.folder / str(plant.operator_log), try_parse_dates=True)
    return log.with_columns(
        pl.col("start", "end").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )


DERIVED = [
    *("LIC31012_deviation", "LIC31002_deviation", "FIC31011_deviation", "LIC31002_deviation_max"),
    *(
        f"{tag}_roll3h_{name}"
        for tag in ("PDT31008", "LT301031", "FQ31050", "TE301020")
        for name in ("mean", "std")
    ),
    *("hour_of_day", "day_of_week", "LT31013_saturated"),
]
NOISY_ROWS = {"FQ31050_roll3h_std": 1, "TE301020_roll3h_std": 6}


@pytest.mark.parametrize("name", DERIVED)
def test_derived_columns_follow_from_the_base_columns(
    plant: Plant, real: pl.DataFrame, name: str
) -> None:
    base = real.drop(*DERIVED, "FIC31011_deviation_max", "anomaly_label", "regime")
    cleaned = cleaned_table(plant, block_from_table(plant, base))
    assert len(cleaned) == 673
    difference = (cleaned[name] - real[name]).abs()
    # For three equal values the result is zero, and the file has the rounding noise of a running
    # sum.
    noise = (cleaned[name] == 0) & (real[name] < 3e-7) & pl.Series([name.endswith("_std")])
    assert not (difference >= 1e-9).filter(~noise).any()
    assert (difference >= 1e-9).sum() == NOISY_ROWS.get(name, 0)


@pytest.mark.parametrize("name", [name for name in DERIVED if name.endswith("_std")])
def test_the_files_own_rounding_is_reproduced_on_all_rows(
    plant: Plant, real_data: Path, name: str
) -> None:
    # The cleaned file has all digits of the calculation; the labelled one has lost the last of
    # them.
    cleaned = pl.read_csv(real_data / "gas_plant/cleaned_dataset.csv")
    as_written = running_std(
        cleaned[name.removesuffix("_roll3h_std")].to_list(), plant.rows(plant.time.short_window)
    )
    assert as_written.tolist() == cleaned[name].to_list()
    assert len(as_written) == 673


def test_columns_and_their_order(plant: Plant, real: pl.DataFrame) -> None:
    assert ["timestamp", *cleaned_columns(plant), "anomaly_label", "regime"] == real.columns


def test_labels_and_regimes_equal_on_every_row(plant: Plant, real: pl.DataFrame) -> None:
    block = block_from_table(plant, real)
    alarm = in_alarm(plant, block, operator_log(plant))
    assert alarm.astype(int).tolist() == real["anomaly_label"].to_list()
    whole_file = RegimeBands.fit(plant, block)
    assert whole_file.regime(plant, block, alarm).tolist() == real["regime"].to_list()


def test_twelve_runs_and_how_many_of_them_are_onsets(plant: Plant, real: pl.DataFrame) -> None:
    block = block_from_table(plant, real)
    alarm = in_alarm(plant, block, operator_log(plant))
    runs = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
    assert [e.onset for e in runs].count(True) == 10
    assert runs[0].onset is False  # two rows of history are less than the quiet gap
