"""Inject every fault and print the table: `python -m chaos [--only WORDS] [--json FILE]`.

The exit code is 1 if a fault fails. The models are those of ALARMSTACK_TEST_HOME; without this
variable they are trained first, which takes two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console
from rich.table import Table
from tests.databases import Postgres
from tests.home import furnish
from tests.object_store import free_ports

from chaos.drops import drop_faults
from chaos.faults import Fault, faults, postgres_faults, small_disk
from chaos.stack import ExpectationError, Stack, running
from chaos.stream import stream_faults

LONGEST_FAULT = 240.0
"""Limit of wall seconds for one fault and its recovery."""
DISK_MEGABYTES = 400
"""Enough for the copies of the models, the registry, the database and the logs of one run."""
PORTS = 5
console = Console(width=150, force_terminal=False)


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    fault: str
    expected: str
    observed: str
    recovery_seconds: float | None
    passed: bool


def main() -> int:
    """Run the selected faults. Return the exit code: 0 if all of them pass."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--only", default="", help="run the faults whose names contain these words")
    parser.add_argument("--json", type=Path, help="write the table's rows to this file")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="alarmstack-chaos-") as folder:
        rows = asyncio.run(run_faults(Path(folder), arguments.only))
    console.print(table(rows))
    if arguments.json:
        arguments.json.write_text(
            json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
        )
    failed = [row for row in rows if not row.passed]
    console.print(f"{len(rows) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not rows else 0


async def run_faults(folder: Path, only: str) -> list[Row]:
    """Run every fault whose name contains `only` (ignoring case); return one row for each.

    There are faults on SQLite, on Postgres, in the drop folder and in the stream. `folder` holds
    all data of the run.
    """
    home = _home(folder)
    server = Postgres(folder / "postgres")
    # Postgres runs as another user, who must be able to enter the folder.
    folder.chmod(0o755)
    on_sqlite, on_postgres = _chosen(faults(), only), _chosen(postgres_faults(server), only)
    without_stack = _chosen(
        [*drop_faults(folder / "drops"), *stream_faults(home, folder / "stream")], only
    )
    ports = free_ports(2 * PORTS)
    # Both groups wait more than they compute, so they run at the same time.
    async with asyncio.TaskGroup() as groups:
        first = groups.create_task(_on_sqlite(home, folder, ports[:PORTS], on_sqlite))
        second = groups.create_task(
            _on_postgres_and_without_stack(
                home, folder, ports[PORTS:], server, on_postgres, without_stack
            )
        )
    return first.result() + second.result()


async def _on_sqlite(
    home: Path, folder: Path, ports: list[int], chosen: Sequence[Fault]
) -> list[Row]:
    if not chosen:
        return []
    with small_disk(folder / "disk", DISK_MEGABYTES) as disk:
        async with _stack(home, disk, folder / "logs", ports) as stack:
            return [await run_fault(fault, stack) for fault in chosen]


async def _on_postgres_and_without_stack(
    home: Path,
    folder: Path,
    ports: list[int],
    server: Postgres,
    on_postgres: Sequence[Fault],
    without_stack: Sequence[Fault],
) -> list[Row]:
    rows: list[Row] = []
    if on_postgres:
        await asyncio.to_thread(server.start)
        try:
            logs, url = folder / "logs-postgres", await asyncio.to_thread(server.new)
            async with _stack(home, folder / "data", logs, ports, url) as stack:
                rows += [await run_fault(fault, stack) for fault in on_postgres]
        finally:
            await asyncio.to_thread(server.stop)
    return rows + [await run_fault(fault, None) for fault in without_stack]


@asynccontextmanager
async def _stack(
    home: Path, data: Path, logs: Path, ports: list[int], database_url: str | None = None
) -> AsyncIterator[Stack]:
    console.print(f"starting the services in {data}")
    data.mkdir(parents=True, exist_ok=True)
    async with running(home, data, ports, logs, database_url) as stack:
        yield stack


async def run_fault(fault: Fault, stack: Stack | None) -> Row:
    """Inject one fault; return its row. `stack` is None for a fault that needs no stack."""
    begin = monotonic()
    try:
        async with asyncio.timeout(LONGEST_FAULT):
            observed = await fault.inject(stack)  # type: ignore[arg-type]
        row = Row(fault.name, fault.expected, observed.text, observed.recovery, True)
    except ExpectationError as error:
        row = Row(fault.name, fault.expected, f"FAILED: {error}", None, False)
    except TimeoutError:
        row = Row(
            fault.name,
            fault.expected,
            f"FAILED: not finished after {LONGEST_FAULT:.0f} s",
            None,
            False,
        )
    if stack is not None and not row.passed:
        # The next fault needs services that work.
        with suppress(ExpectationError):
            await stack.recovered()
    console.print(
        f"{'passed' if row.passed else 'FAILED'} {monotonic() - begin:4.0f} s  "
        f"{row.fault}: {row.observed}"
    )
    return row


def table(rows: Sequence[Row]) -> Table:
    """The rows as a table for the console."""
    printed = Table(
        "fault", "expected", "observed", "recovery", title="Faults in the real services"
    )
    for row in rows:
        recovery = "" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f} s"
        printed.add_row(row.fault, row.expected, row.observed, recovery)
    return printed


def _chosen(all_faults: Sequence[Fault], only: str) -> list[Fault]:
    return [fault for fault in all_faults if only.lower() in fault.name.lower()]


def _home(folder: Path) -> Path:
    if home := os.environ.get("ALARMSTACK_TEST_HOME"):
        return Path(home)
    console.print("training the models that the services need")
    return furnish(folder / "home")


if __name__ == "__main__":
    sys.exit(main())
