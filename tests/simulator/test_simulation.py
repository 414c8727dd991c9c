"""The simulated plant: one seed gives one plant, live or at once, and its truth fits its limits."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.core.errors import PlantError, StorageError
from alarmstack.core.plant import Plant
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import episodes, in_alarm
from alarmstack.simulator import Simulation, export, simulate, simulate_fleet
from alarmstack.simulator.dynamics import Motion, State
from alarmstack.simulator.events import schedule
from alarmstack.simulator.parameters import load_parameters
from alarmstack.simulator.similarity import compare
from alarmstack.sources import read_source

START = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def month(plant: Plant) -> Simulation:
    return simulate(plant, start=START, days=28, seed=7)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_same_seed_same_bytes(plant: Plant, month: Simulation, tmp_path: Path) -> None:
    again = simulate(plant, start=START, days=28, seed=7)
    assert files(export(month, plant, tmp_path / "a")) == files(
        export(again, plant, tmp_path / "b")
    )
    other = simulate(plant, start=START, days=28, seed=8)
    assert not other.readings.equals(month.readings)


@pytest.mark.parametrize("form", ["xlsx", "csv", "parquet"])
def test_an_export_is_read_back(plant: Plant, month: Simulation, tmp_path: Path, form: str) -> None:
    drop = read_source(plant, export(month, plant, tmp_path / form, form))
    assert drop.problems == ()
    assert drop.readings is not None and drop.readings.sort("tag", "time").equals(month.readings)
    assert (
        drop.operator_log is not None
        and drop.operator_log["start"].to_list() == month.operator_log["start"].to_list()
    )


def test_the_month_has_the_size_of_the_real_one(plant: Plant, month: Simulation) -> None:
    block = close_intervals(plant, month.readings)
    assert len(block) == 673
    assert np.nanmedian(block.statistic("LT31013")) > 100


def test_hour_by_hour_is_the_same_plant_as_at_once(plant: Plant) -> None:
    parameters = load_parameters(plant)
    happenings = schedule(parameters, 10, np.random.default_rng(1), [i.tag for i in plant.modelled])
    motion = Motion(plant, parameters, 5)
    _, _, whole = motion.advance(State(), 96, happenings)
    state, parts = State(), []
    for hours in (1, 30, 2, 63):
        state, _, part = motion.advance(state, hours, happenings)
        parts.append(part)
    for name, values in whole.items():
        np.testing.assert_allclose(
            np.concatenate([p[name] for p in parts]), values, rtol=0, atol=1e-9, err_msg=name
        )


def test_the_log_is_as_people_write_it(month: Simulation) -> None:
    hours = month.operator_log["start"].dt.truncate("1h")
    assert hours.equals(month.operator_log["start"])
    logged = month.truth.filter(
        pl.col("fault").is_in(["steam_loss", "reflux_spike", "multi_alarm"]),
        pl.col("end") < START + timedelta(days=28),
    )
    assert len(month.operator_log) == max(len(logged) - 1, 1)


def test_alarms_come_from_faults_and_most_faults_have_a_precursor(plant: Plant) -> None:
    year = simulate(plant, start=START, days=365, seed=11)
    block = close_intervals(plant, year.readings)
    alarm = in_alarm(plant, block, year.operator_log)
    onsets = [e.first for e in episodes(alarm, block.segment, 3) if e.onset]
    faults = year.truth.filter("is_fault")
    spans = [
        (
            np.datetime64(b.replace(tzinfo=None)),
            np.datetime64((e + timedelta(hours=3)).replace(tzinfo=None)),
        )
        for b, e in faults.select("physical_onset", "end").iter_rows()
    ]
    explained = [
        any(b - np.timedelta64(1, "h") <= block.start[o] <= e for b, e in spans) for o in onsets
    ]
    assert np.mean(explained) > 0.9
    assert 0.6 < faults["has_precursor"].mean() < 0.9  # type: ignore[operator]
    assert 8 < len(onsets) / 365 * 28 < 20
    assert not year.truth.filter(~pl.col("is_fault"))["has_precursor"].any()


def test_several_assets_are_different_plants(plant: Plant) -> None:
    fleet = dict(simulate_fleet(plant, start=START, days=3, seed=1, assets=3))
    assert list(fleet) == ["asset_001", "asset_002", "asset_003"]
    medians = [
        s.readings.filter(pl.col("tag") == "TE301020")["value"].median() for s in fleet.values()
    ]
    assert len(set(medians)) == 3


def test_a_folder_with_other_files_is_not_changed(
    plant: Plant, month: Simulation, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="holds other files"):
        export(month, plant, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_plant_without_parameters_cannot_be_simulated(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(PlantError, match=r"simulation\.toml: no such file"):
        load_parameters(plant.model_copy(update={"folder": tmp_path}))


def test_similarity_to_the_real_month(plant: Plant, real_data: Path) -> None:
    lines = compare(plant, real_data / "gas_plant/cleaned_dataset.csv")
    assert len(lines) == len(plant.instruments) + 2
    assert [line.tag for line in lines if line.held and not line.within] == []
