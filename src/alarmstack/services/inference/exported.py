"""Models that serve without a registry: what a shelf keeps, published as one run in a store, and fetched from there."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from alarmstack import __version__
from alarmstack.core.errors import NotPromotedError, RegistryError, StorageError
from alarmstack.core.plant import Plant
from alarmstack.registry import Registry
from alarmstack.registry.bundle import FILES, NAME
from alarmstack.registry.copies import CURRENT, VERSION
from alarmstack.registry.manifest import MANIFEST
from alarmstack.services.inference.shelf import Shelf
from alarmstack.storage.files import Store

_Models = dict[
    Annotated[str, Field(pattern=f"^{NAME.pattern}$")],
    Annotated[str, StringConstraints(pattern=VERSION)],
]
_MODELS = TypeAdapter(_Models)
log = logging.getLogger(__name__)


def export(
    plant: Plant, registry: Registry, store: Store, *, unpromoted: bool = False
) -> dict[str, str]:
    """Publish all promoted models to a store: the version of each name. With `unpromoted`, the newest where none is promoted.

    Raises NotPromotedError when no model is promoted, RegistryError when the registry cannot be asked, or a promoted model cannot
    be used.
    """
    with TemporaryDirectory() as folder:
        shelf = Shelf(plant, registry, Path(folder), unpromoted=unpromoted)
        shelf.refresh()
        if shelf.unreachable is not None:
            raise RegistryError(shelf.unreachable)
        for name in sorted(shelf.required):
            if name not in shelf.speakers or not shelf.speakers[name].copied:
                raise RegistryError(f"{name} cannot be exported: {shelf.reasons.get(name)}")
        if not shelf.speakers:
            raise NotPromotedError(
                f"no model of {plant.name} is promoted in {registry.uri}: `alarmstack train`, then `promote`"
            )
        files = {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(Path(folder).rglob("*"))
            if file.is_file()
        }
        versions = {name: speaker.version for name, speaker in shelf.speakers.items()}
    about = {
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "version": __version__,
        "models": versions,
    }
    store.publish(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}", files, about)
    return versions


def fetch(store: Store, folder: Path, damaged: Collection[str] = ()) -> dict[str, str]:
    """Copy the models that were exported last into a shelf's folder that holds none: the version of each name, or none at all.

    Of a folder that holds some, only those named as `damaged` are copied. Raises StorageError where the store cannot be read, and
    RegistryError where what it holds is no export.
    """
    if not damaged and any(folder.glob(f"*/{CURRENT}")):
        return {}
    manifest = store.latest()
    if manifest is None:
        return {}
    found, refused = {}, []
    for name, version in _models(store, manifest).items():
        if damaged and name not in damaged:
            continue
        try:
            _copy(store, manifest, name, version, folder)
            found[name] = version
        except StorageError as error:
            log.warning("%s version %s cannot be fetched: %s", name, version, error)
            refused.append(str(error))
    if refused:
        raise StorageError(f"{len(refused)} of {len(refused) + len(found)} models: {refused[0]}")
    return found


def _models(store: Store, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The version of each name that an export lists."""
    try:
        return _MODELS.validate_python(manifest["models"])
    except (ValidationError, KeyError, TypeError) as error:
        raise RegistryError(
            f"{store.url} holds no exported models: run `alarmstack export` again"
        ) from error


def _copy(store: Store, manifest: Mapping[str, Any], name: str, version: str, folder: Path) -> None:
    """Copy one model: only files of which a Bundle is made, and what names them last, so that no half copy is ever used."""
    parts = [PurePosixPath(name, version, file) for file in (*FILES, MANIFEST)]
    for part in (*parts, PurePosixPath(name, CURRENT)):
        # Exports of an earlier release have no manifest.
        if part.name == MANIFEST and str(part) not in manifest["files"]:
            continue
        content = store.read(manifest, str(part))
        place = folder / part
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


__all__ = ["export", "fetch"]
