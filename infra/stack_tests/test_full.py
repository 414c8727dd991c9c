"""The full stack: a drop becomes features, trained models are served, and every service is
monitored.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack_tests import REPOSITORY
from stack_tests.engine import Engine
from stack_tests.stack import Stack, free_ports, until
from stack_tests.standins import missing, provide, wanted

FILE = REPOSITORY / "infra/compose.yml"
PORTS = (
    "UI_PORT",
    "MLFLOW_CONSOLE_PORT",
    "AIRFLOW_CONSOLE_PORT",
    "SPARK_CONSOLE_PORT",
    "S3_PORT",
    "S3_CONSOLE_PORT",
    "PROMETHEUS_CONSOLE_PORT",
    "GRAFANA_CONSOLE_PORT",
)
ONE_SHOT = ("minio_bootstrap", "airflow-init")
DROP_DAG, TRAIN_DAG = "ingest_etl_local_drop", "train_models_local"
DAYS = 120
"""Length of the drop: enough onsets for training, and short enough for a test."""
RUN_SECONDS = 1200.0
PREDICT = """
import urllib.request as web
body, kind = b'{"features": {}}', {"Content-Type": "application/json"}
print(web.urlopen(web.Request("http://inference-api:7502/predict", body, kind)).read().decode())
"""
"""Run in another container, because the inference API is not published."""


def secrets(folder: Path) -> dict[str, str]:
    """The variables that `make init` writes, in a new folder."""
    (folder / "infra").mkdir()
    for name in ("init.py", ".env.example"):
        shutil.copy(FILE.parent / name, folder / "infra" / name)
    subprocess.run([sys.executable, str(folder / "infra/init.py")], check=True, capture_output=True)
    return dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.+)$", (folder / "infra/.env").read_text()))


@pytest.fixture(scope="module")
def stack(
    engine: Engine, not_run: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The running stack, with all services whose image is available."""
    images = wanted(FILE)
    provide(engine, images)
    variables = {
        **secrets(tmp_path_factory.mktemp("secrets")),
        **free_ports(PORTS),
        "MODEL_PROMOTION_MODE": "auto",
    }
    services = Stack(engine, FILE, variables).services
    absent = {name for name, one in services.items() if one["image"] in missing(images)}
    full = Stack(engine, FILE, variables, without=frozenset(absent))
    for name in sorted(absent):
        not_run.append(
            f"{name}: the image of its vendor is not available; tests/infra checks its files"
        )
    not_run.append(
        "official images: replacements from Debian, PyPI and npm packages were used for "
        + ", ".join(sorted(images - missing(images)))
    )
    try:
        full.start()
        for service in full.services:
            (full.ended_well if service in ONE_SHOT else full.healthy)(service)
        yield full
    finally:
        full.keep_logs()
        full.down()
    assert full.leftovers() == []


class Airflow:
    """A client of Airflow's REST API, with the administrator of the env file."""

    def __init__(self, stack: Stack) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{stack.variables['AIRFLOW_CONSOLE_PORT']}", timeout=60
        )
        login = {
            "username": stack.variables["AIRFLOW_ADMIN_USER"],
            "password": stack.variables["AIRFLOW_ADMIN_PASSWORD"],
        }
        answer = self.client.post("/auth/token", json=login)
        assert answer.is_success, answer.text
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def runs(self, dag: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/api/v2/dags/{dag}/dagRuns").json()
        runs: list[dict[str, Any]] = answer["dag_runs"]
        return runs

    def trigger(self, dag: str, **conf: object) -> None:
        answer = self.client.post(
            f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf}
        )
        assert answer.is_success, answer.text

    def log(self, dag: str) -> str:
        """The last lines of the log of each task in the newest run."""
        run = self.runs(dag)[-1]["dag_run_id"]
        tasks = self.client.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances").json()[
            "task_instances"
        ]
        logs = [
            json.dumps(
                self.client.get(
                    f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{one['task_id']}/logs/1"
                ).json()
            )[-3000:]
            for one in tasks
            if one["state"] not in (None, "upstream_failed")
        ]
        return "\n".join(logs)


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Airflow:
    return Airflow(stack)


def finished(airflow: Airflow, dag: str) -> None:
    """Wait until the only run of a DAG has succeeded."""

    def ended() -> bool:
        runs = airflow.runs(dag)
        assert not [run for run in runs if run["state"] == "failed"], airflow.log(dag)
        return [run["state"] for run in runs] == ["success"]

    until(ended, RUN_SECONDS, lambda: f"{airflow.runs(dag)}: {airflow.log(dag)}")


def objects(stack: Stack, bucket: str) -> list[str]:
    """Names of the objects in a bucket, listed with the identity of the pipeline."""
    import boto3

    client = boto3.Session().client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.variables['S3_PORT']}",
        aws_access_key_id="pipeline",
        aws_secret_access_key=stack.variables["PIPELINE_S3_SECRET_KEY"],
        region_name="us-east-1",
    )
    return [one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_one_entrance_serves_page_and_api(stack: Stack) -> None:
    page = f"http://127.0.0.1:{stack.variables['UI_PORT']}"
    answers = {
        path: httpx.get(f"{page}{path}", timeout=30)
        for path in ("/", "/api/health", "/api/nothing")
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 404]
    for answer in answers.values():
        assert len(answer.headers.get_list("content-security-policy")) == 1
    assert answers["/api/health"].json()["feed"]["feed"] == "live", answers["/api/health"].text
    assert httpx.get(f"{page}/metrics").status_code == 404


def test_there_is_no_account_until_one_is_added(stack: Stack) -> None:
    page = f"http://127.0.0.1:{stack.variables['UI_PORT']}"
    for name in ("demo", "admin"):
        assert (
            httpx.post(
                f"{page}/api/auth/login", data={"username": name, "password": name}, timeout=30
            ).status_code
            == 401
        )
    password = re.search(
        r"password: (\S+)",
        stack.execute(
            "frontend-api", "alarmstack", "user", "add", "anna", "--role", "admin", "--generate"
        ),
    )
    assert password is not None
    answer = httpx.post(
        f"{page}/api/auth/login", data={"username": "anna", "password": password[1]}, timeout=30
    )
    token = answer.json()["access_token"]
    assert (
        httpx.get(
            f"{page}/api/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=30
        ).json()["role"]
        == "admin"
    )
    begin = time.monotonic()
    with httpx.stream(
        "GET", f"{page}/api/stream", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as stream:
        assert next(stream.iter_lines()) and time.monotonic() - begin < 20


def test_each_identity_has_its_own_buckets(stack: Stack) -> None:
    from botocore.exceptions import ClientError

    assert objects(stack, "features") == []
    with pytest.raises(ClientError, match="AccessDenied"):
        objects(stack, "mlflow-artifacts")


def test_a_dropped_file_becomes_features_on_the_store(
    stack: Stack, airflow: Airflow, tmp_path: Path
) -> None:
    """The whole path: drop folder, watcher, Airflow, validation, Spark, S3."""
    drop = REPOSITORY / "data_drop" / f"stack-test-{os.getpid()}"
    simulated = tmp_path / "simulated"
    command = [
        str(Path(sys.executable).with_name("alarmstack")),
        "simulate",
        "--days",
        str(DAYS),
        "--seed",
        "1",
        "--out",
        str(simulated),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
    try:
        shutil.copytree(simulated, drop, ignore=shutil.ignore_patterns("truth"))
        until(lambda: bool(airflow.runs(DROP_DAG)), 180, lambda: stack.log("file-watcher"))
        finished(airflow, DROP_DAG)
    finally:
        shutil.rmtree(drop, ignore_errors=True)
    assert {"latest/manifest.json"} < set(objects(stack, "features"))
    assert any(name.endswith("labeled_dataset.csv") for name in objects(stack, "curated"))
    applications = httpx.get(
        f"http://127.0.0.1:{stack.variables['SPARK_CONSOLE_PORT']}/json/", timeout=30
    ).json()["completedapps"]
    assert [one["state"] for one in applications] == ["FINISHED"]


def test_training_promotes_models_that_then_speak(stack: Stack, airflow: Airflow) -> None:
    airflow.trigger(TRAIN_DAG, days=28)
    finished(airflow, TRAIN_DAG)
    mlflow = f"http://127.0.0.1:{stack.variables['MLFLOW_CONSOLE_PORT']}/api/2.0/mlflow"
    champion = httpx.get(
        f"{mlflow}/registered-models/alias",
        params={"name": "plant_alarm_champion", "alias": "champion"},
        timeout=30,
    )
    assert champion.json()["model_version"]["version"] == "1", champion.text
    until(
        lambda: stack.engine.succeeds(
            "exec", stack.container("frontend-api"), "python", "-c", PREDICT
        ),
        120,
        lambda: stack.log("inference-api"),
    )
    model = json.loads(stack.execute("frontend-api", "python", "-c", PREDICT))["model"]
    assert (model["name"], model["version"]) == ("plant_alarm_champion", "1")


def test_prometheus_sees_every_service(stack: Stack) -> None:
    api = f"http://127.0.0.1:{stack.variables['PROMETHEUS_CONSOLE_PORT']}/api/v1"

    def down() -> list[str]:
        targets = httpx.get(f"{api}/targets", timeout=30).json()["data"]["activeTargets"]
        return [
            f"{target['scrapeUrl']}: {target['lastError'] or target['health']}"
            for target in targets
            if target["health"] != "up"
        ]

    until(lambda: not down(), 120, lambda: "; ".join(down()))
    free = {"query": "instance:volumes_free:ratio"}
    until(
        lambda: bool(httpx.get(f"{api}/query", params=free, timeout=30).json()["data"]["result"]),
        60,
        lambda: "no free space of the volumes is reported",
    )
    groups = httpx.get(f"{api}/rules", timeout=30).json()["data"]["groups"]
    assert groups and {rule["health"] for group in groups for rule in group["rules"]} <= {
        "ok",
        "unknown",
    }


def test_no_service_ran_out_of_memory_or_runs_as_root(stack: Stack) -> None:
    for service in stack.services:
        state = stack.inspected(service)["State"]
        assert not state["OOMKilled"], service
        if service not in ONE_SHOT:
            assert stack.execute(service, "id", "-u").strip() != "0", service
