"""No file and no other server can end the watcher: it still processes the next valid file."""

import asyncio
import errno
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.errors import ServiceError, SourceError, StorageError
from alarmstack.core.formats import SUFFIXES
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Tasks
from alarmstack.pipelines.watcher import Airflow, Watcher, keep_watching
from alarmstack.pipelines.watcher.drops import Settling, drops_in
from alarmstack.pipelines.watcher.handlers import LARGEST_RESPONSE
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from alarmstack.pipelines.watcher.watch import LINK
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import RegimeBands
from alarmstack.sources import read_source
from alarmstack.sources.limits import Limits
from tests.blocks import readings
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.pipelines.watcher.test_watcher import AirflowApi, Recorder, Running, Scene
from tests.sources import hostile
from tests.waiting import end_of, until

SETTLED = (0.0, 2.0)
"""Times of two checks, after which a drop is complete."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def outcomes(scene: Scene) -> dict[str, tuple[str, str]]:
    return {entry.name: (entry.outcome, entry.detail) for entry in scene.watcher.ledger.entries()}


def test_every_readable_suffix_is_watched_and_documented(scene: Scene) -> None:
    for suffix in SUFFIXES:
        scene.drop(f"a{suffix.upper()}", suffix)
    assert sorted(scene.checks(*SETTLED)) == sorted(f"a{suffix.upper()}" for suffix in SUFFIXES)
    assert set(SUFFIXES) == {".csv", ".parquet", ".xls", ".xlsm", ".xlsx"}
    for page in (
        "docs/full-stack.md",
        "docs/configuration.md",
        "infra/airflow/dags/ingest_etl_local_drop.py",
    ):
        text = (REPOSITORY / page).read_text().lower()
        assert [suffix for suffix in SUFFIXES if suffix[1:] not in text] == [], page


@pytest.mark.parametrize(
    "name", [b"two\nlines.csv", b"M\xe4rz.csv", b"a\xe2\x80\xa8b.csv", b"\x1b[2J.csv"]
)
def test_a_name_with_newlines_or_invalid_utf_8_is_one_entry_and_survives_a_restart(
    scene: Scene, name: bytes
) -> None:
    (scene.folder / os.fsdecode(name)).write_text("content")
    scene.drop("valid.csv")
    assert len(scene.checks(*SETTLED)) == 2
    assert all(line.isprintable() and line.encode() for line in scene.lines)
    scene.restart()
    assert len(scene.checks(*SETTLED)) == 2, "no drop is processed twice"
    assert {entry.name for entry in scene.watcher.ledger.entries()} == {
        os.fsdecode(name),
        "valid.csv",
    }


def test_links_are_refused_and_never_followed(scene: Scene, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("secret")
    (scene.folder / "root").symlink_to("/")
    (scene.folder / "up").symlink_to(scene.folder)
    (scene.folder / "secret.csv").symlink_to(outside)
    (scene.folder / "nowhere.csv").symlink_to(tmp_path / "absent.csv")
    (scene.folder / "march").mkdir()
    scene.drop("march/PDT31008.csv")
    (scene.folder / "march" / "LT301031.csv").symlink_to(outside)
    (scene.folder / "notes.txt").symlink_to(outside)
    scene.drop("valid.csv")
    assert all(len(state) < 4 for state in drops_in(scene.folder).values()), (
        "nothing behind a link is listed"
    )
    assert scene.checks(*SETTLED) == ["valid.csv"]
    refused = {name for name, outcome in outcomes(scene).items() if outcome == ("refused", LINK)}
    assert refused == {"root", "up", "secret.csv", "nowhere.csv", "march"}


def test_folders_behind_a_link_are_not_watched(tmp_path: Path) -> None:
    """If a link to `/` were followed, the whole computer would be watched. That takes half a
    minute, and fails at the first folder of another user.
    """
    outside, folder = tmp_path / "outside", tmp_path / "drop"
    for number in range(20):
        (outside / str(number)).mkdir(parents=True)
    folder.mkdir()
    (folder / "root").symlink_to(outside)
    before = len(watched_folders())
    watcher = Watcher(
        folder,
        Ledger(tmp_path / "ledger.jsonl"),
        Recorder(),
        lambda _: None,
        Settling(0.05),
        Limits(),
    )

    async def story() -> int:
        watching = asyncio.create_task(keep_watching(watcher, Tasks(), polling=False))
        await asyncio.to_thread(until, lambda: len(watched_folders()) > before, watched_folders)
        count = len(watched_folders())
        watching.cancel()
        await asyncio.wait({watching})
        return count

    assert asyncio.run(story()) == before + 1


def watched_folders() -> list[str]:
    """The inotify watches of this process, as the kernel lists them."""
    lines = []
    for info in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):
            lines += [
                line for line in info.read_text().splitlines() if line.startswith("inotify wd:")
            ]
    return lines


def test_a_very_deep_folder_delays_no_other_drop(scene: Scene, deep: Path) -> None:
    scene.drop("valid.csv")
    assert sorted(scene.checks(*SETTLED)) == [deep.name, "valid.csv"]


@pytest.fixture
def deep(scene: Scene) -> Iterator[Path]:
    """A folder deeper than the recursion limit, with a file at its end.

    It is removed here, because `shutil.rmtree` fails on it.
    """
    before, levels = Path.cwd(), 1200
    try:
        os.chdir(scene.folder)
        for _ in range(levels):
            Path("a").mkdir()
            os.chdir("a")
        Path("b.csv").write_text("content")
        yield scene.folder / "a"
        Path("b.csv").unlink()
        for _ in range(levels):
            os.chdir("..")
            Path("a").rmdir()
    finally:
        os.chdir(before)


def test_a_file_that_is_too_large_is_refused_without_being_read(scene: Scene) -> None:
    """A sparse file of a terabyte: reading it would take hours."""
    with (scene.folder / "huge.csv").open("wb") as file:
        file.truncate(1024**4)
    scene.drop("valid.csv")
    assert scene.checks(*SETTLED) == ["valid.csv"]
    outcome, detail = outcomes(scene)["huge.csv"]
    assert (
        outcome == "refused"
        and "1,048,576 MB" in detail
        and "ALARMSTACK_READ_UNPACKED_MB" in detail
    )
    scene.restart()
    scene.checks(*SETTLED)
    assert len(outcomes(scene)) == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("a bug"), "unexpected error, see the log: RuntimeError: a bug"),
        (MemoryError(), "unexpected error, see the log: MemoryError: MemoryError"),
        (SourceError("no export\nand more"), "no export"),
    ],
)
def test_an_error_in_one_file_is_its_outcome_and_the_next_file_is_processed(
    scene: Scene, caplog: pytest.LogCaptureFixture, error: Exception, reason: str
) -> None:
    def take(path: Path, sha256: str) -> Entry:
        if path.name == "bad.csv":
            raise error
        return scene.recorder(path, sha256)

    scene.watcher.take = take
    scene.drop("bad.csv")
    scene.drop("valid.csv")
    assert scene.checks(*SETTLED) == ["valid.csv"]
    assert outcomes(scene)["bad.csv"] == ("refused", reason)
    assert ("Traceback" in caplog.text) is not isinstance(error, SourceError)


def test_a_full_disk_under_the_ledger_loses_no_outcome(scene: Scene) -> None:
    """The ledger is a link to /dev/full, on which every write fails. Then the link is removed."""
    scene.drop("a.csv")
    scene.drop("b.csv")
    ledger = scene.watcher.ledger.path
    ledger.symlink_to("/dev/full")
    with pytest.raises(
        StorageError,
        match=r"ledger.jsonl cannot be written \(No space left on device\): 1 outcomes are kept",
    ):
        scene.checks(*SETTLED)
    assert scene.recorder.names == ["a.csv"], "b.csv is postponed: it could be processed twice"
    assert "b.csv: failed" in scene.lines[-1] and "No space left" in scene.lines[-1]
    ledger.unlink()
    assert scene.checks(4.0) == ["a.csv", "b.csv"]
    assert set(outcomes(scene)) == {"a.csv", "b.csv"}
    scene.restart()
    assert scene.checks(*SETTLED) == ["a.csv", "b.csv"]


def test_a_drop_is_postponed_if_the_disk_is_full_before_it_begins(scene: Scene) -> None:
    partial = scene.root / "begun.json.partial"
    partial.symlink_to("/dev/full")
    scene.drop("a.csv")
    with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
        scene.checks(*SETTLED)
    assert scene.recorder.names == [] and "a.csv: failed" in scene.lines[-1]
    partial.unlink()
    assert scene.checks(4.0) == ["a.csv"]


def test_an_incomplete_line_in_the_ledger_does_not_damage_the_next_one(scene: Scene) -> None:
    scene.drop("a.csv")
    scene.checks(*SETTLED)
    path = scene.root / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + b'{"name": "half\xff')
    scene.restart()
    scene.drop("b.csv")
    scene.checks(*SETTLED)
    scene.restart()
    assert scene.checks(*SETTLED) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"[]", b'{"a": 1}', b'[["a.csv", 1]]', b"null"])
def test_a_damaged_note_or_ledger_line_is_ignored(scene: Scene, damage: bytes) -> None:
    (scene.root / "begun.json").write_bytes(damage)
    (scene.root / "ledger.jsonl").write_bytes(
        damage + b'\n{"name": [1], "sha256": {}, "outcome": 1, "detail": 2}\n'
    )
    scene.restart()
    scene.drop("a.csv")
    assert scene.checks(*SETTLED) == ["a.csv"]


KILLER = """
import os, sys
from pathlib import Path
from alarmstack.pipelines.watcher.drops import Settling
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from alarmstack.pipelines.watcher.watch import Watcher
def take(path, sha256):
    if path.name == "killer.csv":
        os.abort()
    return Entry(path.name, sha256, "taken", "run")
root = Path(sys.argv[1])
watcher = Watcher(root / "drop", Ledger(root / "ledger.jsonl"), take, print, Settling(0.0))
watcher.check(1.0)
"""


def test_a_file_that_ends_the_process_is_refused_after_three_restarts_and_delays_no_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "drop").mkdir()
    for place, name in enumerate(("killer.csv", "valid.csv")):
        (tmp_path / "drop" / name).write_text("content")
        os.utime(tmp_path / "drop" / name, (place, place))
    command = [sys.executable, "-c", KILLER, str(tmp_path)]
    statuses, names = [], []
    for _ in range(4):
        statuses.append(subprocess.run(command, check=False, capture_output=True).returncode)
        names.append([entry.name for entry in Ledger(tmp_path / "ledger.jsonl").entries()])
    assert statuses == [-signal.SIGABRT] * 3 + [0]
    assert names == [[], ["valid.csv"], ["valid.csv"], ["valid.csv", "killer.csv"]]
    entries = {entry.name: entry for entry in Ledger(tmp_path / "ledger.jsonl").entries()}
    assert (
        entries["killer.csv"].outcome == "refused"
        and "ended 3 times" in entries["killer.csv"].detail
    )


def test_a_drop_without_an_instrument_prints_no_library_warning(
    plant: Plant, tmp_path: Path
) -> None:
    """The drop lacks an instrument from whose spread the regimes are computed."""
    file = tmp_path / "drop.csv"
    readings(plant, 24 * 5, 5).filter(pl.col("tag") != "PDT31008").write_csv(file)
    taken = read_source(plant, file)
    assert taken.readings is not None
    block = close_intervals(plant, taken.readings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RegimeBands.fit(plant, block)


class OtherServer:
    """A server that is not Airflow, at the address of Airflow."""

    def __init__(self, port: int, status: int, body: bytes, endless: bool = False) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                try:
                    self.wfile.write(body)
                    while endless:
                        self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


HTML = b"<!doctype html><html><body>Welcome to Airflow</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "endless"),
    [
        (200, HTML, False),
        (201, HTML, False),
        (409, HTML, False),
        (200, b"[]", False),
        (200, b"{}", False),
        (200, b'{"access_token": "two\\nlines"}', False),
        (200, b'{"access_token": "right"}', False),
        (200, b"[" * 100_000, False),
        (200, b"x" * (LARGEST_RESPONSE // 4), True),
        (502, b"\xff\xfe", False),
    ],
)
def test_a_response_that_is_not_from_airflow_is_not_accepted(
    scene: Scene, status: int, body: bytes, endless: bool
) -> None:
    port = free_ports(1)[0]
    server = OtherServer(port, status, body, endless)
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    scene.drop("a.csv")
    scene.drop("b.csv")
    scene.checks(*SETTLED)
    server.close()
    assert len(scene.lines) == 2 and all(
        ": failed (" in line and line.isprintable() for line in scene.lines
    )
    assert outcomes(scene) == {}
    api = AirflowApi(port)
    scene.watcher.check(70.0)
    api.close()
    assert len(api.runs) == 2 and {outcome for outcome, _ in outcomes(scene).values()} == {
        "handed over"
    }


def test_a_name_that_airflow_does_not_accept_is_changed_or_refused(scene: Scene) -> None:
    port = free_ports(1)[0]
    api = AirflowApi(port)
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    scene.drop("two\nlines & more.csv")
    (scene.folder / os.fsdecode(b"M\xe4rz.csv")).write_text("content")
    scene.checks(*SETTLED)
    api.close()
    (name,) = api.runs
    assert name.endswith("-two_lines___more")
    assert sorted(outcome for outcome, _ in outcomes(scene).values()) == ["handed over", "refused"]


def test_an_invalid_address_is_an_error_with_a_reason() -> None:
    with pytest.raises(ServiceError, match="does not answer"):
        Airflow("http://[", "admin", "secret")(Path("a.csv"), "1" * 64)


def test_a_folder_that_disappears_is_reported_and_watched_again_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder is replaced by a file, which cannot be listed. Then the folder is restored."""
    caplog.set_level(logging.WARNING)
    folder, taken = tmp_path / "drop", []

    def take(path: Path, sha256: str) -> Entry:
        taken.append(path.name)
        return Entry(path.name, sha256, "taken", "run")

    watcher = Watcher(
        folder, Ledger(tmp_path / "ledger.jsonl"), take, lambda _: None, Settling(0.05), Limits()
    )
    tasks = Tasks()

    async def story() -> None:
        watching = asyncio.create_task(keep_watching(watcher, tasks, polling=True))
        await asyncio.to_thread(until, folder.exists, lambda: "no folder")
        folder.rmdir()
        folder.write_text("a file")
        await asyncio.to_thread(until, lambda: tasks.down, lambda: tasks.statuses)
        assert "drop cannot be" in str(tasks.down[0].reason)
        folder.unlink()
        folder.mkdir()
        (folder / "a.csv").write_text("content")
        await asyncio.to_thread(until, lambda: taken and not tasks.down, lambda: tasks.statuses)
        watching.cancel()
        await asyncio.wait({watching})

    asyncio.run(story())
    assert taken == ["a.csv"] and "watcher: " in caplog.text


def mutated(valid: bytes, chance: random.Random) -> bytes:
    """A valid file with some bytes changed, removed or repeated."""
    content = bytearray(valid)
    for _ in range(chance.randint(1, 20)):
        place, length = chance.randrange(len(content)), chance.randint(1, 200)
        kind = chance.choice(("change", "cut", "double"))
        if kind == "change":
            content[place : place + length] = chance.randbytes(length)
        elif kind == "cut" and len(content) > 400:
            del content[place : place + length]
        else:
            content[place:place] = content[place : place + length]
    return bytes(content)


def hostile_files(folder: Path, plant: Plant) -> Iterator[Path]:
    """Every known kind of harmful file, and some randomly changed files."""
    small = readings(plant, 6, 5)
    for suffix, write in (
        ("csv", small.write_csv),
        ("parquet", small.write_parquet),
        ("xlsx", small.with_columns(pl.col("time").dt.replace_time_zone(None)).write_excel),
    ):
        valid = folder / f"valid.{suffix}"
        write(valid)
        chance = random.Random(suffix)
        for number in range(3):
            path = folder / f"mutated-{number}.{suffix}"
            path.write_bytes(mutated(valid.read_bytes(), chance))
            yield path
        valid.unlink()
    yield hostile.corner(folder / "corner.xlsx")
    yield hostile.bomb(folder / "bomb.xlsm", 21)
    yield hostile.bomb(folder / "hidden bomb.xlsx", 21, declared=False)
    yield hostile.wide(folder / "wide.csv")
    yield hostile.nested_parquet(folder / "nested.parquet")
    for name, content in {
        b"two\nlines.csv": b"nothing",
        b"M\xe4rz.csv": b"\x00" * 5000,
        b"quotes.csv": b'"' * 200_000,
        b"long cell.csv": b"timestamp,PDT31008\n" + b"x" * 1_000_000,
        b"old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 4096,
        b"nothing.parquet": b"PAR1PAR1",
    }.items():
        path = folder / os.fsdecode(name)
        path.write_bytes(content)
        yield path
    link = folder / "root"
    link.symlink_to("/")
    yield link


@pytest.mark.slow
def test_a_running_watcher_processes_the_valid_file_after_every_hostile_one(
    plant: Plant, tmp_path: Path
) -> None:
    """The real command: each hostile file is refused with a reason, or processed if a random
    change did no harm. Then the valid file is processed.
    """
    source = tmp_path / "hostile"
    source.mkdir()
    files = list(hostile_files(source, plant))
    running = Running(
        tmp_path, {"ALARMSTACK_READ_UNPACKED_MB": "20", "ALARMSTACK_READ_MEMORY_MB": "2500"}
    )
    folder = tmp_path / "data_drop"
    folder.mkdir()
    running.start()
    try:
        for file in files:
            shutil.move(file, folder / file.name)
        partial = folder / "valid.csv.partial"
        readings(plant, 24 * 10, 5).write_csv(partial)
        partial.rename(folder / "valid.csv")
        assert running.process is not None
        until(
            lambda: len(running.entries) == len(files) + 1,
            lambda: (len(running.entries), len(files) + 1, end_of(tmp_path / "log")),
            seconds=600,
            process=running.process,
        )
    finally:
        running.kill()
    entries = {entry.name: entry for entry in running.entries}
    assert entries["valid.csv"].outcome == "taken"
    harmful = [name for name in entries if name != "valid.csv" and "mutated" not in name]
    assert {name: entries[name].outcome for name in harmful} == dict.fromkeys(harmful, "refused")
    assert all(entry.detail.isprintable() and entry.detail for entry in entries.values())
    manifest = json.loads((tmp_path / "data/store/latest/manifest.json").read_text())
    assert manifest["drop"]["name"] in entries
