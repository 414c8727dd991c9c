"""Rejected words do not return in texts that users and maintainers read.

The texts are README, docs, commands, messages, docstrings and comments, OpenAPI, notebooks, the
files of a plant, the files of the containers with their alerts and dashboards, the sets of the
benchmark, and the modules of `chaos`, `benchmarks` and `tools`.
tests/test_screen_words.py reads the texts of the screen. docs/glossary.md defines the terms.
"""

import ast
import io
import json
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

REJECTED = {
    r"\blimits? (is|are|was|were) broken\b|\bbroken limits?\b": "limit exceeded",
    r"\b(breaks?|broke) (no|a|an|any|its|the) limits?\b": "exceeds",
    r"\bno limit is broken\b": "no limit exceeded",
    r"\bwarnings? stands?\b": "active warning",
    r"\bwarnings? (that )?(begins?|ends?)\b": "a warning is raised, is cleared",
    r"\bwarns from\b": "threshold 8 %",
    r"\bstands\b": "is, stays, is active, is shown",
    r"\bmodels? (speaks?|says|said|told|spoke)\b": "model output; the model serves",
    r"\bmodels? (is|are) silent\b|\b(was|were) silent\b": "is not available",
    r"(?<!`)\b(speaks?|spoke|spoken)\b": "serves, is available, assesses",
    r"(?<!`)\b(told|tell of|tells)\b": "reports, states, is given",
    r"\bsays the (model|forecaster)\b|\bit says \d": "the model predicts",
    r"\bwhat (it|they|the models?) (says?|said)\b": "model output",
    r"\b(is|are|was|were|be|been) said (of|about)\b": "is known about, is stated",
    r"(?<!`)\b(floors?|floor's)\b": "baseline",
    r"\busual (rows?|values?|ranges?)\b": "normal rows, reference distribution",
    r"\bunlike the\b": "anomaly score",
    r"\b(mend|mends|mended)\b": "fix, correct",
    r"\b(each|every|all|per) moments?\b": "sample, reading, interval, row",
    r"\bat (any|this|the) moment\b": "now, at any time",
    r"(?<![`/])\bfigures?\b(?!`)": "metric, plot, number",
    r"\b(hardness|likeness)\b": "predictability, similarity",
    r"\bcontests?\b": "champion/challenger comparison",
    r"\b(the|a|full|whole) walk\b(?!.forward)": "stack test",
    r"\bis no (duration|number|name|unit|promise|place|page|figure|part|reason|reference)\b": (
        "is not a …"
    ),
    r"\bare no (seeds|numbers|names)\b": "are not …",
    r"\bstands? twice\b": "is defined twice",
    r"\bleft no word\b": "no log output",
    r"\bwhoever\b": "anyone who",
    r"\bwho comes in\b": "who has access",
    r"\b(goes|go) on\b": "resumes, continues",
    r"\bcaught up with\b|\bwhat waits\b": "the backlog clears automatically",
    r"\bdid without\b": "missing inputs",
    r"\bRead it so\b": "How to read this table",
    r"\bAsk the gate\b": "Validate a data file",
    r"\bnothing is (told|said)\b": "nothing is reported",
    r"\bnothing says that\b": "No retraining needed",
    r"\bsays? so in time\b": "warns in time",
    r"\bbeats? (its|the|every) baselines?\b": "is better than its baseline",
    r"\bset ?points? (speak|say)": "setpoints show",
    r"\balarms? likely within\b": "alarm possible within",
    r"\bNothing asked yet\b": "No result yet",
    r"\bMainly:": "Main driver:",
    r"\bAuto off\b": "Save forecasts hourly: off",
    r"\bDeleted ones\b": "Show deleted",
    r"\brows beyond a limit\b": "Hours over a limit",
    r"\b(is in alarm at this row|in alarm at this row, by)\b": "risk of alarm now",
    r"\b(spread within|variation over) \d": "max − min over 1 h, standard deviation over 3 h",
    r"\b(last \d+|forecast) of the feed\b": "Load live data, Forecast from live data",
    r"\bNo reasons are\b": "No explanation available",
    r"\bcontributions make\b": "Baseline + 142 contributions =",
    r"\bThere is an account already\b": "Already have an account?",
    r"\bWhat stands here\b": "Values shown are …",
    r"\bnothing to close intervals over\b": "no readable timestamps",
}
"""Pattern, and what to write instead. Case does not matter."""
QUOTED = {
    "CHANGELOG.md": ("likeness", "hardness", "floor", "floors"),
    "docs/api.md": ("contests",),
    "src/alarmstack/models/normality/evidence.py": ("floor",),
    "src/alarmstack/reports/plots/style.py": ("figure",),
}
"""Words that a text must use: old names, keys of stored data and of the API, Matplotlib's terms."""
COMMENT = re.compile(r"(?:^|\s)#+\s(.*)$", re.MULTILINE)
"""A comment of a YAML, TOML, shell, Docker, nginx or env file."""
COMMENTED = ("*.yml", "*.toml", "*.sh", "*.conf", "*.Dockerfile", ".env.example", "start")
"""Files with such comments in infra/."""
READERS = re.compile(r"[Tt]his (page|index) is for ")


def texts() -> Iterator[tuple[str, str]]:
    """The place of each text, and the text."""
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        yield page, (REPOSITORY / page).read_text()
    yield "ui/README.md", (REPOSITORY / "ui/README.md").read_text()
    for file in sorted((REPOSITORY / "docs").glob("*.md")):
        yield str(file.relative_to(REPOSITORY)), file.read_text()
    for notebook in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text())["cells"]:
            if cell["cell_type"] == "markdown":
                yield notebook.name, "".join(cell["source"])
    openapi = json.loads((REPOSITORY / "ui/openapi.json").read_text())
    yield "ui/openapi.json", "\n".join(strings(openapi, "description", "summary"))
    for folder in ("src/alarmstack", "infra", "chaos", "benchmarks", "tools"):
        yield from python_texts(folder)
    yield from plant_texts()
    yield from container_texts()
    yield from set_texts()
    promises = REPOSITORY / "docs/promises.toml"
    yield named(promises), comments(promises.read_text())


def python_texts(folder: str) -> Iterator[tuple[str, str]]:
    """Strings with a space, among them docstrings, and comments of all modules in a folder."""
    for file in committed(folder, "*.py"):
        code = file.read_text()
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield f"{named(file)}:{node.lineno}", node.value
        tokens = tokenize.generate_tokens(io.StringIO(code).readline)
        found = [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]
        for line, comment in adjacent(found):
            yield f"{named(file)}:{line}", comment


def adjacent(found: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Comments, with the number of the first line; those of adjacent lines are one text."""
    parts: list[str] = []
    first = last = 0
    for line, comment in found:
        if parts and line != last + 1:
            yield first, " ".join(parts)
            parts = []
        first = first if parts else line
        last = line
        parts.append(comment.lstrip("# "))
    if parts:
        yield first, " ".join(parts)


def comments(content: str) -> str:
    """The comments of a TOML, YAML, shell, Docker, nginx or env file, without their signs."""
    return "\n".join(COMMENT.findall(content))


def committed(folder: str, pattern: str) -> list[Path]:
    """The files in a folder, without those of environments that are installed there."""
    files = sorted((REPOSITORY / folder).rglob(pattern))
    return [file for file in files if ".venv" not in file.parts]


def plant_texts() -> Iterator[tuple[str, str]]:
    """Titles, descriptions and comments of every plant."""
    for file in sorted((REPOSITORY / "plants").rglob("*.toml")):
        content = file.read_text()
        yield named(file), "\n".join(strings(tomllib.loads(content), "title", "description"))
        yield named(file), comments(content)


def set_texts() -> Iterator[tuple[str, str]]:
    """Titles and comments of the sets of the benchmark."""
    for file in sorted((REPOSITORY / "benchmarks/sets").rglob("*.toml")):
        content = file.read_text()
        yield named(file), "\n".join(strings(tomllib.loads(content), "title", "description"))
        yield named(file), comments(content)


def container_texts() -> Iterator[tuple[str, str]]:
    """Comments of the container files, annotations of the alerts, texts of the dashboards."""
    for pattern in COMMENTED:
        for file in committed("infra", pattern):
            yield named(file), comments(file.read_text())
    alerts = REPOSITORY / "infra/prometheus/rules/alerts.yml"
    yield (
        named(alerts),
        "\n".join(strings(yaml.safe_load(alerts.read_text()), "summary", "action", "description")),
    )
    for file in sorted((REPOSITORY / "infra/grafana/dashboards").glob("*.json")):
        dashboard = json.loads(file.read_text())
        yield named(file), "\n".join(strings(dashboard, "title", "description", "legendFormat"))


def named(file: Path) -> str:
    """The path in the repository."""
    return str(file.relative_to(REPOSITORY))


def strings(node: object, *keys: str) -> Iterator[str]:
    """The texts at these keys of a JSON, YAML or TOML document, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys and isinstance(value, str):
                yield value
            else:
                yield from strings(value, *keys)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, *keys)


def rejected(where: str, text: str) -> list[str]:
    """The rejected words of a text, each with what to write instead."""
    allowed = QUOTED.get(where.partition(":")[0], ())
    text = " ".join(text.split())
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
        ("A warning ends below this share.", "a warning is raised, is cleared"),
        ("rows that break no limit", "exceeds"),
        ("Inputs a model did without, counted by score", "missing inputs"),
        ("what waits is caught up with by itself", "the backlog clears automatically"),
        ("No reasons are told", "reports, states, is given"),
        ("the limit is\nbroken", "limit exceeded"),
        ("A hit is a warning that begins early.", "a warning is raised, is cleared"),
        ("It is likely, says the forecaster", "the model predicts"),
        ("the risk at this moment", "now, at any time"),
    ],
)
def test_a_rejected_word_is_reported(text: str, instead: str) -> None:
    assert any(complaint.endswith(f"(write: {instead})") for complaint in rejected("a page", text))


@pytest.mark.parametrize(
    ("group", "least"),
    [
        (python_texts("infra"), 100),
        (python_texts("chaos"), 30),
        (python_texts("benchmarks"), 30),
        (python_texts("tools"), 5),
        (plant_texts(), 4),
        (container_texts(), 30),
        (set_texts(), 20),
    ],
    ids=["DAGs and init", "chaos", "benchmarks", "tools", "plants", "containers", "sets"],
)
def test_every_group_of_texts_is_read(group: Iterator[tuple[str, str]], least: int) -> None:
    assert sum(len(text.split()) > 2 for _, text in group) >= least


def test_comments_of_adjacent_lines_are_one_text() -> None:
    found = [(3, "# the limit is"), (4, "# broken"), (9, "# another")]
    assert list(adjacent(found)) == [(3, "the limit is broken"), (9, "another")]


def test_every_page_begins_with_its_readers() -> None:
    pages = sorted((REPOSITORY / "docs").glob("*.md"))
    openings = {page.name: " ".join(page.read_text().split())[:400] for page in pages}
    assert not [name for name, text in openings.items() if not READERS.search(text)]
