"""Logging in, staying logged in, being logged out: as sequences of events."""

from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.access import COOKIE
from alarmstack.services.gateway.credentials import INVITATION_LIFE, token_hash
from alarmstack.storage.database import accounts, journal
from tests.world import ORIGIN, PASSWORD, World, log_in, world

pytestmark = pytest.mark.anyio


async def actions(w: World) -> list[tuple[str, str | None]]:
    async with w.state.database.begin() as session:
        return [(line.action, line.user) for line in reversed(await journal.read(session))]


async def test_a_day_of_anna(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("Anna")
        assert (await anna.get("/auth/me")).json() == {"username": "Anna", "role": "operator"}
        first = anna.cookies[COOKIE]

        w.clock.advance(16 * 60)
        assert (await anna.get("/auth/me")).status_code == 401
        renewed = await anna.post("/auth/refresh")
        assert renewed.status_code == 200 and anna.cookies[COOKIE] != first
        anna.headers["Authorization"] = f"Bearer {renewed.json()['access_token']}"
        assert (await anna.get("/auth/me")).status_code == 200

        assert (await anna.post("/auth/logout")).status_code == 204
        assert COOKIE not in anna.cookies
        assert (await anna.get("/auth/me")).status_code == 401
        assert (await anna.post("/auth/refresh")).status_code == 401
        assert await actions(w) == [("login", "Anna"), ("logout", "Anna")]


async def test_the_refresh_cookie_is_kept_from_scripts_and_other_sites(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        await w.person("anna")
        cookie = (await log_in(w.browser(), "anna")).headers["set-cookie"]
        assert all(
            part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=1209600")
        )


async def test_a_stolen_refresh_token_ends_the_login_for_thief_and_owner(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        anna, thief = await w.person("anna"), w.browser()
        thief.cookies.set(COOKIE, anna.cookies[COOKIE])
        await anna.post("/auth/refresh")
        w.clock.advance(11)
        assert (await thief.post("/auth/refresh")).status_code == 401
        assert (await anna.post("/auth/refresh")).status_code == 401
        assert (await anna.get("/auth/me")).status_code == 401
        assert ("refresh_reused", "anna") in await actions(w)


async def test_two_tabs_that_wake_up_together_both_stay_logged_in(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        one, other = await w.person("anna"), w.browser()
        other.cookies.set(COOKIE, one.cookies[COOKIE])
        assert [(await tab.post("/auth/refresh")).status_code for tab in (one, other)] == [200, 200]


async def test_a_login_ends_after_two_weeks_away(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna")
        w.clock.advance(14 * 86400 + 1)
        assert (await anna.post("/auth/refresh")).status_code == 401


async def test_wrong_name_and_wrong_password_look_alike(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        await w.person("anna")
        for name, password in [
            ("anna", "wrong password"),
            ("nobody", PASSWORD),
            ("\x00", PASSWORD),
            ("ä", "x"),
        ]:
            refused = await log_in(w.browser(), name, password)
            assert refused.status_code == 401
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["detail"] == "user name or password is wrong"
        await w.state.refusals.write()
        summaries = [line for line in await actions(w) if line[0] == "logins_refused"]
        assert summaries == [("logins_refused", name) for name in ("anna", "nobody", None, "ä")]


async def test_the_sixth_guess_in_a_minute_waits_and_others_do_not(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        await w.person("anna")
        await w.person("bert")
        guesses = [(await log_in(w.browser(), "ANNA", "guess guess")).status_code for _ in range(5)]
        assert guesses == [401] * 5
        throttled = await log_in(w.browser(), "anna")
        assert throttled.status_code == 429 and 1 <= int(throttled.headers["retry-after"]) <= 60
        assert (await log_in(w.browser(), "bert")).status_code == 200
        await w.state.refusals.write()
        assert ("logins_refused", "anna") in await actions(w)


FORGED = {
    "another secret": lambda claims: jwt.encode(claims, "x" * 32, "HS256"),
    "no signature": lambda claims: jwt.encode(claims, "", "none"),
    "another kind": lambda claims: jwt.encode(
        {**claims, "typ": "refresh"}, "0123456789abcdef0123456789abcdef", "HS256"
    ),
    "another audience": lambda claims: jwt.encode(
        {**claims, "aud": "x"}, "0123456789abcdef0123456789abcdef", "HS256"
    ),
    "no expiry": lambda claims: jwt.encode(
        {k: v for k, v in claims.items() if k != "exp"}, "0123456789abcdef0123456789abcdef", "HS256"
    ),
    "nonsense": lambda claims: "nonsense",
}


async def test_forged_tokens_open_nothing(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        token = anna.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        for how, forge in FORGED.items():
            anna.headers["Authorization"] = f"Bearer {forge(claims)}"
            assert (await anna.get("/auth/me")).status_code == 401, how


async def test_a_role_changes_at_once(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna", "operator")
        wanted = {"name": "pressure_rise"}
        refused = await anna.post("/scenarios/activate", json=wanted)
        assert refused.status_code == 403 and "engineer" in refused.json()["detail"]
        async with w.state.database.begin() as session:
            user = await accounts.find(session, "anna")
            assert user is not None
            await accounts.set_role(session, user, "engineer")
        assert (await anna.post("/scenarios/activate", json=wanted)).status_code == 200
        assert (await anna.get("/auth/me")).json()["role"] == "engineer"
        assert (await actions(w))[-1] == ("scenario_activate", "anna")


async def test_another_sites_page_changes_nothing(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        for origin in (
            "http://evil.test",
            "null",
            "http://plant.test.evil.test",
            "http://plant.test:81",
            "http://[",
            "",
        ):
            anna.headers["Origin"] = origin
            assert (await anna.post("/auth/refresh")).status_code == 403, origin
            assert (await anna.post("/auth/logout")).status_code == 403
            assert (await anna.post("/infer/predict", json={"features": {}})).status_code == 403
            assert (await log_in(anna, "anna")).status_code == 403


async def test_a_cookie_needs_an_origin_and_a_bearer_token_does_not(
    plant: Plant, tmp_path: object
) -> None:
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", public_origins="https://screen.example"
    ) as w:
        anna = await w.person("anna")
        del anna.headers["Origin"]
        assert (await anna.post("/auth/refresh")).status_code == 403
        assert (await anna.post("/infer/predict", json={"features": {}})).status_code == 200
        anna.headers["Origin"] = "https://screen.example"
        assert (await anna.post("/auth/refresh")).status_code == 200


async def test_an_invitation_works_once_and_gives_its_role(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        now = w.clock.now()
        async with w.state.database.begin() as session:
            await accounts.invite(
                session, token_hash("please"), "engineer", now, now + INVITATION_LIFE
            )
            await accounts.invite(
                session, token_hash("late"), "admin", now, now + timedelta(seconds=-1)
            )

        async def register(name: str, invitation: str | None) -> int:
            body = {"username": name, "password": PASSWORD, "invitation": invitation}
            return (await w.browser().post("/auth/register", json=body)).status_code

        assert await register("anna", None) == 403
        assert await register("anna", "late") == 403
        assert await register("anna", "please") == 201
        assert await register("bert", "please") == 403
        me = w.browser()
        token = (await log_in(me, "anna")).json()
        assert token["person"] == {"username": "anna", "role": "engineer"}


async def test_open_registration_makes_viewers_and_no_name_twice(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, registration="open") as w:
        answer = await w.browser().post(
            "/auth/register", json={"username": "anna", "password": PASSWORD}
        )
        assert (
            answer.status_code == 201
            and answer.json()["person"]["role"] == "viewer"
            and COOKIE in answer.cookies
        )
        again = await w.browser().post(
            "/auth/register", json={"username": "ANNA", "password": PASSWORD}
        )
        assert again.status_code == 409
        short = await w.browser().post(
            "/auth/register", json={"username": "bert", "password": "short"}
        )
        assert (
            short.status_code == 422
            and "password" in short.json()["detail"]
            and '"short"' not in short.text
        )


async def test_closed_registration_is_closed_and_says_so_before(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", registration="closed") as w:
        assert (await w.browser().get("/auth/signin")).json()["registration"] == "closed"
        body = {"username": "anna", "password": PASSWORD}
        assert (await w.browser().post("/auth/register", json=body)).status_code == 403


async def test_the_same_api_answers_under_api(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        assert (await anna.get("/api/auth/me")).json()["username"] == "anna"
        lost = await anna.get("/api/nothing")
        assert (
            lost.status_code == 404 and lost.headers["content-type"] == "application/problem+json"
        )
        assert (await anna.post("/api/auth/refresh", headers={"Origin": ORIGIN})).status_code == 200


async def test_refreshing_counts_as_a_request_of_the_account_and_keeps_the_login(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", requests_per_minute=10) as w:
        anna, bert = await w.person("anna"), await w.person("bert")
        answers = [await anna.post("/auth/refresh") for _ in range(12)]
        assert [one.status_code for one in answers] == [200] * 10 + [429] * 2
        assert answers[-1].headers["retry-after"] == "6"
        assert "set-cookie" not in answers[-1].headers
        assert (await bert.post("/auth/refresh")).status_code == 200
        w.clock.advance(60)
        assert (await anna.post("/auth/refresh")).status_code == 200, "the login continues"
