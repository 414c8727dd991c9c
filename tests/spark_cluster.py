"""A Spark cluster for tests: a standalone master and two workers with one core, as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.components import program
from tests.object_store import OWNER, free_ports
from tests.waiting import end_of, until

READY_SECONDS = 90
WORKERS = 2


class SparkCluster:
    """The master's address, and workers that can be killed."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        program("java")
        self.folder = folder
        self.home = Path(pyspark.__file__).parent
        self.port, self.page = free_ports(2)
        self.url = f"spark://127.0.0.1:{self.port}"
        self.master: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start, and wait until both workers have registered at the master."""
        self.master = self._run(
            "master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--webui-port",
            str(self.page),
        )
        self.start_workers()

    def start_workers(self) -> None:
        """Start the missing workers, and wait until they have registered at the master."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            self.workers.append(
                self._run(
                    "worker.Worker",
                    self.url,
                    "--host",
                    "127.0.0.1",
                    "--cores",
                    "1",
                    "--memory",
                    "1G",
                    "--webui-port",
                    "0",
                )
            )
        until(
            lambda: self._alive() == WORKERS,
            lambda: end_of(self.folder / "log"),
            seconds=READY_SECONDS,
        )

    def kill_a_worker(self) -> None:
        """Kill a worker and its executors, as a power cut would."""
        worker = self.workers.pop(0)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for process in (*self.workers, self.master):
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def submit(
        self, job: Path, *arguments: str, environment: dict[str, str], options: tuple[str, ...] = ()
    ) -> str:
        """Run a job by spark-submit. Returns what it prints."""
        command = [str(self.home / "bin/spark-submit"), "--master", self.url]
        job_environment = {
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "COLUMNS": "160",
            **environment,
        }
        done = subprocess.run(
            [*command, *options, str(job), *arguments],
            env=job_environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def _run(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            **OWNER.environment,
            "SPARK_WORKER_DIR": str(self.folder),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        environment["PYSPARK_PYTHON"] = sys.executable
        command = [str(self.home / "bin/spark-class"), f"org.apache.spark.deploy.{what}", *words]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def _alive(self) -> int:
        try:
            return int(
                httpx.get(f"http://127.0.0.1:{self.page}/json/", timeout=5).json()["aliveworkers"]
            )
        except (httpx.HTTPError, ValueError):
            return 0


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    cluster = SparkCluster(tmp_path_factory.mktemp("spark"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
