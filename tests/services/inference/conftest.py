"""The inference API over the models of the test home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from alarmstack.core.plant import Plant
from alarmstack.registry import Registry
from alarmstack.services.inference import Shelf, create_app


@pytest.fixture(scope="session")
def shelf(home: Path, plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    loaded = Shelf(
        plant,
        Registry(f"sqlite:///{home / 'mlflow.db'}"),
        tmp_path_factory.mktemp("shelf"),
        unpromoted=True,
    )
    loaded.refresh()
    return loaded


@pytest.fixture(scope="session")
def service(shelf: Shelf) -> FastAPI:
    return create_app(shelf)


@pytest.fixture(scope="session")
def client(service: FastAPI) -> Iterator[TestClient]:
    # Without the lifespan, no models are reloaded.
    yield TestClient(service)
