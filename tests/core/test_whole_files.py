"""A file is replaced as a whole or not at all."""

from pathlib import Path

import pytest

from alarmstack.core.whole_files import replacing


def test_a_file_is_replaced_when_its_content_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "state.json"
    for content in ("old", "new"):
        with replacing(path) as partial:
            partial.write_text(content)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_files_that_differ_only_in_their_suffix_are_written_side_by_side(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.csv") as table, replacing(tmp_path / "a.json") as facts:
        table.write_text("table")
        facts.write_text("facts")
    assert (tmp_path / "a.csv").read_text() == "table"
    assert (tmp_path / "a.json").read_text() == "facts"


def test_after_an_error_the_old_content_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk is full"), replacing(path) as partial:
        partial.write_text("ne")
        raise OSError("disk is full")
    assert path.read_text() == "old"
