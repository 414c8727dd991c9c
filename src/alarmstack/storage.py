"""The store: files by name, behind one small interface. `file://` and `s3://` differ in the URL alone.

A *run* is a folder of files that belong together. It is written under `runs/<id>/` and never changed; then `latest/manifest.json`
is replaced, in one write, by a manifest that names it. Readers begin with that manifest, so they see the old run or the new one,
never half of either. The other files of `latest/` are copies for people to look at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import obstore
from obstore.store import ObjectStore, from_url

from alarmstack.errors import StorageError

MANIFEST = "latest/manifest.json"


class Store:
    """Files by name at a URL such as `file:///data/store` or `s3://features`."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._store: ObjectStore = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
        except (obstore.exceptions.BaseError, ValueError) as error:
            raise StorageError(f"store {url!r} cannot be opened: {error}: give file:///FOLDER or s3://BUCKET") from error

    @classmethod
    def at(cls, folder: Path) -> Store:
        """The store in a local folder, which is made if it is not there."""
        return cls(folder.resolve().as_uri())

    def put(self, name: str, content: bytes) -> None:
        """Write a file: the old content or the new, never half."""
        try:
            obstore.put(self._store, name, content)
        except obstore.exceptions.BaseError as error:
            raise StorageError(f"{self.url}/{name} cannot be written: {error}") from error

    def get(self, name: str) -> bytes:
        """Read a file. Raises StorageError when it is not there."""
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            raise StorageError(f"{self.url}/{name} is not there: run the step that writes it first") from None
        except obstore.exceptions.BaseError as error:
            raise StorageError(f"{self.url}/{name} cannot be read: {error}") from error

    def names(self, folder: str) -> list[str]:
        """All files below a folder, sorted."""
        return sorted(str(entry["path"]) for page in obstore.list(self._store, prefix=folder) for entry in page)

    def publish(self, run: str, files: Mapping[str, bytes], about: Mapping[str, Any]) -> dict[str, Any]:
        """Write a run and make it the latest; the manifest returned is `about` with the run's name and its files' fingerprints."""
        for name, content in files.items():
            self.put(f"runs/{run}/{name}", content)
        listed = {name: {"bytes": len(content), "sha256": fingerprint(content)} for name, content in files.items()}
        manifest = {"run": run, "files": listed, **about}
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
        self.put(f"runs/{run}/manifest.json", text)
        self.put(MANIFEST, text)
        for name in files:
            obstore.copy(self._store, f"runs/{run}/{name}", f"latest/{name}")
        return manifest

    def latest(self) -> dict[str, Any] | None:
        """Manifest of the newest whole run; None before the first."""
        if MANIFEST not in self.names("latest"):
            return None
        manifest: dict[str, Any] = json.loads(self.get(MANIFEST))
        return manifest

    def read(self, manifest: Mapping[str, Any], name: str) -> bytes:
        """A file of the run that a manifest names. Raises StorageError when its fingerprint differs."""
        content = self.get(f"runs/{manifest['run']}/{name}")
        if fingerprint(content) != manifest["files"][name]["sha256"]:
            raise StorageError(f"{self.url}: {name} of run {manifest['run']} is not the file its manifest lists: run the ETL again")
        return content


def fingerprint(content: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


__all__ = ["Store", "fingerprint"]
