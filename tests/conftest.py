"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

from alarmstack.plant import Plant, load_plant
from tests.databases import database_url, postgres, role_urls
from tests.mlflow_server import mlflow_server
from tests.object_store import object_store
from tests.spark_cluster import spark_cluster

__all__ = ["database_url", "mlflow_server", "object_store", "postgres", "role_urls", "spark_cluster"]

REPOSITORY = Path(__file__).parent.parent


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
    """A data folder with promoted models; making it takes a minute. `ALARMSTACK_TEST_HOME` names one to use again."""
    from tests.home import furnish

    known = os.environ.get("ALARMSTACK_TEST_HOME")
    return Path(known) if known else furnish(tmp_path_factory.mktemp("home"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
