"""Copies of models on disk: what is written is read again, and nothing outside is changed."""

from pathlib import Path

import pytest

from alarmstack.core.errors import RegistryError
from alarmstack.registry import Bundle
from alarmstack.registry.copies import Copies, Copy


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the bytes of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_new_version_replaces_the_old_copy(bundle: Bundle, tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    for version in ("1", "2"):
        copies.write(bundle.name, Copy(bundle, version, True, bundle.digest))
    read = copies.read(bundle.name)
    assert read is not None and (read.version, read.promoted) == ("2", True)
    assert read.bundle.digest == bundle.digest
    assert sorted(path.name for path in (tmp_path / bundle.name).iterdir()) == ["2", "current.json"]


@pytest.mark.parametrize(
    "version", ["../../victim", "../victim", "", ".", "..", "v1", "1/2", "1\n", "1" * 19]
)
def test_a_version_that_is_not_a_number_is_refused_and_no_file_changes(
    bundle: Bundle, tmp_path: Path, version: str
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/notes.txt").write_text("not a model")
    copies = Copies(tmp_path / "serving")
    copies.write(bundle.name, Copy(bundle, "1", True, bundle.digest))
    before = contents(tmp_path)
    with pytest.raises(RegistryError, match="is not a version: use a number"):
        copies.write(bundle.name, Copy(bundle, version, True, bundle.digest))
    assert contents(tmp_path) == before


def test_an_absolute_path_as_version_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    with pytest.raises(RegistryError, match="is not a version"):
        Copies(tmp_path / "serving").write(bundle.name, Copy(bundle, str(victim), True, None))
    assert list(tmp_path.iterdir()) == [victim] and not list(victim.iterdir())
