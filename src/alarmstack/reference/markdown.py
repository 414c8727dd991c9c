"""Markdown tables."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `make docs`: change the code, not this page. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; a bar within a cell is escaped."""
    body = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return [_line(head), _line(["---"] * len(head)), *map(_line, body)]


def page(*lines: str) -> str:
    """Lines as a file, marked as made."""
    first, *others = lines
    return "\n".join([first, "", MADE, *others, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


__all__ = ["page", "table"]
