"""The store: files by name, with one small interface for `file://` and `s3://`.

A *run* is a folder of files that belong together. It is written under `runs/<id>/` and never
changed. Then `latest/manifest.json` is replaced, in one write, by a manifest that names the run.
Readers begin with that manifest, so they see the old run or the new one, never a mixture. The other
files of `latest/` are copies for people.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import LocalStore, ObjectStore, S3Store

from alarmstack.core.checksum import fingerprint
from alarmstack.core.errors import StorageError
from alarmstack.core.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

MANIFEST = "latest/manifest.json"
REGION = "us-east-1"
"""The usual region name of S3 servers outside Amazon; AWS_REGION names another one."""
LONGEST_WAIT = timedelta(seconds=30)
"""Wall time for all attempts together, after which a server counts as unavailable."""
MOST_RETRIES = 4
"""Retries of one request, made by the S3 client itself: it knows which errors are temporary."""


class Store:
    """Files by name at a URL such as `file:///data/store` or `s3://features`.

    `endpoint` is the address of an S3 server that is not Amazon's. Its credentials come from the
    environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
    """

    def __init__(self, url: str, endpoint: str | None = None) -> None:
        self.url = url.rstrip("/")
        try:
            self._store = _opened(url, endpoint)
        except (obstore.exceptions.BaseError, ValueError, OSError) as error:
            raise StorageError(
                f"store {url!r} cannot be opened: {error}: use file:///FOLDER or s3://BUCKET"
            ) from error

    @classmethod
    def of(cls, settings: Settings, url: str | None = None) -> Store:
        """The store of the settings, or another one on the same server."""
        return cls(url or settings.store, settings.s3_endpoint)

    @classmethod
    def at(cls, folder: Path) -> Store:
        """The store in a local folder, which is created if it is missing."""
        return cls(folder.resolve().as_uri())

    def put(self, name: str, content: bytes) -> None:
        """Write a file: readers see the old content or the new, never a part of it."""
        with self._translated(name, "written"):
            obstore.put(self._store, name, content)

    def get(self, name: str) -> bytes:
        """Read a file. Raises StorageError when it is missing."""
        content = self.find(name)
        if content is None:
            raise StorageError(f"{self.url}/{name} is missing: run the step that writes it first")
        return content

    def find(self, name: str) -> bytes | None:
        """Read a file; None when it is missing."""
        with self._translated(name, "read"):
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """All files below a folder, sorted."""
        with self._translated(folder, "listed"):
            return sorted(
                str(entry["path"])
                for page in obstore.list(self._store, prefix=folder)
                for entry in page
            )

    def remove(self, names: Sequence[str]) -> None:
        """Remove files. A file that is already gone is not an error."""
        for name in names:
            with self._translated(name, "removed"), suppress(FileNotFoundError):
                obstore.delete(self._store, name)

    def publish(
        self, run: str, files: Mapping[str, bytes], about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write a run and make it the latest.

        Returns its manifest: `about`, the name of the run, and the fingerprints of its files.
        """
        for name, content in files.items():
            self.put(f"runs/{run}/{name}", content)
        listed = {
            name: {"bytes": len(content), "sha256": fingerprint(content)}
            for name, content in files.items()
        }
        return self.announce(run, listed, about)

    def announce(
        self, run: str, listed: Mapping[str, Mapping[str, object]], about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Make a run with existing files the latest. `listed`: bytes and SHA-256 of each file."""
        manifest = {"run": run, "files": dict(listed), **about}
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
        self.put(f"runs/{run}/manifest.json", text)
        self.put(MANIFEST, text)
        for name in listed:
            with self._translated(f"latest/{name}", "written"):
                obstore.copy(self._store, f"runs/{run}/{name}", f"latest/{name}")
        return manifest

    def latest(self) -> dict[str, Any] | None:
        """Manifest of the newest complete run; None before the first."""
        text = self.find(MANIFEST)
        if text is None:
            return None
        try:
            manifest = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise StorageError(
                f"{self.url}/{MANIFEST} is damaged: publish the run again"
            ) from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
            raise StorageError(f"{self.url}/{MANIFEST} is not a manifest: publish the run again")
        return manifest

    def read(self, manifest: Mapping[str, Any], name: str) -> bytes:
        """A file of a manifest's run. Raises StorageError when its fingerprint differs."""
        content = self.get(f"runs/{manifest['run']}/{name}")
        listed = manifest["files"].get(name)
        if not isinstance(listed, dict) or fingerprint(content) != listed.get("sha256"):
            raise StorageError(
                f"{self.url}: {name} of run {manifest['run']} differs from its manifest: "
                "run the ETL again"
            )
        return content

    @contextmanager
    def _translated(self, name: str, done: str) -> Iterator[None]:
        """The library's errors as StorageError, with the file and the first line of the reason."""
        try:
            yield
        except obstore.exceptions.PermissionDeniedError as error:
            raise StorageError(
                f"{self.url}/{name} cannot be {done}: the server refuses these credentials: "
                "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or allow the access"
            ) from error
        except obstore.exceptions.BaseError as error:
            raise StorageError(
                f"{self.url}/{name} cannot be {done}: {str(error).splitlines()[0]}"
            ) from error


def _opened(url: str, endpoint: str | None) -> ObjectStore:
    if url.startswith("file:"):
        return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
    if not url.startswith("s3://"):
        raise ValueError("not a file store")
    config: S3Config = {"region": os.environ.get("AWS_REGION", REGION)}
    if endpoint is not None:
        config["endpoint"] = endpoint
    return S3Store.from_url(
        url,
        config=config,
        client_options={
            "allow_http": bool(endpoint and endpoint.startswith("http://")),
            "timeout": LONGEST_WAIT,
        },
        retry_config={"max_retries": MOST_RETRIES, "retry_timeout": LONGEST_WAIT},
    )


__all__ = ["Store"]
