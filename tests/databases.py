"""The databases of storage tests: a new SQLite file, and a new database of a real Postgres."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

KINDS = ("sqlite", "postgres")
ROLES = ("alarmstack", "mlflow", "airflow")
"""Services that have a database in the Postgres server of the full stack."""
EXPORTER_PASSWORD = "exporter-password"
"""Without a blank, which the exporter does not accept in its address. `make init` uses none."""
NewUrl = Callable[[], str]


class Postgres:
    """A server that belongs to the test run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._numbers = count()

    def start(self) -> None:
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            for parent in self.folder.parents:
                if parent.stat().st_uid == 0 and parent != Path("/") and parent != Path("/tmp"):
                    parent.chmod(0o755)
        self._run(
            "initdb",
            "--auth=trust",
            "--username=test",
            "--no-sync",
            "--encoding=UTF8",
            "-D",
            str(self.folder / "data"),
        )
        self.resume()

    def resume(self) -> None:
        """Start again with the existing data."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off "
            f"-c unix_socket_directories={self.folder}"
        )
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "-w",
            "start",
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def new(self) -> str:
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(
            f"postgresql://test@127.0.0.1:{self.port}/postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{name}"

    def run_script(self, script: Path, **environment: str) -> None:
        """Run a script of psql commands, as the image does with a new data folder."""
        variables = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "POSTGRES_USER": "test",
            **environment,
        }
        path = os.pathsep.join([str(Path(str(find("psql"))).parent), os.environ["PATH"]])
        subprocess.run(["sh", str(script)], env=os.environ | variables | {"PATH": path}, check=True)

    def _run(self, program: str, *options: str) -> None:
        as_postgres = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            if os.geteuid() == 0
            else []
        )
        path = find(program)
        assert path is not None, f"{program} of Postgres is missing"
        done = subprocess.run(
            [*as_postgres, path, *options],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        assert done.returncode == 0, done.stderr


def find(program: str) -> str | None:
    """The path of a program of Postgres. On Debian these are not on PATH."""
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return shutil.which(program, path=os.pathsep.join([*places, os.environ["PATH"]]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if find("initdb") is None or find("pg_ctl") is None:
        if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
            pytest.fail(
                "Postgres is missing, and ALARMSTACK_TEST_ALL=1 allows no skipped test: "
                "`make system-deps` installs it"
            )
        pytest.skip("Postgres is not installed: `make system-deps`")
    # Not below pytest's folder: another test run makes that inaccessible for the user postgres.
    with TemporaryDirectory(prefix="alarmstack-postgres-") as folder:
        server = Postgres(Path(folder) / "server")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def role_urls(postgres: Postgres) -> dict[str, str]:
    """A URL for each service on one server, set up by the script of the full stack."""
    from tests.conftest import REPOSITORY

    passwords = {f"{name.upper()}_DB_PASSWORD": f"{name} password" for name in ROLES} | {
        "EXPORTER_DB_PASSWORD": EXPORTER_PASSWORD
    }
    postgres.run_script(REPOSITORY / "infra/postgres/init-databases.sh", **passwords)
    return {
        name: f"postgresql+psycopg://{name}:{name}%20password@127.0.0.1:{postgres.port}/{name}"
        for name in ROLES
    }


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'alarmstack.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new()
