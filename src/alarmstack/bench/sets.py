"""A public data set for the benchmark: its files, described by a plant.toml and a set.toml.

The set.toml states where the files are, what their columns mean, which rows may be used for
training, and which metrics are printed beside which published results. Nothing else differs between
sets: every set runs through the same pipeline. Files are read in place and never copied.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import polars.selectors as cs
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock, Mask
from alarmstack.core.plant import Duration, Plant, load_plant
from alarmstack.preparation.interval_closer import close_intervals

EPOCH = datetime(2000, 1, 1)
"""Start of a run whose files number the rows instead of giving timestamps."""
TRUTHS = ("event", "early", "normal", "learn")
MICROSECONDS = 1_000_000
"""In a second."""
TAG = "tag:"
"""Prefix of the tags' columns, so that they cannot collide with the other columns."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """The columns of the files. `run` separates recordings; `asset` names the recorded asset."""

    run: str
    asset: str | None = None
    time: str


class Truth(_Part):
    """SQL expressions over the files' columns: the ground truth of a row.

    `event`: an alarm should begin here. `early`: an alarm is still in time (default: in the whole
    event). `normal`: an alarm here is false. `learn`: the row may be used to learn normal
    behaviour. A row that is neither `event` nor `normal` is not evaluated.
    """

    event: str
    normal: str
    learn: str
    early: str = "true"


class Protocol(_Part):
    """Which rows a contender is fitted on.

    `own`: the first stretch of each evaluated run is used as its normal behaviour. `hold_out`: a
    run is scored by a fit on other assets only. `shortest_own`: an event counts only after this
    much normal time in its run. `history`: earlier runs of the same asset move the threshold of a
    held-out run.
    """

    own: Duration | None = None
    hold_out: bool = False
    history: bool = False
    shortest_own: Duration | None = None


class RequestedBudget(_Part):
    """False alarms per day and share of time in warning that an operator of the plant accepts."""

    false_alarms_per_day: float = Field(gt=0)
    time_in_warning: float = Field(gt=0, lt=1)


class WantedMetric(_Part):
    """One line of the set's table: a metric by name, with published results and our aim.

    Older descriptions use the key `figure`.
    """

    metric: str = Field(validation_alias=AliasChoices("metric", "figure"))
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
        """Whether a value meets the aim; None if there is no aim."""
        if self.at_least is not None:
            return value >= self.at_least
        return None if self.at_most is None else value <= self.at_most


class SetDescription(_Part):
    """The content of a set.toml. Older descriptions use the key `figures` for `metrics`."""

    name: str
    title: str
    kind: Literal["recordings", "historian", "simulated"] = "recordings"
    plant: str = "plant.toml"
    files: str = "*.parquet"
    columns: Columns | None = None
    truth: Truth | None = None
    protocol: Protocol = Protocol()
    budget: RequestedBudget | None = None
    metrics: tuple[WantedMetric, ...] = Field(
        default=(), validation_alias=AliasChoices("metrics", "figures")
    )
    seeds: tuple[int, ...] = ()
    folder: Path = Field(default=Path(), exclude=True)

    def load_plant(self) -> Plant:
        """The plant on which the set was recorded."""
        return load_plant(self.folder / self.plant)


@dataclass(frozen=True)
class Run:
    """One recording: closed intervals, and the ground truth of each row (see `Truth`)."""

    name: str
    asset: str
    block: IntervalBlock
    event: Mask
    early: Mask
    normal: Mask
    learn: Mask

    @property
    def has_reading(self) -> Mask:
        """Rows with a reading of any instrument; only these are evaluated."""
        return np.asarray((self.block.count > 0).any(axis=1))


def find_sets(folder: Path) -> dict[str, SetDescription]:
    """Every set that is described in a folder, by name, in the order of names."""
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
        key = ".".join(map(str, first["loc"]))
        raise BenchError(f"{path}: {key}: {first['msg']}, but it is {first['input']!r}") from error


def load_runs(description: SetDescription, plant: Plant, data: Path) -> Iterator[Run]:
    """The runs of a set as closed intervals, one after another.

    Raises BenchError if there are no files or a column is missing.
    """
    columns, truth = description.columns, description.truth
    if columns is None or truth is None:
        raise BenchError(
            f"{description.folder}/set.toml: a set of recordings needs [columns] and [truth]"
        )
    table = _read(data, description.files)
    tags = [i.tag for i in plant.instruments]
    asset = columns.asset or columns.run
    needed = (columns.run, asset, columns.time, *tags)
    if missing := [name for name in needed if name not in table.columns]:
        raise BenchError(
            f"{data}: no column {', '.join(missing)}: the files have {', '.join(table.columns)}"
        )
    truths = {name: pl.sql_expr(getattr(truth, name)).fill_null(value=False) for name in TRUTHS}
    table = table.select(
        pl.col(columns.run).cast(pl.String).alias("run"),
        pl.col(asset).cast(pl.String).alias("asset"),
        _instants(table[columns.time], plant).alias("time"),
        *[pl.col(tag).cast(pl.Float64).alias(TAG + tag) for tag in tags],
        **truths,
    )
    for part in table.partition_by("run", maintain_order=True):
        yield _run(plant, part.sort("time"))


def _run(plant: Plant, part: pl.DataFrame) -> Run:
    readings = part.select("time", cs.starts_with(TAG)).unpivot(
        index="time", variable_name="tag", value_name="value"
    )
    readings = readings.with_columns(pl.col("tag").str.strip_prefix(TAG)).select(*READING_SCHEMA)
    block = close_intervals(plant, readings)
    since_start = part["time"].dt.replace_time_zone(None).to_numpy() - block.start[0]
    rows = since_start // np.timedelta64(plant.time.cadence)

    count = np.bincount(rows, minlength=len(block))
    # Inside a gap of the recording, the ground truth of the last row before it holds.
    last_recorded = np.maximum.accumulate(np.where(count > 0, np.arange(len(block)), 0))

    def truth(name: str, *, everywhere: bool) -> Mask:
        true = np.bincount(rows, weights=part[name].to_numpy(), minlength=len(block))
        return ((true == count) if everywhere else (true > 0))[last_recorded]

    return Run(
        part["run"][0],
        part["asset"][0],
        block,
        event=truth("event", everywhere=False),
        early=truth("early", everywhere=True),
        normal=truth("normal", everywhere=True),
        learn=truth("learn", everywhere=True),
    )


def _read(data: Path, pattern: str) -> pl.DataFrame:
    paths = sorted(data.glob(pattern))
    if not paths:
        raise BenchError(
            f"{data}: no file {pattern}: --data must name the folder with one folder for each set"
        )
    tables = [
        pl.read_csv(path) if path.suffix.lower() == ".csv" else pl.read_parquet(path)
        for path in paths
    ]
    return pl.concat(tables, how="diagonal_relaxed")


def _instants(times: pl.Series, plant: Plant) -> pl.Series:
    """Times as UTC instants. A number is the number of the row."""
    if times.dtype.is_numeric():
        cadence_us = int(plant.time.cadence.total_seconds() * MICROSECONDS)
        since = (times.cast(pl.Int64) * cadence_us).cast(pl.Duration("us"))
        return (pl.Series([EPOCH]).cast(pl.Datetime("us")) + since).dt.replace_time_zone("UTC")
    return times.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


__all__ = ["Run", "SetDescription", "WantedMetric", "find_sets", "load_runs", "read_set"]
