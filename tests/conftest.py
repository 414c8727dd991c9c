"""Fixtures that several test files share."""

import os
import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from alarmstack.core.plant import Plant, load_plant
from tests.databases import database_url, postgres, role_urls
from tests.mlflow_server import mlflow_server
from tests.object_store import object_store
from tests.spark_cluster import spark_cluster

__all__ = [
    "database_url",
    "mlflow_server",
    "object_store",
    "postgres",
    "role_urls",
    "spark_cluster",
]

# On a busy computer an example may be slow: that is not a failure.
settings.register_profile("alarmstack", deadline=None)
settings.load_profile("alarmstack")
REPOSITORY = Path(__file__).parent.parent
if "PYTEST_XDIST_WORKER" in os.environ:
    # The main module of a worker has neither file nor spec. PySpark takes this for a run of its own
    # doctests and ends the process.
    sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)
FURNISHED = "furnished"
"""The last file that is written to the test home."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check that test names are unique, and run slow files first, so that no worker ends late."""
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(
            f"several tests with the same name, of which only one would run: {', '.join(twice)}"
        )
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def plant() -> Plant:
    return load_plant(REPOSITORY / "plants/gas_treatment/plant.toml")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The public benchmark data, which is beside the repository and never part of it."""
    folder = Path(os.environ.get("ALARMSTACK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
            pytest.fail(f"{folder} is missing, and ALARMSTACK_TEST_ALL=1 allows no skipped test")
        pytest.skip(f"benchmark data not found at {folder}: set ALARMSTACK_DATA")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with promoted models, which takes a minute to create.

    `ALARMSTACK_TEST_HOME` names an existing one. The workers of a test run share it: the first one
    creates it, and the others wait.
    """
    from tests.home import furnish

    if existing := os.environ.get("ALARMSTACK_TEST_HOME"):
        return Path(existing)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return furnish(tmp_path_factory.mktemp("home"))
    shared = tmp_path_factory.getbasetemp().parent / "home"
    with FileLock(f"{shared}.lock"):
        return shared if (shared / FURNISHED).exists() else furnish(shared)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
