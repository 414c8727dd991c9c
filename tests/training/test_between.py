"""Examples on other phases of the grid: beside the base rows, never across a cut of them, and through the store unchanged."""

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
def seen(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """A month on the grid and, a third and two thirds of an hour later, between."""
    often = plant.model_copy(update={"training": plant.training.model_copy(update={"phases": 3})})
    folder = tmp_path_factory.mktemp("between")
    made = simulate(often, start=datetime(2026, 1, 1, tzinfo=UTC), days=30, seed=5)
    drop = export(made, often, folder / "drop", "parquet")
    store = Store.at(Path(folder / "store"))
    manifest = run(often, take_in(often, drop), store)
    return read_examples(often, store, manifest)


def test_each_look_belongs_to_the_hour_in_which_it_begins(seen: Examples) -> None:
    between = seen.between
    assert between is not None and between.phases == 3
    later = between.start - seen.start[between.row]
    assert set(later.tolist()) == {timedelta(minutes=20), timedelta(minutes=40)}
    assert len(between.row) == 2 * (len(seen) - 1)


def test_targets_between_two_rows_are_like_theirs(seen: Examples) -> None:
    assert seen.between is not None
    horizon = timedelta(hours=3)
    here, between = seen.onset_target(horizon), seen.between.target[horizon]
    both = (
        ~np.isnan(between)
        & ~np.isnan(here[seen.between.row])
        & ~np.isnan(here[seen.between.row + 1])
    )
    assert both.mean() > 0.7 and here[seen.between.row][both].any()
    agrees = (between == here[seen.between.row]) | (between == here[seen.between.row + 1])
    assert agrees[both].mean() > 0.97


def test_no_look_crosses_a_cut_of_the_rows(seen: Examples) -> None:
    cut = seen.sealed_from
    open_rows, sealed = seen.rows(0, cut), seen.rows(cut, len(seen))
    assert open_rows.between is not None and sealed.between is not None and seen.between is not None
    hour = np.timedelta64(1, "h")
    assert (open_rows.between.start + hour).max() <= seen.start[cut]
    assert sealed.between.start.min() >= seen.start[cut] and sealed.between.row.min() == 0
    assert len(open_rows.between.row) + len(sealed.between.row) == len(seen.between.row) - 2


def test_one_phase_is_the_base_grid_alone(plant: Plant) -> None:
    assert plant.training.phases == 1
