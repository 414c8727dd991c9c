"""What several commands print and write."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

console = Console()


def print_problems(problems: Sequence[object]) -> None:
    """Print what was found wrong in data that were accepted all the same."""
    for problem in problems:
        console.print(f"note: {problem}", markup=False, highlight=False)


def write_json(path: Path | None, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write the printed results as JSON, if a file is named."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        path.write_text(text + "\n", encoding="utf-8")


def log_to_stderr() -> None:
    """Write warnings and errors of a long-running command to standard error."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


__all__ = ["console", "log_to_stderr", "print_problems", "write_json"]
