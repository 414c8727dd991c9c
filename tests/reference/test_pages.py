"""The generated pages of docs/ are up to date and complete."""

import re

import pytest

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.reference import PAGES
from alarmstack.reference.api import (
    endpoints,
    gateway_document,
    inference_document,
    sensors_document,
)
from alarmstack.reference.configuration import ELSEWHERE, variables
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(plant: Plant, name: str) -> None:
    assert (REPOSITORY / "docs" / name).read_text() == PAGES[name](plant), "run: make docs"


def test_every_variable_is_listed_once_with_a_meaning() -> None:
    names = [variable.name for variable in (*variables(), *ELSEWHERE)]
    assert len(names) == len(set(names)) == len(Settings.model_fields) + len(ELSEWHERE)
    assert not [
        v.name for v in (*variables(), *ELSEWHERE) if not (v.type and v.meaning and v.readers)
    ]


def test_every_variable_of_the_env_file_is_explained() -> None:
    listed = re.findall(
        r"(?m)^(?:# )?([A-Z][A-Z0-9_]+)=", (REPOSITORY / "infra/.env.example").read_text()
    )
    assert listed and set(listed) <= {variable.name for variable in (*variables(), *ELSEWHERE)}


def test_secrets_show_no_default() -> None:
    assert {variable.default for variable in variables() if variable.type == "secret"} == {""}


def test_every_endpoint_is_explained(plant: Plant) -> None:
    page = PAGES["api.md"](plant)
    for document in (sensors_document(plant), inference_document(plant), gateway_document()):
        for method, path, _ in endpoints(document):
            row = next(
                line for line in page.splitlines() if line.startswith(f"| `{method} {path}` |")
            )
            assert "|  |" not in row, row
