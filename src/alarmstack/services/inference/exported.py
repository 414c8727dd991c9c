"""Models for a service without a registry: the copies of a shelf, published in a store and fetched
from it.
"""

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
    """Publish all promoted models to a store; the version of each name.

    With `unpromoted`, the newest version of a model without a promoted one is published too.

    Raises NotPromotedError if no model is promoted, and RegistryError if the registry is not
    available or a promoted model cannot be used.
    """
    with TemporaryDirectory() as folder:
        shelf = Shelf(plant, registry, Path(folder), unpromoted=unpromoted)
        shelf.refresh()
        if shelf.unreachable is not None:
            raise RegistryError(shelf.unreachable)
        for name in sorted(shelf.required):
            if name not in shelf.loaded or not shelf.loaded[name].copied:
                raise RegistryError(f"{name} cannot be exported: {shelf.reasons.get(name)}")
        if not shelf.loaded:
            raise NotPromotedError(
                f"no model of {plant.name} is promoted in {registry.uri}: "
                "`alarmstack train`, then `promote`"
            )
        files = {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(Path(folder).rglob("*"))
            if file.is_file()
        }
        versions = {name: loaded.version for name, loaded in shelf.loaded.items()}
    about = {
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "version": __version__,
        "models": versions,
    }
    store.publish(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}", files, about)
    return versions


def fetch(store: Store, folder: Path, damaged: Collection[str] = ()) -> dict[str, str]:
    """Copy the newest exported models into the folder of a shelf; the version of each copied name.

    If the folder already holds models, only the `damaged` ones are copied. Raises StorageError if
    the store cannot be read, and RegistryError if it holds no valid export.
    """
    if not damaged and any(folder.glob(f"*/{CURRENT}")):
        return {}
    manifest = store.latest()
    if manifest is None:
        return {}
    copied, errors = {}, []
    for name, version in _models(store, manifest).items():
        if damaged and name not in damaged:
            continue
        try:
            _copy(store, manifest, name, version, folder)
            copied[name] = version
        except StorageError as error:
            log.warning("%s version %s cannot be fetched: %s", name, version, error)
            errors.append(str(error))
    if errors:
        count = len(errors) + len(copied)
        raise StorageError(f"{len(errors)} of {count} models: {errors[0]}")
    return copied


def _models(store: Store, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The version of each name that an export lists."""
    try:
        return _MODELS.validate_python(manifest["models"])
    except (ValidationError, KeyError, TypeError) as error:
        raise RegistryError(
            f"{store.url} holds no exported models: run `alarmstack export` again"
        ) from error


def _copy(store: Store, manifest: Mapping[str, Any], name: str, version: str, folder: Path) -> None:
    """Copy the files of one model.

    The file that names its version comes last, so a partial copy is not used.
    """
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
