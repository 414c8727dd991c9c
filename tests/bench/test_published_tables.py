"""The tables in docs/ have the headings that the commands write today."""

from alarmstack.bench.study import StudyResults
from alarmstack.bench.table import markdown, transfer_markdown
from alarmstack.bench.transfer import RULES
from alarmstack.training.studies import Bin, Learnt, Loss
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


def headings(text: str) -> set[str]:
    """Every heading, and the first two lines of every table."""
    lines = text.splitlines()
    tables = [place for place, line in enumerate(lines) if line.startswith("| ---")]
    firsts = {line for place in tables for line in lines[place - 1 : place + 1]}
    return firsts | {line for line in lines if line.startswith("### ")}


def test_the_studies_of_the_models() -> None:
    written = StudyResults(
        "plant",
        [Bin("plant_a", 0.1, 9, 0.1, 0.1, 0.0, 0.2)],
        [Loss("plant_a", "nothing", 0.5, 0.5, 0.5)],
        [Learnt("plant_a", 10, 30.0, 0.5, 0.4, 0.6, 0.5)],
    )
    assert headings((DOCS / "models_tables.md").read_text()) == headings(written.markdown())


def test_the_results_on_public_data() -> None:
    table_head = set(markdown("", []).splitlines()[2:4])
    page = headings((DOCS / "skill_tables.md").read_text())
    assert {line for line in page if not line.startswith("### ")} == table_head


def test_the_transfer_of_budgets() -> None:
    """Every rule of the code has a line."""
    page = (DOCS / "transfer_tables.md").read_text()
    assert all(f"\n| {rule} | " in page for rule in RULES)
    assert headings(page) == headings(transfer_markdown([]))
