"""When a login ends: by age, logout or command; for requests and for open streams."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from alarmstack.core.errors import AccountError, NameTakenError
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.services.gateway import accounts, logins
from alarmstack.storage.database import accounts as stored
from alarmstack.storage.database import entries, journal
from alarmstack.storage.database.tables import HistoryEntry
from tests.upstreams import serving
from tests.world import ORIGIN, PASSWORD, PASSWORD_HASH, World, log_in, world

pytestmark = pytest.mark.anyio
DAY = 86_400


async def test_a_login_that_is_used_every_day_ends_after_its_lifetime(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, session_hours=72) as w:
        anna, answers = await w.person("anna"), []
        for _ in range(3):
            w.clock.advance(DAY - 60)
            answers.append(await anna.post("/auth/refresh"))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert answers[0].json()["expires_in"] == 900 and answers[2].json()["expires_in"] == 180
        token = {"Authorization": f"Bearer {answers[2].json()['access_token']}"}
        assert (await anna.get("/auth/me", headers=token)).status_code == 200
        w.clock.advance(181)
        assert (await anna.get("/auth/me", headers=token)).status_code == 401
        assert (await anna.post("/auth/refresh")).status_code == 401
        assert (await log_in(anna, "anna")).status_code == 200


async def test_a_shorter_lifetime_holds_for_logins_that_exist(plant: Plant, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url) as w:
        cookies = (await w.person("anna")).cookies
    async with world(plant, url, session_hours=1) as w:
        anna = w.browser()
        anna.cookies = cookies
        w.clock.advance(3601)
        assert (await anna.post("/auth/refresh")).status_code == 401


Ending = Callable[[World, Settings, httpx.AsyncClient], Awaitable[object]]
ENDINGS: dict[str, Ending] = {
    "logout": lambda w, settings, anna: anna.post("/auth/logout"),
    "disabled": lambda w, settings, anna: accounts.disable(settings, "anna"),
    "deleted": lambda w, settings, anna: accounts.delete(settings, "anna"),
    "password reset": lambda w, settings, anna: accounts.set_password(
        settings, "anna", "another horse battery"
    ),
}


@pytest.mark.parametrize("how", ["disabled", "deleted", "password reset"])
async def test_a_password_that_is_being_checked_meanwhile_begins_no_login(
    plant: Plant, tmp_path: Path, how: str
) -> None:
    """Hashing is busy: the account changes while the password is being checked."""
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna, others = (
            await w.person("anna"),
            [object() for _ in range(int(logins._hashing.total_tokens))],
        )
        for other in others:
            await logins._hashing.acquire_on_behalf_of(other)
        answer = asyncio.create_task(log_in(w.browser(), "anna"))
        while not logins._hashing.statistics().tasks_waiting:
            await asyncio.sleep(0)
        await ENDINGS[how](w, w.settings, anna)
        for other in others:
            logins._hashing.release_on_behalf_of(other)
        assert (await answer).status_code == 401


@pytest.mark.parametrize("how", ENDINGS)
async def test_an_open_stream_ends_within_seconds_with_its_login(
    plant: Plant, tmp_path: Path, how: str
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/a.db")
    async with world(plant, settings.database, hours=2, monitored=True) as w, serving(w.app) as url:
        anna, bert = await w.person("anna"), await w.person("bert")
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            streams = [
                client.build_request(
                    "GET", "/stream", headers={"Authorization": one.headers["Authorization"]}
                )
                for one in (anna, bert)
            ]
            hers, his = [await client.send(one, stream=True) for one in streams]
            received = hers.aiter_raw()
            await anext(received)
            await ENDINGS[how](w, settings, anna)
            async with asyncio.timeout(8):
                async for _ in received:
                    pass
            assert len(w.state.hub) == 1, "the stream of somebody else continues"
            assert (await anna.get("/auth/me")).status_code == 401
            await hers.aclose()
            await his.aclose()


async def test_a_changed_password_ends_every_login_but_the_one_that_changed_it(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        anna, elsewhere = await w.person("anna"), w.browser()
        other = (await log_in(elsewhere, "anna")).json()["access_token"]

        async def changed(current: str, new: str) -> httpx.Response:
            return await anna.post("/auth/password", json={"current": current, "new": new})

        assert (await changed("a wrong guess", "another horse battery")).status_code == 403
        for weak in ("short", "anna and the horse", "password1234"):
            answer = await changed(PASSWORD, weak)
            assert answer.status_code == 422 and weak not in answer.text
        answer = await changed(PASSWORD, "another horse battery")
        assert answer.status_code == 200
        assert (
            await elsewhere.get("/auth/me", headers={"Authorization": f"Bearer {other}"})
        ).status_code == 401
        assert (await elsewhere.post("/auth/refresh")).status_code == 401
        anna.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        assert (await anna.get("/auth/me")).status_code == 200
        assert (await anna.post("/auth/refresh")).status_code == 200
        assert (await log_in(w.browser(), "anna")).status_code == 401
        assert (await log_in(w.browser(), "anna", "another horse battery")).status_code == 200


async def test_the_password_cannot_be_guessed_at_an_open_screen(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        body = {"current": "guess", "new": "another horse battery"}
        codes = [(await anna.post("/auth/password", json=body)).status_code for _ in range(6)]
        assert codes == [403] * 5 + [429]


async def test_a_disabled_account_cannot_log_in_or_stay_logged_in_until_it_is_enabled(
    plant: Plant, database_url: str
) -> None:
    settings = Settings(database_url=database_url)
    async with world(plant, database_url) as w:
        anna = await w.person("anna")
        await accounts.disable(settings, "ANNA")
        assert (await anna.get("/auth/me")).status_code == 401
        assert (await anna.post("/auth/refresh")).status_code == 401
        refused = await log_in(w.browser(), "anna")
        assert (
            refused.status_code == 401
            and refused.json()["detail"] == "user name or password is wrong"
        )
        await accounts.enable(settings, "anna")
        assert (await log_in(w.browser(), "anna")).status_code == 200
        assert (await anna.post("/auth/refresh")).status_code == 401, "what was ended stays ended"


async def test_a_deleted_account_is_gone_with_its_history_and_stays_in_the_journal(
    plant: Plant, database_url: str
) -> None:
    settings = Settings(database_url=database_url)
    async with world(plant, database_url) as w:
        await w.person("anna")
        async with w.state.database.begin() as session:
            user = await stored.find(session, "anna")
            assert user is not None
            kept = {
                "type": "predict",
                "plant_time": None,
                "horizon_hours": None,
                "score": None,
                "alarm": None,
            }
            about: dict[str, Any] = {
                "model": None,
                "model_version": None,
                "request": {},
                "response": {},
            }
            await entries.add(
                session, HistoryEntry(user_id=user.id, created_at=w.clock.now(), **kept, **about)
            )
        await accounts.delete(settings, "anna")
        async with w.state.database.begin() as session:
            assert await stored.find(session, "anna") is None
            assert (
                await entries.count(session, user.id, entries.Filter(None, None, None, False)) == 0
            )
            lines = [(line.action, line.user) for line in await journal.read(session)]
        assert ("login", "anna") in lines and lines[0][0] == "user_delete"
        assert (await log_in(w.browser(), "anna")).status_code == 401


@pytest.mark.parametrize("change", [accounts.disable, accounts.delete])
async def test_the_last_admin_stays_unless_it_is_forced(
    tmp_path: Path, change: Callable[..., Awaitable[None]]
) -> None:
    settings = Settings(data=tmp_path)
    for name in ("anna", "bert"):
        await accounts.add(settings, name, PASSWORD, "admin")
    await accounts.add(settings, "carl", PASSWORD, "engineer")
    await accounts.disable(settings, "bert")
    with pytest.raises(AccountError, match="last admin"):
        await change(settings, "anna")
    await change(settings, "carl")
    await change(settings, "anna", force=True)
    await change(settings, "bert")


async def test_an_account_of_a_transaction_that_is_rolled_back_does_not_exist(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        with pytest.raises(RuntimeError, match="power"):
            async with w.state.database.begin() as session:
                await stored.add(session, "anna", PASSWORD_HASH, "admin", w.clock.now())
                raise RuntimeError("power lost")
        async with w.state.database.begin() as session:
            assert await stored.find(session, "anna") is None


async def test_a_name_that_is_taken_leaves_the_transaction_usable(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        async with w.state.database.begin() as session:
            await stored.add(session, "anna", PASSWORD_HASH, "admin", w.clock.now())
            with pytest.raises(NameTakenError):
                await stored.add(session, "ANNA", PASSWORD_HASH, "admin", w.clock.now())
            bert = await stored.add(session, "bert", PASSWORD_HASH, "viewer", w.clock.now())
            assert (bert.username, bert.role) == ("bert", "viewer")
        async with w.state.database.begin() as session:
            assert [user.username for user in await stored.everyone(session)] == ["anna", "bert"]


async def test_cookies_and_tokens_of_before_do_not_work_for_a_new_account_of_the_same_name(
    plant: Plant, database_url: str
) -> None:
    settings = Settings(database_url=database_url)
    async with world(plant, database_url) as w:
        before = await w.person("anna", "admin")
        await accounts.delete(settings, "anna", force=True)
        await w.person("anna", "viewer")
        assert (await before.get("/auth/me")).status_code == 401
        assert (await before.post("/auth/refresh", headers={"Origin": ORIGIN})).status_code == 401
