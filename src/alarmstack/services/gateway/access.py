"""Who asks, and whether they may. The role is read from the database at each request, so that a change takes effect at once."""

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
from alarmstack.services.monitor.hub import Listener
from alarmstack.services.schemas.gateway import ROLES, Person, Role
from alarmstack.storage.database import sessions
from alarmstack.storage.database.tables import User

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
COOKIE, DEVICE_COOKIE = "alarmstack_refresh", "alarmstack_device"
STREAM_CHECK_SECONDS = 2.0
"""How often an open stream looks whether its login lasts."""
_bearer = HTTPBearer(auto_error=False, description="The access token of /auth/login.")


@dataclass(frozen=True)
class Caller:
    """The person behind a request, and until when the token speaks for them."""

    user_id: int
    username: str
    role: Role
    family: str
    expires_at: datetime

    @property
    def person(self) -> Person:
        """As others see them."""
        return Person(username=self.username, role=self.role)


async def caller(
    state: Gateway,
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Whoever the bearer token names, while the login lasts."""
    check_origin(state, request)
    known = await recognise(state, bearer.credentials if bearer else "")
    if known is None:
        raise HTTPException(
            401,
            "log in first: no valid access token was sent, or its login has ended",
            {"WWW-Authenticate": "Bearer"},
        )
    refuse_beyond(state.requests, known.user_id, state.clock.now())
    return known


async def heavy_reader(state: Gateway, person: Annotated[Caller, Depends(caller)]) -> Caller:
    """Whoever reads thousands of rows at once, as often as one account may."""
    refuse_beyond(state.heavy_reads, person.user_id, state.clock.now())
    return person


async def recognise(state: State, token: str) -> Caller | None:
    """Whose token it is; None where it is not valid or the login was ended."""
    access = read_access(state.secret, token, state.clock.now())
    if access is None:
        return None
    user = await _holder(state, access.user_id, access.family)
    return (
        None
        if user is None
        else Caller(user.id, user.username, as_role(user.role), access.family, access.expires_at)
    )


async def _holder(state: State, user_id: int, family: str) -> User | None:
    async with state.database.begin() as session:
        return await sessions.holder(session, user_id, family)


@contextmanager
def ended_with_login(state: State, person: Caller, listener: Listener) -> Iterator[None]:
    """Close a stream's listener within seconds after the login ended or the account was disabled or deleted."""
    watching = asyncio.create_task(_close_with_login(state, person, listener))
    try:
        yield
    finally:
        watching.cancel()


async def _close_with_login(state: State, person: Caller, listener: Listener) -> None:
    """While the database does not answer, the stream goes on: it ends with the access token in any case."""
    while True:
        await asyncio.sleep(STREAM_CHECK_SECONDS)
        with suppress(SQLAlchemyError, OSError):
            if await _holder(state, person.user_id, person.family) is None:
                listener.close()
                return


def as_role(written: str) -> Role:
    """A role of the database; one nobody knows may do least."""
    return next((role for role in ROLES if role == written), ROLES[0])


def at_least(role: Role) -> Callable[..., Any]:
    """A dependency that lets a role and those above it through."""

    async def allowed(person: Annotated[Caller, Depends(caller)]) -> Caller:
        if ROLES.index(person.role) < ROLES.index(role):
            raise HTTPException(
                403, f"{person.username} is {person.role}; this takes {role}: ask an admin"
            )
        return person

    allowed.role = role  # type: ignore[attr-defined]
    return allowed


def least_role(route: APIRoute) -> Role | None:
    """The least role that an endpoint takes, from its dependencies; None for one that takes everybody."""
    needed = [_taken(one.call) for one in _dependencies(route.dependant)]
    return max((role for role in needed if role is not None), key=ROLES.index, default=None)


def _taken(dependency: object) -> Role | None:
    """The role that a dependency lets through, with those above it."""
    role: Role | None = ROLES[0] if dependency is caller else getattr(dependency, "role", None)
    return role


def _dependencies(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _dependencies(one)


def check_origin(state: State, request: Request, *, cookie: bool = False) -> None:
    """Refuse what another site's page sends.

    A page names its origin in every request that changes something. A program names none, and may do so where no cookie speaks for
    it: a bearer token is sent on purpose, a cookie by itself.
    """
    origin = request.headers.get("origin")
    if origin is None:
        if cookie:
            raise HTTPException(
                403,
                "this request uses a cookie and names no Origin: send it from the page, or add the header",
            )
        return
    if not cookie and request.method not in CHANGING:
        return
    if not (
        origin in state.settings.origins
        or _netloc(origin) == request.headers.get("host", "").lower()
    ):
        raise HTTPException(
            403,
            f"origin {origin!r} is another site: name it in ALARMSTACK_PUBLIC_ORIGINS if it is yours",
        )


def _netloc(origin: str) -> str | None:
    """Host and port of an origin; `null` and nonsense have none."""
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
