"""Errors of the database: which can be repeated, and which are errors of the gateway."""

import sqlite3
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import exc

from alarmstack.services.gateway.problems import install

pytestmark = pytest.mark.anyio


async def answer_to(error: Exception) -> httpx.Response:
    """The response of an endpoint that fails with this error."""
    app = FastAPI()
    install(app)

    @app.get("/history")
    async def history() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://plant.test") as client:
        return await client.get("/history")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (exc.TimeoutError("QueuePool limit of size 5 reached"), "all its connections are in use"),
        (
            exc.DatabaseError(
                "select 1", {}, sqlite3.DatabaseError("database disk image is malformed")
            ),
            "database disk image is malformed",
        ),
        (
            exc.InternalError("select 1", {}, sqlite3.InternalError("the disk does not answer")),
            "the disk does not answer",
        ),
        (
            exc.OperationalError("select 1", {}, sqlite3.OperationalError("database is locked")),
            "database is locked",
        ),
    ],
)
async def test_a_database_that_cannot_be_used_gives_503_with_its_reason(
    error: Exception, reason: str
) -> None:
    answer = await answer_to(error)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == f"the database does not answer: {reason}"


@pytest.mark.parametrize("kind", [exc.ProgrammingError, exc.IntegrityError, exc.DataError])
async def test_a_wrong_statement_is_an_error_of_the_gateway(kind: Any) -> None:
    answer = await answer_to(kind("select", {}, sqlite3.ProgrammingError("syntax error")))
    assert answer.status_code == 500
    assert answer.json()["detail"] == "the gateway failed: see its log for the reason"
