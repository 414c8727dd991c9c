"""Rejected words do not return in texts that users read.

The texts are README, docs, commands, messages, OpenAPI and notebooks; tests/test_screen_words.py
reads those of the screen. docs/glossary.md defines the terms.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

REJECTED = {
    r"\bno limit is broken\b": "no limit exceeded",
    r"\blimits? (is|are|was|were) broken\b": "limit exceeded",
    r"\bwarnings? stands?\b": "active warning",
    r"\bmodels? (speaks?|says|said|told|spoke)\b": "model output; the model serves",
    r"\bspeaks?\b": "serves, is available, assesses",
    r"\bwhat (it|they|the models?) (says?|said)\b": "model output",
    r"\b(floors?|floor's)\b": "baseline",
    r"\b(mend|mends|mended)\b": "fix, correct",
    r"\b(hardness|likeness)\b": "predictability, similarity",
    r"\bcontests?\b": "champion/challenger comparison",
    r"\bis no (duration|number|name|unit|promise|place|page|figure)\b": "is not a …",
    r"\bare no (seeds|numbers|names)\b": "are not …",
    r"\bstands? twice\b": "is defined twice",
    r"\bleft no word\b": "no log output",
    r"\bwhoever\b": "anyone who",
    r"\bwho comes in\b": "who has access",
    r"\bgoes on from here\b": "resumes here",
    r"\bRead it so\b": "How to read this table",
    r"\bnothing is told\b": "nothing is reported",
    r"\bsays? so in time\b": "warns in time",
    r"\bbeats? (its|the|every) baselines?\b": "is better than its baseline",
    r"\bset ?points? (speak|say)": "setpoints show",
    r"\bNothing asked yet\b": "No result yet",
    r"\bMainly:": "Main driver:",
    r"\bAuto off\b": "Save forecasts hourly: off",
}
"""Pattern, and what to write instead. Case does not matter."""
QUOTED = {
    "CHANGELOG.md": ("likeness", "hardness", "floor", "floors"),
    "docs/api.md": ("contests",),
    "src/alarmstack/models/normality/evidence.py": ("floor",),
}
"""Words that a text must use: old names, and keys of stored data and of the API."""
READERS = re.compile(r"[Tt]his (page|index) is for ")


def texts() -> Iterator[tuple[str, str]]:
    """The place of each text, and the text."""
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        yield page, (REPOSITORY / page).read_text()
    for file in sorted((REPOSITORY / "docs").glob("*.md")):
        yield str(file.relative_to(REPOSITORY)), file.read_text()
    for notebook in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text())["cells"]:
            if cell["cell_type"] == "markdown":
                yield notebook.name, "".join(cell["source"])
    yield (
        "ui/openapi.json",
        "\n".join(described(json.loads((REPOSITORY / "ui/openapi.json").read_text()))),
    )
    for file in sorted((REPOSITORY / "src/alarmstack").rglob("*.py")):
        for line, text in literals(file):
            yield f"{file.relative_to(REPOSITORY)}:{line}", text


def described(node: object) -> Iterator[str]:
    """Summaries and descriptions of an OpenAPI document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("description", "summary") and isinstance(value, str):
                yield value
            else:
                yield from described(value)
    elif isinstance(node, list):
        for value in node:
            yield from described(value)


def literals(file: Path) -> Iterator[tuple[int, str]]:
    """Texts of a module: its strings, among them its docstrings, that contain a space."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def rejected(where: str, text: str) -> list[str]:
    """The rejected words of a text, each with what to write instead."""
    allowed = QUOTED.get(where.partition(":")[0], ())
    return [
        f"{where}: {match[0]!r} (write: {instead})"
        for pattern, instead in REJECTED.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
        if match[0].lower() not in allowed
    ]


def test_no_rejected_word_is_in_a_text_that_users_read() -> None:
    complaints = [complaint for where, text in texts() for complaint in rejected(where, text)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("No limit is broken, no warning stands", "no limit exceeded"),
        ("It beats its baseline.", "is better than its baseline"),
        ("'5x' is no duration", "is not a …"),
        ("The model speaks.", "model output; the model serves"),
    ],
)
def test_a_rejected_word_is_reported(text: str, instead: str) -> None:
    assert any(complaint.endswith(f"(write: {instead})") for complaint in rejected("a page", text))


def test_every_page_begins_with_its_readers() -> None:
    pages = sorted((REPOSITORY / "docs").glob("*.md"))
    openings = {page.name: " ".join(page.read_text().split())[:400] for page in pages}
    assert not [name for name, text in openings.items() if not READERS.search(text)]
