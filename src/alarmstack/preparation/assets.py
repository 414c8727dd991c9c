"""Assets of a source: one plant, or a fleet of the same kind, each in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from alarmstack.core.formats import is_data_file

ONE = ""
"""Name of the asset of a source that holds one plant."""


def assets_in(source: Path) -> dict[str, Path]:
    """Sources by asset, in order of name: the folders inside `source` that hold exports, or `source` itself where it holds them."""
    if not source.is_dir() or _holds_exports(source):
        return {ONE: source}
    found = {
        folder.name: folder
        for folder in sorted(source.iterdir())
        if folder.is_dir() and _holds_exports(folder)
    }
    return found or {ONE: source}


def place(url: str, asset: str) -> str:
    """Where an asset's files go below a store's URL."""
    return url if asset == ONE else f"{url}/{asset}"


def _holds_exports(folder: Path) -> bool:
    return any(entry.is_file() and is_data_file(entry) for entry in folder.iterdir())


__all__ = ["ONE", "assets_in", "place"]
