"""The pages that are made from the code are those that the code makes, and they leave nothing out."""

import pytest

from alarmstack.plant import Plant
from alarmstack.reference import PAGES
from alarmstack.reference.api import endpoints, gateway_document, inference_document, sensors_document
from alarmstack.reference.configuration import ELSEWHERE, variables
from alarmstack.settings import Settings
from tests.conftest import REPOSITORY

ASKED_FOR = [
    *("MODEL_PROMOTION_MODE", "MODEL_PROMOTION_METRIC", "MODEL_NAME", "MLFLOW_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL"),
    *("AIRFLOW_ADMIN_USER", "AIRFLOW_ADMIN_PASSWORD", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "POSTGRES_USER"),
    *("POSTGRES_PASSWORD", "JWT_SECRET", "UI_PORT", "TZ", "VITE_FRONTEND_API_URL", "VITE_SENSOR_API_URL"),
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(plant: Plant, name: str) -> None:
    assert (REPOSITORY / "docs" / name).read_text() == PAGES[name](plant), "run: make docs"


def test_every_variable_has_a_meaning_once() -> None:
    names = [variable.name for variable in (*variables(), *ELSEWHERE)]
    assert len(names) == len(set(names)) == len(Settings.model_fields) + len(ELSEWHERE)
    assert set(ASKED_FOR) <= set(names)
    assert not [v.name for v in (*variables(), *ELSEWHERE) if not (v.type and v.meaning and v.readers)]


def test_secrets_show_no_default() -> None:
    assert {variable.default for variable in variables() if variable.type == "secret"} == {""}


def test_every_endpoint_is_explained(plant: Plant) -> None:
    page = PAGES["api.md"](plant)
    for document in (sensors_document(plant), inference_document(plant), gateway_document()):
        for method, path, _ in endpoints(document):
            row = next(line for line in page.splitlines() if line.startswith(f"| `{method} {path}` |"))
            assert "|  |" not in row, row
