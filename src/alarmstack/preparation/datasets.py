"""The datasets that people and jobs exchange: cleaned_dataset.csv and labeled_dataset.csv.

A *table* is a Polars frame with `timestamp` (UTC) and the columns of `cleaned_columns`. Files have
plant time. A block becomes a table and a table becomes a block. Counts and ages are not in a table,
so they are unknown in its block.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import STATISTICS, IntervalBlock, number_segments
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.whole_files import replacing
from alarmstack.preparation.derived import column

LABEL, REGIME = "anomaly_label", "regime"


def cleaned_columns(plant: Plant) -> tuple[str, ...]:
    """The columns of the cleaned dataset, in order, without the timestamp."""
    tags = [i.tag for i in plant.instruments]
    short = f"roll{write_duration(plant.time.short_window)}"
    deviations: list[str] = []
    for c in plant.controllers:
        deviations.append(c.deviation)
        if c.deviation_max:
            deviations.append(f"{c.deviation}_max")
    return (
        *plant.signals,
        *(f"{tag}_max" for tag in tags),
        *(f"{tag}_min" for tag in tags),
        *(f"{i.tag}_saturated" for i in plant.instruments if i.saturated_above is not None),
        *deviations,
        *(
            f"{tag}_{short}_{name}"
            for tag in plant.derived.short_statistics
            for name in ("mean", "std")
        ),
        "hour_of_day",
        "day_of_week",
    )


def cleaned_table(plant: Plant, block: IntervalBlock) -> pl.DataFrame:
    """The cleaned dataset: `timestamp` (UTC) and the columns of `cleaned_columns`."""
    clock = {"hour_of_day", "day_of_week"}
    columns = {
        name: column(plant, block, name) for name in cleaned_columns(plant) if name not in clock
    }
    local = pl.col("timestamp").dt.convert_time_zone(plant.timezone)
    whole = [
        pl.col(f"{i.tag}_saturated").cast(pl.Int64)
        for i in plant.instruments
        if i.saturated_above is not None
    ]
    return (
        pl.DataFrame({"timestamp": block.start.astype("datetime64[us]"), **columns})
        .with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
        .fill_nan(None)
        .with_columns(
            *whole,
            hour_of_day=local.dt.hour().cast(pl.Int64),
            day_of_week=local.dt.weekday().cast(pl.Int64) - 1,
        )
        .select("timestamp", *cleaned_columns(plant))
    )


def block_from_table(plant: Plant, table: pl.DataFrame) -> IntervalBlock:
    """The block of a cleaned dataset; rows that the file lacks are missing rows of the grid.

    Counts are −1 and ages NaN (unknown). Only instruments have columns `_max` and `_min`; outputs
    and setpoints use their one value for all statistics. Raises SourceError when signals are absent
    or timestamps are off the grid.
    """
    absent = [i.tag for i in plant.modelled if i.tag not in table.columns]
    if absent:
        raise SourceError(
            f"the table has no columns {', '.join(absent)}: is it a cleaned dataset of "
            f"{plant.name}?"
        )
    table = table.unique("timestamp", keep="last").sort("timestamp")
    cadence = np.timedelta64(plant.time.cadence)
    stamps = table["timestamp"].dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy()
    row = (stamps - stamps[0]) // cadence
    off_grid = stamps[stamps != stamps[0] + row * cadence]
    if len(off_grid):
        raise SourceError(
            f"timestamp {off_grid[0]} is off the {write_duration(plant.time.cadence)} grid "
            f"that begins at {stamps[0]}: use raw readings, from which the rows are calculated"
        )
    rows = int(row[-1]) + 1
    measured = {i.tag for i in plant.instruments}
    values = np.full((rows, len(plant.signals), len(STATISTICS)), np.nan)
    for place, signal in enumerate(plant.signals):
        for at, statistic in enumerate(STATISTICS):
            name = (
                f"{signal}_{statistic}" if statistic != "median" and signal in measured else signal
            )
            if name in table.columns:
                values[row, place, at] = table[name].cast(pl.Float64).to_numpy()
    modelled = [plant.signals.index(i.tag) for i in plant.modelled]
    empty = np.asarray(np.isnan(values[:, modelled, 0]).all(axis=1))
    return IntervalBlock(
        start=stamps[0] + np.arange(rows) * cadence,
        cadence=plant.time.cadence,
        signals=plant.signals,
        values=values,
        count=np.full(values.shape[:2], -1, np.int32),
        age=np.full(values.shape[:2], np.nan),
        segment=number_segments(empty, plant.rows(plant.time.longest_gap))[0],
    )


def write_csv(plant: Plant, table: pl.DataFrame, path: Path) -> None:
    """Write a table in plant time, with UTC offsets when they differ. The file is never partial."""
    with replacing(path) as partial:
        _in_plant_time(plant, table).write_csv(partial)


def as_csv(plant: Plant, table: pl.DataFrame) -> bytes:
    """The content that `write_csv` writes."""
    return _in_plant_time(plant, table).write_csv().encode()


def _in_plant_time(plant: Plant, table: pl.DataFrame) -> pl.DataFrame:
    local = pl.col("timestamp").dt.convert_time_zone(plant.timezone)
    offsets = (
        table.select(local.dt.base_utc_offset() + local.dt.dst_offset()).to_series().n_unique()
    )
    return table.with_columns(
        local.dt.strftime("%Y-%m-%d %H:%M:%S" + ("%:z" if offsets > 1 else ""))
    )


__all__ = [
    "LABEL",
    "REGIME",
    "as_csv",
    "block_from_table",
    "cleaned_columns",
    "cleaned_table",
    "write_csv",
]
