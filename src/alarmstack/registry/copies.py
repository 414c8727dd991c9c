"""Copies of the models that serve, on disk: one folder a model, in it one folder a version, and `current.json` that names it.

Only what a copy is made of is ever removed: folders whose name is a version's number, in the folder of a model.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from alarmstack.core.errors import DamagedError
from alarmstack.registry.bundles import Bundle, checked
from alarmstack.registry.manifest import Digest

CURRENT, PARTIAL = "current.json", ".partial"
VERSION = "^[0-9]{1,18}$"


class Current(BaseModel):
    """The content of `current.json`. `digest`: of the version's folder; None where an earlier release wrote it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: StrictStr = Field(pattern=VERSION)
    promoted: StrictBool
    digest: Digest | None = None


@dataclass(frozen=True)
class Copy:
    """A Bundle and what was known of it when it was copied."""

    bundle: Bundle
    version: str
    promoted: bool
    digest: str | None


@dataclass(frozen=True)
class Copies:
    """The copies in a folder."""

    folder: Path

    def read(self, name: str) -> Copy | None:
        """The copy of a model; None where there is none. Raises DamagedError for one that is not what was written."""
        home = self.folder / checked(name)
        try:
            current = Current.model_validate_json((home / CURRENT).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise DamagedError(f"{home / CURRENT} is not readable: it is fetched again") from error
        bundle = Bundle.load(home / current.version, current.digest)
        return Copy(bundle, current.version, current.promoted, current.digest)

    def write(self, name: str, copy: Copy) -> None:
        """Copy a model: whole before it is named, and what it replaces goes."""
        home = self.folder / checked(name)
        fresh, place = home / f"{copy.version}{PARTIAL}", home / copy.version
        _remove(fresh)
        copy.bundle.save(fresh)
        _remove(place)
        fresh.rename(place)
        current = Current(version=copy.version, promoted=copy.promoted, digest=copy.bundle.digest)
        partial = home / f"{CURRENT}{PARTIAL}"
        partial.write_text(json.dumps(current.model_dump()), encoding="utf-8")
        partial.replace(home / CURRENT)
        self._tidy(home, copy.version)

    def remove(self, name: str) -> None:
        """Remove the copy of a model, if there is one."""
        home = self.folder / checked(name)
        (home / CURRENT).unlink(missing_ok=True)
        self._tidy(home, None)

    def _tidy(self, home: Path, keep: str | None) -> None:
        """Remove the versions in the folder of a model, except one."""
        if not home.is_dir() or home.is_symlink():
            return
        for old in home.iterdir():
            if old.name.removesuffix(PARTIAL).isdecimal() and old.name != keep:
                _remove(old)


def _remove(folder: Path) -> None:
    """Remove a folder; of a link, the link alone."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)


__all__ = ["CURRENT", "VERSION", "Copies", "Copy", "Current"]
