"""Scores the history of many assets on a cluster: model_results.csv of every asset.

The scores agree with those of the local pipeline to the rounding of a float32. Models with features
score each chunk separately. The normal-behaviour model and the warnings depend on all earlier rows,
so a second step computes them from all rows of an asset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from alarmstack.core.checksum import fingerprint
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.pipelines.scoring import results, row_scores, series_scores
from alarmstack.pipelines.spark.pieces import (
    REFUSED,
    RESULT_SCHEMA,
    Job,
    block_columns,
    block_fields,
    block_of,
    chunk_of,
    cut,
    result_table,
    spark_schema,
)
from alarmstack.preparation.assets import place
from alarmstack.preparation.datasets import LABEL, as_csv
from alarmstack.preparation.derived import any_rule
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import BLOCK
from alarmstack.storage.files import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULTS = "model_results.csv"


def score_assets(
    spark: SparkSession, job: Job, source: Path, bundles: Mapping[str, Bundle], out: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the output of every model for every row of every asset to the store at `out`.

    Yields the asset and {"file", "bytes", "sha256"}, or {"refused": reason} if its drop was
    refused.
    """
    plant, score_columns = job.plant, _score_columns(bundles)
    # Copies: a used Bundle holds an inference session, which cannot be sent to a worker.
    carried = spark.sparkContext.broadcast(
        {name: replace(bundle) for name, bundle in bundles.items()}
    )
    fields = [
        ("asset", pa.string()),
        ("row", pa.int64()),
        (REFUSED, pa.string()),
        *block_fields(plant),
    ]
    schema = pa.schema(fields + [(column, pa.float64()) for column, *_ in score_columns])

    def score_rows(key: Any, rows: pa.Table) -> pa.Table:
        chunk = chunk_of(job, rows)
        if isinstance(chunk, str):
            known = {"asset": [key[0].as_py()], "row": [-1], REFUSED: [chunk]}
            return pa.table(
                {
                    field.name: pa.array(known.get(field.name, [None]), field.type)
                    for field in schema
                }
            )
        scores = row_scores(plant, chunk.block, carried.value)
        core = slice(chunk.core, chunk.core_end)
        count = chunk.core_end - chunk.core
        columns = {
            "asset": pa.array([chunk.asset] * count),
            "row": pa.array(np.arange(chunk.first + chunk.core, chunk.first + chunk.core_end)),
            REFUSED: pa.nulls(count, pa.string()),
            **block_columns(plant, chunk.block.rows(chunk.core, chunk.core_end), chunk.alarm[core]),
            **{
                column: pa.array(scores[name][core] if k is None else scores[name][core, k])
                for column, name, k in score_columns
            },
        }
        return pa.table({field.name: columns[field.name] for field in schema})

    def finish(key: Any, rows: pa.Table) -> pa.Table:
        asset = key[0].as_py()
        if (refused := rows[REFUSED][0].as_py()) is not None:
            return result_table([(asset, "", 0, "", json.dumps({REFUSED: refused}))])
        rows = rows.sort_by("row")
        content = as_csv(plant, _results(plant, rows, carried.value, score_columns))
        Store.of(job.settings, place(out, asset)).put(RESULTS, content)
        return result_table([(asset, RESULTS, len(content), fingerprint(content), "")])

    chunks = cut(spark, job, source, lambda asset, intake: {})
    scored = chunks.groupBy("asset", "chunk").applyInArrow(score_rows, schema=spark_schema(schema))
    finished = scored.groupBy("asset").applyInArrow(finish, schema=RESULT_SCHEMA)
    for row in finished.orderBy("asset").collect():
        file = {"file": row["name"], "bytes": row["bytes"], "sha256": row["sha256"]}
        yield row["asset"], file if row["name"] else json.loads(row["facts"])


def _results(
    plant: Plant,
    rows: pa.Table,
    bundles: Mapping[str, Bundle],
    score_columns: list[tuple[str, str, int | None]],
) -> pl.DataFrame:
    block, alarm = block_of(plant, rows), rows["alarm"].to_numpy()
    scores: dict[str, Floats] = {}
    for name, bundle in bundles.items():
        columns = [rows[column].to_numpy() for column, of, _ in score_columns if of == name]
        if columns:
            scores[name] = np.stack(columns, axis=1) if bundle.kind == "classes" else columns[0]
    scores |= series_scores(plant, block, bundles)
    table = results(plant, block, bundles, scores, any_rule(plant, block))
    return table.with_columns(**{LABEL: alarm.astype(np.int64)})


def _score_columns(bundles: Mapping[str, Bundle]) -> list[tuple[str, str, int | None]]:
    """The columns of the models with features: column, model, and number of the class (or None)."""
    return [
        (name if k is None else f"{name}_{k}", name, k)
        for name, bundle in bundles.items()
        if bundle.group != BLOCK
        for k in (range(len(bundle.classes)) if bundle.kind == "classes" else (None,))
    ]


__all__ = ["RESULTS", "score_assets"]
