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
PROMISES = [
    (kind, promise, entry) for kind, listed in TABLE.items() for promise, entry in listed.items()
]
"""Kind, promise, and its test or its deviation."""


@pytest.fixture(scope="module")
def text() -> str:
    """The mission text, which is beside the repository and not part of it."""
    data = Path(os.environ.get("ALARMSTACK_DATA", REPOSITORY.parent / "shared" / "data"))
    path = data.parent / "MISSION.txt"
    if not path.is_file():
        if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
            pytest.fail(f"{path} is missing, and ALARMSTACK_TEST_ALL=1 allows no skipped test")
        pytest.skip(
            f"the mission is not at {path}: set ALARMSTACK_DATA to the folder `data` beside it"
        )
    return path.read_text()


def rows() -> list[list[str]]:
    """The rows of the page's tables: asked for, here, why (the headings)."""
    lines = [
        line for line in (DOCS / "deviations.md").read_text().splitlines() if line.startswith("| ")
    ]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row[0] != "asked for" and set(row[0]) != {"-"}]


def functions(file: Path) -> set[str]:
    """Names of the functions of a file."""
    tree = ast.parse(file.read_text())
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_promise_has_either_a_test_or_a_deviation() -> None:
    assert not [
        (kind, promise)
        for kind, promise, entry in PROMISES
        if set(entry) not in ({"test"}, {"deviation"})
    ]


@pytest.mark.parametrize(
    "named", sorted({entry["test"] for *_, entry in PROMISES if "test" in entry})
)
def test_a_named_test_exists(named: str) -> None:
    path, _, function = named.partition("::")
    assert function in functions(REPOSITORY / path), named


def test_a_named_deviation_is_a_row_of_the_page() -> None:
    deviations = {entry["deviation"] for *_, entry in PROMISES if "deviation" in entry}
    assert deviations <= {row[0] for row in rows()}


def test_every_row_has_three_cells_and_is_listed_once() -> None:
    assert len(rows()) > 30
    assert not [row for row in rows() if len(row) != 3 or not all(row)]
    assert len({row[0] for row in rows()}) == len(rows())


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_lists_exactly_the_promises_of_the_text(text: str, kind: str) -> None:
    promised = promises(text)[kind]
    assert promised, f"no {kind} were found: has the form of the text changed?"
    assert set(TABLE[kind]) == set(promised)


def test_every_quoted_sentence_is_in_the_text(text: str) -> None:
    one_line = " ".join(text.split())
    assert not [sentence for sentence in TABLE["sentences"] if sentence not in one_line]


def test_there_is_one_table_for_each_kind() -> None:
    assert set(TABLE) == {*KINDS, "sentences"}
