"""The matrix of docs/access.md on a real gateway: every endpoint, without a login and by role."""

import re
from collections.abc import Iterable, Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from alarmstack.core.plant import Plant
from alarmstack.reference.access import ALLOWED, NOBODY, WHO, matrix
from alarmstack.services.gateway.access import least_role
from tests.conftest import REPOSITORY
from tests.upstreams import serving
from tests.world import ORIGIN, World, world

pytestmark = pytest.mark.anyio
PUBLIC = {
    "/auth/signin", "/auth/register", "/auth/login", "/auth/refresh", "/auth/logout",
    "/health", "/ready", "/metrics", "/docs", "/docs/start.js",
}  # fmt: skip
"""Public endpoints. An endpoint that is not here and has no role is a mistake."""


def page() -> dict[tuple[str, str], list[str]]:
    """(method, path) → the cells of its row."""
    rows = re.findall(
        r"(?m)^\| `(\w+) (\S+)` \| (.+) \|$", (REPOSITORY / "docs/access.md").read_text()
    )
    return {(method, path): cells.split(" | ") for method, path, cells in rows}


def served(routes: Iterable[object]) -> Iterator[APIRoute]:
    """Every endpoint of an application, those of its routers among them."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from served(getattr(getattr(route, "original_router", None), "routes", ()))


async def status(client: httpx.AsyncClient, method: str, path: str, token: str | None) -> int:
    """The status of an answer, without the content of a stream.

    Without a body, an allowed request that needs one gets 422.
    """
    headers = {"Origin": str(client.base_url).rstrip("/")} | (
        {"Authorization": token} if token else {}
    )
    async with client.stream(method, re.sub(r"{\w+}", "1", path), headers=headers) as answer:
        return answer.status_code


async def tokens(w: World) -> dict[str, str | None]:
    people = {role: await w.person(f"the-{role}", role) for role in WHO if role != NOBODY}
    return {NOBODY: None} | {
        role: browser.headers["Authorization"] for role, browser in people.items()
    }


async def test_every_endpoint_answers_every_role_as_the_matrix_says(
    plant: Plant, tmp_path: object
) -> None:
    listed, wrong = page(), []
    assert set(listed) == {(one.method, one.path) for one in matrix()}, "run: make docs"
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w, serving(w.app) as url:
        tokens_by_role = await tokens(w)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            for prefix in ("", "/api"):
                for (method, path), cells in listed.items():
                    for who, promised in zip(WHO, cells, strict=True):
                        got = await status(client, method, prefix + path, tokens_by_role[who])
                        if path == "/auth/refresh":
                            fits = got == 401
                        elif promised == ALLOWED:
                            fits = got not in (401, 403, 500)
                        else:
                            fits = got == int(promised)
                        if not fits:
                            wrong.append((prefix, method, path, who, promised, got))
    assert wrong == []


async def test_nothing_is_public_by_accident(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        routes = list(served(w.app.routes))
        without = {route.path for route in routes if least_role(route) is None}
    assert {route.path for route in routes} > {one.path for one in matrix()}
    assert without <= PUBLIC


async def test_a_role_that_nobody_knows_may_do_what_a_viewer_may(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        odd = await w.person("odd", "superuser")
        assert (await odd.get("/plant")).status_code == 200
        assert (
            await odd.post(
                "/scenarios/activate", json={"name": "normal"}, headers={"Origin": ORIGIN}
            )
        ).status_code == 403
