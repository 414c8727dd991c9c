"""docs/api.md: every endpoint of the three services, from the OpenAPI documents that they give
themselves.
"""

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
"""A body is shown in short: what is longer is cut."""
FEW_ITEMS = 4


def api_page(plant: Plant) -> str:
    """The page."""
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    return page(
        "# API",
        "",
        "Three services. The full descriptions: `/docs` of sensors and inference, `ui/openapi.json` of",
        "the gateway. The page uses the gateway only; the other two listen on loopback and need no",
        "login. Errors are `application/problem+json` with a sentence that names the value and the",
        "fix. Bodies are shortened: `…` means more of the same, `?` marks optional fields.",
        *_service("Sensor API", settings["sensors_port"], sensors_document(plant)),
        *_service("Inference API", settings["inference_port"], inference_document(plant)),
        *_service("Gateway", settings["gateway_port"], gateway_document()),
        "",
        "With the page on :5173 the gateway's endpoints are below `/api`. All except `/auth/signin`,",
        "`/auth/register`, `/auth/login`, `/auth/refresh`, `/auth/logout` and `/health` require",
        "`Authorization: Bearer <access_token>`. All three have `GET /metrics` (Prometheus); on the",
        "gateway, only for clients on loopback or with ALARMSTACK_METRICS_TOKEN.",
    )


def sensors_document(plant: Plant) -> Document:
    """The sensor API's own description, without a plant running."""
    from alarmstack.services.sensors.app import Player, create_app
    from alarmstack.services.sensors.live import LivePlant

    live = LivePlant(plant, 0, datetime(2024, 1, 1, tzinfo=UTC))
    return _described(create_app(Player(live, speed=1.0, saved=None, flush=None)))


def inference_document(plant: Plant) -> Document:
    """The inference API's own description, without a model loaded."""
    from alarmstack.registry import Registry
    from alarmstack.services.inference import Shelf, create_app

    return _described(create_app(Shelf(plant, Registry("sqlite://"), Path())))


def gateway_document() -> Document:
    """The gateway's own description, as the page's client is made from."""
    from alarmstack.services.gateway.openapi import document

    return document()


def _described(app: FastAPI) -> Document:
    return app.openapi()


def endpoints(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Method, path and operation of each endpoint of a description."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _service(title: str, port: int, document: Document) -> list[str]:
    rows = [_row(document, *endpoint) for endpoint in endpoints(document)]
    return [
        "",
        f"## {title} :{port}",
        "",
        *table(("endpoint", "does", "is asked", "answers"), rows),
    ]


def _row(document: Document, method: str, path: str, operation: Document) -> tuple[str, ...]:
    return (
        f"`{method} {path}`",
        _meaning(operation),
        _asked(document, operation),
        _answered(document, operation),
    )


def _meaning(operation: Document) -> str:
    """Summary and first sentence; a summary of one word is but the name of a function."""
    summary, said = (
        str(operation["summary"]),
        str(operation.get("description", "")).split("\n\n")[0].replace("\n", " "),
    )
    return f"{summary}. {said}".strip() if " " in summary else said


def _asked(document: Document, operation: Document) -> str:
    query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    bodies = operation.get("requestBody", {}).get("content", {})
    said = [f"`?{'&'.join(f'{name}=' for name in query)}`"] if query else []
    for kind, body in bodies.items():
        given = [one["value"] for one in body.get("examples", {}).values()]
        text = _code(_shortened(given[-1])) if given else _code(_shape(document, body["schema"]))
        said.append(text if kind == "application/json" else f"form {text}")
    return " ".join(said) or "–"


def _answered(document: Document, operation: Document) -> str:
    status, answer = next((s, a) for s, a in operation["responses"].items() if s.startswith("2"))
    content = answer.get("content", {})
    if not content:
        return str(status)
    kind, body = next(iter(content.items()))
    if kind == "text/event-stream":
        return "events (SSE)"
    return _code(_shape(document, body["schema"]))


def _shape(document: Document, schema: Document, depth: int = 0) -> Any:
    """A value of a schema, in short: an example where one is given, else what kind of
    value it is.
    """
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
    """The first of many."""
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
