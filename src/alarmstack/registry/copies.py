"""Copies on disk of the models that serve.

Each model has a folder. It contains one folder per version, and `current.json`, which names the
version in use. Only folders whose name is a version's number are ever removed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from alarmstack.core.errors import DamagedError, RegistryError
from alarmstack.core.whole_files import PARTIAL, replacing
from alarmstack.registry.bundle import Bundle, checked_name
from alarmstack.registry.manifest import Digest

CURRENT = "current.json"
VERSION = "^[0-9]{1,18}$"


class Current(BaseModel):
    """The content of `current.json`.

    `digest`: of the version's folder; None if an earlier release wrote the file.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: StrictStr = Field(pattern=VERSION)
    promoted: StrictBool
    digest: Digest | None = None


@dataclass(frozen=True)
class Copy:
    """A Bundle with its version and whether it was promoted when it was copied."""

    bundle: Bundle
    version: str
    promoted: bool
    digest: str | None


@dataclass(frozen=True)
class Copies:
    """The copies in a folder."""

    folder: Path

    def read(self, name: str) -> Copy | None:
        """The copy of a model; None if there is none.

        Raises DamagedError if it differs from what was written.
        """
        home = self.folder / checked_name(name)
        try:
            current = Current.model_validate_json((home / CURRENT).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise DamagedError(
                f"{home / CURRENT} is not readable: the model is fetched again"
            ) from error
        bundle = Bundle.load(home / current.version, current.digest)
        return Copy(bundle, current.version, current.promoted, current.digest)

    def write(self, name: str, copy: Copy) -> None:
        """Copy a model: write it completely, then name it as current, then remove the old copy.

        Raises RegistryError before any file is changed if the name or the version is not valid.
        """
        home, current = self.folder / checked_name(name), _current(copy)
        partial_folder, final_folder = home / f"{copy.version}{PARTIAL}", home / copy.version
        _remove(partial_folder)
        copy.bundle.save(partial_folder)
        _remove(final_folder)
        partial_folder.rename(final_folder)
        with replacing(home / CURRENT) as partial_file:
            partial_file.write_text(json.dumps(current.model_dump()), encoding="utf-8")
        self._tidy(home, copy.version)

    def remove(self, name: str) -> None:
        """Remove the copy of a model, if there is one."""
        home = self.folder / checked_name(name)
        (home / CURRENT).unlink(missing_ok=True)
        self._tidy(home, None)

    def _tidy(self, home: Path, keep: str | None) -> None:
        """Remove the versions in a model's folder, except one."""
        if not home.is_dir() or home.is_symlink():
            return
        for old in home.iterdir():
            if old.name.removesuffix(PARTIAL).isdecimal() and old.name != keep:
                _remove(old)


def _current(copy: Copy) -> Current:
    """The content of `current.json` for a copy. Raises RegistryError if it is not valid."""
    try:
        return Current(version=copy.version, promoted=copy.promoted, digest=copy.bundle.digest)
    except ValidationError as error:
        raise RegistryError(
            f"{copy.version!r} is not a version: use a number of at most 18 digits, such as 7"
        ) from error


def _remove(folder: Path) -> None:
    """Remove a folder, or a link but not its target."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)


__all__ = ["CURRENT", "VERSION", "Copies", "Copy", "Current"]
