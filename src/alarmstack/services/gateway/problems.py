"""Errors of the gateway as problem+json: its own, and those of the services behind it."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alarmstack.core.errors import UpstreamError
from alarmstack.core.tasks import reason_of
from alarmstack.services.runtime import problems as runtime
from alarmstack.services.runtime.problems import PROBLEM, TITLES, handle_errors
from alarmstack.services.schemas.inference import Problem

UPSTREAM = (502, 503, 504)
BUGS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
"""Database errors that mean a wrong statement of the gateway: repeating it does not help."""


def answers(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for error statuses. Endpoints that need a login also have a quota (429)."""
    quota = (429,) if 401 in statuses else ()
    return runtime.answers(*statuses, *quota)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    handle_errors(app, secret_paths=("/auth", "/api/auth"))
    app.add_exception_handler(UpstreamError, _upstream)
    app.add_exception_handler(DatabaseError, _database)
    app.add_exception_handler(PoolTimeoutError, _database)
    app.add_exception_handler(Exception, _bug)


async def _upstream(_: Request, error: Exception) -> JSONResponse:
    """The problem of an upstream service. A status that this API does not use becomes 422."""
    assert isinstance(error, UpstreamError)
    status = error.status if error.status in TITLES else 422
    body = Problem(
        title=error.title or TITLES[status], status=status, detail=error.detail, model=error.model
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=PROBLEM)


async def _database(_: Request, error: Exception) -> JSONResponse:
    """A database that is locked, full, damaged or unreachable: the request can be repeated."""
    if isinstance(error, BUGS):
        raise error
    busy = isinstance(error, PoolTimeoutError)
    reason = "all its connections are in use" if busy else reason_of(error)
    body = Problem(title=TITLES[503], status=503, detail=f"the database does not answer: {reason}")
    return JSONResponse(body.model_dump(exclude_none=True), 503, media_type=PROBLEM)


async def _bug(_: Request, __: Exception) -> JSONResponse:
    body = Problem(
        title="Internal error", status=500, detail="the gateway failed: see its log for the reason"
    )
    return JSONResponse(body.model_dump(exclude_none=True), 500, media_type=PROBLEM)


__all__ = ["UPSTREAM", "answers", "install"]
