"""The tables of the feature store: what an ETL run publishes and training reads.

`train` and `valid`: point features and labels of the first four fifths and of the sealed last
fifth. `train_smote`: the training part, balanced with synthetic rows, which are marked.
`windows_<horizon>`: the window features of all rows with the target of that horizon. `intervals`:
the closed intervals, from which the normal-behaviour model learns. `between`, with `[training]
phases` above 1: window features and targets on the other phases of the grid, each with the base row
in which its interval begins.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import STATISTICS, Floats, IntervalBlock
from alarmstack.core.plant import Plant, write_duration
from alarmstack.features.examples import Between, Examples
from alarmstack.features.matrix import Group, feature_names
from alarmstack.models.balance import (
    enough_to_balance,
    filled_with_medians,
    with_synthetic_rows,
)
from alarmstack.storage.files import Store

BETWEEN = "between"
WINDOWS = "windows"
"""The window features of a plant without horizons; otherwise there is a table for each horizon."""


def tables(examples: Examples, block: IntervalBlock) -> dict[str, pl.DataFrame]:
    """All tables of a run, by name. `block`: the intervals behind the examples."""
    by_name = row_tables(examples, block, examples.sealed_from)
    by_name["train_smote"] = balanced_table(examples.plant, by_name["train"])
    if examples.between is not None:
        by_name[BETWEEN] = _between_table(examples.plant, examples.between)
    return by_name


def row_tables(
    examples: Examples, block: IntervalBlock, sealed_from: int
) -> dict[str, pl.DataFrame]:
    """All tables except `train_smote` and `between`. Each row depends on one example only.

    `sealed_from`: the first sealed row of these examples.
    """
    plant = examples.plant
    sealed = min(max(sealed_from, 0), len(examples))
    point = _point_table(examples)
    by_name = {
        "train": point.head(sealed),
        "valid": point.slice(sealed),
        "intervals": _interval_table(block),
    }
    windows = _keys(examples).with_columns(
        pl.Series("part", ["train"] * sealed + ["valid"] * (len(examples) - sealed), pl.String),
        *_feature_columns(plant, examples.window, "window"),
    )
    if not plant.time.horizons:
        return by_name | {WINDOWS: windows}
    for horizon in plant.time.horizons:
        target = pl.Series("onset", examples.onset_target(horizon)).fill_nan(None)
        by_name[_windows_of(horizon)] = windows.with_columns(target)
    return by_name


def balanced_table(plant: Plant, train: pl.DataFrame) -> pl.DataFrame:
    """The training rows, balanced by SMOTE: rows of the rarer label are added.

    The column `synthetic` marks added rows; medians replace missing values. The rows have no time:
    they belong in no sequence, no calibration set and no test. No row is added if there are too few
    alarms for SMOTE. Raises SourceError if there is no row.
    """
    if train.is_empty():
        raise SourceError(
            "too few rows to train on: all of them would be sealed for the evaluation; "
            "give a longer export"
        )
    names = list(feature_names(plant, "point"))
    label = train["anomaly_label"].to_numpy()
    values = filled_with_medians(train.select(names).to_numpy())
    if enough_to_balance(label):
        values, label = with_synthetic_rows(values, label)
    synthetic = np.arange(len(label)) >= len(train)
    return pl.DataFrame(values, schema=names).with_columns(
        pl.Series("anomaly_label", label, pl.Int64), pl.Series("synthetic", synthetic)
    )


def read_examples(plant: Plant, store: Store, manifest: Mapping[str, Any]) -> Examples:
    """Read the examples of a run: training and sealed rows, in time order."""
    point = pl.concat([read_table(store, manifest, "train"), read_table(store, manifest, "valid")])
    any_windows = next(map(_windows_of, plant.time.horizons), WINDOWS)
    window = read_table(store, manifest, any_windows)
    return Examples(
        plant=plant,
        start=point["timestamp"].dt.replace_time_zone(None).to_numpy(),
        segment=point["segment"].to_numpy().astype(np.int32),
        point=_matrix(plant, point, "point"),
        window=_matrix(plant, window, "window"),
        alarm=point["anomaly_label"].to_numpy().astype(bool),
        regime=point["regime"].to_numpy().astype(float),
        next_deviation=point["next_deviation"].fill_null(np.nan).to_numpy(),
        between=_read_between(plant, store, manifest),
    )


def _read_between(plant: Plant, store: Store, manifest: Mapping[str, Any]) -> Between | None:
    if f"{BETWEEN}.parquet" not in manifest["files"]:
        return None
    table = read_table(store, manifest, BETWEEN)
    return Between(
        row=table["row"].to_numpy().astype(np.intp),
        start=table["timestamp"].dt.replace_time_zone(None).to_numpy(),
        window=_matrix(plant, table, "window"),
        target={
            h: table[f"onset_{write_duration(h)}"].fill_null(np.nan).to_numpy()
            for h in plant.time.horizons
        },
        phases=plant.training.phases,
    )


def read_intervals(plant: Plant, store: Store, manifest: Mapping[str, Any]) -> IntervalBlock:
    """Read the closed intervals of a run, without counts and ages."""
    table = read_table(store, manifest, "intervals")
    values = np.stack(
        [
            table.select(_columns_of(plant, part)).fill_null(np.nan).to_numpy()
            for part in STATISTICS
        ],
        axis=2,
    )
    return IntervalBlock(
        start=table["timestamp"].dt.replace_time_zone(None).to_numpy(),
        cadence=plant.time.cadence,
        signals=plant.signals,
        values=values,
        count=np.full(values.shape[:2], -1, np.int32),
        age=np.full(values.shape[:2], np.nan),
        segment=table["segment"].to_numpy().astype(np.int32),
    )


def _windows_of(horizon: timedelta) -> str:
    return f"{WINDOWS}_{write_duration(horizon)}"


def _between_table(plant: Plant, between: Between) -> pl.DataFrame:
    stamps = pl.Series("timestamp", between.start.astype("datetime64[us]")).dt.replace_time_zone(
        "UTC"
    )
    targets = [
        pl.Series(f"onset_{write_duration(h)}", values).fill_nan(None)
        for h, values in between.target.items()
    ]
    features = _feature_columns(plant, between.window, "window")
    return pl.DataFrame([stamps, pl.Series("row", between.row), *features, *targets])


def _interval_table(block: IntervalBlock) -> pl.DataFrame:
    stamps = pl.Series("timestamp", block.start.astype("datetime64[us]")).dt.replace_time_zone(
        "UTC"
    )
    values = [
        pl.Series(name, block.values[:, place, at]).fill_nan(None)
        for at, part in enumerate(STATISTICS)
        for place, name in enumerate(f"{signal}_{part}" for signal in block.signals)
    ]
    return pl.DataFrame([stamps, pl.Series("segment", block.segment), *values])


def _columns_of(plant: Plant, part: str) -> list[str]:
    return [f"{signal}_{part}" for signal in plant.signals]


def read_table(store: Store, manifest: Mapping[str, Any], name: str) -> pl.DataFrame:
    """Read one table of a run: one file, or the parts that a cluster wrote, in their order."""
    files = [
        file
        for file in sorted(manifest["files"])
        if file == f"{name}.parquet" or file.startswith(f"{name}/")
    ]
    return pl.concat(pl.read_parquet(io.BytesIO(store.read(manifest, file))) for file in files)


def as_parquet(table: pl.DataFrame) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def _keys(examples: Examples) -> pl.DataFrame:
    stamps = pl.Series("timestamp", examples.start.astype("datetime64[us]")).dt.replace_time_zone(
        "UTC"
    )
    return pl.DataFrame(
        [
            stamps,
            pl.Series("segment", examples.segment),
            pl.Series("anomaly_label", examples.alarm).cast(pl.Int64),
        ]
    )


def _point_table(examples: Examples) -> pl.DataFrame:
    return _keys(examples).with_columns(
        *_feature_columns(examples.plant, examples.point, "point"),
        pl.Series("regime", examples.regime.astype(np.int64)),
        pl.Series("next_deviation", examples.next_deviation).fill_nan(None),
    )


def _feature_columns(plant: Plant, values: Floats, group: Group) -> list[pl.Series]:
    return [
        pl.Series(name, values[:, place]).fill_nan(None)
        for place, name in enumerate(feature_names(plant, group))
    ]


def _matrix(plant: Plant, table: pl.DataFrame, group: Group) -> Floats:
    return table.select(feature_names(plant, group)).fill_null(np.nan).to_numpy()


__all__ = [
    "as_parquet",
    "balanced_table",
    "read_examples",
    "read_intervals",
    "read_table",
    "row_tables",
    "tables",
]
