"""The OpenAPI document of the gateway.

The page's client is generated from it, and the API is tested against it.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, SecretStr
from pydantic.json_schema import models_json_schema

from alarmstack.core.settings import Settings
from alarmstack.services.gateway.credentials import new_token
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


def document() -> dict[str, Any]:
    """The document, without a running service."""
    from alarmstack.services.gateway.app import create_app

    settings = Settings(jwt_secret=SecretStr(new_token()), database_url="sqlite:///:memory:")
    return create_app(settings, monitored=False).openapi()


def written() -> str:
    """The text of ui/openapi.json."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


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


__all__ = ["describe", "document", "written"]
