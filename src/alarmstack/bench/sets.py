"""A data set to be judged by: files that somebody else made, described by a plant.toml and a set.toml.

The set.toml says where the files are, what their columns mean, which rows may be learnt from and which figures are printed beside
which published ones. It is all that differs between sets: every set runs through the same chain. Files are read where they lie and
never copied.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import polars.selectors as cs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock, Mask
from alarmstack.core.plant import Duration, Plant, load_plant
from alarmstack.preparation.interval_closer import close_intervals

EPOCH = datetime(2000, 1, 1)
"""When a run begins whose files count rows instead of telling the time."""
TRUTHS = ("event", "early", "normal", "learn")
TAG = "tag:"
"""Before the names of a set's tags in a table that has columns of its own."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """What the files' columns mean. `run` cuts the rows into recordings; `asset` names what they were recorded on."""

    run: str
    asset: str | None = None
    time: str


class Truth(_Part):
    """SQL expressions over the files' columns: what really happened in a row.

    `event`: an alarm should begin here; `early`: it would still be in time (default: anywhere in the event); `normal`: an alarm
    here is false; `learn`: normal behaviour may be learnt from it. A row that is none of them is not judged.
    """

    event: str
    normal: str
    learn: str
    early: str = "true"


class Protocol(_Part):
    """Who learns from what.

    `own`: a judged run's first stretch is its own normal; `hold_out`: a run learns from other assets only; `shortest_own`: an event
    counts only after that much normal time in its run; `history`: earlier runs of the same asset move a held-out run's threshold.
    """

    own: Duration | None = None
    hold_out: bool = False
    history: bool = False
    shortest_own: Duration | None = None


class FigureWanted(_Part):
    """One line of the set's table: a figure by name, with what others published and what we aim at."""

    figure: str
    options: dict[str, float] = {}
    published: dict[str, float] = {}
    at_least: float | None = None
    at_most: float | None = None

    @property
    def aim(self) -> str | None:
        """The aim in words."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return None if self.at_most is None else f"≤ {self.at_most:g}"

    def met(self, value: float) -> bool | None:
        """Whether a value meets the aim; None where there is none."""
        if self.at_least is not None:
            return value >= self.at_least
        return None if self.at_most is None else value <= self.at_most


class SetDescription(_Part):
    """A set.toml."""

    name: str
    title: str
    kind: Literal["recordings", "historian", "simulated"] = "recordings"
    plant: str = "plant.toml"
    files: str = "*.parquet"
    columns: Columns | None = None
    truth: Truth | None = None
    protocol: Protocol = Protocol()
    figures: tuple[FigureWanted, ...] = ()
    seeds: tuple[int, ...] = ()
    folder: Path = Field(default=Path(), exclude=True)

    def load_plant(self) -> Plant:
        """The plant that the set was recorded on."""
        return load_plant(self.folder / self.plant)


@dataclass(frozen=True)
class Run:
    """One unbroken recording: closed intervals, and the truth about each row, bool [rows] (see `Truth`).

    `spoke` says in which rows any instrument spoke: rows without one are not judged.
    """

    name: str
    asset: str
    block: IntervalBlock
    event: Mask
    early: Mask
    normal: Mask
    learn: Mask

    @property
    def spoke(self) -> Mask:
        """Rows in which an instrument spoke."""
        return np.asarray((self.block.count > 0).any(axis=1))


def find_sets(folder: Path) -> dict[str, SetDescription]:
    """Every described set by name, in the order of names."""
    return {path.parent.name: read_set(path) for path in sorted(folder.glob("*/set.toml"))}


def read_set(path: Path) -> SetDescription:
    """Read a set.toml. Raises BenchError that names the key and the value."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        return SetDescription.model_validate(content).model_copy(update={"folder": path.parent})
    except FileNotFoundError:
        raise BenchError(f"{path}: no such file") from None
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BenchError(
            f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}, but it is {first['input']!r}"
        ) from error


def load_runs(described: SetDescription, plant: Plant, data: Path) -> Iterator[Run]:
    """The runs of a set, one after the other, through the interval closer.

    Raises BenchError when there are no files or a column is missing.
    """
    columns, truth = described.columns, described.truth
    if columns is None or truth is None:
        raise BenchError(
            f"{described.folder}/set.toml: a set of recordings needs [columns] and [truth]"
        )
    table = _read(data, described.files)
    tags = [i.tag for i in plant.instruments]
    asset = columns.asset or columns.run
    missing = [
        name for name in (columns.run, asset, columns.time, *tags) if name not in table.columns
    ]
    if missing:
        raise BenchError(
            f"{data}: no column {', '.join(missing)}: the files have {', '.join(table.columns)}"
        )
    told = [pl.sql_expr(getattr(truth, name)).fill_null(value=False).alias(name) for name in TRUTHS]
    table = table.select(
        pl.col(columns.run).cast(pl.String).alias("run"),
        pl.col(asset).cast(pl.String).alias("asset"),
        _instants(table[columns.time], plant).alias("time"),
        *[pl.col(tag).cast(pl.Float64).alias(TAG + tag) for tag in tags],
        *told,
    )
    for part in table.partition_by("run", maintain_order=True):
        yield _run(plant, part.sort("time"))


def _run(plant: Plant, part: pl.DataFrame) -> Run:
    readings = part.select("time", cs.starts_with(TAG)).unpivot(
        index="time", variable_name="tag", value_name="value"
    )
    block = close_intervals(
        plant, readings.with_columns(pl.col("tag").str.strip_prefix(TAG)).select(*READING_SCHEMA)
    )
    rows = (part["time"].dt.replace_time_zone(None).to_numpy() - block.start[0]) // np.timedelta64(
        plant.time.cadence
    )

    count = np.bincount(rows, minlength=len(block))
    # What was true before a hole in the recording holds inside it.
    last_told = np.maximum.accumulate(np.where(count > 0, np.arange(len(block)), 0))

    def told(name: str, *, everywhere: bool) -> Mask:
        true = np.bincount(rows, weights=part[name].to_numpy(), minlength=len(block))
        return ((true == count) if everywhere else (true > 0))[last_told]

    return Run(
        part["run"][0],
        part["asset"][0],
        block,
        event=told("event", everywhere=False),
        early=told("early", everywhere=True),
        normal=told("normal", everywhere=True),
        learn=told("learn", everywhere=True),
    )


def _read(data: Path, pattern: str) -> pl.DataFrame:
    found = sorted(data.glob(pattern))
    if not found:
        raise BenchError(
            f"{data}: no file {pattern}: give --data the folder that holds one folder a set"
        )
    tables = [
        pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path) for path in found
    ]
    return pl.concat(tables, how="diagonal_relaxed")


def _instants(times: pl.Series, plant: Plant) -> pl.Series:
    """Times as UTC instants. A number counts rows."""
    if times.dtype.is_numeric():
        since = (times.cast(pl.Int64) * int(plant.time.cadence.total_seconds() * 1_000_000)).cast(
            pl.Duration("us")
        )
        return (pl.Series([EPOCH]).cast(pl.Datetime("us")) + since).dt.replace_time_zone("UTC")
    return times.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def instant(moment: datetime) -> np.datetime64:
    """A moment as arrays hold it."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


__all__ = ["Mask", "Run", "SetDescription", "find_sets", "load_runs", "read_set"]
