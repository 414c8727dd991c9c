"""Every promise of the mission has a test, or a row in docs/deviations.md."""

import ast
import os
import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.mission import KINDS, promises

DOCS = REPOSITORY / "docs"
TABLE: dict[str, dict[str, dict[str, str]]] = tomllib.loads((DOCS / "promises.toml").read_text())
KEPT = [(kind, promise, said) for kind, listed in TABLE.items() for promise, said in listed.items()]


@pytest.fixture(scope="module")
def text() -> str:
    """The founding text, which lies beside the repository and is no part of it."""
    data = Path(os.environ.get("ALARMSTACK_DATA", REPOSITORY.parent / "shared" / "data"))
    path = data.parent / "MISSION.txt"
    if not path.is_file():
        if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
            pytest.fail(f"{path} is missing, and ALARMSTACK_TEST_ALL=1 leaves nothing out")
        pytest.skip(
            f"the mission is not at {path}: set ALARMSTACK_DATA to the folder `data` beside it"
        )
    return path.read_text()


def rows() -> list[list[str]]:
    """The rows of the page's tables: asked for, here, why."""
    lines = [
        line for line in (DOCS / "deviations.md").read_text().splitlines() if line.startswith("| ")
    ]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row[0] != "asked for" and set(row[0]) != {"-"}]


def functions(file: Path) -> set[str]:
    """Names of the tests of a file."""
    tree = ast.parse(file.read_text())
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_promise_has_a_test_or_a_deviation_and_never_neither() -> None:
    assert not [
        (kind, promise)
        for kind, promise, said in KEPT
        if set(said) not in ({"test"}, {"deviation"})
    ]


@pytest.mark.parametrize("named", sorted({said["test"] for *_, said in KEPT if "test" in said}))
def test_a_named_test_exists(named: str) -> None:
    path, _, function = named.partition("::")
    assert function in functions(REPOSITORY / path), named


def test_a_named_deviation_is_a_row_of_the_page() -> None:
    told = {row[0] for row in rows()}
    assert {said["deviation"] for *_, said in KEPT if "deviation" in said} - told == set()


def test_every_row_says_what_is_asked_what_is_here_and_why() -> None:
    assert len(rows()) > 30
    assert not [row for row in rows() if len(row) != 3 or not all(row)]
    assert len({row[0] for row in rows()}) == len(rows())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_forgotten_and_nothing_made_up(text: str, kind: str) -> None:
    promised = promises(text)[kind]
    assert promised, f"no {kind} were found: has the text another form?"
    assert set(TABLE[kind]) == set(promised)


def test_sentences_stand_in_the_text(text: str) -> None:
    said = " ".join(text.split())
    assert not [sentence for sentence in TABLE["sentences"] if sentence not in said]


def test_every_table_is_of_a_kind_that_is_looked_for() -> None:
    assert set(TABLE) == {*KINDS, "sentences"}
