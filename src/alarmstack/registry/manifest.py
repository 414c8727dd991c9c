"""The manifest of a folder: the SHA-256 of each file, to detect a damaged or modified copy.

The manifest is `manifest.json` in the folder itself. Its own SHA-256 is the digest of the folder.
A digest that is stored elsewhere also detects a folder whose files and manifest were replaced
together.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from alarmstack.core.checksum import fingerprint
from alarmstack.core.errors import DamagedError

MANIFEST = "manifest.json"
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
log = logging.getLogger(__name__)


class Manifest(BaseModel):
    """The SHA-256 of each file, by file name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    files: dict[str, Digest]


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """The text of the manifest of files, given by name.

    >>> manifest_of({"b": b"", "a": b""}) == manifest_of({"a": b"", "b": b""})
    True
    """
    listed = {name: fingerprint(files[name]) for name in sorted(files)}
    return json.dumps({"files": listed}, indent=1).encode()


def write_folder(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write files and their manifest into a folder, created if needed. Returns its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = manifest_of(files)
    (folder / MANIFEST).write_bytes(manifest)
    return fingerprint(manifest)


def read_folder(
    folder: Path, names: Sequence[str], digest: str | None = None, what: str = ""
) -> dict[str, bytes]:
    """The content of the named files, each read once and compared with the manifest.

    `digest`: the digest that the folder must have; a manifest is then required. Without it, the
    folder of an earlier release, which has no manifest, is read unverified, and a log line names
    `what`. Raises DamagedError that names the file, or OSError if a file cannot be read.
    """
    content = {name: (folder / name).read_bytes() for name in names}
    manifest = folder / MANIFEST
    if digest is None and not manifest.exists():
        log.warning(
            "%s has no manifest because an earlier release wrote it: its files are not verified",
            what or folder,
        )
        return content
    text = manifest.read_bytes()
    if digest is not None and fingerprint(text) != digest:
        raise DamagedError(f"{MANIFEST} is not the one that was published")
    try:
        listed = Manifest.model_validate_json(text).files
    except ValidationError as error:
        raise DamagedError(f"{MANIFEST} is not readable") from error
    for name in names:
        if listed.get(name) != fingerprint(content[name]):
            raise DamagedError(f"{name} is not the file that its manifest lists")
    return content


__all__ = ["MANIFEST", "Digest", "manifest_of", "read_folder", "write_folder"]
