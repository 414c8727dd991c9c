"""Examples on other phases of the grid: assigned to base rows, and stored unchanged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from alarmstack.core.plant import Plant
from alarmstack.features.examples import Examples
from alarmstack.pipelines.etl.local import run
from alarmstack.pipelines.etl.tables import read_examples
from alarmstack.preparation.intake import take_in
from alarmstack.simulator import export, simulate
from alarmstack.storage.files import Store


@pytest.fixture(scope="module")
def month(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """A month of hourly rows, and rows that begin 20 and 40 minutes later."""
    often = plant.model_copy(update={"training": plant.training.model_copy(update={"phases": 3})})
    folder = tmp_path_factory.mktemp("between")
    simulation = simulate(often, start=datetime(2026, 1, 1, tzinfo=UTC), days=30, seed=5)
    drop = export(simulation, often, folder / "drop", "parquet")
    store = Store.at(Path(folder / "store"))
    manifest = run(often, take_in(often, drop), store)
    return read_examples(often, store, manifest)


def test_each_example_belongs_to_the_hour_in_which_it_begins(month: Examples) -> None:
    between = month.between
    assert between is not None and between.phases == 3
    later = between.start - month.start[between.row]
    assert set(later.tolist()) == {timedelta(minutes=20), timedelta(minutes=40)}
    assert len(between.row) == 2 * (len(month) - 1)


def test_targets_between_two_rows_agree_with_theirs(month: Examples) -> None:
    assert month.between is not None
    horizon = timedelta(hours=3)
    here, between = month.onset_target(horizon), month.between.target[horizon]
    both = (
        ~np.isnan(between)
        & ~np.isnan(here[month.between.row])
        & ~np.isnan(here[month.between.row + 1])
    )
    assert both.mean() > 0.7 and here[month.between.row][both].any()
    agrees = (between == here[month.between.row]) | (between == here[month.between.row + 1])
    assert agrees[both].mean() > 0.97


def test_no_example_extends_over_the_end_of_its_rows(month: Examples) -> None:
    cut = month.sealed_from
    open_rows, sealed = month.rows(0, cut), month.rows(cut, len(month))
    assert (
        open_rows.between is not None and sealed.between is not None and month.between is not None
    )
    hour = np.timedelta64(1, "h")
    assert (open_rows.between.start + hour).max() <= month.start[cut]
    assert sealed.between.start.min() >= month.start[cut] and sealed.between.row.min() == 0
    assert len(open_rows.between.row) + len(sealed.between.row) == len(month.between.row) - 2


def test_one_phase_is_the_base_grid_alone(plant: Plant) -> None:
    assert plant.training.phases == 1
