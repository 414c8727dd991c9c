"""Models that serve without a registry: what a shelf keeps, published as one run in a store, and fetched from there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from alarmstack import __version__
from alarmstack.errors import NotPromotedError, RegistryError
from alarmstack.inference.shelf import Shelf
from alarmstack.plant import Plant
from alarmstack.registry import Registry
from alarmstack.storage import Store


def export(plant: Plant, registry: Registry, store: Store, *, unpromoted: bool = False) -> dict[str, str]:
    """Publish all promoted models to a store: the version of each name. With `unpromoted`, the newest where none is promoted.

    Raises NotPromotedError when no model is promoted, RegistryError when the registry cannot be asked.
    """
    with TemporaryDirectory() as folder:
        shelf = Shelf(plant, registry, Path(folder), unpromoted=unpromoted)
        shelf.refresh()
        if shelf.unreachable is not None:
            raise RegistryError(shelf.unreachable)
        if not shelf.speakers:
            raise NotPromotedError(f"no model of {plant.name} is promoted in {registry.uri}: `alarmstack train`, then `promote`")
        files = {str(file.relative_to(folder)): file.read_bytes() for file in sorted(Path(folder).rglob("*")) if file.is_file()}
        versions = {name: speaker.version for name, speaker in shelf.speakers.items()}
    about = {"plant": plant.name, "plant_fingerprint": plant.fingerprint, "version": __version__, "models": versions}
    store.publish(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}", files, about)
    return versions


def fetch(store: Store, folder: Path) -> dict[str, str]:
    """Copy the models that were exported last into a shelf's folder that holds none: the version of each name, or none at all."""
    if any(folder.glob("*/current.json")):
        return {}
    manifest = store.latest()
    if manifest is None:
        return {}
    # What names a model is written last: a copy that is cut short holds no half one.
    for name in sorted(manifest["files"], key=lambda file: (file.endswith("current.json"), file)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(manifest, name))
    found: dict[str, str] = manifest["models"]
    return found


__all__ = ["export", "fetch"]
