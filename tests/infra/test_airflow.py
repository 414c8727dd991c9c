"""Airflow runs the alarmstack commands: a drop becomes features on S3 and models in MLflow.

The run of an invalid drop fails, and its log gives the reasons.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alarmstack.pipelines.watcher import Airflow
from alarmstack.pipelines.watcher.drops import drop_fingerprint
from alarmstack.registry import Registry
from alarmstack.storage.buckets import make_buckets
from alarmstack.storage.files import Store
from tests.airflow_server import PASSWORD, USER, AirflowServer, airflow_server
from tests.conftest import REPOSITORY
from tests.home import alarmstack
from tests.mlflow_server import MlflowServer
from tests.object_store import OWNER, ObjectStore, as_identity

DROP_DAG, TRAIN_DAG = "ingest_etl_local_drop", "train_models_local"
STORE = "s3://features/airflow"
DAYS = 45
"""Enough for some models that are better than their baselines."""
PROMOTED = "plant_alarm_isolation_forest"
"""One of them."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def airflow(
    folder: Path, role_urls: dict[str, str], object_store: ObjectStore, mlflow_server: MlflowServer
) -> Iterator[AirflowServer]:
    with pytest.MonkeyPatch.context() as patch:
        as_identity(patch, OWNER)
        list(make_buckets(object_store.endpoint))
    (folder / "home").mkdir()
    (folder / "data_drop").mkdir()
    variables = {
        "ALARMSTACK_CLI": str(Path(sys.executable).with_name("alarmstack")),
        "ALARMSTACK_PLANT": str(REPOSITORY / "plants/gas_treatment/plant.toml"),
        "ALARMSTACK_DATA_DIR": str(folder / "data"),
        "ALARMSTACK_DROP_DIR": str(folder / "data_drop"),
        "ALARMSTACK_STORE_URL": STORE,
        "ALARMSTACK_RAW_URL": "s3://raw",
        "ALARMSTACK_CURATED_URL": "s3://curated",
        "MLFLOW_S3_ENDPOINT_URL": object_store.endpoint,
        "MLFLOW_TRACKING_URI": mlflow_server.url,
        "MODEL_PROMOTION_MODE": "auto",
        **OWNER.environment,
    }
    yield from airflow_server(folder / "home", role_urls["airflow"], variables)


def test_a_drop_becomes_a_run_on_s3_and_models_in_mlflow(
    airflow: AirflowServer,
    folder: Path,
    object_store: ObjectStore,
    mlflow_server: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_identity(monkeypatch, OWNER)
    drop = folder / "data_drop" / "spring"
    alarmstack(
        folder / "simulator",
        "simulate",
        "--days",
        str(DAYS),
        "--seed",
        "1",
        "--format",
        "parquet",
        "--out",
        str(drop),
    )
    run = airflow.trigger(DROP_DAG, source_path=str(drop)).json()["dag_run_id"]
    assert airflow.finished(DROP_DAG, run, 240) == "success", airflow.log(DROP_DAG, run, "etl")
    assert airflow.tasks(DROP_DAG, run) == dict.fromkeys(
        ("resolve_source_path", "great_expectations_validation", "etl"), "success"
    )
    manifest = Store(STORE, object_store.endpoint).latest()
    assert manifest is not None and manifest["rows"] == DAYS * 24 + 1
    assert Store(manifest["curated"], object_store.endpoint).names("") == [
        "cleaned_dataset.csv",
        "labeled_dataset.csv",
    ]

    run = airflow.trigger(TRAIN_DAG, days=30).json()["dag_run_id"]
    assert airflow.finished(TRAIN_DAG, run, 600) == "success"
    assert "recall" in airflow.log(TRAIN_DAG, run, "evaluate")
    assert f"{PROMOTED} is @champion" in airflow.log(TRAIN_DAG, run, "promote")
    assert (
        Registry(mlflow_server.url).champion(PROMOTED).data_fingerprint
        == manifest["data_fingerprint"]
    )


def test_a_refused_drop_ends_failed_with_the_gates_report(
    airflow: AirflowServer, folder: Path
) -> None:
    drop = folder / "data_drop" / "bad.csv"
    drop.write_text(
        "timestamp,PDT31008,anomaly_label\n2024-01-01 00:00:00,100,0\n2024-01-01 01:00:00,101,7\n"
    )
    run = airflow.trigger(DROP_DAG, source_path=str(drop)).json()["dag_run_id"]
    assert airflow.finished(DROP_DAG, run, 120) == "failed"
    assert airflow.tasks(DROP_DAG, run)["etl"] == "upstream_failed"
    assert airflow.tries(DROP_DAG, run, "great_expectations_validation") == 1
    log = airflow.log(DROP_DAG, run, "great_expectations_validation")
    assert "anomaly_label" in log and "refused by the gate; kept in" in log
    assert (
        next((folder / "data/refused").glob("bad-*")) / "bad.csv"
    ).read_bytes() == drop.read_bytes()


@pytest.mark.parametrize(
    ("conf", "reason"),
    [
        ({"source_path": "data_drop/nothing.csv"}, "is not there"),
        ({"source_path": "/etc/passwd"}, "outside the drop folder"),
    ],
)
def test_a_path_that_is_no_drop_ends_at_the_first_step(
    airflow: AirflowServer, folder: Path, conf: dict[str, str], reason: str
) -> None:
    path = conf["source_path"].replace("data_drop", str(folder / "data_drop"))
    run = airflow.trigger(DROP_DAG, source_path=path).json()["dag_run_id"]
    assert airflow.finished(DROP_DAG, run, 120) == "failed"
    assert reason in airflow.log(DROP_DAG, run, "resolve_source_path")


@pytest.mark.parametrize("conf", [{}, {"source_path": ""}, {"source_path": 7}])
def test_a_run_without_a_path_is_not_created(
    airflow: AirflowServer, conf: dict[str, object]
) -> None:
    answer = airflow.trigger(DROP_DAG, **conf)
    assert answer.status_code == 400 and "source_path" in answer.text


def test_the_watcher_triggers_one_run_for_a_drop(airflow: AirflowServer, folder: Path) -> None:
    """The real client calls the real server. A second call for the same drop creates no run."""
    drop = folder / "data_drop" / "watched.csv"
    drop.write_text("timestamp,anomaly_label\n2024-01-01 00:00:00,7\n")
    take = Airflow(airflow.url, USER, PASSWORD)
    run = take(drop, drop_fingerprint(drop)).detail
    assert take(drop, drop_fingerprint(drop)).detail == run
    assert airflow.finished(DROP_DAG, run, 120) == "failed"
    assert airflow.get(f"dags/{DROP_DAG}/dagRuns/{run}")["conf"] == {"source_path": str(drop)}
