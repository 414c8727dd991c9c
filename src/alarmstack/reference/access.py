"""docs/access.md: every endpoint of the gateway and every role, from the dependencies that let a
request through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.routing import APIRoute

from alarmstack.reference.markdown import page, table
from alarmstack.services.gateway.access import least_role
from alarmstack.services.schemas.gateway import ROLES, Role

NOBODY = "nobody"
WHO = (NOBODY, *ROLES)
"""Columns of the matrix: who is not logged in, and each role."""
ALLOWED = "yes"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, and the least role that it takes; None: everybody."""

    method: str
    path: str
    least: Role | None

    def answer(self, who: str) -> str:
        """`yes`, or the status with which somebody is refused."""
        if self.least is None:
            return ALLOWED
        if who == NOBODY:
            return "401"
        return ALLOWED if WHO.index(who) >= WHO.index(self.least) else "403"


def matrix() -> list[Endpoint]:
    """Every endpoint of the gateway's API, in the order of its description."""
    from alarmstack.services.gateway.routes import ROUTERS

    return list(
        _endpoints(
            [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
        )
    )


def access_page() -> str:
    """The page."""
    rows = [(f"`{one.method} {one.path}`", *map(one.answer, WHO)) for one in matrix()]
    return page(
        "# Who may do what",
        "",
        "Every endpoint of the gateway, and each role. `401`: log in first; `403`: the role is not enough. The same holds below",
        "`/api`. A test asks every endpoint in every role and compares. Each role may do what those before it may.",
        "",
        *table(("endpoint", *WHO), rows),
        "",
        "Entries of the history, their deletion and their export are always the caller's own: another person's number is answered",
        "as if there were no such entry. `POST /auth/refresh` and `/auth/logout` act on the login of the refresh cookie.",
        "`GET /metrics` takes neighbours on loopback and ALARMSTACK_METRICS_TOKEN, no role. Accounts are managed at the command",
        "line alone (`alarmstack user`), by whoever may read and write the database. The sensor API and the inference API know no",
        "accounts: they listen on loopback, in containers on networks of their own.",
    )


def _endpoints(routes: list[APIRoute]) -> Iterator[Endpoint]:
    for route in routes:
        for method in sorted(route.methods or ()):
            yield Endpoint(method, route.path, least_role(route))


__all__ = ["ALLOWED", "NOBODY", "WHO", "Endpoint", "access_page", "matrix"]
