"""The shelf keeps up with the registry: aliases move under traffic, the registry goes away, copies on disk go on."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from alarmstack.errors import NotPromotedError, ServiceError
from alarmstack.inference import Shelf, create_app
from alarmstack.inference.exported import export, fetch
from alarmstack.plant import Plant
from alarmstack.registry import Registry
from alarmstack.storage import Store

pytestmark = pytest.mark.slow
NAME = "plant_alarm_champion"


@pytest.fixture
def registry(shelf: Shelf, plant: Plant, tmp_path: Path) -> Registry:
    """A registry of its own with one promoted champion."""
    made = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    made.promote(NAME, made.publish(shelf.speaker(NAME).bundle))
    return made


def test_an_alias_moves_without_one_failed_request(registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    client = TestClient(create_app(mine))
    bundle = shelf.speaker(NAME).bundle
    registry.promote(NAME, registry.publish(replace(bundle, thresholds={**bundle.thresholds, "operating": 0.123})))
    done, seen = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            answer = client.post("/predict", json={"features": {"lt301031": 8.0}})
            seen.append((answer.status_code, answer.json()["model"]["version"], answer.json()["threshold"]))

    asking = threading.Thread(target=ask)
    asking.start()
    mine.refresh()
    done.set()
    asking.join()
    after = client.post("/predict", json={"features": {"lt301031": 8.0}}).json()
    assert after["model"]["version"] == "2" and after["threshold"] == 0.123
    assert seen and {status for status, _, _ in seen} == {200}
    assert {(v, t == 0.123) for _, v, t in seen} <= {("1", False), ("2", True)}


def test_exported_models_serve_where_there_is_no_registry(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    store = Store.at(tmp_path / "models")
    assert export(plant, registry, store) == {NAME: "1"}
    assert fetch(store, tmp_path / "kept") == {NAME: "1"}
    assert fetch(store, tmp_path / "kept") == {}, "a shelf that has models keeps them"
    alone = Shelf(plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept")
    alone.open_kept()
    alone.refresh()
    answer = TestClient(create_app(alone)).post("/predict", json={"features": {"lt301031": 8.0}})
    assert answer.json()["risk_score"] == pytest.approx(
        float(registry.champion(NAME).score(registry.champion(NAME).row({"lt301031": 8.0}))[0])
    )


def test_an_export_of_the_unpromoted_says_what_each_is(plant: Plant, shelf: Shelf, registry: Registry, tmp_path: Path) -> None:
    regime = "plant_alarm_regime_classifier"
    registry.publish(shelf.speaker(regime).bundle)
    assert export(plant, registry, Store.at(tmp_path / "promoted")) == {NAME: "1"}
    store = Store.at(tmp_path / "all")
    assert export(plant, registry, store, unpromoted=True) == {NAME: "1", regime: "1"}
    fetch(store, tmp_path / "kept")
    alone = Shelf(plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept")
    alone.open_kept()
    assert {name: speaker.promoted for name, speaker in alone.speakers.items()} == {NAME: True, regime: False}


def test_nothing_promoted_is_nothing_to_export(plant: Plant, shelf: Shelf, tmp_path: Path) -> None:
    empty = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    empty.publish(shelf.speaker(NAME).bundle)
    with pytest.raises(NotPromotedError, match="alarmstack train"):
        export(plant, empty, Store.at(tmp_path / "models"))
    assert Store.at(tmp_path / "models").latest() is None


def test_the_last_good_copy_speaks_when_the_registry_is_away(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    away = Shelf(plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept")
    away.open_kept()
    away.refresh()
    client = TestClient(create_app(away))
    assert client.post("/predict", json={"features": {"lt301031": 8.0}}).json()["model"]["version"] == "1"
    ready = client.get("/ready").json()
    status = {m["name"]: m for m in ready["models"]}[NAME]
    assert ready["registry_reachable"] is False and status["status"] == "kept" and "not there" in status["reason"]


def test_a_model_that_loses_its_alias_falls_silent(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    registry._client.delete_registered_model_alias(NAME, "champion")
    mine.refresh()
    answer = TestClient(create_app(mine)).post("/predict", json={"features": {}})
    assert answer.status_code == 503 and f"alarmstack promote {NAME}" in answer.json()["detail"]
    again = Shelf(plant, registry, tmp_path / "kept")
    again.open_kept()
    assert not again.speakers


def test_the_newest_speaks_unpromoted_only_where_that_is_allowed(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    registry._client.delete_registered_model_alias(NAME, "champion")
    mine = Shelf(plant, registry, tmp_path / "kept", unpromoted=True)
    mine.refresh()
    answer = TestClient(create_app(mine)).post("/predict", json={"features": {}})
    assert answer.json()["model"]["unpromoted"] is True


def test_a_damaged_copy_is_passed_over(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    (tmp_path / "kept" / NAME / "1" / "bundle.json").write_text("{")
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.open_kept()
    assert not mine.speakers
    mine.refresh()
    assert mine.speakers[NAME].version == "1"
    shutil.rmtree(tmp_path / "kept")


def test_no_assessment_is_half_said_while_models_are_on_their_way(registry: Registry, plant: Plant, tmp_path: Path) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    starting = Shelf(plant, registry, tmp_path / "kept")
    starting.open_kept()
    client = TestClient(create_app(starting))
    body = {"intervals": [{i.key: i.normal[0] for i in plant.modelled}]}
    assert "still being loaded" in client.post("/assess", json=body).json()["detail"]
    starting.refresh()
    assert client.post("/assess", json=body).status_code == 200


def test_another_model_can_stand_behind_predict_but_not_any(shelf: Shelf, plant: Plant, tmp_path: Path) -> None:
    soft = "plant_alarm_rf_soft_alarm"
    other = Shelf(plant, shelf.registry, tmp_path / "kept", predictor=soft)
    other.refresh()
    answer = TestClient(create_app(other)).post("/predict", json={"features": {"lt301031": 8.0}})
    assert answer.json()["model"]["name"] == soft
    with pytest.raises(ServiceError, match=r"MODEL_NAME='plant_alarm_forecaster_3h'.*plant_alarm_champion"):
        Shelf(plant, shelf.registry, tmp_path / "kept", predictor="plant_alarm_forecaster_3h")
