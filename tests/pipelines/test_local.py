"""The command line from a drop to warnings: ETL, training, promotion, scoring and evaluation."""

import json
from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.plant import load_plant
from alarmstack.core.settings import load_settings
from alarmstack.pipelines.local import champions
from tests.conftest import REPOSITORY
from tests.home import alarmstack
from tests.model_names import MODEL_NAMES

pytestmark = pytest.mark.slow


def test_all_expected_models_are_registered_with_metrics(home: Path) -> None:
    trained = json.loads((home / "trained.json").read_text())
    assert [model["name"] for model in trained] == [f"plant_alarm_{name}" for name in MODEL_NAMES]
    assert all(model["metrics"] for model in trained)


def test_the_champion_scores_rows_with_few_inputs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALARMSTACK_DATA_DIR", str(home))
    plant = load_plant(REPOSITORY / "plants/gas_treatment/plant.toml")
    champion = champions(plant, load_settings())["plant_alarm_champion"]
    trouble = {
        "failure_frequency_48": 9,
        "pdt31008_max": 340.0,
        "lic31002_deviation": 20.5,
        "lt301031": 8.0,
    }
    ordinary = {i.key: sum(i.normal) / 2 for i in plant.modelled}
    assert champion.score(champion.row(trouble))[0] >= 0.9
    assert champion.score(champion.row(ordinary))[0] <= 0.2


def test_any_drop_is_scored_into_a_table_and_a_picture(home: Path) -> None:
    alarmstack(home, "score", str(home / "drop"), "--out", str(home / "results"))
    results = pl.read_csv(home / "results/model_results.csv")
    assert len(results) == 673
    forecast = results["forecast_3h"].drop_nulls()
    assert forecast.is_between(0, 1).all() and forecast.max() > 10 * forecast.median()  # type: ignore[operator]
    assert (home / "results/timeline.png").read_bytes().startswith(b"\x89PNG")


def test_the_real_month_is_scored_unchanged(home: Path, real_data: Path) -> None:
    alarmstack(
        home, "score", str(real_data / "gas_plant/labeled_dataset.csv"), "--out", str(home / "real")
    )
    assert len(pl.read_csv(home / "real/model_results.csv")) == 673


def test_the_evaluation_has_the_documented_form(home: Path) -> None:
    alarmstack(
        home, "evaluate", "--days", "60", "--seeds", "5", "--json", str(home / "evaluation.json")
    )
    rows = json.loads((home / "evaluation.json").read_text())
    assert set(rows[0]) == {
        "data",
        "model",
        "horizon",
        "metric",
        "value",
        "low",
        "high",
        "baseline",
        "baseline_value",
    }
    baselines = {r["baseline"] for r in rows if r["metric"].startswith("recall_gain@0.5")}
    assert baselines == {"random", "static limit", "slope", "last value"}


def test_errors_are_one_line_and_name_the_fix(home: Path, tmp_path: Path) -> None:
    done = alarmstack(tmp_path, "score", str(tmp_path / "nothing.csv"), check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and "nothing.csv: no such file" in done.stderr


@pytest.mark.parametrize(
    "verb",
    ["simulate", "ingest", "validate", "etl", "train", "evaluate", "promote", "score", "demo"],
)
def test_the_help_of_every_command_has_an_example(tmp_path: Path, verb: str) -> None:
    assert "Example:" in alarmstack(tmp_path, verb, "--help").stdout
