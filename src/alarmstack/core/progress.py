"""Progress of long work: a step reports what it does and which share is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Progress(Protocol):
    """Called by long work: `what` it does next, and the `share` that is done, 0 … 1."""

    def __call__(self, what: str, share: float) -> None:
        """Show it."""
        ...


def silent(what: str, share: float) -> None:
    """Show nothing."""


@contextmanager
def bar(console: Console, title: str) -> Iterator[Progress]:
    """A bar with the elapsed time, which disappears when the work is done.

    It moves from side to side until a share is known.
    """
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as shown:
        task = shown.add_task(title, total=None)

        def show(what: str, share: float) -> None:
            shown.update(task, description=f"{title}: {what}", total=1.0, completed=share)

        yield show


__all__ = ["Progress", "bar", "silent"]
