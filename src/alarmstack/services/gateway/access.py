"""Who sends a request, and whether their role allows it.

The role is read from the database at each request, so that a change takes effect at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.services.gateway.credentials import read_access
from alarmstack.services.gateway.quota import refuse_beyond
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.runtime.broadcast import Listener
from alarmstack.services.schemas.gateway import ROLES, Person, Role
from alarmstack.storage.database import sessions
from alarmstack.storage.database.tables import User

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
COOKIE, DEVICE_COOKIE = "alarmstack_refresh", "alarmstack_device"
STREAM_CHECK_SECONDS = 2.0
"""How often an open stream checks whether its login is still valid."""
_bearer = HTTPBearer(auto_error=False, description="The access token of /auth/login.")


@dataclass(frozen=True)
class Caller:
    """The person who sends a request, and when their token expires."""

    user_id: int
    username: str
    role: Role
    family: str
    expires_at: datetime

    @property
    def person(self) -> Person:
        """The account as others see it."""
        return Person(username=self.username, role=self.role)


async def caller(
    state: Gateway,
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The owner of the bearer token, while the login is valid."""
    check_origin(state, request)
    person = await recognise(state, bearer.credentials if bearer else "")
    if person is None:
        raise HTTPException(
            401,
            "log in first: no valid access token was sent, or its login has ended",
            {"WWW-Authenticate": "Bearer"},
        )
    refuse_beyond(state.requests, person.user_id, state.clock.now())
    return person


async def heavy_reader(state: Gateway, person: Annotated[Caller, Depends(caller)]) -> Caller:
    """The caller of an endpoint that reads thousands of rows, within the quota of the account."""
    refuse_beyond(state.heavy_reads, person.user_id, state.clock.now())
    return person


async def recognise(state: State, token: str) -> Caller | None:
    """The owner of a token; None where it is not valid or the login was ended."""
    access = read_access(state.secret, token, state.clock.now())
    if access is None:
        return None
    user = await _holder(state, access.user_id, access.family)
    if user is None:
        return None
    return Caller(user.id, user.username, as_role(user.role), access.family, access.expires_at)


async def _holder(state: State, user_id: int, family: str) -> User | None:
    async with state.database.begin() as session:
        return await sessions.holder(session, user_id, family)


@contextmanager
def ended_with_login(state: State, person: Caller, listener: Listener) -> Iterator[None]:
    """Close a stream's listener within seconds after its login ends.

    A login also ends when the account is disabled or deleted.
    """
    watching = asyncio.create_task(_close_with_login(state, person, listener))
    try:
        yield
    finally:
        watching.cancel()


async def _close_with_login(state: State, person: Caller, listener: Listener) -> None:
    """Check the login again and again.

    While the database does not answer, the stream continues. It ends with the access token anyway.
    """
    while True:
        await asyncio.sleep(STREAM_CHECK_SECONDS)
        with suppress(SQLAlchemyError, OSError):
            if await _holder(state, person.user_id, person.family) is None:
                listener.close()
                return


def as_role(written: str) -> Role:
    """A role as stored. An unknown one counts as the least role."""
    return next((role for role in ROLES if role == written), ROLES[0])


def at_least(role: Role) -> Callable[..., Any]:
    """A dependency that allows a role and those above it."""

    async def allowed(person: Annotated[Caller, Depends(caller)]) -> Caller:
        if ROLES.index(person.role) < ROLES.index(role):
            raise HTTPException(
                403, f"{person.username} is {person.role}, this needs {role}: ask an admin"
            )
        return person

    allowed.role = role  # type: ignore[attr-defined]
    return allowed


def least_role(route: APIRoute) -> Role | None:
    """The least role that an endpoint allows, from its dependencies; None for a public one."""
    needed = [_allowed(dependency.call) for dependency in _dependencies(route.dependant)]
    return max((role for role in needed if role is not None), key=ROLES.index, default=None)


def _allowed(dependency: object) -> Role | None:
    """The least role that a dependency allows; None where it allows everybody."""
    role: Role | None = ROLES[0] if dependency is caller else getattr(dependency, "role", None)
    return role


def _dependencies(dependant: Dependant) -> Iterator[Dependant]:
    for dependency in dependant.dependencies:
        yield dependency
        yield from _dependencies(dependency)


def check_origin(state: State, request: Request, *, cookie: bool = False) -> None:
    """Refuse requests that a page of another site sends.

    A page names its origin in every request that changes something. A program need not name one,
    unless the request is authenticated by a `cookie`: a browser sends cookies by itself, but never
    a bearer token.
    """
    origin = request.headers.get("origin")
    if origin is None:
        if cookie:
            raise HTTPException(
                403,
                "this request uses a cookie without an Origin: send it from the page, "
                "or add the header",
            )
        return
    if not cookie and request.method not in CHANGING:
        return
    same_origin = _netloc(origin) == request.headers.get("host", "").lower()
    if not same_origin and origin not in state.settings.origins:
        raise HTTPException(
            403,
            f"origin {origin!r} is another site: add it to ALARMSTACK_PUBLIC_ORIGINS "
            "if it is yours",
        )


def _netloc(origin: str) -> str | None:
    """Host and port of an origin; None for `null` and for invalid text."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None


Viewer = Annotated[Caller, Depends(caller)]
HeavyReader = Annotated[Caller, Depends(heavy_reader)]
Engineer = Annotated[Caller, Depends(at_least("engineer"))]

__all__ = [
    "COOKIE",
    "DEVICE_COOKIE",
    "Caller",
    "Engineer",
    "HeavyReader",
    "Viewer",
    "as_role",
    "at_least",
    "caller",
    "check_origin",
    "ended_with_login",
    "heavy_reader",
    "least_role",
    "recognise",
]
