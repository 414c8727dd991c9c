"""The shelf follows the registry: aliases move during requests, and the copies on disk serve while
the registry is unavailable.
"""

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from alarmstack.core.errors import NotPromotedError, RegistryError, ServiceError, StorageError
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Tasks
from alarmstack.registry import Bundle, Registry
from alarmstack.registry.bundle import FILES
from alarmstack.services.inference import Shelf, create_app
from alarmstack.services.inference.exported import export, fetch
from alarmstack.storage.files import Store
from tests.waiting import until
from tests.world import ManualClock

pytestmark = pytest.mark.slow
NAME = "plant_alarm_champion"


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty registry, which MLflow takes seconds to create."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    assert not Registry(f"sqlite:///{file}").versions("nobody")
    return file


@pytest.fixture
def registry(shelf: Shelf, empty_registry: Path, tmp_path: Path) -> Registry:
    """A registry for one test, with one promoted champion."""
    own = new_registry(empty_registry, tmp_path)
    own.promote(NAME, register(own, shelf.model(NAME).bundle))
    return own


def new_registry(empty_registry: Path, folder: Path) -> Registry:
    """A registry in a folder, with nothing registered."""
    folder.mkdir(exist_ok=True)
    shutil.copy(empty_registry, folder / "mlflow.db")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}")


def register(
    registry: Registry, bundle: Bundle, name: str | None = None, tags: dict[str, str] | None = None
) -> str:
    """Register a Bundle by MLflow's client, without a run. Returns the number of the version.

    This takes a tenth of the time of `publish`.
    """
    client, name = registry._client, name or bundle.name
    assert registry._file is not None
    folder = registry._file.parent / "registered" / str(uuid4())
    bundle.save(folder / "bundle")
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    tags = {"bundle_sha256": bundle.digest} if tags is None else tags
    return str(
        client.create_model_version(name, str(folder), tags=tags, await_creation_for=0).version
    )


def test_no_request_fails_while_an_alias_moves(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    client = TestClient(create_app(mine))
    bundle = shelf.model(NAME).bundle
    registry.promote(
        NAME,
        register(registry, replace(bundle, thresholds={**bundle.thresholds, "operating": 0.123})),
    )
    done, seen = threading.Event(), []

    def send_requests() -> None:
        while not done.is_set():
            answer = client.post("/predict", json={"features": {"lt301031": 8.0}})
            seen.append(
                (answer.status_code, answer.json()["model"]["version"], answer.json()["threshold"])
            )

    requests = threading.Thread(target=send_requests)
    requests.start()
    mine.refresh()
    done.set()
    requests.join()
    after = client.post("/predict", json={"features": {"lt301031": 8.0}}).json()
    assert after["model"]["version"] == "2" and after["threshold"] == 0.123
    assert seen and {status for status, _, _ in seen} == {200}
    assert {(v, t == 0.123) for _, v, t in seen} <= {("1", False), ("2", True)}


def test_exported_models_serve_without_a_registry(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    store = Store.at(tmp_path / "models")
    assert export(plant, registry, store) == {NAME: "1"}
    assert fetch(store, tmp_path / "kept") == {NAME: "1"}
    assert fetch(store, tmp_path / "kept") == {}, "a shelf that has models keeps them"
    alone = Shelf(
        plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept"
    )
    alone.open_kept()
    alone.refresh()
    answer = service(alone).post("/predict", json={"features": {"lt301031": 8.0}})
    assert answer.json()["risk_score"] == pytest.approx(
        float(registry.champion(NAME).score(registry.champion(NAME).row({"lt301031": 8.0}))[0])
    )


def test_exported_models_replace_a_damaged_copy_and_a_damaged_export_is_refused(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    store, folder = Store.at(tmp_path / "models"), tmp_path / "kept"
    export(plant, registry, store)
    nowhere = Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}")

    def started() -> Shelf:
        new = Shelf(plant, nowhere, folder, supply=partial(fetch, store, folder))
        new.open_kept()
        new.refresh()
        return new

    assert predicted(started())[0] == 200, "an empty folder"
    (folder / NAME / "1" / "model.onnx").write_bytes(b"half")
    assert predicted(started())[0] == 200, "a damaged copy"
    (run,) = (tmp_path / "models" / "runs").iterdir()
    (run / NAME / "1" / "model.onnx").write_bytes(b"half too")
    (folder / NAME / "1" / "model.onnx").write_bytes(b"half")
    code, ready = readiness(started())
    assert code == 503 and f"{NAME}/1/model.onnx of run" in ready["reason"]


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "{",
        '{"run": "x"}',
        '{"run": "x", "files": {}, "models": {"../../precious": "1"}}',
        '{"run": "x", "files": {}, "models": {"plant_alarm_champion": "../../precious"}}',
        '{"run": "x", "files": {}, "models": [1]}',
    ],
)
def test_an_export_never_names_a_path(plant: Plant, tmp_path: Path, manifest: str) -> None:
    store = Store.at(tmp_path / "models")
    store.put("latest/manifest.json", manifest.encode())
    with pytest.raises((RegistryError, StorageError)) as error:
        fetch(store, tmp_path / "deep" / "kept")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "deep").exists()


def test_an_export_of_unpromoted_models_marks_them(
    plant: Plant, shelf: Shelf, registry: Registry, tmp_path: Path
) -> None:
    regime = "plant_alarm_regime_classifier"
    register(registry, shelf.model(regime).bundle)
    assert export(plant, registry, Store.at(tmp_path / "promoted")) == {NAME: "1"}
    store = Store.at(tmp_path / "all")
    assert export(plant, registry, store, unpromoted=True) == {NAME: "1", regime: "1"}
    fetch(store, tmp_path / "kept")
    alone = Shelf(
        plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept"
    )
    alone.open_kept()
    assert {name: loaded.promoted for name, loaded in alone.loaded.items()} == {
        NAME: True,
        regime: False,
    }


def test_an_export_without_a_promoted_model_is_refused(
    plant: Plant, shelf: Shelf, empty_registry: Path, tmp_path: Path
) -> None:
    empty = new_registry(empty_registry, tmp_path)
    register(empty, shelf.model(NAME).bundle)
    with pytest.raises(NotPromotedError, match="alarmstack train"):
        export(plant, empty, Store.at(tmp_path / "models"))
    assert Store.at(tmp_path / "models").latest() is None


def test_the_last_good_copy_serves_when_the_registry_is_unavailable(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    away = Shelf(
        plant, Registry(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}"), tmp_path / "kept"
    )
    away.open_kept()
    away.refresh()
    client = TestClient(create_app(away))
    assert (
        client.post("/predict", json={"features": {"lt301031": 8.0}}).json()["model"]["version"]
        == "1"
    )
    ready = client.get("/ready").json()
    status = {m["name"]: m for m in ready["models"]}[NAME]
    assert (
        ready["registry_reachable"] is False
        and status["status"] == "kept"
        and "does not exist" in status["reason"]
    )


def test_a_model_that_loses_its_alias_no_longer_serves(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    registry._client.delete_registered_model_alias(NAME, "champion")
    mine.refresh()
    answer = service(mine).post("/predict", json={"features": {}})
    assert answer.status_code == 503 and f"alarmstack promote {NAME}" in answer.json()["detail"]
    again = Shelf(plant, registry, tmp_path / "kept")
    again.open_kept()
    assert not again.loaded


def test_the_newest_version_serves_unpromoted_only_if_that_is_allowed(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    registry._client.delete_registered_model_alias(NAME, "champion")
    mine = Shelf(plant, registry, tmp_path / "kept", unpromoted=True)
    mine.refresh()
    answer = service(mine).post("/predict", json={"features": {"lt301031": 8.0}})
    assert answer.json()["model"]["unpromoted"] is True


def service(shelf: Shelf) -> TestClient:
    """A client of the service over a shelf, without its reload.

    It is created once per shelf, because that takes longer than a request.
    """
    client: TestClient | None = vars(shelf).get("client")
    if client is None:
        client = TestClient(create_app(shelf), raise_server_exceptions=False)
        vars(shelf)["client"] = client
    return client


def readiness(shelf: Shelf) -> tuple[int, Any]:
    """Status and body of `/ready`."""
    answer = service(shelf).get("/ready")
    return answer.status_code, answer.json()


def status_of(shelf: Shelf, name: str = NAME) -> dict[str, Any]:
    """The status of one model in `/ready`."""
    return next(one for one in readiness(shelf)[1]["models"] if one["name"] == name)


def predicted(shelf: Shelf) -> tuple[int, Any]:
    """Status and body of a prediction."""
    answer = service(shelf).post("/predict", json={"features": {"lt301031": 8.0}})
    return answer.status_code, answer.json()


def without_registry(plant: Plant, folder: Path) -> Shelf:
    """A shelf with the copies in a folder, whose registry does not exist."""
    registry = Registry(f"sqlite:///{folder.parent / 'nowhere' / 'mlflow.db'}")
    shelf = Shelf(plant, registry, folder)
    shelf.open_kept()
    shelf.refresh()
    return shelf


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_copy_is_not_used_and_fetched_again(
    registry: Registry, plant: Plant, tmp_path: Path, file: str
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    damaged = tmp_path / "kept" / NAME / "1" / file
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    alone = without_registry(plant, tmp_path / "kept")
    assert predicted(alone)[0] == 503
    code, ready = readiness(alone)
    assert code == 503 and file in ready["reason"] and NAME in ready["reason"]
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.open_kept()
    mine.refresh()
    assert predicted(mine)[0] == 200 and readiness(mine)[0] == 200
    assert damaged.read_bytes() == whole


def test_edited_thresholds_of_a_copy_are_not_used(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    file = tmp_path / "kept" / NAME / "1" / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"thresholds": {"operating": 0.99}}))
    (file.parent / "manifest.json").unlink()
    assert not without_registry(plant, tmp_path / "kept").loaded


def test_no_content_of_current_json_prevents_the_start(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    contents = [
        "{",
        "",
        "3",
        '{"version": 1, "promoted": true}',
        '{"version": "../../x", "promoted": true}',
        "[" * 10_000,
    ]
    current = tmp_path / "kept" / NAME / "current.json"
    for content in contents:
        Shelf(plant, registry, tmp_path / "kept").refresh()
        current.write_text(content)
        without_registry(plant, tmp_path / "kept")
    current.write_text("[]")
    mine = Shelf(plant, registry, tmp_path / "kept")
    with TestClient(create_app(mine)) as client:
        until(lambda: client.get("/ready").status_code == 200, lambda: client.get("/ready").text)
        assert client.post("/predict", json={"features": {"lt301031": 8.0}}).status_code == 200


def test_a_copy_of_an_earlier_release_is_used_until_the_registry_gives_one_with_a_manifest(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    home = tmp_path / "kept" / NAME
    (home / "current.json").write_text('{"version": "1", "promoted": true}')
    (home / "1" / "manifest.json").unlink()
    assert predicted(without_registry(plant, tmp_path / "kept"))[0] == 200
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.open_kept()
    mine.refresh()
    assert (home / "1" / "manifest.json").exists() and "digest" in json.loads(
        (home / "current.json").read_text()
    )


def test_a_copy_that_is_not_what_the_registry_has_under_its_version_is_fetched_again(
    registry: Registry, shelf: Shelf, empty_registry: Path, plant: Plant, tmp_path: Path
) -> None:
    """This happens if the registry was created again: its version 1 is another model."""
    Shelf(plant, registry, tmp_path / "kept").refresh()
    bundle = shelf.model(NAME).bundle
    other = new_registry(empty_registry, tmp_path / "other")
    other.promote(NAME, register(other, replace(bundle, thresholds={"operating": 0.123})))
    mine = Shelf(plant, other, tmp_path / "kept")
    mine.open_kept()
    mine.refresh()
    assert predicted(mine)[1]["threshold"] == 0.123


FAULTS: dict[str, Callable[[Bundle], Bundle]] = {
    "half a graph": lambda b: replace(b, graph=b.graph[: len(b.graph) // 2]),
    "no graph": lambda b: replace(b, graph=b""),
    "half a native model": lambda b: replace(b, native=b.native[: len(b.native) // 2]),
    "another kind": lambda b: replace(b, kind="value"),
    "classes of another": lambda b: replace(b, classes=("a", "b")),
    "other features": lambda b: replace(b, names=b.names[:-1]),
    "an example of other features": lambda b: replace(b, example={"colour": 1.0}),
}


def test_a_new_version_replaces_the_old_one_only_after_a_successful_trial(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    before = predicted(mine)
    bundle = shelf.model(NAME).bundle
    for fault, damaged in FAULTS.items():
        version = register(registry, damaged(bundle))
        registry.promote(NAME, version)
        mine.refresh()
        assert predicted(mine) == before, fault
        status = status_of(mine)
        assert status["status"] == "kept" and status["version"] == "1", fault
        assert (
            f"version {version} cannot be used" in status["reason"]
            and "version 1 is used instead" in status["reason"]
        ), fault
        assert readiness(mine)[0] == 200, "the last good version answers"
        fresh = Shelf(plant, registry, tmp_path / f"kept {fault}")
        fresh.refresh()
        ready = fresh.ready()
        assert not ready.ready and f"{NAME}: version {version} cannot be used" in (
            ready.reason or ""
        ), fault
        assert not fresh.loaded
    registry.promote(NAME, register(registry, bundle))
    mine.refresh()
    assert status_of(mine)["status"] == "loaded" and status_of(mine)["reason"] is None


def test_a_native_model_with_a_pickled_object_is_refused_and_runs_no_code(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    import io

    import numpy as np

    class Harmful:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "harm"),)

    content = io.BytesIO()
    np.savez(content, medians=np.array([Harmful()], object))
    soft = "plant_alarm_rf_soft_alarm"
    registry.promote(
        soft, register(registry, replace(shelf.model(soft).bundle, native=content.getvalue()))
    )
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    assert soft not in mine.loaded and "pickle" in status_of(mine, soft)["reason"]
    assert not (tmp_path / "harm").exists()


def test_the_name_in_a_bundle_is_never_used_as_a_path(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    """Otherwise a Bundle with such a name would write and remove folders at that path."""
    precious = tmp_path / "precious" / "7"
    precious.mkdir(parents=True)
    bundle = shelf.model(NAME).bundle
    folder = tmp_path / "saved" / "bundle"
    replace(bundle, name="../precious").save(folder)
    (tmp_path / "kept" / NAME).mkdir(parents=True)
    shutil.copytree(folder, tmp_path / "kept" / NAME / "1")
    (tmp_path / "kept" / NAME / "current.json").write_text('{"version": "1", "promoted": true}')
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.open_kept()
    assert not mine.loaded
    registry.promote(NAME, register(registry, replace(bundle, name="../precious"), NAME))
    mine.refresh()
    assert not mine.loaded and readiness(mine)[0] == 503
    assert precious.exists()


def test_only_copies_of_versions_are_removed(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    mine, home = Shelf(plant, registry, tmp_path / "kept"), tmp_path / "kept" / NAME
    mine.refresh()
    (tmp_path / "elsewhere").mkdir()
    (home / "notes").mkdir()
    (home / "0").symlink_to(tmp_path / "elsewhere")
    registry.promote(NAME, register(registry, shelf.model(NAME).bundle))
    mine.refresh()
    assert sorted(path.name for path in home.iterdir()) == ["2", "current.json", "notes"]
    assert (tmp_path / "elsewhere").is_dir()


def test_a_model_serves_if_no_copy_of_it_can_be_kept_and_the_reason_is_shown(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    assert predicted(mine)[0] == 200 and readiness(mine)[0] == 200
    assert "no copy can be kept on disk: Not a directory" in status_of(mine)["reason"]
    (tmp_path / "kept").unlink()
    mine.refresh()
    assert status_of(mine)["reason"] is None and without_registry(plant, tmp_path / "kept").loaded


def test_an_unusable_challenger_affects_only_itself(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    bundle = shelf.model(NAME).bundle
    mine = Shelf(plant, registry, tmp_path / "kept")
    registry.challenge(NAME, register(registry, FAULTS["half a graph"](bundle)))
    mine.refresh()
    code, ready = readiness(mine)
    status = status_of(mine)
    assert (code, ready["registry_reachable"], status["status"], status["reason"]) == (
        200,
        True,
        "loaded",
        None,
    )
    assert (
        status["challenger"] is None
        and "version 2 cannot be the challenger" in status["challenger_reason"]
    )
    body = {"intervals": [{i.key: i.normal[0] for i in plant.modelled}]}
    assessed = service(mine).post("/assess", json=body).json()
    assert assessed["shadows"] == [] and assessed["models"][0]["score"] is not None
    registry.challenge(NAME, register(registry, bundle))
    mine.refresh()
    assert status_of(mine)["challenger"] == "3" and status_of(mine)["challenger_reason"] is None


def test_a_model_that_is_not_better_than_its_baseline_is_listed_and_the_service_is_ready(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    linear, waiting = "plant_alarm_lr_soft_alarm", "plant_alarm_rf_soft_alarm"
    registry.publish(
        shelf.model(linear).bundle,
        {"beats_floor": 0.0},
        comparison="f1 0.31 against 0.35 (limit rules alone)",
    )
    registry.publish(shelf.model(waiting).bundle, {"beats_floor": 1.0})
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    assert readiness(mine)[0] == 200
    status = status_of(mine, linear)
    assert status["status"] == "not_promoted"
    assert (
        status["reason"] == f"not promoted: {linear} version 1 is not better than its baseline "
        "(f1 0.31 against 0.35 (limit rules alone))"
    )
    assert f"waits for `alarmstack promote {waiting}`" in status_of(mine, waiting)["reason"]
    body = {"intervals": [{i.key: i.normal[0] for i in plant.modelled}]}
    models = service(mine).post("/assess", json=body).json()["models"]
    assert {m["name"]: m["not_promoted"] for m in models if m["name"] in (NAME, linear)} == {
        NAME: False,
        linear: True,
    }


def test_a_damaged_registry_file_is_reported_and_the_last_good_models_serve(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    mine.refresh()
    (tmp_path / "damaged.db").write_bytes((tmp_path / "mlflow.db").read_bytes()[:20_000])
    mine.registry = Registry(f"sqlite:///{tmp_path / 'damaged.db'}")
    mine.refresh()
    code, ready = readiness(mine)
    assert (code, ready["registry_reachable"]) == (200, False)
    assert "damaged.db is damaged" in ready["reason"] and "\n" not in ready["reason"]
    assert predicted(mine)[0] == 200


def test_the_fingerprint_changes_with_the_models_and_not_with_a_restart(
    registry: Registry, shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    mine = Shelf(plant, registry, tmp_path / "kept")
    seen = [mine.ready().fingerprint]
    mine.refresh()
    seen.append(mine.ready().fingerprint)
    again = without_registry(plant, tmp_path / "kept")
    assert again.ready().fingerprint == seen[-1]
    registry.promote(NAME, register(registry, shelf.model(NAME).bundle))
    mine.refresh()
    seen.append(mine.ready().fingerprint)
    assert len(set(seen)) == 3 and all(seen)


def test_a_registry_that_does_not_answer_is_reported_and_the_models_serve(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mine = Shelf(
            plant, Registry(f"http://127.0.0.1:{silent.getsockname()[1]}"), tmp_path / "kept"
        )
        clock = ManualClock()
        with TestClient(create_app(mine, tasks=Tasks(clock))) as client:
            peer, _ = silent.accept()
            clock.advance(61)
            ready = client.get("/ready")
            assert (
                ready.status_code == 503
                and ready.json()["reason"] == "models: no progress for 61 s"
            )
            assert [task["state"] for task in ready.json()["tasks"]] == ["stalled"]
            assert client.post("/predict", json={"features": {"lt301031": 8.0}}).status_code == 200
            silent.close()
            peer.close()
            until(
                lambda: client.get("/ready").status_code == 200, lambda: client.get("/ready").text
            )
            assert client.get("/ready").json()["registry_reachable"] is False


def test_an_unexpected_error_of_the_reload_is_shown_and_followed_by_another_attempt(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    """An error of a library that is not translated."""

    class Broken(Registry):
        def serving_versions(self, prefix: str, names: Any) -> Any:
            raise KeyError("aliases")

    Shelf(plant, registry, tmp_path / "kept").refresh()
    mine = Shelf(plant, Broken(registry.uri), tmp_path / "kept")
    clock = ManualClock()
    with TestClient(create_app(mine, refresh_seconds=0.01, tasks=Tasks(clock))) as client:
        until(lambda: client.get("/ready").status_code == 503, lambda: client.get("/ready").text)
        assert client.get("/ready").json()["tasks"][0]["state"] == "failed"
        assert client.post("/predict", json={"features": {"lt301031": 8.0}}).status_code == 200


def test_assessments_are_refused_while_models_are_being_loaded(
    registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    Shelf(plant, registry, tmp_path / "kept").refresh()
    starting = Shelf(plant, registry, tmp_path / "kept")
    starting.open_kept()
    client = TestClient(create_app(starting))
    body = {"intervals": [{i.key: i.normal[0] for i in plant.modelled}]}
    assert "still being loaded" in client.post("/assess", json=body).json()["detail"]
    starting.refresh()
    assert client.post("/assess", json=body).status_code == 200


def test_only_models_of_the_current_row_can_be_chosen_for_predict(
    shelf: Shelf, plant: Plant, tmp_path: Path
) -> None:
    soft = "plant_alarm_rf_soft_alarm"
    other = Shelf(plant, shelf.registry, tmp_path / "kept", predictor=soft)
    other.refresh()
    answer = TestClient(create_app(other)).post("/predict", json={"features": {"lt301031": 8.0}})
    assert answer.json()["model"]["name"] == soft
    with pytest.raises(
        ServiceError, match=r"MODEL_NAME='plant_alarm_forecaster_3h'.*plant_alarm_champion"
    ):
        Shelf(plant, shelf.registry, tmp_path / "kept", predictor="plant_alarm_forecaster_3h")
