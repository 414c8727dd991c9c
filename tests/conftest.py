"""Fixtures that several test files share."""

import os
import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from filelock import FileLock

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

REPOSITORY = Path(__file__).parent.parent
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker's main module has neither file nor spec, which PySpark takes for a run of its own doctests, and ends the process.
    sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)
FURNISHED = "furnished"
"""Written last into the test home."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test has a name of its own, and files that take long come first: what is begun last should not keep the run waiting."""
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(
            f"tests of one name, of which workers would run one: {', '.join(twice)}"
        )
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def plant() -> Plant:
    return load_plant(REPOSITORY / "plants/gas_treatment/plant.toml")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The public yardstick data, which lies beside the repository and is never part of it."""
    folder = Path(os.environ.get("ALARMSTACK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
            pytest.fail(f"{folder} is missing, and ALARMSTACK_TEST_ALL=1 leaves nothing out")
        pytest.skip(f"yardstick data not found at {folder}: set ALARMSTACK_DATA")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with promoted models; making it takes a minute. `ALARMSTACK_TEST_HOME` names one to use again.

    Workers of one run share it: who comes first makes it, the other waits.
    """
    from tests.home import furnish

    if known := os.environ.get("ALARMSTACK_TEST_HOME"):
        return Path(known)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return furnish(tmp_path_factory.mktemp("home"))
    shared = tmp_path_factory.getbasetemp().parent / "home"
    with FileLock(f"{shared}.lock"):
        return shared if (shared / FURNISHED).exists() else furnish(shared)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
