"""docs/security.md names tests that exist; and requirements that no other test verifies."""

import ast
import base64
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.access import COOKIE
from alarmstack.services.gateway.credentials import hash_password, new_token, token_hash
from alarmstack.services.gateway.openapi import document
from tests.conftest import REPOSITORY
from tests.world import PASSWORD, world

PAGE = (REPOSITORY / "docs/security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
SECRET_NAMES = re.compile("token|password|secret|session|invitation", re.IGNORECASE)


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_the_page_names_exists() -> None:
    missing = [
        f"{file}::{name}" for file, name in NAMED if name not in functions(REPOSITORY / file)
    ]
    assert NAMED and missing == []


def test_every_requirement_names_a_test_and_is_listed_once() -> None:
    part = PAGE.partition("## Requirements")[2].partition("## Not met")[0]
    rows = [line for line in part.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 30 and all("`tests/" in row for row in rows)
    numbers = [number.strip() for row in rows for number in row.split("|")[1].split(",")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.anyio
async def test_passwords_are_stored_as_salted_argon2id_hashes(plant: Plant, tmp_path: Path) -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)
    async with world(plant, f"sqlite:///{tmp_path}/a.db", registration="open") as w:
        answer = await w.browser().post(
            "/auth/register", json={"username": "anna", "password": PASSWORD}
        )
        assert answer.status_code == 201
        async with w.state.database.begin() as session:
            (stored,) = (await session.execute(text("SELECT password_hash FROM users"))).scalars()
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$", stored)
    assert len(base64.b64decode(stored.split("$")[4] + "==")) >= 16
    assert PASSWORD.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("a.db*"))


@pytest.mark.anyio
async def test_random_tokens_have_256_bits_and_are_stored_as_hashes(
    plant: Plant, tmp_path: Path
) -> None:
    assert len(base64.urlsafe_b64decode(new_token() + "=")) * 8 == 256
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        token = (await w.person("anna")).cookies[COOKIE]
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("a.db*"))
    assert token.encode() not in stored and token_hash(token).encode() in stored


def test_no_endpoint_takes_a_secret_in_its_address() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            named = [
                one["name"]
                for one in operation.get("parameters", ())
                if one["in"] in ("query", "path")
            ]
            assert not [name for name in named if SECRET_NAMES.search(name)], path
