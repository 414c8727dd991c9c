"""What is wrong with a drop, said so that a person can correct it: the file, the row as it is counted there, the kind, the reason.

While a file is read its faults are *findings*: a frame (row, kind, reason), one row a fault. `as_problems` makes the report of
them; after the first twenty of a kind the rest is a count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

ProblemKind = Literal[
    "text",
    "bad number",
    "blank",
    "bad time",
    "clock change",
    "duplicate time",
    "unordered time",
    "future time",
    "unit mismatch",
    "unit converted",
    "unknown tag",
    "unknown column",
    "unknown file",
    "unread file",
    "unread sheet",
    "empty file",
    "corrupt file",
    "missing instrument",
    "bad period",
]
KINDS: tuple[str, ...] = get_args(ProblemKind)
FINDING_SCHEMA = pl.Schema({"row": pl.Int64(), "kind": pl.String(), "reason": pl.String()})
SHOWN_OF_A_KIND = 20
LONGEST = 500
"""Characters of a name or a reason that are shown: a cell may hold 32,767 of them."""


@dataclass(frozen=True)
class Problem:
    """One fault of a drop. `row` counts as the sheet does (1 = first line); None: the whole file."""

    file: str
    row: int | None
    kind: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", printable(self.file))
        object.__setattr__(self, "reason", printable(self.reason))

    def __str__(self) -> str:
        where = self.file if self.row is None else f"{self.file}, row {self.row}"
        return f"{where}: {self.kind}: {self.reason}"


def printable(text: str) -> str:
    """A name or a text from a file in characters that a terminal, a log line and JSON can show, on one line.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    shown = text if text.isprintable() else "".join(map(_escaped, text))
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


LONGEST_NAME = 200
"""Bytes of the name of a file that is kept."""


def file_name(path: Path) -> str:
    """A file's name as a store, a ledger or a message can hold it: what cannot be shown becomes an underscore.

    A store adds to a name while it writes, and no file system takes more than 255 bytes: a longer one is cut before its suffix.

    >>> file_name(Path("a\\nb.csv")), len(file_name(Path("ä" * 120 + ".csv")).encode())
    ('a_b.csv', 200)
    """
    shown = "".join(character if character.isprintable() else "_" for character in path.name)
    if len(shown.encode()) <= LONGEST_NAME:
        return shown
    suffix = Path(shown).suffix.encode()[: LONGEST_NAME // 2]
    stem = shown.encode()[: LONGEST_NAME - len(suffix)]
    return (stem.decode(errors="ignore") + suffix.decode(errors="ignore")).strip()


def _escaped(character: str) -> str:
    return (
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
    )


def finding(kind: ProblemKind, reason: str, row: int | None = None) -> pl.DataFrame:
    """One finding."""
    return pl.DataFrame({"row": [row], "kind": [kind], "reason": [reason]}, schema=FINDING_SCHEMA)


def no_findings() -> pl.DataFrame:
    """Nothing to complain about."""
    return pl.DataFrame(schema=FINDING_SCHEMA)


def as_problems(file: str, findings: pl.DataFrame) -> tuple[Problem, ...]:
    """The findings of one file, oldest row first; more than twenty of a kind end in a count."""
    problems: list[Problem] = []
    for (kind,), group in findings.sort(
        "kind", "row", nulls_last=False, maintain_order=True
    ).group_by("kind", maintain_order=True):
        shown = group.head(SHOWN_OF_A_KIND)
        problems += [Problem(file, row, kind, reason) for row, _, reason in shown.iter_rows()]
        if rest := len(group) - len(shown):
            problems.append(
                Problem(
                    file, None, kind, f"{rest} more like these, the last in row {group['row'][-1]}"
                )
            )
    return tuple(problems)


__all__ = [
    "FINDING_SCHEMA",
    "KINDS",
    "SHOWN_OF_A_KIND",
    "Problem",
    "ProblemKind",
    "as_problems",
    "file_name",
    "finding",
    "no_findings",
    "printable",
]
