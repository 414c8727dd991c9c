"""Steps that are run once: `make run` skips the steps that an earlier run has completed.

Each completed step writes a stamp with a hash of its inputs. A step with a matching stamp is
skipped. After an interruption, the next run resumes at the first step without a stamp. A step must
write its results atomically.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from rich.console import Console

from alarmstack.core.checksum import fingerprint
from alarmstack.core.progress import Progress, bar
from alarmstack.core.whole_files import replacing

Work = Callable[[Progress], str]


@dataclass
class Steps:
    """Runs steps in order. If a step has changed, it and all later steps run again."""

    folder: Path
    console: Console
    chain: str = ""
    ran: list[str] = field(default_factory=list)

    def step(self, title: str, inputs: str, results: list[Path], work: Work) -> None:
        """Run `work(progress) -> summary`, unless its stamp matches and all results exist.

        `inputs`: a text that changes when the inputs of the step change.
        """
        self.chain = fingerprint(f"{self.chain}|{title}|{inputs}".encode())[:16]
        stamp = self.folder / f"{fingerprint(title.encode())[:12]}.json"
        earlier = _read(stamp)
        if earlier and earlier["chain"] == self.chain and all(path.exists() for path in results):
            self.console.print(f"  [dim]✓[/] {title}: {earlier['summary']} [dim](unchanged)[/]")
            return
        begin = monotonic()
        with bar(self.console, title) as progress:
            summary = work(progress)
        self.console.print(
            f"  [green]✓[/] {title}: {summary} [dim]({monotonic() - begin:.0f} s)[/]"
        )
        content = {"chain": self.chain, "title": title, "summary": summary}
        with replacing(stamp) as partial:
            partial.write_text(json.dumps(content, ensure_ascii=False))
        self.ran.append(title)


def _read(stamp: Path) -> dict[str, str] | None:
    try:
        content: dict[str, str] = json.loads(stamp.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return content


__all__ = ["Steps"]
