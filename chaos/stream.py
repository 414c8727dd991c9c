"""A wrong clock in the stream that Spark scores: one reading is dated a year ahead."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl
from tests.blocks import readings
from tests.home import alarmstack

from alarmstack.core.plant import load_plant
from alarmstack.core.settings import Settings
from chaos.faults import Fault, Observed
from chaos.stack import ExpectationError, Stack

HOURS = 48
YEAR = timedelta(days=365)
ASSET = "asset=north"


async def _year_ahead(home: Path, root: Path, stack: Stack | None) -> Observed:
    """Run the real command twice; the input of the first run contains the wrong reading."""
    return await asyncio.to_thread(_streamed, home, root)


def _streamed(home: Path, root: Path) -> Observed:
    live, out = root / "live", root / "scores"
    (live / ASSET).mkdir(parents=True)
    stream = readings(load_plant(Settings().plant), HOURS, 1)
    middle = stream["time"][0] + timedelta(hours=HOURS / 2)
    early, late = stream.filter(pl.col("time") < middle), stream.filter(pl.col("time") >= middle)
    wrong = early[:1].with_columns(pl.col("time") + YEAR)
    pl.concat([early, wrong]).write_parquet(live / ASSET / "early.parquet")
    command = ("stream", str(live), str(out), "--master", "local[2]", "--once")
    alarmstack(home, *command)
    late.write_parquet(live / ASSET / "late.parquet")
    output = " ".join(alarmstack(home, *command).stdout.split())
    rows = pl.read_parquet(
        sorted((out / ASSET).glob("*.parquet")) or sorted(out.glob("*.parquet"))
    ).height
    if not HOURS - 2 <= rows <= HOURS:
        raise ExpectationError(f"{rows} rows for {HOURS} hours of readings")
    if "1 readings set aside" not in output:
        raise ExpectationError(f"not reported: {output[-200:]}")
    return Observed(
        f"1 reading quarantined and reported; {rows} rows for {HOURS} hours of readings"
    )


def stream_faults(home: Path, root: Path) -> list[Fault]:
    """The faults of the stream."""
    expected = "quarantined and reported; every valid interval is scored, none is added"
    return [
        Fault(
            "reading dated a year ahead, in the stream", expected, partial(_year_ahead, home, root)
        )
    ]


__all__ = ["stream_faults"]
