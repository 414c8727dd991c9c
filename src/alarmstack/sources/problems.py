"""The problems of a drop, in a form that lets a person correct them: file, row, kind and reason.

While a file is read, its faults are *findings*: a frame (row, kind, reason) with one row for each
fault. `as_problems` makes the report; after the first twenty of a kind it gives a count.
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
"""Characters of a name or a reason that are shown. A cell may have 32,767."""
LONGEST_NAME = 200
"""Bytes of a file's name that are kept."""


@dataclass(frozen=True)
class Problem:
    """One fault of a drop. `row` as in the sheet (1 = first line); None: the whole file."""

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
    """A text from a file, on one line, in characters that a terminal, a log and JSON can show.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    shown = text if text.isprintable() else "".join(map(_escaped, text))
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def file_name(path: Path) -> str:
    """A file's name for a store, a ledger or a message: unprintable characters become underscores.

    A store adds to a name while it writes, and file systems accept at most 255 bytes. A longer name
    is therefore cut before its suffix.

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
    """An empty frame of findings."""
    return pl.DataFrame(schema=FINDING_SCHEMA)


def as_problems(file: str, findings: pl.DataFrame) -> tuple[Problem, ...]:
    """The findings of one file by kind and row; after twenty of a kind the rest is a count."""
    problems: list[Problem] = []
    ordered = findings.sort("kind", "row", nulls_last=False, maintain_order=True)
    for (kind,), group in ordered.group_by("kind", maintain_order=True):
        shown = group.head(SHOWN_OF_A_KIND)
        problems += [Problem(file, row, kind, reason) for row, _, reason in shown.iter_rows()]
        if rest := len(group) - len(shown):
            reason = f"{rest} more of this kind, the last in row {group['row'][-1]}"
            problems.append(Problem(file, None, kind, reason))
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
