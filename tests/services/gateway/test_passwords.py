"""Which passwords are accepted, and that no answer repeats one."""

import json
from typing import Any

import pytest

from alarmstack.core.errors import AccountError
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.services.gateway import accounts
from alarmstack.services.gateway.passwords import weakness
from alarmstack.services.schemas.gateway import LONGEST_PASSWORD, SHORTEST_PASSWORD
from tests.world import ORIGIN, PASSWORD, world

WEAK = {
    "tooshort123": "characters",
    "x" * 200: "characters",
    "abababababab": "different",
    "anna-in-the-garden": "user name",
    "the garden of ANNA": "user name",
    "Password2024!": "common",
    "1234567890123": "common",
    "qwertyuiop123": "common",
    "Dragonfly-2026": "common",
    "alarmstack2026": "common",
}


@pytest.mark.parametrize(("password", "reason"), WEAK.items())
def test_what_is_guessed_first_is_refused_without_being_repeated(
    password: str, reason: str
) -> None:
    refusal = weakness("anna", password)
    assert refusal is not None and reason in refusal and password not in refusal


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "x7 Lm-qq.Wp2",
        "zwölf Äpfel im Korb",
        "🐎🔋📎🏭🌧️🧊🔧🪣🧲🧯🪜🛢️",
        "nine instruments " * 7,
        "pass phrase with blanks",
    ],
)
def test_other_passwords_are_taken_whatever_their_characters(password: str) -> None:
    assert (
        SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD
        and weakness("anna", password) is None
    )


@pytest.mark.anyio
async def test_the_command_line_refuses_the_same(tmp_path: Any) -> None:
    with pytest.raises(AccountError, match="most common"):
        await accounts.add(Settings(data=tmp_path), "anna", "password1234", "viewer")


SECRETS = "hunter2hunter2"
BODIES: dict[str, Any] = {
    "a short name": {"username": "x", "password": SECRETS},
    "no name": {"password": SECRETS},
    "a list as password": {"username": "anna", "password": [SECRETS]},
    "an object as name": {"username": {"password": SECRETS}, "password": "x"},
    "an unknown field": {"username": "anna", "password": PASSWORD, "passphrase": SECRETS},
    "the password as a field's name": {"username": "anna", "password": PASSWORD, SECRETS: 1},
    "a long invitation": {"username": "anna", "password": PASSWORD, "invitation": SECRETS * 20},
    "a number as invitation": {
        "username": "anna",
        "password": PASSWORD,
        "invitation": {"a": SECRETS},
    },
    "a text": SECRETS,
    "a list": [SECRETS],
    "a common password": {"username": "anna", "password": "password1234"},
}


@pytest.mark.anyio
async def test_no_answer_and_no_log_repeats_a_password(
    plant: Plant, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "alarmstack")
    async with world(plant, f"sqlite:///{tmp_path}/a.db", registration="open") as w:
        for prefix in ("", "/api"):
            for what, body in BODIES.items():
                answer = await w.browser().post(f"{prefix}/auth/register", json=body)
                assert answer.status_code in (422, 429), what
                assert SECRETS not in answer.text and "password1234" not in answer.text, what
            for content, kind in (
                (
                    json.dumps({"username": "anna", "password": SECRETS}),
                    "application/x-www-form-urlencoded",
                ),
                (f"username=anna&password={SECRETS}", "application/json"),
                (f"password={SECRETS}", "application/x-www-form-urlencoded"),
                (
                    f"username={'x' * 300}&password={SECRETS * 30}",
                    "application/x-www-form-urlencoded",
                ),
                (f"username=anna&password={SECRETS}", "text/plain"),
            ):
                answer = await w.browser().post(
                    f"{prefix}/auth/login", content=content, headers={"Content-Type": kind}
                )
                assert answer.status_code in (400, 422) and SECRETS not in answer.text, content[:40]
    assert SECRETS not in caplog.text


@pytest.mark.anyio
async def test_a_password_in_the_wrong_place_is_not_repeated_either(
    plant: Plant, tmp_path: Any
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna", "engineer")
        for path, body in (
            ("/scenarios/activate", {"name": {"password": SECRETS}}),
            ("/scenarios/activate", {"scenario": SECRETS}),
            ("/infer/predict", [SECRETS]),
            ("/infer/assess", {"pwd": SECRETS}),
            ("/drift/recalibrated", {"key": "x", "access_token": SECRETS}),
        ):
            answer = await anna.post(path, json=body)
            assert answer.status_code == 422 and SECRETS not in answer.text, body


ODD = [
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff",
    "\U0010ffff",
    "\u202e",
    "x" * 1_000_000,
    "",
    " ",
    "'; DROP TABLE users; --",
    "\r\nSet-Cookie: a=b",
]


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["username", "password", "invitation", "another name"])
async def test_extreme_texts_are_refused_and_never_an_error_of_the_service(
    plant: Plant, database_url: str, where: str
) -> None:
    async with world(
        plant, database_url, registration="invitation" if where == "invitation" else "open"
    ) as w:
        for text in ODD:
            w.clock.advance(60)
            body = {"username": "anna", "password": PASSWORD, "invitation": "x"} | (
                {where: text} if " " not in where else {text: "x"}
            )
            answer = await w.browser().post(
                "/auth/register",
                content=json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            assert 400 <= answer.status_code < 500, (where, text[:20], answer.text[:200])
            if where in ("username", "password"):
                form = {"username": "anna", "password": "x"} | {
                    where: text.encode("utf-8", "surrogatepass")
                }
                answer = await w.browser().post("/auth/login", data=form)
                assert 400 <= answer.status_code < 500, (where, text[:20], answer.text[:200])
        for header in (
            {"Authorization": "Bearer \x80\xff"},
            {"Cookie": "alarmstack_refresh=\xff; alarmstack_device=\xff"},
        ):
            browser = w.browser()
            raw = {name: value.encode("latin-1") for name, value in header.items()}
            for method, path in (
                ("GET", "/auth/me"),
                ("POST", "/auth/refresh"),
                ("POST", "/auth/logout"),
            ):
                answer = await browser.request(
                    method,
                    path,
                    headers={b"origin": ORIGIN.encode(), **{k.encode(): v for k, v in raw.items()}},
                )
                assert answer.status_code < 500, (header, path)
