"""A wrong clock in the live stream that Spark scores: one reading is dated a year ahead."""

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
from chaos.stack import NotHeldError, Stack

HOURS = 48
YEAR = timedelta(days=365)
ASSET = "asset=north"


async def _year_ahead(home: Path, root: Path, stack: Stack | None) -> Observed:
    """Two runs of the real command: the wrong reading lies among those of the first."""
    return await asyncio.to_thread(_streamed, home, root)


def _streamed(home: Path, root: Path) -> Observed:
    live, out = root / "live", root / "scores"
    (live / ASSET).mkdir(parents=True)
    told = readings(load_plant(Settings().plant), HOURS, 1)
    middle = told["time"][0] + timedelta(hours=HOURS / 2)
    early, late = told.filter(pl.col("time") < middle), told.filter(pl.col("time") >= middle)
    wrong = early[:1].with_columns(pl.col("time") + YEAR)
    pl.concat([early, wrong]).write_parquet(live / ASSET / "early.parquet")
    command = ("stream", str(live), str(out), "--master", "local[2]", "--once")
    alarmstack(home, *command)
    late.write_parquet(live / ASSET / "late.parquet")
    printed = " ".join(alarmstack(home, *command).stdout.split())
    rows = pl.read_parquet(
        sorted((out / ASSET).glob("*.parquet")) or sorted(out.glob("*.parquet"))
    ).height
    if not HOURS - 2 <= rows <= HOURS:
        raise NotHeldError(f"{rows} rows for {HOURS} hours of readings")
    if "1 readings set aside" not in printed:
        raise NotHeldError(f"not reported: {printed[-200:]}")
    return Observed(f"1 reading set aside and reported; {rows} rows for {HOURS} hours of readings")


def stream_faults(home: Path, root: Path) -> list[Fault]:
    """The faults of the stream."""
    expected = "quarantined and reported; every valid interval is scored, none is added"
    return [
        Fault(
            "reading dated a year ahead, in the stream", expected, partial(_year_ahead, home, root)
        )
    ]


__all__ = ["stream_faults"]
