"""Links of README and docs have a target, and pages of docs/ link only to pages of docs/."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
HEADING = re.compile(r"(?m)^#+ +(.*)$")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    words = (
        re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(page.read_text())
    )
    return {heading.strip().replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_to_a_page(page: Path) -> None:
    root = DOCS if page.is_relative_to(DOCS) else REPOSITORY
    for link in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} does not exist"
        assert target.is_relative_to(root), f"{page.name}: {link} is outside {root.name}/"
        assert target.suffix in {".md", ".png", ".svg"} or root == REPOSITORY, (
            f"{page.name}: {link} is not a page or an image"
        )
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} has no such heading"
