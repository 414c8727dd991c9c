"""Errors as `application/problem+json` (RFC 9457): one body, one title for each status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from alarmstack.services.schemas.inference import Problem

PROBLEM = "application/problem+json"
TITLES = {
    400: "The request cannot be read",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    409: "Already exists",
    413: "The body is too large",
    422: "The values are not valid",
    429: "Too many requests",
    502: "An upstream service gave no usable answer",
    503: "Not available now",
    504: "An upstream service did not answer in time",
}
SECRET = re.compile("passw|passphrase|pwd|secret|token|invitation|credential", re.IGNORECASE)
"""Names of values, and texts around values, that no answer repeats."""
LONGEST_SHOWN = 80
"""Characters of a value, and of its name, that an answer repeats at most."""
MOST_COMPLAINTS = 5
"""Invalid values that one answer lists: enough to correct a request."""


def problem(status: int, title: str, detail: str, **more: str) -> JSONResponse:
    """An error as a response."""
    # JSON may contain a lone surrogate, which UTF-8 cannot encode: it is sent as an escape.
    body = Problem(
        title=title,
        status=status,
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        **more,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=PROBLEM)


def answers(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for the error statuses that an endpoint may answer with."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": TITLES[status], "content": content, "model": Problem}
        for status in statuses
    }


def handle_errors(app: FastAPI, *, secret_paths: Sequence[str] = ()) -> None:
    """Answer every error as problem+json that names the value and what is wrong with it.

    Below `secret_paths` (such as `/auth`) no value is repeated: it may contain a password.
    """

    def secret(path: str) -> bool:
        return any(path.startswith(f"{prefix}/") for prefix in secret_paths)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        shown = not secret(request.url.path)
        complaints = [_complaint(each, shown=shown) for each in error.errors()[:MOST_COMPLAINTS]]
        return problem(422, TITLES[422], "; ".join(complaints))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        title = TITLES.get(error.status_code, "Error")
        response = problem(error.status_code, title, str(error.detail))
        response.headers.update(error.headers or {})
        return response


def _complaint(error: Mapping[str, Any], *, shown: bool = True) -> str:
    """What is wrong with which value.

    The value itself is repeated where it is `shown`, short, and neither named nor written like a
    secret.
    """
    place = [str(part) for part in error["loc"] if part != "body"]
    where = ".".join(place)[:LONGEST_SHOWN]
    if not shown and error["type"] == "extra_forbidden":
        where = ""  # An unknown name was chosen by the sender: it may contain anything.
    given = error.get("input")
    value = repr(given)
    # An object or a list also holds values that are valid: one of them may be a secret.
    repeated = (
        shown
        and not isinstance(given, dict | list)
        and len(value) <= LONGEST_SHOWN
        and not SECRET.search(where + value)
    )
    return f"{where or 'body'}: {error['msg']}" + (f" (got {value})" if repeated else "")


__all__ = ["PROBLEM", "TITLES", "answers", "handle_errors", "problem"]
