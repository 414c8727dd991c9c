"""Hostile files in the drop folder of a real watcher. Each is refused with its reason, and the
valid file behind it is taken.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import xlsxwriter
from tests.home import alarmstack

from alarmstack.pipelines.watcher.drops import fingerprint
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from chaos.faults import Fault, Observed
from chaos.stack import NotHeldError, Stack

DEALT_WITHIN = 120.0
"""Wall seconds within which the watcher is through with a hostile file and the valid
one behind it.
"""
LAST_ROW, LAST_COLUMN = 1_048_575, 16_383
"""The last cell of a sheet, counted from 0."""
UNPACKED_BYTES = 3_000_000_000
MANY_COLUMNS = 100_000
VALID_ROWS = 200
SETTLE_SECONDS = "0.3"
LOOK_SECONDS = 0.2
Hostile = Callable[[Path], None]


class Drops:
    """A drop folder and the `alarmstack watch` that watches it."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "data_drop"
        self.valid = b""
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """A small valid dataset: the month of a simulated plant, as `alarmstack
        ingest` writes it.
        """
        if self.valid:
            return
        self.folder.mkdir(parents=True)
        alarmstack(self.root, "simulate", "--days", "14", "--out", str(self.root / "month"))
        alarmstack(self.root, "ingest", str(self.root / "month"), "--out", str(self.root / "made"))
        lines = (self.root / "made/labeled_dataset.csv").read_bytes().splitlines(keepends=True)
        self.valid = b"".join(lines[: VALID_ROWS + 1])

    @contextmanager
    def watched(self, **settings: str) -> Iterator[None]:
        """The watcher, as a process of its own."""
        told = {
            "ALARMSTACK_DATA_DIR": str(self.root),
            "ALARMSTACK_SETTLE_SECONDS": SETTLE_SECONDS,
            "COLUMNS": "300",
        }
        command = [str(Path(sys.executable).with_name("alarmstack")), "watch", str(self.folder)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | told | settings, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            self.process.kill()
            self.process.wait(timeout=30)

    @property
    def log(self) -> Path:
        """What the watcher printed."""
        return self.root / "watch.log"

    def entry(self, path: Path) -> Entry | None:
        """What became of a file."""
        sha256 = fingerprint(path)
        entries = Ledger(self.root / "watcher/ledger.jsonl").entries()
        return next((one for one in entries if one.sha256 == sha256), None)

    async def dealt(self, path: Path) -> Entry:
        """Wait until the watcher has dealt with a file. Raises NotHeldError where it ended, or
        takes too long.
        """
        end = monotonic() + DEALT_WITHIN
        while (entry := self.entry(path)) is None:
            if self.process is not None and self.process.poll() is not None:
                raise NotHeldError(
                    f"the watcher ended with {self.process.returncode}: {self._last()}"
                )
            if monotonic() > end:
                raise NotHeldError(
                    f"{path.name!r} was not dealt with in {DEALT_WITHIN:.0f} s: {self._last()}"
                )
            await asyncio.sleep(LOOK_SECONDS)
        return entry

    def _last(self) -> str:
        return self.log.read_text(errors="replace")[-300:]


async def _hostile_file(drops: Drops, name: str, make: Hostile, stack: Stack | None) -> Observed:
    """Drop a hostile file and a valid one behind it, before the watcher starts: as
    after a restart.
    """
    await asyncio.to_thread(drops.prepare)
    hostile = drops.folder / name
    await asyncio.to_thread(make, hostile)
    behind = drops.folder / f"z-behind-{name[0]}.csv"
    behind.write_bytes(drops.valid)
    with drops.watched():
        taken = await drops.dealt(behind)
        if taken.outcome != "taken":
            raise NotHeldError(f"the valid file behind was {taken.outcome}: {taken.detail}")
        entry = None if hostile.is_symlink() else await drops.dealt(hostile)
    hostile.unlink()
    if entry is None:
        return Observed("not followed; the valid file behind it was taken")
    if entry.outcome != "refused":
        raise NotHeldError(f"{entry.outcome}: {entry.detail}")
    reason = entry.detail.partition("(")[2] or entry.detail
    return Observed(f"{entry.outcome}: {reason[:140]}")


def last_cell(path: Path) -> None:
    """A small workbook whose used range is a whole sheet."""
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write(LAST_ROW, LAST_COLUMN, 1)


def unpacks_to_gigabytes(path: Path) -> None:
    """A small workbook with a sheet of gigabytes."""
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write(0, 0, 1)
    megabyte = b" " * (1 << 20)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("xl/worksheets/sheet2.xml", "w", force_zip64=True) as sheet,
    ):
        for _ in range(UNPACKED_BYTES >> 20):
            sheet.write(megabyte)


def many_columns(path: Path) -> None:
    """A CSV file with a hundred thousand columns."""
    header = ",".join(f"tag_{number}" for number in range(MANY_COLUMNS))
    path.write_text(f"timestamp,{header}\n2026-01-01,{'1,' * (MANY_COLUMNS - 1)}1\n")


def nonsense(path: Path) -> None:
    """Bytes that are no table."""
    path.write_bytes(b"\x00\xff not a table \n" * 10)


def link_to_root(path: Path) -> None:
    """A link to everything."""
    path.symlink_to("/")


async def _airflow_page(drops: Drops, stack: Stack | None) -> Observed:
    """Something answers 200 with a page of HTML where Airflow should be."""
    await asyncio.to_thread(drops.prepare)
    name = "for-airflow.csv"
    with (
        _html_server() as url,
        drops.watched(ALARMSTACK_AIRFLOW_URL=url, AIRFLOW_ADMIN_USER="admin"),
    ):
        (drops.folder / name).write_bytes(drops.valid)
        end = monotonic() + DEALT_WITHIN
        while f"{name}: not now" not in drops.log.read_text(errors="replace"):
            if drops.process is None or drops.process.poll() is not None or monotonic() > end:
                raise NotHeldError(f"not reported: {drops.log.read_text(errors='replace')[-300:]}")
            await asyncio.sleep(LOOK_SECONDS)
    lines = drops.log.read_text(errors="replace").splitlines()
    told = next(line for line in lines if f"{name}: not now" in line)
    begin = monotonic()
    with drops.watched():
        entry = await drops.dealt(drops.folder / name)
    if entry.outcome != "taken":
        raise NotHeldError(f"afterwards {entry.outcome}: {entry.detail}")
    return Observed(told[:160], monotonic() - begin)


@contextmanager
def _html_server() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def drop_faults(root: Path) -> list[Fault]:
    """The faults of the drop folder, in the order of the table."""
    drops, refused = Drops(root), "refused with its reason; the valid file behind it is taken"
    files: list[tuple[str, str, Hostile]] = [
        ("workbook with a cell in the last row and column", "a-last.xlsx", last_cell),
        ("workbook that unpacks to 3 GB", "b-large.xlsx", unpacks_to_gigabytes),
        (f"CSV with {MANY_COLUMNS:,} columns", "c-wide.csv", many_columns),
        ("file name with a newline", "d-first\nsecond.csv", nonsense),
        ("file name that is not UTF-8", os.fsdecode(b"e-\xff\xfe.csv"), nonsense),
        ("symlink to /", "f-root.csv", link_to_root),
    ]
    rows = [
        Fault(title, refused, partial(_hostile_file, drops, name, make))
        for title, name, make in files
    ]
    return [
        *rows,
        Fault(
            "Airflow answers 200 with HTML",
            "reported; the file is taken later",
            partial(_airflow_page, drops),
        ),
    ]


__all__ = ["drop_faults"]
