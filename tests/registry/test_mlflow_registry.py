"""The registry, on an SQLite file and on a real MLflow server with Postgres and S3.

What is published can be loaded, and only the promoted version serves.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest

from alarmstack.core.errors import DamagedError, NotPromotedError, RegistryError
from alarmstack.registry import Bundle, Registry
from alarmstack.registry.bundle import FILES
from alarmstack.registry.manifest import MANIFEST, manifest_of
from alarmstack.registry.mlflow_registry import _environment_kept, lower_is_better
from tests.home import alarmstack
from tests.mlflow_server import MlflowServer
from tests.object_store import ObjectStore
from tests.registry.rows import NAMES, X


@pytest.fixture(scope="module", params=["sqlite", "server"])
def published(
    request: pytest.FixtureRequest, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """Three versions: the second has the best F1, the first the least error."""
    if request.param == "sqlite":
        registry = Registry(
            f"sqlite:///{tmp_path_factory.mktemp('registry') / 'new folder' / 'mlflow.db'}"
        )
    else:
        registry = Registry(request.getfixturevalue("mlflow_server").emptied())
    logged_metrics = [
        {"f1_anomaly": 0.5, "rmse": 0.1},
        {"f1_anomaly": 0.9, "rmse": 0.3},
        {"f1_anomaly": 0.7, "rmse": 0.2, "lead": 1.0},
    ]
    numbers = [
        registry.publish(
            replace(bundle, metrics=metrics), {"extra": 1.0}, {"estimator": "logistic"}
        )
        for metrics in logged_metrics
    ]
    assert numbers == ["1", "2", "3"]
    yield registry


def test_no_version_is_champion_before_promotion(published: Registry) -> None:
    with pytest.raises(NotPromotedError, match=r"plant_alarm_forecaster_1h.*alarmstack promote"):
        published.champion("plant_alarm_forecaster_1h")


@pytest.mark.parametrize(
    ("metric", "best"), [("f1_anomaly", "2"), ("rmse", "1"), ("lead", "3"), ("extra", "3")]
)
def test_the_best_version_by_any_logged_metric_is_promoted(
    published: Registry, bundle: Bundle, metric: str, best: str
) -> None:
    assert published.promote_best(bundle.name, metric) == best
    assert [v.number for v in published.versions(bundle.name) if "champion" in v.aliases] == [best]


def test_the_error_for_an_unknown_metric_lists_the_logged_ones(
    published: Registry, bundle: Bundle
) -> None:
    with pytest.raises(
        RegistryError, match=r"f1_anomly.*MODEL_PROMOTION_METRIC.*extra, f1_anomaly, lead, rmse"
    ):
        published.promote_best(bundle.name, "f1_anomly")


def test_the_error_for_an_unknown_version_lists_the_existing_ones(
    published: Registry, bundle: Bundle
) -> None:
    with pytest.raises(RegistryError, match="no version 9: it has 1, 2, 3"):
        published.promote(bundle.name, "9")
    with pytest.raises(RegistryError, match="version 9 cannot be read"):
        published.load(bundle.name, "9")


def test_the_champion_equals_what_was_published(published: Registry, bundle: Bundle) -> None:
    published.promote(bundle.name, "2")
    champion = published.champion(bundle.name)
    assert champion == replace(bundle, metrics={"f1_anomaly": 0.9, "rmse": 0.3})
    np.testing.assert_array_equal(champion.score(X), bundle.score(X))


def test_another_process_sees_the_same_registry(published: Registry, bundle: Bundle) -> None:
    assert [v.metrics["f1_anomaly"] for v in Registry(published.uri).versions(bundle.name)] == [
        0.5,
        0.9,
        0.7,
    ]


def test_a_model_loaded_by_mlflow_itself_gives_the_calibrated_score(
    published: Registry, bundle: Bundle
) -> None:
    import mlflow
    import pandas as pd

    published.promote(bundle.name, "3")
    model = mlflow.pyfunc.load_model(f"models:/{bundle.name}@champion")
    table = pd.DataFrame(X, columns=list(NAMES))
    table.iloc[3, 1] = np.nan
    np.testing.assert_array_equal(model.predict(table), bundle.score(table.to_numpy()))
    assert model.metadata.signature.inputs.input_names() == list(NAMES)


def test_a_run_records_the_origin_of_the_model(published: Registry, bundle: Bundle) -> None:
    import mlflow

    run = mlflow.MlflowClient(tracking_uri=published.uri).get_run(
        published.versions(bundle.name)[0].run
    )
    assert run.data.tags["data_fingerprint"] == "data"
    assert run.data.tags["plant_fingerprint"] == bundle.plant_fingerprint
    assert run.data.params["estimator"] == "logistic"
    assert mlflow.get_experiment(run.info.experiment_id).name == "plant_alarm_training"


def test_a_server_stores_models_in_the_bucket_and_records_in_postgres(
    mlflow_server: MlflowServer,
    object_store: ObjectStore,
    role_urls: dict[str, str],
    bundle: Bundle,
) -> None:
    version = Registry(mlflow_server.url).publish(replace(bundle, name="plant_alarm_kept"))
    client: Any = object_store.client()
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="mlflow-artifacts")["Contents"]]
    assert any(key.endswith("bundle/bundle.json") for key in keys)
    with psycopg.connect(role_urls["mlflow"].replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT version FROM model_versions WHERE name = 'plant_alarm_kept'"
        ).fetchall()
    assert rows == [(int(version),)]


def test_models_are_downloaded_through_the_server_so_only_it_must_reach_the_store(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    """In the full stack, the inference API is not in the network of the object store."""
    registry = Registry(mlflow_server.url)
    registry.promote("plant_alarm_near", registry.publish(replace(bundle, name="plant_alarm_near")))
    length = len(mlflow_server.log.read_text())
    registry.champion("plant_alarm_near")
    requests = mlflow_server.log.read_text()[length:]
    assert "GET /api/2.0/mlflow-artifacts/artifacts/" in requests
    assert "/mlflow-artifacts/presigned" not in requests


def test_the_alias_is_moved_by_the_http_request_of_the_mission(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    registry = Registry(mlflow_server.url)
    versions = [registry.publish(replace(bundle, name="plant_alarm_by_http")) for _ in range(2)]
    request = {"name": "plant_alarm_by_http", "alias": "champion", "version": versions[0]}
    answer = httpx.post(f"{mlflow_server.url}/api/2.0/mlflow/registered-models/alias", json=request)
    assert answer.status_code == 200, answer.text
    assert (
        registry.serving_versions("plant_alarm", ["plant_alarm_by_http"])[
            "plant_alarm_by_http"
        ].champion
        == versions[0]
    )


@pytest.mark.slow
def test_an_unreachable_server_is_named_and_used_again_when_it_is_back(
    mlflow_server: MlflowServer, bundle: Bundle
) -> None:
    registry = Registry(mlflow_server.url)
    version = registry.publish(replace(bundle, name="plant_alarm_lasting"))
    registry.promote("plant_alarm_lasting", version)
    mlflow_server.stop()
    with pytest.raises(RegistryError, match=re.escape(mlflow_server.url)):
        registry.serving_versions("plant_alarm", ["plant_alarm_lasting"])
    mlflow_server.start()
    assert registry.champion("plant_alarm_lasting").score(X).tolist() == bundle.score(X).tolist()


def test_each_role_of_the_shared_postgres_can_use_only_its_own_database(
    role_urls: dict[str, str],
) -> None:
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


@pytest.fixture
def own(bundle: Bundle, tmp_path: Path) -> Registry:
    """A registry of the test's own with one promoted version."""
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    registry.promote(bundle.name, registry.publish(bundle))
    return registry


def stored(registry: Registry) -> Path:
    """The folder of the one Bundle that an SQLite registry keeps."""
    assert registry._file is not None
    (content,) = registry._file.parent.rglob("bundle.json")
    return content.parent


def test_a_file_that_differs_from_the_published_one_is_refused(
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


def test_edited_thresholds_are_refused_even_with_a_matching_manifest(
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


def test_a_version_published_without_manifest_and_digest_still_loads_with_a_log_line(
    own: Registry, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    (stored(own) / MANIFEST).unlink()
    own._client.delete_model_version_tag(bundle.name, "1", "bundle_sha256")
    caplog.set_level(logging.WARNING)
    assert own.champion(bundle.name) == bundle
    assert "has no manifest" in caplog.text


def test_removing_the_manifest_does_not_avoid_the_check(own: Registry, bundle: Bundle) -> None:
    (stored(own) / MANIFEST).unlink()
    with pytest.raises(DamagedError, match=r"version 1 .*manifest\.json"):
        own.champion(bundle.name)


def test_a_bundle_under_the_name_of_another_is_refused(own: Registry, bundle: Bundle) -> None:
    client, other = own._client, "plant_alarm_champion"
    client.create_registered_model(other)
    client.create_model_version(other, client.get_model_version(bundle.name, "1").source)
    own.promote(other, "1")
    with pytest.raises(DamagedError, match=rf"{other} version 1 holds a Bundle of {bundle.name}"):
        own.champion(other)


def test_a_name_that_is_a_path_or_a_query_is_refused(own: Registry) -> None:
    for name in ("../../home", "x' OR name LIKE '%", "", "a/b", ".."):
        for call in (
            own.champion,
            own.versions,
            own.newest,
            own.withdraw,
            own.roll_back,
            lambda n: own.load(n, "1"),
        ):
            with pytest.raises(RegistryError, match="is not a model name"):
                call(name)


def test_a_second_alias_does_not_hide_the_champion(own: Registry, bundle: Bundle) -> None:
    for alias in ("a_first", "production", "zz_last"):
        own._client.set_registered_model_alias(bundle.name, alias, "1")
        assert "champion" in own.versions(bundle.name)[0].aliases
        assert own.champion(bundle.name) == bundle
    assert own.serving_versions("plant_alarm", [bundle.name])[bundle.name].champion == "1"


def recording(recorded: list[str], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """A function that records its name at each call and then calls the real function."""

    def record(*arguments: Any, **named: Any) -> Any:
        recorded.append(name)
        return real(*arguments, **named)

    return record


def test_the_number_of_calls_does_not_grow_with_the_number_of_versions(
    own: Registry, bundle: Bundle
) -> None:
    """Counted at the store behind MLflow's client; on a server, each call is a request."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs

    client, waiting = own._client, "plant_alarm_waiting"
    client.create_registered_model(waiting)
    first = client.get_model_version(bundle.name, "1")

    def add_versions(number: int) -> None:
        for name in (bundle.name, waiting):
            for _ in range(number):
                client.create_model_version(
                    name, first.source, run_id=first.run_id, await_creation_for=0
                )

    def calls() -> list[str]:
        recorded: list[str] = []
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
                            recording(recorded, call, real),
                        )
            registry = Registry(own.uri)
            assert (
                registry.serving_versions("plant_alarm", [bundle.name, waiting])[
                    bundle.name
                ].champion
                == "1"
            )
            assert registry.champion(bundle.name) == bundle
            newest = registry.newest(waiting)
            assert newest is not None and newest.number == str(
                len(client.search_model_versions(f"name='{waiting}'"))
            )
        return sorted(recorded)

    add_versions(1)
    calls_for_few = calls()
    add_versions(40)
    assert calls() == calls_for_few and len(calls_for_few) <= 10


def test_a_version_that_is_not_better_than_its_baseline_is_reported_with_the_comparison(
    own: Registry, bundle: Bundle
) -> None:
    for name, better in (("plant_alarm_worse", 0.0), ("plant_alarm_waiting", 1.0)):
        own.publish(
            replace(bundle, name=name),
            {"beats_floor": better},
            comparison="f1 0.31 against 0.35 (last value)",
        )
    names = ["plant_alarm_worse", "plant_alarm_waiting", bundle.name]
    versions = own.serving_versions("plant_alarm", names)
    assert (
        versions["plant_alarm_worse"].loses
        == "is not better than its baseline (f1 0.31 against 0.35 (last value))"
    )
    assert versions["plant_alarm_waiting"].loses is None and versions[bundle.name].loses is None


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
        calls = [
            lambda r: r.serving_versions("plant_alarm", [bundle.name]),
            lambda r: r.champion(bundle.name),
        ]
        calls += [
            lambda r: r.versions(bundle.name),
            lambda r: r.publish(bundle),
            lambda r: r.promote(bundle.name, "1"),
        ]
        for call in calls:
            with pytest.raises(
                RegistryError, match=rf"registry file .*{name}\.db is damaged \(.*\): restore it"
            ) as error:
                call(registry)
            assert "\n" not in str(error.value)


def test_the_command_line_reports_a_damaged_registry_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 500)
    process = alarmstack(tmp_path, "promote", "plant_alarm_champion", check=False)
    assert process.returncode != 0
    assert "is damaged (file is not a database)" in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("metric", "lower"),
    [
        ("rmse", True),
        ("sealed_false_alarms_per_day", True),
        ("brier_skill", False),
        ("f1_anomaly", False),
    ],
)
def test_metrics_that_are_better_when_lower_are_known(metric: str, lower: bool) -> None:
    assert lower_is_better(metric) is lower


def test_the_environment_is_unchanged_by_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://the-users-own")
    Registry(f"sqlite:///{tmp_path / 'mlflow.db'}").versions("nobody")
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://the-users-own"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    Registry(f"sqlite:///{tmp_path / 'mlflow.db'}").versions("nobody")
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_the_environment_is_unchanged_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://the-users-own")
    with pytest.raises(RuntimeError), _environment_kept(("MLFLOW_TRACKING_URI",)):
        os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///other"
        raise RuntimeError
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://the-users-own"


def test_roll_back_returns_to_the_previous_champion_even_after_the_alias_was_moved_by_hand(
    published: Registry, bundle: Bundle
) -> None:
    for version in ("1", "3", "2"):
        published.promote(bundle.name, version)
    assert published.roll_back(bundle.name) == "3"
    published._client.set_registered_model_alias(bundle.name, "champion", "2")
    assert published.roll_back(bundle.name) == "3"
    assert published.roll_back(bundle.name) == "1"


def test_a_challenger_is_not_the_champion_and_ends_when_it_is_promoted(
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
    assert published.serving_versions("plant_alarm", [bundle.name])[bundle.name].challenger == "3"
    published.promote(bundle.name, "3")
    versions = published.serving_versions("plant_alarm", [bundle.name])[bundle.name]
    assert (versions.champion, versions.challenger) == ("3", None)


def test_a_run_without_a_model_is_logged_to_its_own_experiment(
    tmp_path: Path, bundle: Bundle
) -> None:
    uri, artefact = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "rows.json"
    artefact.write_text("[]")
    registry = Registry(uri, "validation")
    number = registry.record(
        "plant_alarm",
        "walk",
        {"recall": 0.5, "lead": float("nan")},
        {"folds": 2},
        by_fold={"fold_recall": [0.4, float("nan"), 0.6]},
        artefacts=[artefact],
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
    assert [f.path for f in client.list_artifacts(number)] == ["rows.json"]
    assert Registry(uri, "notebooks").publish(bundle) == "1"
    assert client.get_experiment_by_name("plant_alarm_notebooks") is not None
