"""Files that are replaced as a whole: readers see the old file or the new one, never a part.

with replacing(path) as partial:
    partial.write_text(content)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial"
"""Suffix of a file or folder that is being written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path to write to. At the end of the `with` block that file replaces `path`.

    The folder is created. After an error `path` is unchanged, and the partial file stays until the
    next attempt overwrites it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    yield partial
    partial.replace(path)


__all__ = ["PARTIAL", "replacing"]
