"""A real Airflow as in the full stack: `airflow standalone` with LocalExecutor, on Postgres."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.components import own_environment
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.waiting import end_of, until

READY_SECONDS = 180
USER, PASSWORD = "admin", "only-for-tests"
DONE = ("success", "failed")


@dataclass
class AirflowServer:
    """A running server, with the requests that tests send to it."""

    home: Path
    environment: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until the DAGs can be triggered."""
        run = own_environment("airflow") / "airflow"
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [run, "standalone"],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
            )
        until(
            self._ready,
            lambda: end_of(self.home / "log"),
            seconds=READY_SECONDS,
            every=0.5,
            process=self.process,
        )

    def stop(self) -> None:
        """End the whole group: the scheduler, its workers, the server."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log_in(self) -> None:
        answer = self.client.post(
            f"{self.url}/auth/token", json={"username": USER, "password": PASSWORD}
        )
        answer.raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def trigger(self, dag: str, **conf: object) -> httpx.Response:
        """Trigger a run of a DAG by REST, as a user does."""
        return self.client.post(
            f"{self.url}/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf}
        )

    def finished(self, dag: str, run: str, seconds: float) -> str:
        """Wait for the end of a run. Returns its state."""
        until(
            lambda: self._state(dag, run) in DONE,
            lambda: (self._state(dag, run), self.tasks(dag, run), end_of(self.home / "log")),
            seconds=seconds,
            every=0.5,
        )
        return self._state(dag, run)

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """The state of every task of a run."""
        tasks = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def tries(self, dag: str, run: str, task: str) -> int:
        return int(self.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}")["try_number"])

    def log(self, dag: str, run: str, task: str) -> str:
        """The log of the first try of a task."""
        lines = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1")["content"]
        return "\n".join(map(str, lines))

    def get(self, path: str) -> Any:
        answer = self.client.get(f"{self.url}/api/v2/{path}")
        answer.raise_for_status()
        return answer.json()

    def _state(self, dag: str, run: str) -> str:
        return str(self.get(f"dags/{dag}/dagRuns/{run}")["state"])

    def _ready(self) -> bool:
        try:
            self.log_in()
            return {dag["dag_id"] for dag in self.get("dags")["dags"]} >= {
                "ingest_etl_local_drop",
                "train_models_local",
            }
        except httpx.HTTPError:
            return False


def airflow_server(
    home: Path, database: str, variables: Mapping[str, str]
) -> Iterator[AirflowServer]:
    """A running Airflow whose tasks have these environment variables."""
    port, worker_log, trigger_log = free_ports(3)
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "infra/airflow/dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        # Standalone has only this login; the request for the token is the same as elsewhere.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.replace("+psycopg:", "+psycopg2:"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-that-is-only-for-tests-0123456789-abcdefghijklm",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log),
        "PATH": os.pathsep.join([str(own_environment("airflow")), os.environ["PATH"]]),
    }
    (home / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
    server = AirflowServer(home, os.environ | settings | dict(variables), port)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()
