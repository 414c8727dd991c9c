"""The workbench finds the plant file from any folder, and states the cautions about its data."""

from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.errors import AlarmstackError
from alarmstack.core.settings import Settings
from alarmstack.pipelines.workbench import (
    NO_CLAIM,
    NO_SUCH_MODEL,
    NOT_CAUSAL,
    Note,
    Workbench,
    open_workbench,
    rooted,
)
from alarmstack.preparation.datasets import write_csv
from alarmstack.preparation.intake import datasets
from tests.conftest import REPOSITORY
from tests.heater import odd_plant


def settings(home: Path, **named: object) -> Settings:
    return Settings(data=home, **named)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return open_workbench(settings(tmp_path_factory.mktemp("home")), REPOSITORY / "notebooks")


def test_relative_paths_start_at_the_folder_with_the_plant_file(tmp_path: Path) -> None:
    relative = rooted(Settings(notebook_data=Path("mine/drop")), REPOSITORY / "notebooks")
    assert relative.plant == REPOSITORY / "plants/gas_treatment/plant.toml"
    assert (
        relative.data == REPOSITORY / "data" and relative.notebook_data == REPOSITORY / "mine/drop"
    )
    absolute = rooted(settings(tmp_path), REPOSITORY / "notebooks")
    assert absolute.data == tmp_path and absolute.notebook_data is None
    with pytest.raises(AlarmstackError, match="ALARMSTACK_PLANT"):
        rooted(Settings(), tmp_path)


def test_the_month_of_the_demo_is_simulated_if_it_is_missing(month: Workbench) -> None:
    assert (month.settings.data / "drop" / "PDT31008.xlsx").is_file()
    assert len(month.month.block) == 673 and not month.given
    note = month.about_month()
    assert isinstance(note, Note) and note._repr_markdown_() == str(note)
    assert NOT_CAUSAL not in note and NO_CLAIM not in note


def test_periods_are_those_of_the_operator_log(month: Workbench) -> None:
    log = pl.read_csv(month.source / "operator_log.csv")
    assert month.periods["description"].to_list() == log.sort("start")["description"].to_list()


def test_a_finished_dataset_of_a_month_is_shown_without_a_claim(
    month: Workbench, tmp_path: Path
) -> None:
    table = datasets(month.plant, month.month)["labeled_dataset.csv"]
    write_csv(month.plant, table, tmp_path / "labeled.csv")
    named = open_workbench(settings(tmp_path, notebook_data=tmp_path / "labeled.csv"), REPOSITORY)
    assert NOT_CAUSAL in named.about_month() and NO_CLAIM in named.about_month()
    assert named.month.alarm.tolist() == month.month.alarm.tolist()
    assert named.rows.few and named.rows.source == "labeled.csv"
    # Services never load models that were trained on so few events.
    assert named.registry("notebooks").uri != named.settings.registry
    assert named.chosen() == {} and named.unseen is None


@pytest.mark.parametrize(
    ("name", "champion", "forecaster"),
    [
        ("minute horizons", "heater_champion", "heater_forecaster_20min"),
        ("no horizons", "heater_champion", None),
        ("no labels", None, None),
        ("no labels and no normality", None, None),
    ],
)
def test_the_shown_models_are_those_that_the_plant_has(
    name: str, champion: str | None, forecaster: str | None, tmp_path: Path
) -> None:
    heater = odd_plant(name, tmp_path)
    of_heater = Workbench(heater, settings(tmp_path), tmp_path, given=True)
    assert (of_heater.champion, of_heater.forecaster) == (champion, forecaster)
    if forecaster is None:
        assert of_heater.contributions_plot({}, of_heater.forecaster) == NO_SUCH_MODEL
        assert of_heater.explanation_plot({}) == NO_SUCH_MODEL


def test_the_six_known_periods_belong_to_the_real_month(real_data: Path, tmp_path: Path) -> None:
    named = open_workbench(
        settings(tmp_path, notebook_data=real_data / "gas_plant/cleaned_dataset.csv"), REPOSITORY
    )
    assert named.periods.height == 6
    named.write_datasets()
    ours, theirs = (
        pl.read_csv(folder / "labeled_dataset.csv").select("timestamp", "anomaly_label", "regime")
        for folder in (named.out, real_data / "gas_plant")
    )
    assert ours.equals(theirs)
