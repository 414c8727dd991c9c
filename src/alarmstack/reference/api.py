"""docs/api.md: every endpoint of the three services, from their OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.reference.markdown import page, table

Document = Mapping[str, Any]
MOST_CHARACTERS = 150
"""Longest text of a body. A longer text is cut."""
FEW_ITEMS = 4


def api_page(plant: Plant) -> str:
    """The page as Markdown."""
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    return page(
        "# API",
        "",
        "This page is for developers of other programs.",
        "",
        "There are three services. For the full descriptions, see `/docs` of the sensor API and",
        "the inference API, and `ui/openapi.json` of the gateway. The screen uses the gateway",
        "only. The other two listen on loopback and need no login. Errors are",
        "`application/problem+json` with a sentence that names the value and the fix. Bodies are",
        "shortened: `…` means more of the same, `?` marks optional fields.",
        *_service("Sensor API", settings["sensors_port"], sensors_document(plant)),
        *_service("Inference API", settings["inference_port"], inference_document(plant)),
        *_service("Gateway", settings["gateway_port"], gateway_document()),
        "",
        "On the port of the screen (:5173), the gateway's endpoints are below `/api`. All except",
        "`/auth/signin`, `/auth/register`, `/auth/login`, `/auth/refresh`, `/auth/logout` and",
        "`/health` require `Authorization: Bearer <access_token>`. All three services have",
        "`GET /metrics` (Prometheus); on the gateway, only for clients on loopback or with",
        "ALARMSTACK_METRICS_TOKEN.",
    )


def sensors_document(plant: Plant) -> Document:
    """The OpenAPI document of the sensor API, without a running plant."""
    from alarmstack.services.sensors.app import Player, create_app
    from alarmstack.services.sensors.live import LivePlant

    live = LivePlant(plant, 0, datetime(2024, 1, 1, tzinfo=UTC))
    return _described(create_app(Player(live, speed=1.0, saved=None, flush=None)))


def inference_document(plant: Plant) -> Document:
    """The OpenAPI document of the inference API, without a loaded model."""
    from alarmstack.registry import Registry
    from alarmstack.services.inference import Shelf, create_app

    return _described(create_app(Shelf(plant, Registry("sqlite://"), Path())))


def gateway_document() -> Document:
    """The OpenAPI document of the gateway. The client of the screen is generated from it."""
    from alarmstack.services.gateway.document import document

    return document()


def _described(app: FastAPI) -> Document:
    return app.openapi()


def endpoints(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Method, path and operation of each endpoint of an OpenAPI document."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _service(title: str, port: int, document: Document) -> list[str]:
    rows = [_row(document, *endpoint) for endpoint in endpoints(document)]
    return [
        "",
        f"## {title} :{port}",
        "",
        *table(("endpoint", "purpose", "request", "response"), rows),
    ]


def _row(document: Document, method: str, path: str, operation: Document) -> tuple[str, ...]:
    return (
        f"`{method} {path}`",
        _meaning(operation),
        _request(document, operation),
        _response(document, operation),
    )


def _meaning(operation: Document) -> str:
    """Summary and first paragraph. A summary of one word is only the name of a function."""
    summary, paragraph = (
        str(operation["summary"]),
        str(operation.get("description", "")).split("\n\n")[0].replace("\n", " "),
    )
    return f"{summary}. {paragraph}".strip() if " " in summary else paragraph


def _request(document: Document, operation: Document) -> str:
    query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    bodies = operation.get("requestBody", {}).get("content", {})
    parts = [f"`?{'&'.join(f'{name}=' for name in query)}`"] if query else []
    for kind, body in bodies.items():
        examples = [one["value"] for one in body.get("examples", {}).values()]
        value = _shortened(examples[-1]) if examples else _shape(document, body["schema"])
        text = _code(value)
        parts.append(text if kind == "application/json" else f"form {text}")
    return " ".join(parts) or "–"


def _response(document: Document, operation: Document) -> str:
    responses = operation["responses"].items()
    status, response = next((s, r) for s, r in responses if s.startswith("2"))
    content = response.get("content", {})
    if not content:
        return str(status)
    kind, body = next(iter(content.items()))
    if kind == "text/event-stream":
        return "events (SSE)"
    return _code(_shape(document, body["schema"]))


def _shape(document: Document, schema: Document, depth: int = 0) -> Any:
    """A short value of a schema: its example, or a value of its type."""
    if "$ref" in schema:
        return _shape(
            document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], depth
        )
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return _shape(document, schema["anyOf"][0], depth)
    if "enum" in schema or "const" in schema:
        return schema.get("const", "|".join(map(str, schema.get("enum", ()))))
    if schema.get("type") == "array":
        return [_shape(document, schema["items"], depth + 1), "…"]
    if properties := schema.get("properties"):
        if depth > 1:
            return "{…}"
        wanted = (
            schema.get("required", ()) if depth == 0 or len(properties) > FEW_ITEMS else properties
        )
        known = {name: _shape(document, properties[name], depth + 1) for name in wanted}
        optional = (
            {f"{name}?": "…" for name in properties if name not in known} if depth == 0 else {}
        )
        return known | optional
    return {"string": "text", "integer": 0, "number": 0.0, "boolean": True}.get(
        schema.get("type", ""), "…"
    )


def _shortened(value: Any) -> Any:
    """The value with only the first item of each list, and without nulls."""
    if isinstance(value, list):
        return [*map(_shortened, value[:1]), *(["…"] if len(value) > 1 else [])]
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items() if one is not None}
    return value


def _code(value: Any) -> str:
    text = (
        json.dumps(value, ensure_ascii=False)
        .replace('"…"', "…")
        .replace('"{…}"', "{…}")
        .replace('?": …', '?"')
    )
    return f"`{text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + ' …'}`"


__all__ = ["api_page", "endpoints", "gateway_document", "inference_document", "sensors_document"]
