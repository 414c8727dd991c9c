"""docs/access.md: which role may call which endpoint of the gateway.

The roles are read from the dependencies of the endpoints, which enforce them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.routing import APIRoute

from alarmstack.reference.markdown import page, table
from alarmstack.services.gateway.access import least_role
from alarmstack.services.schemas.gateway import ROLES, Role

NOBODY = "not logged in"
WHO = (NOBODY, *ROLES)
"""Columns of the matrix: a caller who is not logged in, and each role."""
ALLOWED = "yes"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, and the lowest role that may call it; None: everyone."""

    method: str
    path: str
    least: Role | None

    def answer(self, who: str) -> str:
        """`yes`, or the HTTP status of the refusal."""
        if self.least is None:
            return ALLOWED
        if who == NOBODY:
            return "401"
        return ALLOWED if WHO.index(who) >= WHO.index(self.least) else "403"


def matrix() -> list[Endpoint]:
    """Every endpoint of the gateway's API, in the order of its OpenAPI document."""
    from alarmstack.services.gateway.routes import ROUTERS

    return list(
        _endpoints(
            [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
        )
    )


def access_page() -> str:
    """The page as Markdown."""
    rows = [(f"`{one.method} {one.path}`", *map(one.answer, WHO)) for one in matrix()]
    return page(
        "# Who may do what",
        "",
        "This page is for administrators.",
        "",
        "Every endpoint of the gateway, and each role. `401`: log in first; `403`: the role is not",
        "sufficient. The same applies below `/api`. A test calls every endpoint in every role.",
        "Each role includes the rights of the roles before it.",
        "",
        *table(("endpoint", *WHO), rows),
        "",
        "A caller can read, delete and export only their own history: an entry of another person",
        "is reported as missing. `POST /auth/refresh` and `/auth/logout` act on the login of the",
        "refresh cookie. `GET /metrics` needs a client on loopback or ALARMSTACK_METRICS_TOKEN,",
        "not a role. Accounts are managed at the command line only (`alarmstack user`), by users",
        "who can read and write the database. The sensor API and the inference API have no",
        "accounts: they listen on loopback, in containers on their own networks.",
    )


def _endpoints(routes: list[APIRoute]) -> Iterator[Endpoint]:
    for route in routes:
        for method in sorted(route.methods or ()):
            yield Endpoint(method, route.path, least_role(route))


__all__ = ["ALLOWED", "NOBODY", "WHO", "Endpoint", "access_page", "matrix"]
