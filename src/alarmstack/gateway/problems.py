"""Errors as `application/problem+json` (RFC 9457): one shape for all of them, in answers and in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from alarmstack.errors import UpstreamError
from alarmstack.wire.scoring import Problem

MEANING = {
    400: "The request cannot be read.",
    401: "Nobody is logged in, or the login has ended.",
    403: "The role does not allow it, or the request comes from another site.",
    404: "There is no such thing, or it belongs to somebody else.",
    409: "It is there already.",
    413: "The body is too large.",
    422: "Something in the request is not allowed; the detail names it.",
    429: "Too many attempts; `Retry-After` says when to try again.",
    502: "A service behind the gateway gave an answer that makes no sense.",
    503: "A service behind the gateway does not answer, or has no promoted model.",
    504: "A service behind the gateway did not answer in time.",
}
"""What a status means here. A documented status is one of these."""
UPSTREAM = (502, 503, 504)


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """An answer that ends a request: status, and a detail that says what to do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of these statuses, for `responses=`."""
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {
        status: {"description": MEANING[status], "content": schema} | ({"headers": headers} if status == 429 else {})
        for status in statuses
    }


def problem(status: int, detail: str, title: str = "", model: str | None = None, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer itself."""
    body = Problem(title=title or HTTPStatus(status).phrase, status=status, detail=detail, model=model)
    return JSONResponse(body.model_dump(), status, dict(headers or {}), "application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(UpstreamError, _upstream)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return problem(error.status, error.detail, headers=error.headers)


async def _upstream(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpstreamError)
    return problem(error.status if error.status in MEANING else 422, error.detail, error.title, error.model)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: {one['msg']}" for one in error.errors()[:5]]
    return problem(422, "; ".join(told))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _bug(_: Request, __: Exception) -> JSONResponse:
    return problem(500, "the gateway failed: its log says why")


__all__ = ["MEANING", "UPSTREAM", "Refusal", "answers", "install", "problem"]
