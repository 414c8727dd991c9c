"""Invalid and hostile files in the drop folder of a real watcher.

The watcher must refuse each file with a reason, and take the valid file after it.
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

from alarmstack.pipelines.watcher.drops import drop_fingerprint
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from chaos.faults import Fault, Observed
from chaos.stack import ExpectationError, Stack

PROCESSED_WITHIN = 120.0
"""Limit of wall seconds for a hostile file and the valid file after it."""
LAST_ROW, LAST_COLUMN = 1_048_575, 16_383
"""The last cell of a sheet, counted from 0."""
UNPACKED_BYTES = 3_000_000_000
MANY_COLUMNS = 100_000
VALID_ROWS = 200
SETTLE_SECONDS = "0.3"
CHECK_SECONDS = 0.2
Hostile = Callable[[Path], None]
"""Writes a hostile file to a path."""


class Drops:
    """A drop folder, and `alarmstack watch` as the process that watches it."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "data_drop"
        self.valid = b""
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make a small valid dataset: simulated data, as `alarmstack ingest` writes it."""
        if self.valid:
            return
        self.folder.mkdir(parents=True)
        alarmstack(self.root, "simulate", "--days", "14", "--out", str(self.root / "month"))
        alarmstack(
            self.root, "ingest", str(self.root / "month"), "--out", str(self.root / "dataset")
        )
        lines = (self.root / "dataset/labeled_dataset.csv").read_bytes().splitlines(keepends=True)
        self.valid = b"".join(lines[: VALID_ROWS + 1])

    @contextmanager
    def watched(self, **settings: str) -> Iterator[None]:
        """Run the watcher until the block ends; `settings` are added to its environment."""
        environment = {
            "ALARMSTACK_DATA_DIR": str(self.root),
            "ALARMSTACK_SETTLE_SECONDS": SETTLE_SECONDS,
            "COLUMNS": "300",
        }
        command = [str(Path(sys.executable).with_name("alarmstack")), "watch", str(self.folder)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | environment | settings, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            self.process.kill()
            self.process.wait(timeout=30)

    @property
    def log(self) -> Path:
        """The output of the watcher."""
        return self.root / "watch.log"

    def entry(self, path: Path) -> Entry | None:
        """The ledger entry of a file; None if the watcher has not processed it."""
        sha256 = drop_fingerprint(path)
        entries = Ledger(self.root / "watcher/ledger.jsonl").entries()
        return next((entry for entry in entries if entry.sha256 == sha256), None)

    async def processed(self, path: Path) -> Entry:
        """Wait until the watcher has processed a file; return its ledger entry.

        Raises ExpectationError if the watcher has ended or takes too long.
        """
        end = monotonic() + PROCESSED_WITHIN
        while (entry := self.entry(path)) is None:
            if self.process is not None and self.process.poll() is not None:
                raise ExpectationError(
                    f"the watcher ended with {self.process.returncode}: {self._end_of_log()}"
                )
            if monotonic() > end:
                raise ExpectationError(
                    f"{path.name!r} was not processed within {PROCESSED_WITHIN:.0f} s: "
                    f"{self._end_of_log()}"
                )
            await asyncio.sleep(CHECK_SECONDS)
        return entry

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-300:]


async def _hostile_file(drops: Drops, name: str, make: Hostile, stack: Stack | None) -> Observed:
    """Drop a hostile file and a valid one before the watcher starts, as after a restart."""
    await asyncio.to_thread(drops.prepare)
    hostile = drops.folder / name
    await asyncio.to_thread(make, hostile)
    valid = drops.folder / f"z-valid-{name[0]}.csv"
    valid.write_bytes(drops.valid)
    with drops.watched():
        valid_entry = await drops.processed(valid)
        if valid_entry.outcome != "taken":
            raise ExpectationError(
                f"the valid file was {valid_entry.outcome}: {valid_entry.detail}"
            )
        entry = None if hostile.is_symlink() else await drops.processed(hostile)
    hostile.unlink()
    if entry is None:
        return Observed("not followed; the valid file after it was taken")
    if entry.outcome != "refused":
        raise ExpectationError(f"{entry.outcome}: {entry.detail}")
    reason = entry.detail.partition("(")[2] or entry.detail
    return Observed(f"{entry.outcome}: {reason[:140]}")


def last_cell(path: Path) -> None:
    """A small workbook whose used range is the largest possible."""
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write(LAST_ROW, LAST_COLUMN, 1)


def unpacks_to_gigabytes(path: Path) -> None:
    """A small workbook with a sheet that takes gigabytes when unpacked."""
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
    """Bytes that are not a table."""
    path.write_bytes(b"\x00\xff not a table \n" * 10)


def link_to_root(path: Path) -> None:
    """A symbolic link to the root folder."""
    path.symlink_to("/")


async def _airflow_page(drops: Drops, stack: Stack | None) -> Observed:
    """At the address of Airflow, a server answers every request with 200 and a page of HTML."""
    await asyncio.to_thread(drops.prepare)
    name = "for-airflow.csv"
    with (
        _html_server() as url,
        drops.watched(ALARMSTACK_AIRFLOW_URL=url, AIRFLOW_ADMIN_USER="admin"),
    ):
        (drops.folder / name).write_bytes(drops.valid)
        end = monotonic() + PROCESSED_WITHIN
        while f"{name}: failed" not in drops.log.read_text(errors="replace"):
            if drops.process is None or drops.process.poll() is not None or monotonic() > end:
                raise ExpectationError(
                    f"not reported: {drops.log.read_text(errors='replace')[-300:]}"
                )
            await asyncio.sleep(CHECK_SECONDS)
    lines = drops.log.read_text(errors="replace").splitlines()
    report = next(line for line in lines if f"{name}: failed" in line)
    begin = monotonic()
    with drops.watched():
        entry = await drops.processed(drops.folder / name)
    if entry.outcome != "taken":
        raise ExpectationError(f"afterwards {entry.outcome}: {entry.detail}")
    return Observed(report[:160], monotonic() - begin)


@contextmanager
def _html_server() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            """Write no log."""

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
    drops, refused = Drops(root), "refused with its reason; the valid file after it is taken"
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
