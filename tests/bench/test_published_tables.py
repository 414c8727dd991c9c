"""The tables in docs/ have the headings that the commands write today."""

from pathlib import Path

from alarmstack.bench.study import StudyResults
from alarmstack.bench.table import markdown
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


def headings(page: Path) -> set[str]:
    """Every heading, and the first two lines of every table."""
    lines = page.read_text().splitlines()
    tables = [place for place, line in enumerate(lines) if line.startswith("| ---")]
    firsts = {line for place in tables for line in lines[place - 1 : place + 1]}
    return firsts | {line for line in lines if line.startswith("### ")}


def test_the_studies_of_the_models() -> None:
    written = StudyResults("plant", [], [], []).markdown().splitlines()
    assert headings(DOCS / "models_tables.md") == {line for line in written if line}


def test_the_results_on_public_data() -> None:
    table_head = set(markdown("", []).splitlines()[2:4])
    page = headings(DOCS / "skill_tables.md")
    assert {line for line in page if not line.startswith("### ")} == table_head
