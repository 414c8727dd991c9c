"""Other plants are trained and served like the gas plant: those of the benchmark sets, and one
with horizons in minutes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from alarmstack.bench.sets import SetDescription, load_runs, read_set
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant, load_plant
from alarmstack.core.settings import Settings
from alarmstack.models.normality import monitored
from alarmstack.pipelines.etl.local import run
from alarmstack.pipelines.local import train_latest
from alarmstack.preparation.intake import Intake
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.preparation.quality import GateResult
from alarmstack.registry import Registry
from alarmstack.services.gateway.plant_view import plant_view
from alarmstack.services.inference import Shelf, create_app
from alarmstack.services.schemas.observations import to_rows
from alarmstack.storage.files import Store
from tests.conftest import REPOSITORY
from tests.heater import HEATER, heating_up

pytestmark = pytest.mark.slow
BENCHMARKS = (
    "batadal",
    "cranfield",
    "gecco2018",
    "nab_temperature",
    "petrobras_3w",
    "skab",
    "tep",
)
INTERVALS, LONGER = 150, {"cranfield": 620}
"""Intervals of each benchmark set: enough to train, and few enough for a test.

Cranfield has intervals of a second and needs ten minutes.
"""


def trained(plant: Plant, block: IntervalBlock, home: Path) -> TestClient:
    """The inference API over the models of this plant, after ETL, training and registration."""
    settings = Settings(plant=home / "plant.toml", data=home)
    alarm = in_alarm(plant, block, None)
    intake = Intake(block, alarm, GateResult(passed=True, checks=()), problems=(), files=())
    run(plant, intake, Store.of(settings))
    models, _ = train_latest(plant, settings)
    assert [model.bundle.name for model in models] == [one.name for one in model_list(plant)]
    shelf = Shelf(plant, Registry(settings.registry), home / "kept", unpromoted=True)
    shelf.refresh()
    return TestClient(create_app(shelf))


def rows_of(plant: Plant, block: IntervalBlock, count: int) -> list[dict[str, Any]]:
    last = block.rows(max(len(block) - count, 0), len(block))
    return [row.model_dump(mode="json") for row in to_rows(plant, last)]


def beyond_normal(plant: Plant, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with all monitored instruments far above normal in the last twenty."""
    top = {one.key: 2 * one.normal[1] - one.normal[0] for one in monitored(plant)}
    return [*rows[:-20], *(row | top for row in rows[-20:])]


def without_trees(plant: Plant) -> Plant:
    """The plant with linear experts instead of trees, which take a minute to train."""
    assert plant.normality is not None
    experts = tuple(one.model_copy(update={"trees": False}) for one in plant.normality.experts)
    return plant.model_copy(
        update={"normality": plant.normality.model_copy(update={"experts": experts})}
    )


def slice_of(described: SetDescription, plant: Plant, data: Path, folder: Path) -> IntervalBlock:
    """The first intervals of the first recording of a set."""
    assert described.columns is not None
    file = sorted(data.glob(described.files))[0]
    table, name = pl.scan_parquet(file), pl.col(described.columns.run)
    recording = table.filter(name == table.select(name.first()).collect().item())
    seconds = int(plant.time.cadence.total_seconds())
    per_interval = seconds if described.name == "petrobras_3w" else 1
    folder.mkdir()
    intervals = LONGER.get(described.name, INTERVALS)
    recording.head(intervals * per_interval).collect().write_parquet(folder / "slice.parquet")
    (first,) = load_runs(described, plant, folder)
    return first.block


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_plant_without_labels_has_one_model_and_it_is_served(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    described = read_set(REPOSITORY / "benchmarks/sets" / name / "set.toml")
    plant = without_trees(described.load_plant())
    block = slice_of(described, plant, real_data / name, tmp_path / "slice")
    client = trained(plant, block, tmp_path)
    (entry,) = model_list(plant)
    ready = client.get("/ready")
    assert ready.status_code == 200 and ready.json()["ready"]
    (model,) = client.get("/models").json()["models"]
    assert model["name"] == entry.name == f"{plant.registry_prefix}_normality"
    assert (model["horizon"], model["version"]) == (None, "1") and model["card"]
    assert model["status"] in ("loaded", "unpromoted")
    rows = rows_of(plant, block, plant.lookback)
    assessed = client.post("/assess", json={"intervals": rows}).json()
    (output,) = assessed["models"]
    assert output["model"]["name"] == entry.name and output["reason"] is None
    assert np.isfinite(output["score"]) and output["alarm"] in (0, 1)
    disturbed = client.post("/assess", json={"intervals": beyond_normal(plant, rows)}).json()
    assert disturbed["models"][0]["score"] > output["score"]
    assert not assessed["rules"] and not assessed["in_alarm_now"]
    for path, body in (
        ("/predict", {"features": {"x": 1.0}}),
        ("/forecast", {"horizon": 1, "recent_observations": rows}),
        ("/explain", {"features": {"x": 1.0}}),
        ("/explain", {"horizon": "1h", "recent_observations": rows}),
    ):
        refused = client.post(path, json=body)
        assert refused.status_code == 404 and plant.name in refused.json()["detail"], path
    assert client.get("/importance").json()["model"]["name"] == entry.name
    view = plant_view(plant, simulated=False)
    assert view.horizons == [] and view.predict_fields == []
    assert [one.name for one in view.models] == [entry.name]


@pytest.fixture(scope="module")
def heater(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plant, TestClient]]:
    home = tmp_path_factory.mktemp("heater")
    (home / "plant.toml").write_text(HEATER, "utf-8")
    plant = load_plant(home / "plant.toml")
    yield plant, trained(plant, close_intervals(plant, heating_up()), home)


def test_horizons_of_minutes_are_three_forecasters_everywhere(
    heater: tuple[Plant, TestClient],
) -> None:
    plant, client = heater
    horizons = {"10min": 0.1667, "20min": 0.3333, "30min": 0.5}
    assert client.get("/ready").status_code == 200
    models = [one for one in client.get("/models").json()["models"] if one["horizon"]]
    assert {one["horizon"]: one["horizon_hours"] for one in models} == horizons
    assert [one["column"] for one in models] == [f"forecast_{duration}" for duration in horizons]
    view = plant_view(plant, simulated=False).model_dump(mode="json")
    assert view["horizons"] == list(horizons)
    assert view["horizons_hours"] == list(horizons.values())
    assert [field["feature"] for field in view["predict_fields"]] == ["t1", "f1"]


def test_a_horizon_of_minutes_is_forecast_and_explained(heater: tuple[Plant, TestClient]) -> None:
    plant, client = heater
    block = close_intervals(plant, heating_up())
    calm, rising = (rows_of(plant, block.rows(0, end), 60) for end in (230, 252))
    scores = {}
    for horizon in ("10min", "20min", "30min"):
        body = {"horizon": horizon, "recent_observations": rising}
        answer = client.post("/forecast", json=body).json()
        assert answer["horizon"] == horizon
        assert answer["model"]["name"] == f"heater_forecaster_{horizon}"
        assert horizon.replace("min", " min") in answer["text"]
        scores[horizon] = answer["anomaly_probability"]
        explained = client.post("/explain", json=body).json()
        assert explained["model"]["name"] == f"heater_forecaster_{horizon}"
    body = {"horizon": "30min", "recent_observations": calm}
    assert client.post("/forecast", json=body).json()["anomaly_probability"] < scores["30min"]
    hours = {"horizon_hours": 0.1667, "recent_observations": rising}
    assert client.post("/forecast", json=hours).json()["anomaly_probability"] == scores["10min"]


def test_a_horizon_that_the_plant_does_not_have_names_those_that_it_has(
    heater: tuple[Plant, TestClient],
) -> None:
    plant, client = heater
    rows = rows_of(plant, close_intervals(plant, heating_up()), 60)
    for horizon in (1, "1h", "15min"):
        body = {"horizon": horizon, "recent_observations": rows}
        refused = client.post("/forecast", json=body)
        assert refused.status_code == 422
        assert "use one of 10min, 20min, 30min" in refused.json()["detail"]


def test_an_assessment_contains_the_output_of_every_model_of_the_heater(
    heater: tuple[Plant, TestClient],
) -> None:
    plant, client = heater
    rows = rows_of(plant, close_intervals(plant, heating_up()).rows(0, 252), 60)
    outputs = client.post("/assess", json={"intervals": rows}).json()["models"]
    assert [one["name"] for one in outputs] == [one.name for one in model_list(plant)]
    assert all(one["model"] and one["score"] is not None for one in outputs)
    assert [one["horizon"] for one in outputs if one["horizon"]] == ["10min", "20min", "30min"]
    assert "next_deviation" not in {one["column"] for one in outputs}
    assert client.post("/predict", json={"features": {"t1": 96.0}}).json()["alarm"] in (0, 1)
