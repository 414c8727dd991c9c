"""Limits of attempts: what an attacker gets, and what a user who is attacked still has."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from alarmstack.core.plant import Plant
from alarmstack.services.gateway import logins
from alarmstack.services.gateway.access import DEVICE_COOKIE
from alarmstack.services.gateway.credentials import Device, read_device, token_hash, write_device
from alarmstack.services.gateway.proxies import Proxies
from alarmstack.services.gateway.refusals import ACTION, MOST_PAIRS, PERIOD_SECONDS
from alarmstack.services.gateway.throttle import (
    PER_ACCOUNT,
    PER_ADDRESS,
    REGISTRATIONS,
    Counts,
    Limit,
    Throttle,
)
from alarmstack.storage.database import accounts, journal
from tests.world import ORIGIN, PASSWORD, ManualClock, World, log_in, world

pytestmark = pytest.mark.anyio
IN_A_MINUTE = PER_ACCOUNT[0].times


async def refused(w: World) -> list[tuple[str | None, dict[str, object]]]:
    async with w.state.database.begin() as session:
        return [(line.user, line.value) for line in await journal.of(session, ACTION)]


def from_address(w: World, address: str, **headers: str) -> httpx.AsyncClient:
    """A browser at another address."""
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(w.app, client=(address, 4711)),
        base_url=ORIGIN,
        headers={"Origin": ORIGIN, **headers},
    )
    w.clients.append(client)
    return client


def test_a_window_moves_and_waiting_always_helps() -> None:
    clock = ManualClock()
    counts = Counts((Limit(2, timedelta(minutes=1)), Limit(3, timedelta(hours=1))), clock)
    counts.add("anna")
    clock.advance(30)
    counts.add("anna")
    assert counts.wait("anna") == 30 and counts.wait("bert") is None
    clock.advance(30)
    assert counts.wait("anna") is None
    counts.add("anna")
    assert counts.wait("anna") == 3600 - 60
    clock.advance(3540)
    assert counts.wait("anna") is None


def test_a_flood_of_names_takes_a_bounded_memory() -> None:
    counts = Counts(PER_ACCOUNT, ManualClock(), most_keys=100)
    for number in range(1000):
        counts.add(f"name {number}" * 1000)
    assert len(counts) == 100


def test_the_addresses_of_one_site_are_one() -> None:
    throttle = Throttle(ManualClock())
    for number in range(PER_ADDRESS[0].times):
        assert throttle.log_in(f"name{number}", f"2001:db8::{number:x}", None) is None
    assert throttle.log_in("another", "2001:db8::ffff", None) is not None
    assert throttle.log_in("another", "2001:db8:0:1::1", None) is None
    assert throttle.log_in("another", "nonsense", None) is None


async def test_many_addresses_together_guess_no_faster_than_one(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        await w.person("anna")
        codes = [
            (await log_in(from_address(w, f"10.0.0.{one}"), "anna", "guess")).status_code
            for one in range(IN_A_MINUTE + 3)
        ]
        assert codes == [401] * IN_A_MINUTE + [429] * 3


async def test_whoever_guesses_cannot_lock_the_owner_out(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("Anna")
        assert (await log_in(anna, "anna")).status_code == 200
        for one in range(2 * IN_A_MINUTE):
            await log_in(from_address(w, f"10.0.0.{one}"), "anna", "guess")
        assert (await log_in(w.browser(), "anna")).status_code == 429, (
            "a browser that nobody knows waits"
        )
        assert (await log_in(anna, "ANNA")).status_code == 200, (
            "a browser that anna has used does not"
        )
        assert (await anna.get("/auth/me")).status_code == 200


async def test_a_known_browser_is_limited_too_and_knows_no_other_account(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna, _ = await w.person("anna"), await w.person("bert")
        codes = [(await log_in(anna, "anna", "guess")).status_code for _ in range(IN_A_MINUTE + 1)]
        assert codes == [401] * IN_A_MINUTE + [429]
        for one in range(IN_A_MINUTE):
            await log_in(from_address(w, f"10.0.0.{one}"), "bert", "guess")
        assert (await log_in(anna, "bert")).status_code == 429


async def test_a_made_up_device_token_opens_no_limit_of_its_own(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna, now = await w.person("anna"), w.clock.now()
        made_up = write_device("x" * 32, Device("one").with_account("anna"), now)
        access_token = anna.headers["Authorization"].removeprefix("Bearer ")
        tokens = [
            made_up,
            access_token,
            anna.cookies["alarmstack_refresh"],
            "nonsense",
            made_up,
            made_up,
        ]
        codes = []
        for token in tokens:
            stranger = w.browser()
            stranger.cookies.set(DEVICE_COOKIE, token)
            codes.append((await log_in(stranger, "anna", "guess")).status_code)
        assert codes == [401] * IN_A_MINUTE + [429]


def test_a_browser_is_known_for_the_accounts_that_used_it_last() -> None:
    now, device = ManualClock().now(), Device("number")
    for number in range(12):
        device = device.with_account(f"name{number}")
    read = read_device("s" * 32, write_device("s" * 32, device, now), now)
    assert (
        read == device and read.knows("NAME11") and read.knows("name2") and not read.knows("name1")
    )
    assert (
        read_device("s" * 32, write_device("s" * 32, device, now), now + timedelta(days=181))
        is None
    )


async def test_the_header_of_a_forged_address_is_ignored(plant: Plant, tmp_path: object) -> None:
    """Without a configured proxy nobody may say for whom they ask."""
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        for number in range(PER_ADDRESS[0].times):
            forged = from_address(w, "127.0.0.1", **{"X-Forwarded-For": f"10.0.{number}.1"})
            assert (await log_in(forged, f"name{number}", "guess")).status_code == 401
        assert (await log_in(forged, "another", "guess")).status_code == 429
        await w.state.refusals.write()
        assert {str(value["address"]) for _, value in await refused(w)} == {"127.0.0.1"}


async def test_the_last_address_before_a_trusted_proxy_counts(
    plant: Plant, tmp_path: object
) -> None:
    proxies: dict[str, Any] = {"trusted_proxies": "10.9.0.0/16, localhost, ::1"}
    cases = [
        ("10.9.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.9.0.1", "1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("10.9.0.1", "203.0.113.7, 10.9.0.2", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("::ffff:10.9.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.9.0.1", "unknown", "10.9.0.1"),
        ("10.9.0.1", "10.9.0.2", "10.9.0.1"),
        ("10.8.0.1", "203.0.113.7", "10.8.0.1"),
    ]
    async with world(plant, f"sqlite:///{tmp_path}/a.db", **proxies) as w:
        for number, (peer, forwarded, _) in enumerate(cases):
            await log_in(
                from_address(w, peer, **{"X-Forwarded-For": forwarded}), f"case{number}", "guess"
            )
        await w.state.refusals.write()
        assert [value["address"] for _, value in await refused(w)] == [
            expected for *_, expected in cases
        ]


async def test_a_name_without_an_address_is_nobody_and_holds_no_request_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxies = Proxies(["nothing.invalid", "localhost"])
    async with asyncio.timeout(20):
        assert await proxies.know("127.0.0.1")
        assert not await proxies.know("203.0.113.7")
        assert not await proxies.know("nonsense")
    assert caplog.text.count("nothing.invalid") == 1, (
        "names are looked up now and then, not for every request"
    )


async def test_a_trusted_proxy_that_speaks_tls_makes_the_cookies_secure(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", trusted_proxies="10.9.0.1") as w:
        await w.person("anna")
        for peer, secure in (("10.9.0.1", True), ("10.9.0.2", False)):
            answer = await log_in(from_address(w, peer, **{"X-Forwarded-Proto": "https"}), "anna")
            assert [("Secure" in cookie) for cookie in answer.headers.get_list("set-cookie")] == [
                secure,
                secure,
            ]


async def test_refused_logins_are_one_line_of_the_journal_for_each_account_and_address(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        await w.person("anna")
        browser = w.browser()
        begin = w.clock.now()
        for _ in range(IN_A_MINUTE + 2):
            await log_in(browser, "anna", "guess")
            w.clock.advance(1)
        assert await refused(w) == []
        w.clock.advance(PERIOD_SECONDS)
        async with asyncio.timeout(10):
            while not (lines := await refused(w)):
                await asyncio.sleep(0.01)
        ((who, value),) = lines
        assert who == "anna" and value == {
            "address": "127.0.0.1",
            "wrong": IN_A_MINUTE,
            "too_many": 2,
            "since": begin.isoformat(),
            "until": (begin + timedelta(seconds=IN_A_MINUTE + 1)).isoformat(),
        }
        figures = w.state.measures.registry.get_sample_value
        assert figures("alarmstack_gateway_logins_total", {"outcome": "login_throttled"}) == 2


async def test_a_flood_of_names_writes_few_lines_and_loses_no_count(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        for number in range(3 * MOST_PAIRS):
            w.state.refusals.note("wrong", f"name{number}", "10.0.0.1")
        await w.state.refusals.write()
        lines = await refused(w)
        assert (
            len(lines) == MOST_PAIRS + 1
            and sum(int(str(value["wrong"])) for _, value in lines) == 3 * MOST_PAIRS
        )
        assert [who for who, value in lines if "others" in str(value["address"])] == [None]


async def test_a_database_that_takes_no_line_for_a_while_loses_no_refusal(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        await log_in(w.browser(), "anna", "guess")
        async with w.state.database.begin() as session:
            full = (
                "CREATE TRIGGER full BEFORE INSERT ON journal "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
            await session.execute(text(full))
        with pytest.raises(IntegrityError, match="disk is full"):
            await w.state.refusals.write()
        await log_in(w.browser(), "anna", "guess")
        await log_in(w.browser(), "bert", "guess")
        async with w.state.database.begin() as session:
            await session.execute(text("DROP TRIGGER full"))
        await w.state.refusals.write()
        assert [(who, value["wrong"]) for who, value in await refused(w)] == [
            ("anna", 2),
            ("bert", 1),
        ]


async def test_what_was_refused_is_written_when_the_service_stops(
    plant: Plant, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url) as w:
        await log_in(w.browser(), "anna", "guess")
    async with world(plant, url) as again:
        assert [who for who, _ in await refused(again)] == ["anna"]


async def test_nobody_without_an_invitation_has_a_password_hashed(
    plant: Plant, tmp_path: object
) -> None:
    """All places for hashing are taken: an answer that came did not wait for one."""
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        holders = [object() for _ in range(int(logins._hashing.total_tokens))]
        for holder in holders:
            logins._hashing.acquire_on_behalf_of_nowait(holder)
        try:
            body = {"username": "mallory", "password": PASSWORD, "invitation": "made up"}
            async with asyncio.timeout(5):
                assert (await w.browser().post("/auth/register", json=body)).status_code == 403
                assert (
                    await w.browser().post("/auth/register", json={**body, "invitation": None})
                ).status_code == 403
        finally:
            for holder in holders:
                logins._hashing.release_on_behalf_of(holder)


async def test_a_refused_registration_leaves_the_invitation_usable(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        await w.person("anna")
        now = w.clock.now()
        async with w.state.database.begin() as session:
            await accounts.invite(
                session, token_hash("please"), "operator", now, now + timedelta(days=1)
            )

        async def register(name: str, password: str) -> int:
            body = {"username": name, "password": password, "invitation": "please"}
            return (await w.browser().post("/auth/register", json=body)).status_code

        assert await register("bert", "password1234") == 422
        assert await register("anna", PASSWORD) == 409
        assert await register("bert", PASSWORD) == 201


async def test_invitations_cannot_be_guessed_without_end(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        body = {"username": "mallory", "password": PASSWORD}
        codes = [
            (
                await w.browser().post(
                    "/auth/register", json={**body, "invitation": f"guess {one}"}
                )
            ).status_code
            for one in range(REGISTRATIONS[0].times + 1)
        ]
        assert codes == [403] * REGISTRATIONS[0].times + [429]
