"""Accounts at the command line, as the operator of the service manages them."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alarmstack.cli import app
from alarmstack.cli.users import demo_login
from alarmstack.core.errors import AccountError, AlarmstackError
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.services.gateway.accounts import ensure
from tests.world import log_in, world


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALARMSTACK_DATA_DIR", str(tmp_path))


def user(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["user", *arguments], input=typed)


def test_an_account_is_created_listed_and_given_another_role() -> None:
    added = user("add", "anna", "--role", "viewer", typed="correct horse\ncorrect horse\n")
    assert added.exit_code == 0 and "correct horse" not in added.output
    assert user("role", "anna", "admin").exit_code == 0
    listed = user("list").output
    assert "anna" in listed and "admin" in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "anna", "--generate"), "taken"),
        (("add", "bert", "--role", "boss", "--generate"), "viewer, operator, engineer, admin"),
        (("add", "a b", "--generate"), "username"),
        (("role", "nobody", "admin"), "user list"),
        (("reset", "nobody", "--generate"), "user list"),
        (("disable", "nobody"), "user list"),
        (("enable", "nobody"), "user list"),
        (("delete", "nobody"), "user list"),
    ],
)
def test_an_invalid_change_is_refused_with_the_reason(
    arguments: tuple[str, ...], words: str
) -> None:
    user("add", "anna", "--generate")
    refused = user(*arguments)
    assert isinstance(refused.exception, AlarmstackError) and words in str(refused.exception)


def test_every_command_has_an_example() -> None:
    for command in ("add", "role", "reset", "disable", "enable", "delete", "list", "invite"):
        assert f"Example: alarmstack user {command}" in " ".join(
            user(command, "--help").output.split()
        )


def test_an_account_is_disabled_enabled_and_deleted_the_last_admin_only_with_force() -> None:
    user("add", "anna", "--role", "admin", "--generate")
    refused = user("disable", "anna")
    assert isinstance(refused.exception, AccountError) and "--force" in str(refused.exception)
    assert user("disable", "anna", "--force").exit_code == 0
    assert re.search(r"anna\s*│\s*admin\s*│[^│]*UTC\s*│\s*2\d{3}-", user("list").output)
    assert user("enable", "anna").exit_code == 0
    assert user("delete", "anna", "--force").exit_code == 0
    assert "anna" not in user("list").output


@pytest.mark.anyio
async def test_a_short_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccountError, match="password"):
        await ensure(Settings(data=tmp_path), "anna", "short", "viewer")


def test_the_demo_login_has_a_new_password_each_time(tmp_path: Path) -> None:
    first, second = demo_login(Settings(data=tmp_path)), demo_login(Settings(data=tmp_path))
    assert first[0] == second[0] == "demo" and first[1] != second[1]
    assert re.search(r"demo\s*│\s*engineer", user("list").output)


@pytest.mark.anyio
async def test_a_new_password_ends_all_logins_and_can_be_used(plant: Plant, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alarmstack.db'}"
    async with world(plant, url) as w:
        anna = await w.person("anna")
        settings = Settings(data=tmp_path)
        await ensure(settings, "anna", "another horse", "operator")
        assert (await anna.get("/auth/me")).status_code == 401
        assert (await anna.post("/auth/refresh")).status_code == 401
        assert (await log_in(w.browser(), "anna", "another horse")).status_code == 200
