"""The service answers any valid or invalid request as its OpenAPI document states, without 5xx."""

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.slow
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = 9


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_documented(service: FastAPI, mode: GenerationMode) -> None:
    operations = [
        o.ok()  # type: ignore[union-attr]
        for o in schemathesis.openapi.from_asgi("/openapi.json", service).get_all_operations()
    ]
    assert len(operations) >= OPERATIONS
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # A request without parameters cannot be invalid.

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def validate(case: Case) -> None:
            case.call_and_validate(checks=CHECKS)

        validate()


def test_every_example_of_the_document_is_answered(service: FastAPI) -> None:
    client, requests = TestClient(service), 0
    for path, methods in service.openapi()["paths"].items():
        examples = (
            methods.get("post", {})
            .get("requestBody", {})
            .get("content", {})
            .get("application/json", {})
            .get("examples", {})
        )
        for name, example in examples.items():
            answer = client.post(path, json=example["value"])
            assert answer.status_code == 200, (path, name, answer.json())
            requests += 1
    assert requests >= 8
