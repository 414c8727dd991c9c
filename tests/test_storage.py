"""The store: whole runs or nothing, and errors that name the file."""

from pathlib import Path

import pytest

from alarmstack.errors import StorageError
from alarmstack.storage import MANIFEST, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / "store")


def test_what_is_put_is_got(store: Store) -> None:
    store.put("a/b.txt", b"hello")
    assert store.get("a/b.txt") == b"hello"
    assert store.names("a") == ["a/b.txt"]


def test_readers_follow_the_manifest(store: Store) -> None:
    assert store.latest() is None
    store.publish("one", {"t.parquet": b"1"}, {"rows": 1})
    first = store.latest()
    store.publish("two", {"t.parquet": b"2"}, {"rows": 2})
    second = store.latest()
    assert first is not None and second is not None
    assert store.read(first, "t.parquet") == b"1"
    assert store.read(second, "t.parquet") == b"2"
    assert (second["run"], second["rows"], store.get("latest/t.parquet")) == ("two", 2, b"2")


def test_a_run_interrupted_before_its_manifest_is_not_there(store: Store) -> None:
    store.publish("one", {"t.parquet": b"1"}, {})
    store.put("runs/two/t.parquet", b"half")
    latest = store.latest()
    assert latest is not None and latest["run"] == "one"


def test_a_damaged_file_is_noticed(store: Store, tmp_path: Path) -> None:
    manifest = store.publish("one", {"t.parquet": b"1"}, {})
    (tmp_path / "store/runs/one/t.parquet").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"t\.parquet of run one"):
        store.read(manifest, "t.parquet")


def test_a_missing_file_is_named(store: Store) -> None:
    with pytest.raises(StorageError, match=MANIFEST):
        store.get(MANIFEST)


def test_an_unknown_url_is_named() -> None:
    with pytest.raises(StorageError, match="gopher://x"):
        Store("gopher://x")
