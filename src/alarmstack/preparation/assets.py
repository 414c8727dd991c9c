"""Assets of a source: one plant, or several plants of the same kind, each in its own folder."""

from __future__ import annotations

from pathlib import Path

from alarmstack.core.formats import is_data_file

ONE = ""
"""Name of the asset when a source holds one plant."""


def assets_in(source: Path) -> dict[str, Path]:
    """Sources by asset, in order of name.

    These are the folders inside `source` that hold exports, or `source` itself when it holds
    exports.
    """
    if not source.is_dir() or _holds_exports(source):
        return {ONE: source}
    folders = (entry for entry in sorted(source.iterdir()) if entry.is_dir())
    assets = {folder.name: folder for folder in folders if _holds_exports(folder)}
    return assets or {ONE: source}


def place(url: str, asset: str) -> str:
    """The URL of an asset's files below the URL of a store."""
    return url if asset == ONE else f"{url}/{asset}"


def _holds_exports(folder: Path) -> bool:
    return any(entry.is_file() and is_data_file(entry) for entry in folder.iterdir())


__all__ = ["ONE", "assets_in", "place"]
