"""The registry, on an SQLite file and on a real MLflow server with Postgres and S3 behind it.

What is published comes back, and only the promoted version speaks.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest

from alarmstack.alarms.drift import ReferenceDistribution
from alarmstack.core.errors import DamagedError, NotPromotedError, RegistryError
from alarmstack.core.plant import Plant
from alarmstack.models import fit, recipes
from alarmstack.registry.bundles import (
    FILES,
    Bundle,
    Registry,
    _environment_kept,
    lower_is_better,
    make_bundle,
)
from alarmstack.registry.manifest import MANIFEST, manifest_of
from tests.home import alarmstack
from tests.mlflow_server import MlflowServer
from tests.object_store import ObjectStore

NAMES = ("pressure", "level", "steam")
X = np.random.default_rng(2).normal(0, 1, (200, 3))


@pytest.fixture(scope="module")
def bundle(plant: Plant) -> Bundle:
    recipe = next(r for r in recipes(plant) if r.name.endswith("lr_soft_alarm"))
    rows = np.arange(len(X))
    folds = [(np.setdiff1d(rows, block), block) for block in np.array_split(rows, 3)]
    fitted = fit(recipe, NAMES, NAMES, X, (X[:, 0] > 0.8).astype(float), folds)
    return make_bundle(
        plant,
        fitted,
        thresholds={"operating": 0.4},
        metrics={},
        card="# Linear\n",
        data_fingerprint="data",
        reference={},
        check=X,
    )


@pytest.fixture(scope="module", params=["sqlite", "server"])
def published(
    request: pytest.FixtureRequest, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """Three versions: the second has the best F1, the first the least error, and only some know `lead`."""
    if request.param == "sqlite":
        registry = Registry(
            f"sqlite:///{tmp_path_factory.mktemp('registry') / 'new folder' / 'mlflow.db'}"
        )
    else:
        registry = Registry(request.getfixturevalue("mlflow_server").emptied())
    figures = [
        {"f1_anomaly": 0.5, "rmse": 0.1},
        {"f1_anomaly": 0.9, "rmse": 0.3},
        {"f1_anomaly": 0.7, "rmse": 0.2, "lead": 1.0},
    ]
    numbers = [
        registry.publish(replace(bundle, metrics=f), {"extra": 1.0}, {"estimator": "logistic"})
        for f in figures
    ]
    assert numbers == ["1", "2", "3"]
    yield registry


def test_nobody_speaks_before_promotion(published: Registry) -> None:
    with pytest.raises(NotPromotedError, match=r"plant_alarm_forecaster_1h.*alarmstack promote"):
        published.champion("plant_alarm_forecaster_1h")


@pytest.mark.parametrize(
    ("metric", "best"), [("f1_anomaly", "2"), ("rmse", "1"), ("lead", "3"), ("extra", "3")]
)
def test_the_best_version_by_any_logged_metric(
    published: Registry, bundle: Bundle, metric: str, best: str
) -> None:
    assert published.promote_best(bundle.name, metric) == best
    assert [v.number for v in published.versions(bundle.name) if "champion" in v.aliases] == [best]


def test_an_unknown_metric_names_those_there_are(published: Registry, bundle: Bundle) -> None:
    with pytest.raises(
        RegistryError, match=r"f1_anomly.*MODEL_PROMOTION_METRIC.*extra, f1_anomaly, lead, rmse"
    ):
        published.promote_best(bundle.name, "f1_anomly")


def test_an_unknown_version_names_those_there_are(published: Registry, bundle: Bundle) -> None:
    with pytest.raises(RegistryError, match="no version 9: it has 1, 2, 3"):
        published.promote(bundle.name, "9")
    with pytest.raises(RegistryError, match="version 9 cannot be read"):
        published.load(bundle.name, "9")


def test_the_champion_comes_back_whole(published: Registry, bundle: Bundle) -> None:
    published.promote(bundle.name, "2")
    back = published.champion(bundle.name)
    assert back == replace(bundle, metrics={"f1_anomaly": 0.9, "rmse": 0.3})
    np.testing.assert_array_equal(back.score(X), bundle.score(X))


def test_another_process_sees_the_same_registry(published: Registry, bundle: Bundle) -> None:
    assert [v.metrics["f1_anomaly"] for v in Registry(published.uri).versions(bundle.name)] == [
        0.5,
        0.9,
        0.7,
    ]


def test_mlflow_itself_gives_the_calibrated_score(published: Registry, bundle: Bundle) -> None:
    import mlflow
    import pandas as pd

    published.promote(bundle.name, "3")
    model = mlflow.pyfunc.load_model(f"models:/{bundle.name}@champion")
    table = pd.DataFrame(X, columns=list(NAMES))
    table.iloc[3, 1] = np.nan
    np.testing.assert_array_equal(model.predict(table), bundle.score(table.to_numpy()))
    assert model.metadata.signature.inputs.input_names() == list(NAMES)


def test_a_run_keeps_what_the_model_was_made_from(published: Registry, bundle: Bundle) -> None:
    import mlflow

    run = mlflow.MlflowClient(tracking_uri=published.uri).get_run(
        published.versions(bundle.name)[0].run
    )
    assert run.data.tags["data_fingerprint"] == "data"
    assert run.data.tags["plant_fingerprint"] == bundle.plant_fingerprint
    assert run.data.params["estimator"] == "logistic"
    assert mlflow.get_experiment(run.info.experiment_id).name == "plant_alarm_training"


def test_a_server_keeps_its_models_in_the_bucket_and_its_records_in_postgres(
    mlflow_server: MlflowServer,
    object_store: ObjectStore,
    role_urls: dict[str, str],
    bundle: Bundle,
) -> None:
    version = Registry(mlflow_server.url).publish(replace(bundle, name="plant_alarm_kept"))
    client: Any = object_store.client()
    kept = [entry["Key"] for entry in client.list_objects_v2(Bucket="mlflow-artifacts")["Contents"]]
    assert any(key.endswith("bundle/bundle.json") for key in kept)
    with psycopg.connect(role_urls["mlflow"].replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT version FROM model_versions WHERE name = 'plant_alarm_kept'"
        ).fetchall()
    assert rows == [(int(version),)]


def test_models_come_through_the_server_so_that_it_alone_must_reach_the_store(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    """The server would hand out addresses of the store; the inference API of the full stack is not in its network."""
    registry = Registry(mlflow_server.url)
    registry.promote("plant_alarm_near", registry.publish(replace(bundle, name="plant_alarm_near")))
    before = len(mlflow_server.log.read_text())
    registry.champion("plant_alarm_near")
    asked = mlflow_server.log.read_text()[before:]
    assert "GET /api/2.0/mlflow-artifacts/artifacts/" in asked
    assert "/mlflow-artifacts/presigned" not in asked


def test_the_alias_is_moved_by_the_founding_texts_request(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    registry = Registry(mlflow_server.url)
    versions = [registry.publish(replace(bundle, name="plant_alarm_asked_for")) for _ in range(2)]
    asked = {"name": "plant_alarm_asked_for", "alias": "champion", "version": versions[0]}
    answer = httpx.post(f"{mlflow_server.url}/api/2.0/mlflow/registered-models/alias", json=asked)
    assert answer.status_code == 200, answer.text
    assert (
        registry.speaking("plant_alarm", ["plant_alarm_asked_for"])[
            "plant_alarm_asked_for"
        ].champion
        == versions[0]
    )


@pytest.mark.slow
def test_a_server_that_goes_away_is_named_and_found_again(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    registry = Registry(mlflow_server.url)
    version = registry.publish(replace(bundle, name="plant_alarm_lasting"))
    registry.promote("plant_alarm_lasting", version)
    mlflow_server.stop()
    with pytest.raises(RegistryError, match=re.escape(mlflow_server.url)):
        registry.speaking("plant_alarm", ["plant_alarm_lasting"])
    mlflow_server.start()
    assert registry.champion("plant_alarm_lasting").score(X).tolist() == bundle.score(X).tolist()


def test_roles_of_the_one_postgres_stay_in_their_own_database(role_urls: dict[str, str]) -> None:
    plain = {name: url.replace("+psycopg", "") for name, url in role_urls.items()}
    for name, url in plain.items():
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (
                name,
                name,
            )
        for other in plain.keys() - {name}:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(url.rsplit("/", 1)[0] + f"/{other}")


def test_a_damaged_bundle_says_so(bundle: Bundle, tmp_path: Path) -> None:
    folder = bundle.save(tmp_path / "bundle")
    (folder / "bundle.json").write_text("{")
    with pytest.raises(RegistryError, match="no whole Bundle"):
        Bundle.load(folder)


@pytest.fixture
def own(bundle: Bundle, tmp_path: Path) -> Registry:
    """A registry of the test's own with one promoted version."""
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    registry.promote(bundle.name, registry.publish(bundle))
    return registry


def stored(registry: Registry) -> Path:
    """The folder of the one Bundle that an SQLite registry keeps."""
    assert registry._file is not None
    (found,) = registry._file.parent.rglob("bundle.json")
    return found.parent


def test_no_file_of_a_bundle_is_used_that_is_not_the_published_one(
    own: Registry, bundle: Bundle
) -> None:
    for file in (stored(own) / name for name in FILES):
        whole = file.read_bytes()
        for fault in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1]), None):
            file.unlink()
            if fault is not None:
                file.write_bytes(fault)
            with pytest.raises(
                RegistryError, match=rf"{bundle.name} version 1 .*({file.name}|holds no Bundle)"
            ):
                own.load(bundle.name, "1")
        file.write_bytes(whole)
    assert own.load(bundle.name, "1") == bundle


def test_edited_thresholds_are_refused_even_with_a_manifest_that_fits_them(
    own: Registry, bundle: Bundle
) -> None:
    folder = stored(own)
    content = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(content | {"thresholds": {"operating": 0.99}}))
    (folder / MANIFEST).write_bytes(
        manifest_of({name: (folder / name).read_bytes() for name in FILES})
    )
    with pytest.raises(
        DamagedError,
        match=r"version 1 .*is damaged.*manifest\.json is not the one that was published",
    ):
        own.champion(bundle.name)


def test_a_bundle_of_an_earlier_version_still_loads_and_the_log_says_so(
    own: Registry, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    (stored(own) / MANIFEST).unlink()
    own._client.delete_model_version_tag(bundle.name, "1", "bundle_sha256")
    caplog.set_level(logging.WARNING)
    assert own.champion(bundle.name) == bundle
    assert "has no manifest" in caplog.text


def test_a_manifest_cannot_be_removed_to_avoid_its_check(own: Registry, bundle: Bundle) -> None:
    (stored(own) / MANIFEST).unlink()
    with pytest.raises(DamagedError, match=r"version 1 .*manifest\.json"):
        own.champion(bundle.name)


@pytest.mark.parametrize(
    "content", ["{", "[]", "3", "[" * 100_000, '{"name": "../../x"}', "\udcff"]
)
def test_any_content_of_a_bundle_without_manifest_is_refused_in_one_line(
    bundle: Bundle, tmp_path: Path, content: str
) -> None:
    folder = bundle.save(tmp_path / "bundle")
    (folder / MANIFEST).unlink()
    (folder / "bundle.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DamagedError, match=r"bundle\.json") as told:
        Bundle.load(folder)
    assert "\n" not in str(told.value)


def test_a_bundle_under_the_name_of_another_is_refused(own: Registry, bundle: Bundle) -> None:
    client, other = own._client, "plant_alarm_champion"
    client.create_registered_model(other)
    client.create_model_version(other, client.get_model_version(bundle.name, "1").source)
    own.promote(other, "1")
    with pytest.raises(DamagedError, match=rf"{other} version 1 holds a Bundle of {bundle.name}"):
        own.champion(other)


def test_a_name_that_is_a_path_or_a_question_is_refused(own: Registry) -> None:
    for name in ("../../home", "x' OR name LIKE '%", "", "a/b", ".."):
        for ask in (
            own.champion,
            own.versions,
            own.newest,
            own.withdraw,
            own.roll_back,
            lambda n: own.load(n, "1"),
        ):
            with pytest.raises(RegistryError, match="is not a model name"):
                ask(name)


def test_a_second_alias_does_not_hide_the_champion(own: Registry, bundle: Bundle) -> None:
    for alias in ("a_first", "production", "zz_last"):
        own._client.set_registered_model_alias(bundle.name, alias, "1")
        assert "champion" in own.versions(bundle.name)[0].aliases
        assert own.champion(bundle.name) == bundle
    assert own.speaking("plant_alarm", [bundle.name])[bundle.name].champion == "1"


def test_champions_are_found_in_as_many_calls_whatever_the_number_of_versions(
    own: Registry, bundle: Bundle
) -> None:
    """Counted where MLflow's client hands a call to its store: on a server, each is a request."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs

    client, waiting = own._client, "plant_alarm_waiting"
    client.create_registered_model(waiting)
    first = client.get_model_version(bundle.name, "1")

    def more(number: int) -> None:
        for name in (bundle.name, waiting):
            for _ in range(number):
                client.create_model_version(
                    name, first.source, run_id=first.run_id, await_creation_for=0
                )

    def calls() -> list[str]:
        made: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for store in (SqlAlchemyStore, Runs):
                for call in (
                    "search_registered_models",
                    "search_model_versions",
                    "get_registered_model",
                    "get_run",
                ):
                    real = getattr(store, call, None)
                    if real is not None:
                        patch.setattr(
                            store,
                            call,
                            lambda *a, _real=real, _call=call, **k: (
                                made.append(_call),
                                _real(*a, **k),
                            )[1],
                        )
            asked = Registry(own.uri)
            assert (
                asked.speaking("plant_alarm", [bundle.name, waiting])[bundle.name].champion == "1"
            )
            assert asked.champion(bundle.name) == bundle
            newest = asked.newest(waiting)
            assert newest is not None and newest.number == str(
                len(client.search_model_versions(f"name='{waiting}'"))
            )
        return sorted(made)

    more(1)
    few = calls()
    more(40)
    assert calls() == few and len(few) <= 10


def test_a_version_that_loses_to_its_baseline_says_so_and_one_that_waits_does_not(
    own: Registry, bundle: Bundle
) -> None:
    for name, beats in (("plant_alarm_loser", 0.0), ("plant_alarm_waiting", 1.0)):
        own.publish(
            replace(bundle, name=name),
            {"beats_floor": beats},
            verdict="f1 0.31 against 0.35 (last value)",
        )
    found = own.speaking("plant_alarm", ["plant_alarm_loser", "plant_alarm_waiting", bundle.name])
    assert (
        found["plant_alarm_loser"].loses
        == "loses to its baseline (f1 0.31 against 0.35 (last value))"
    )
    assert found["plant_alarm_waiting"].loses is None and found[bundle.name].loses is None


def test_a_damaged_registry_file_is_reported_as_damaged(
    own: Registry, bundle: Bundle, tmp_path: Path
) -> None:
    assert own._file is not None
    whole = own._file.read_bytes()
    faults = {
        "another": b"PK\x03\x04" + bytes(5000),
        "cut": whole[: len(whole) // 3],
        "overwritten": whole[:4096] + b"\xff" * (len(whole) - 4096),
    }
    for name, content in faults.items():
        (tmp_path / f"{name}.db").write_bytes(content)
        registry = Registry(f"sqlite:///{tmp_path / name}.db")
        ask = [
            lambda r: r.speaking("plant_alarm", [bundle.name]),
            lambda r: r.champion(bundle.name),
        ]
        ask += [
            lambda r: r.versions(bundle.name),
            lambda r: r.publish(bundle),
            lambda r: r.promote(bundle.name, "1"),
        ]
        for question in ask:
            with pytest.raises(
                RegistryError, match=rf"registry file .*{name}\.db is damaged \(.*\): restore it"
            ) as told:
                question(registry)
            assert "\n" not in str(told.value)


def test_the_command_line_reports_a_damaged_registry_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 500)
    done = alarmstack(tmp_path, "promote", "plant_alarm_champion", check=False)
    assert done.returncode != 0 and "is damaged (file is not a database)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("metric", "lower"),
    [
        ("rmse", True),
        ("sealed_false_alarms_per_day", True),
        ("brier_skill", False),
        ("f1_anomaly", False),
    ],
)
def test_which_way_a_metric_points(metric: str, lower: bool) -> None:
    assert lower_is_better(metric) is lower


def test_the_environment_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://the-users-own")
    Registry(f"sqlite:///{tmp_path / 'mlflow.db'}").versions("nobody")
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://the-users-own"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    Registry(f"sqlite:///{tmp_path / 'mlflow.db'}").versions("nobody")
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_the_environment_is_left_as_it_was_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://the-users-own")
    with pytest.raises(RuntimeError), _environment_kept(("MLFLOW_TRACKING_URI",)):
        os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///other"
        raise RuntimeError
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://the-users-own"


def test_one_command_goes_back_and_a_hand_that_moved_the_alias_is_believed(
    published: Registry, bundle: Bundle
) -> None:
    for version in ("1", "3", "2"):
        published.promote(bundle.name, version)
    assert published.roll_back(bundle.name) == "3"
    published._client.set_registered_model_alias(bundle.name, "champion", "2")
    assert published.roll_back(bundle.name) == "3"
    assert published.roll_back(bundle.name) == "1"


def test_a_challenger_is_another_version_and_none_once_it_is_champion(
    published: Registry, bundle: Bundle
) -> None:
    published.promote(bundle.name, "1")
    with pytest.raises(RegistryError, match=r"version 1 is @champion"):
        published.challenge(bundle.name, "1")
    with pytest.raises(
        RegistryError, match="oracle has no version: correct the name, or train first"
    ):
        published.challenge("oracle", None)
    assert published.challenge(bundle.name, None) == "3"
    assert published.speaking("plant_alarm", [bundle.name])[bundle.name].challenger == "3"
    published.promote(bundle.name, "3")
    speaking = published.speaking("plant_alarm", [bundle.name])[bundle.name]
    assert (speaking.champion, speaking.challenger) == ("3", None)


def test_what_was_usual_in_training_travels_with_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    told = {"score": ReferenceDistribution((0.1, 0.2), (0.5, 0.3, 0.2), 0.4)}
    assert Bundle.load(replace(bundle, reference=told).save(tmp_path)).reference == told


def test_a_run_without_a_model_is_recorded_in_an_experiment_of_its_own(
    tmp_path: Path, bundle: Bundle
) -> None:
    uri, told = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "told.json"
    told.write_text("[]")
    registry = Registry(uri, "validation")
    number = registry.record(
        "plant_alarm",
        "walk",
        {"recall": 0.5, "lead": float("nan")},
        {"folds": 2},
        by_fold={"fold_recall": [0.4, float("nan"), 0.6]},
        artefacts=[told],
    )
    client = registry._client
    assert client.get_experiment_by_name("plant_alarm_training") is None
    run = client.get_run(number)
    assert (
        run.info.experiment_id
        == client.get_experiment_by_name("plant_alarm_validation").experiment_id
    )
    assert run.data.metrics == {"recall": 0.5, "fold_recall": 0.6} and run.data.params == {
        "folds": "2"
    }
    assert [(m.step, m.value) for m in client.get_metric_history(number, "fold_recall")] == [
        (0, 0.4),
        (2, 0.6),
    ]
    assert [f.path for f in client.list_artifacts(number)] == ["told.json"]
    assert Registry(uri, "notebooks").publish(bundle) == "1"
    assert client.get_experiment_by_name("plant_alarm_notebooks") is not None
