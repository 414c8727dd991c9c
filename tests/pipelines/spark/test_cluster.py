"""A real cluster gives the same results as the local pipelines, also when a worker is lost."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.pipelines.etl.local import Archive, run
from alarmstack.pipelines.etl.local import run_assets as run_locally
from alarmstack.pipelines.etl.tables import read_table
from alarmstack.pipelines.local import champions, newest, score_source
from alarmstack.pipelines.spark.cluster import cluster
from alarmstack.pipelines.spark.etl import run_assets
from alarmstack.pipelines.spark.pieces import Job
from alarmstack.pipelines.spark.scoring import score_assets
from alarmstack.preparation import intake
from alarmstack.preparation.assets import assets_in
from alarmstack.preparation.intake import take_in
from alarmstack.preparation.quality import GateResult
from alarmstack.storage.buckets import make_buckets
from alarmstack.storage.files import Store
from tests.conftest import REPOSITORY
from tests.home import alarmstack
from tests.object_store import OWNER, ObjectStore, as_identity
from tests.pipelines.spark import same_scores
from tests.spark_cluster import SparkCluster
from tests.waiting import until

pytestmark = pytest.mark.slow
JOBS = REPOSITORY / "infra/spark/jobs"
SMALL_DRIVER = ("--driver-memory", "512m", "--conf", "spark.driver.maxResultSize=1m")
TABLES = ("intervals", "train", "train_smote", "valid", "windows_1h", "windows_3h", "windows_6h")


@pytest.fixture(scope="module")
def fleet(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred assets: a year of one, and three days of each of the others."""
    folder = tmp_path_factory.mktemp("fleet") / "drops"
    alarmstack(
        home,
        "simulate",
        "--days",
        "3",
        "--assets",
        "99",
        "--seed",
        "3",
        "--format",
        "parquet",
        "--out",
        str(folder),
    )
    (folder / "asset_000").symlink_to(home / "training")
    return folder


def some_of(fleet: Path, folder: Path, *assets: str) -> Path:
    """A folder with some of the assets."""
    folder.mkdir()
    for asset in assets:
        (folder / asset).symlink_to((fleet / asset).resolve())
    return folder


def same_tables(plant: Plant, one: Store, other: Store) -> None:
    """Assert that the latest runs of both stores contain the same tables, bit for bit."""
    first, second = one.latest(), other.latest()
    assert first is not None and second is not None
    for key in (
        "rows",
        "onsets",
        "sealed_from",
        "data_fingerprint",
        "plant_fingerprint",
        "schema",
        "first",
        "last",
    ):
        assert first[key] == second[key], key
    for name in TABLES:
        assert_frame_equal(
            read_table(one, first, name), read_table(other, second, name), check_exact=True
        )


def test_a_hundred_assets_on_s3_equal_the_local_job_with_a_small_driver(
    spark_cluster: SparkCluster,
    fleet: Path,
    plant: Plant,
    object_store: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_identity(monkeypatch, OWNER)
    list(make_buckets(object_store.endpoint))
    environment = {
        "ALARMSTACK_DATA_DIR": str(tmp_path / "driver"),
        "ALARMSTACK_PLANT": str(REPOSITORY / "plants/gas_treatment/plant.toml"),
        "ALARMSTACK_STORE_URL": "s3://features/fleet",
        "MLFLOW_S3_ENDPOINT_URL": object_store.endpoint,
    }
    printed = spark_cluster.submit(
        JOBS / "etl_job.py", str(fleet), environment=environment, options=SMALL_DRIVER
    )
    assert printed.count(" rows, ") == 100
    # The job checks every asset. The local tables need no second check of the same data.
    monkeypatch.setattr(intake, "validate", lambda *_, **__: GateResult(True, ()))
    here = Settings(data=tmp_path / "here")
    drops = assets_in(fleet)
    assert len(drops) == 100
    for asset, drop in drops.items():
        # What `run_assets` does with an asset, without its child process to read each drop.
        local_store = Store(f"{here.store}/{asset}")
        run(plant, take_in(plant, drop), local_store, archive=Archive.of(here, asset))
        same_tables(
            plant, local_store, Store(f"s3://features/fleet/{asset}", object_store.endpoint)
        )


def test_the_loss_of_a_worker_during_a_run_does_not_change_the_tables(
    spark_cluster: SparkCluster, fleet: Path, plant: Plant, tmp_path: Path
) -> None:
    source = some_of(fleet, tmp_path / "some", "asset_000", "asset_001")
    there, here = Settings(data=tmp_path / "there"), Settings(data=tmp_path / "here")
    parts = Path(there.store.removeprefix("file://"))

    def kill_when_parts_are_written() -> None:
        until(
            lambda: list(parts.glob("asset_000/runs/*/train/*.parquet")),
            lambda: f"in {parts}: {list(parts.rglob('*'))}",
            seconds=120,
        )
        spark_cluster.kill_a_worker()

    with cluster(spark_cluster.url, "a worker dies") as spark:
        killer = threading.Thread(target=kill_when_parts_are_written, daemon=True)
        killer.start()
        manifests = dict(run_assets(spark, Job(plant, there, chunk_rows=300), source))
        killer.join(10)
    spark_cluster.start_workers()
    assert (
        len([name for name in manifests["asset_000"]["files"] if name.startswith("valid/")]) == 30
    )
    for asset, _, _ in run_locally(plant, here, source):
        same_tables(plant, Store(f"{here.store}/{asset}"), Store(f"{there.store}/{asset}"))


def test_a_refused_asset_is_named_and_all_others_are_published(fleet: Path, tmp_path: Path) -> None:
    source = some_of(fleet, tmp_path / "some", "asset_001")
    (source / "bad").mkdir()
    (source / "bad" / "broken.csv").write_text("not;a;historian\n")
    done = alarmstack(
        tmp_path / "home",
        "etl",
        str(source),
        "--engine",
        "spark",
        "--master",
        "local[1]",
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "bad: refused: " in done.stdout and "asset_001: run " in done.stdout
    assert "bad: refused by the gate; all others are published" in done.stderr


def test_a_fleets_scores_equal_the_local_ones(
    spark_cluster: SparkCluster, fleet: Path, home: Path, plant: Plant, tmp_path: Path
) -> None:
    source = some_of(fleet, tmp_path / "some", "asset_000", "asset_001")
    settings = Settings(data=home)
    with cluster(spark_cluster.url, "scores") as spark:
        job = Job(plant, settings, chunk_rows=1000)
        scored = dict(
            score_assets(
                spark, job, source, champions(plant, settings), (tmp_path / "there").as_uri()
            )
        )
    assert set(scored) == {"asset_000", "asset_001"}
    for asset in scored:
        here = score_source(plant, settings, source / asset, tmp_path / "here" / asset)[0]
        there = tmp_path / "there" / asset / scored[asset]["file"]
        same_scores(pl.read_csv(there), pl.read_csv(here))


def test_training_by_spark_submit_registers_the_models(
    spark_cluster: SparkCluster, plant: Plant, tmp_path: Path
) -> None:
    alarmstack(
        tmp_path,
        "simulate",
        "--days",
        "60",
        "--seed",
        "5",
        "--format",
        "parquet",
        "--out",
        str(tmp_path / "training"),
    )
    alarmstack(tmp_path, "etl", str(tmp_path / "training"))
    environment = {
        "ALARMSTACK_DATA_DIR": str(tmp_path),
        "ALARMSTACK_PLANT": str(REPOSITORY / "plants/gas_treatment/plant.toml"),
    }
    printed = spark_cluster.submit(
        JOBS / "train_job.py", "--json", str(tmp_path / "trained.json"), environment=environment
    )
    assert "Registered models" in printed
    trained = [model["name"] for model in json.loads((tmp_path / "trained.json").read_text())]
    assert trained == [one.name for one in model_list(plant)]
    assert [newest(plant, Settings(data=tmp_path))[name].name for name in trained] == trained
