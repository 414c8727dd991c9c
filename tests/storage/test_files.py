"""The store on files and on a real S3 server: complete runs, and errors with file and fix."""

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from alarmstack.core.errors import StorageError
from alarmstack.storage.buckets import BUCKETS, make_buckets
from alarmstack.storage.files import MANIFEST, Store
from tests.object_store import OWNER, READER, STRANGER, Identity, ObjectStore, as_identity

LARGE = b"0123456789abcdef" * (1024 * 1024)
"""16 MiB: uploaded in several parts."""
NUMBERS = count()


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store of each kind."""
    if request.param == "file":
        return Store.at(tmp_path / "store")
    return remote(request.getfixturevalue("object_store"), monkeypatch)


def remote(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty part of a bucket."""
    as_identity(monkeypatch, OWNER)
    list(make_buckets(server.endpoint))
    return Store(f"s3://features/{next(NUMBERS)}", server.endpoint)


@pytest.fixture
def failing_server(tmp_path: Path) -> Iterator[ObjectStore]:
    """A server that the test can kill."""
    server = ObjectStore(tmp_path / "objects")
    server.start()
    yield server
    server.kill()


def test_stored_files_are_read_back(store: Store) -> None:
    store.put("a/b.txt", b"hello")
    store.put("a/large.bin", LARGE)
    assert (store.get("a/b.txt"), store.get("a/large.bin") == LARGE) == (b"hello", True)
    assert store.names("a") == ["a/b.txt", "a/large.bin"]


def test_what_is_removed_is_gone_and_what_was_gone_is_no_error(store: Store) -> None:
    for name in ("a/b.txt", "a/c.txt"):
        store.put(name, b"hello")
    store.remove(["a/b.txt", "a/never.txt"])
    store.remove(["a/b.txt"])
    assert (store.find("a/b.txt"), store.names("a")) == (None, ["a/c.txt"])


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


def test_a_run_that_is_interrupted_before_its_manifest_is_not_visible(store: Store) -> None:
    store.publish("one", {"t.parquet": b"1"}, {})
    store.put("runs/two/t.parquet", b"half")
    latest = store.latest()
    assert latest is not None and latest["run"] == "one"


def test_a_reader_beside_a_writer_sees_whole_runs_only(store: Store) -> None:
    """Every manifest that is read names files that exist and are complete."""
    store.publish("0", {"a": b"0" * 1000, "b": b"0"}, {})
    done = threading.Event()

    def write() -> None:
        for run in range(1, 20):
            store.publish(str(run), {"a": str(run).encode() * 1000, "b": str(run).encode()}, {})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        manifest = store.latest()
        assert manifest is not None
        assert store.read(manifest, "a") == manifest["run"].encode() * 1000
        assert store.read(manifest, "b") == manifest["run"].encode()
        seen.add(manifest["run"])
    writer.join()
    assert len(seen) > 1


def test_a_damaged_file_is_noticed(store: Store) -> None:
    manifest = store.publish("one", {"t.parquet": b"1"}, {})
    store.put("runs/one/t.parquet", b"x")
    with pytest.raises(StorageError, match=r"t\.parquet of run one"):
        store.read(manifest, "t.parquet")


def test_a_missing_file_is_named(store: Store) -> None:
    assert store.find(MANIFEST) is None
    with pytest.raises(StorageError, match=f"{MANIFEST} is missing"):
        store.get(MANIFEST)


def test_an_unknown_url_is_named() -> None:
    with pytest.raises(StorageError, match="gopher://x"):
        Store("gopher://x")


def test_buckets_are_created_once_and_keep_old_versions(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_identity(monkeypatch, OWNER)
    list(make_buckets(object_store.endpoint))
    again = list(make_buckets(object_store.endpoint))
    assert [line.split(":")[0] for line in again] == list(BUCKETS) and all(
        "exists" in line for line in again
    )
    store = Store("s3://models", object_store.endpoint)
    for content in (b"old", b"new"):
        store.put("a", content)
    client: Any = object_store.client()
    assert len(client.list_object_versions(Bucket="models", Prefix="a")["Versions"]) == 2
    assert store.get("a") == b"new"


def test_a_user_who_may_only_read_can_read(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = remote(object_store, monkeypatch)
    manifest = owned.publish("one", {"t.parquet": b"1"}, {})
    as_identity(monkeypatch, READER)
    store = Store(owned.url, object_store.endpoint)
    assert store.latest() == manifest and store.read(manifest, "t.parquet") == b"1"
    with pytest.raises(
        StorageError,
        match=r"runs/two/t\.parquet cannot be written: the server refuses these credentials",
    ):
        store.publish("two", {"t.parquet": b"2"}, {})
    assert store.latest() == manifest


@pytest.mark.parametrize("who", [STRANGER, Identity("nobody", "nothing", ())])
def test_wrong_credentials_are_refused_at_once(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, who: Identity
) -> None:
    owned = remote(object_store, monkeypatch)
    as_identity(monkeypatch, who)
    store = Store(owned.url, object_store.endpoint)
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID"):
        store.latest()
    with pytest.raises(StorageError, match="cannot be created"):
        list(make_buckets(object_store.endpoint))


def test_an_unfinished_upload_is_not_visible(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see the earlier content, and the name can be written again."""
    store = remote(object_store, monkeypatch)
    store.put("a", b"before")
    client: Any = object_store.client()
    key = f"{store.url.removeprefix('s3://features/')}/a"
    upload = client.create_multipart_upload(Bucket="features", Key=key)["UploadId"]
    client.upload_part(
        Bucket="features", Key=key, UploadId=upload, PartNumber=1, Body=LARGE[: 5 * 1024 * 1024]
    )
    assert store.get("a") == b"before" and store.names("") == ["a"]
    store.put("a", LARGE)
    assert store.get("a") == LARGE


@pytest.mark.slow
def test_a_server_killed_in_the_middle_loses_no_run(
    failing_server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed during publication: the old run stays the latest, and the next attempt succeeds."""
    store = remote(failing_server, monkeypatch)
    before = store.publish("one", {"t.parquet": b"1"}, {})

    def files() -> Iterator[tuple[str, bytes]]:
        yield "a", LARGE
        failing_server.kill()
        yield "b", LARGE

    class Dying(dict[str, bytes]):
        def items(self) -> Any:
            return files()

    with pytest.raises(StorageError, match="runs/two/b cannot be written"):
        store.publish("two", Dying(a=b"", b=b""), {})
    failing_server.start()
    assert store.latest() == before and store.read(before, "t.parquet") == b"1"
    after = store.publish("two", {"a": LARGE, "b": b"2"}, {})
    assert store.latest() == after and store.read(after, "a") == LARGE
