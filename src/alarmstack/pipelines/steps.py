"""`make run`: every step from historian files to scored models, each done once.

A step leaves a stamp that names what it was made from. A step whose stamp still fits is skipped; after an interruption the next run
goes on with the first step that left none. Nothing is asked of a step but that it writes its results whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from rich.console import Console

from alarmstack.core.progress import Progress, bar

Work = Callable[[Progress], str]


@dataclass
class Steps:
    """Runs steps in order; a changed step makes all later ones run again."""

    folder: Path
    console: Console
    chain: str = ""
    ran: list[str] = field(default_factory=list)

    def step(self, title: str, made_from: str, results: list[Path], work: Work) -> None:
        """Run `work(progress) -> summary` unless the stamp fits and all results are there."""
        self.chain = hashlib.sha256(f"{self.chain}|{title}|{made_from}".encode()).hexdigest()[:16]
        stamp = self.folder / f"{hashlib.sha256(title.encode()).hexdigest()[:12]}.json"
        if (
            (known := _read(stamp))
            and known["chain"] == self.chain
            and all(path.exists() for path in results)
        ):
            self.console.print(f"  [dim]✓[/] {title}: {known['summary']} [dim](as before)[/]")
            return
        begin = monotonic()
        with bar(self.console, title) as progress:
            summary = work(progress)
        self.console.print(
            f"  [green]✓[/] {title}: {summary} [dim]({monotonic() - begin:.0f} s)[/]"
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = stamp.with_suffix(".partial")
        partial.write_text(
            json.dumps(
                {"chain": self.chain, "title": title, "summary": summary}, ensure_ascii=False
            )
        )
        partial.replace(stamp)
        self.ran.append(title)


def _read(stamp: Path) -> dict[str, str] | None:
    try:
        known: dict[str, str] = json.loads(stamp.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return known


__all__ = ["Steps"]
