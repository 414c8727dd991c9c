"""Pages, scripts and answers are compressed; streams and logins are not."""

from pathlib import Path

import pytest
from benchmarks.pasts import fill

from alarmstack.core.plant import Plant
from tests.upstreams import BEGIN
from tests.world import PASSWORD, world

pytestmark = pytest.mark.anyio
SCRIPT = "export const lines = [];\n" * 400


async def test_pages_scripts_and_answers_are_compressed_for_clients_that_accept_it(
    plant: Plant, tmp_path: Path
) -> None:
    page = tmp_path / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>" + "<p>plant</p>" * 200)
    (page / "assets/app-1a2b.js").write_text(SCRIPT)
    async with world(plant, f"sqlite:///{tmp_path}/a.db", page=page) as w:
        await fill(w.state.database, plant, BEGIN, 48)
        anna = await w.person("anna", "viewer")
        for path in ("/", "/assets/app-1a2b.js", "/overview", "/api/plant"):
            answer = await anna.get(path, headers={"Accept-Encoding": "gzip"})
            plain = await anna.get(path, headers={"Accept-Encoding": "identity"})
            assert (
                answer.headers["content-encoding"] == "gzip"
                and "Accept-Encoding" in answer.headers["vary"]
            ), path
            assert "content-encoding" not in plain.headers
            assert (
                int(answer.headers["content-length"]) < len(plain.content) / 2
                if "content-length" in answer.headers
                else True
            )
            assert path == "/overview" or answer.content == plain.content


async def test_a_login_and_a_small_answer_are_not_compressed(plant: Plant, tmp_path: Path) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        gzip = {"Accept-Encoding": "gzip"}
        form = {"username": "anna", "password": PASSWORD}
        for path in ("/auth/login", "/api/auth/login"):
            assert (
                "content-encoding" not in (await anna.post(path, data=form, headers=gzip)).headers
            )
        assert "content-encoding" not in (await anna.get("/health", headers=gzip)).headers
