"""Inject every fault and print the table: `python -m chaos [--only WORDS] [--json FILE]`. Exit code
1 where a fault does not hold.

The models are those of ALARMSTACK_TEST_HOME; without it they are trained first, which takes two
minutes.
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
from chaos.stack import NotHeldError, Stack, running
from chaos.stream import stream_faults

LONGEST_FAULT = 240.0
"""Wall seconds that one fault may take with its recovery."""
DISK_MEGABYTES = 400
"""Room for the copies of the models, the registry, the database and the logs of one run."""
PORTS = 5
console = Console(width=150, force_terminal=False)


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    fault: str
    expected: str
    observed: str
    recovery_seconds: float | None
    held: bool


def main() -> int:
    """Run the faults that are asked for; 0 where all of them hold."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--only", default="", help="run the faults whose names contain these words")
    parser.add_argument("--json", type=Path, help="write the table's rows to this file")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="alarmstack-chaos-") as folder:
        rows = asyncio.run(everything(Path(folder), asked.only))
    console.print(table(rows))
    if asked.json:
        asked.json.write_text(
            json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
        )
    broken = [row for row in rows if not row.held]
    console.print(f"{len(rows) - len(broken)} passed, {len(broken)} failed")
    return 1 if broken or not rows else 0


async def everything(folder: Path, only: str) -> list[Row]:
    """Every fault whose name contains `only`: on SQLite, on Postgres, in the drop folder and in the
    stream.
    """
    home = _home(folder)
    rows: list[Row] = []
    server = Postgres(folder / "postgres")
    # The user postgres must be able to enter.
    folder.chmod(0o755)
    live, stored = _chosen(faults(), only), _chosen(postgres_faults(server), only)
    apart = _chosen([*drop_faults(folder / "drops"), *stream_faults(home, folder / "stream")], only)
    with small_disk(folder / "disk", DISK_MEGABYTES) as disk:
        if live:
            async with _stack(home, disk, folder / "logs") as stack:
                rows += [await judged(fault, stack) for fault in live]
    if stored:
        server.start()
        try:
            async with _stack(
                home, folder / "data", folder / "logs-postgres", server.new()
            ) as stack:
                rows += [await judged(fault, stack) for fault in stored]
        finally:
            server.stop()
    return rows + [await judged(fault, None) for fault in apart]


@asynccontextmanager
async def _stack(
    home: Path, data: Path, logs: Path, database_url: str | None = None
) -> AsyncIterator[Stack]:
    console.print(f"starting the services in {data}")
    data.mkdir(parents=True, exist_ok=True)
    async with running(home, data, free_ports(PORTS), logs, database_url) as stack:
        yield stack


async def judged(fault: Fault, stack: Stack | None) -> Row:
    """Inject one fault; its row."""
    begin = monotonic()
    try:
        async with asyncio.timeout(LONGEST_FAULT):
            observed = await fault.inject(stack)  # type: ignore[arg-type]
        row = Row(fault.name, fault.expected, observed.text, observed.recovery, True)
    except NotHeldError as error:
        row = Row(fault.name, fault.expected, f"NOT HELD: {error}", None, False)
    except TimeoutError:
        row = Row(
            fault.name, fault.expected, f"NOT HELD: no end after {LONGEST_FAULT:.0f} s", None, False
        )
    if stack is not None and not row.held:
        # What follows begins with services that work, where they still can.
        with suppress(NotHeldError):
            await stack.recovered()
    console.print(
        f"{'held    ' if row.held else 'NOT HELD'} {monotonic() - begin:4.0f} s  {row.fault}: {row.observed}"
    )
    return row


def table(rows: Sequence[Row]) -> Table:
    """The rows as they are printed."""
    made = Table("fault", "expected", "observed", "recovery", title="Faults in the real services")
    for row in rows:
        recovery = "" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f} s"
        made.add_row(row.fault, row.expected, row.observed, recovery)
    return made


def _chosen(some: Sequence[Fault], only: str) -> list[Fault]:
    return [one for one in some if only.lower() in one.name.lower()]


def _home(folder: Path) -> Path:
    if known := os.environ.get("ALARMSTACK_TEST_HOME"):
        return Path(known)
    console.print("training the models that the services need")
    return furnish(folder / "home")


if __name__ == "__main__":
    sys.exit(main())
