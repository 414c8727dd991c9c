"""The OpenAPI document of the gateway.

The page's client is generated from it, and the API is tested against it.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from alarmstack.services.schemas.gateway import FeedStatus, PlantAssessment, PlantState
from alarmstack.services.schemas.sensors import Live

STREAMED: tuple[type[BaseModel], ...] = (Live, PlantAssessment, FeedStatus, PlantState)
"""Bodies of events, which no endpoint returns as such."""


def describe(app: FastAPI) -> None:
    """Make the app return its document, which is built once."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title,
        version=app.version,
        summary="Everything that the screen requests.",
        routes=app.routes,
        servers=[{"url": "/api", "description": "As the page requests it"}, {"url": "/"}],
    )
    _, streamed = models_json_schema(
        [(body, "serialization") for body in STREAMED], ref_template="#/components/schemas/{model}"
    )
    schemas = described["components"]["schemas"]
    for name, schema in streamed["$defs"].items():
        schemas.setdefault(name, schema)
    references = [{"$ref": f"#/components/schemas/{body.__name__}"} for body in STREAMED]
    stream = described["paths"]["/stream"]["get"]["responses"]["200"]
    stream["content"] = {"text/event-stream": {"schema": {"oneOf": references}}}
    return described


__all__ = ["describe"]
