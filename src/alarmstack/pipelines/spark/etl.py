"""The ETL on a cluster: the local job's functions on pieces of the data, the same tables row for
row and bit for bit.

Each chunk becomes a part of every table in a task of its own, which writes it to the store. The
driver sees names, sizes and fingerprints, never a row of data. A task that is run again, because a
worker died, writes the same bytes to the same names; a run is announced when all its parts are
there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from alarmstack.features.examples import examples, sealed_row
from alarmstack.pipelines.etl.local import Archive, manifest_facts, run_name, schemas
from alarmstack.pipelines.etl.tables import as_parquet, evened_out, row_tables
from alarmstack.pipelines.spark.pieces import ANSWER, REFUSED, Chunk, Job, answer, chunk_of, cut
from alarmstack.preparation.intake import Intake
from alarmstack.preparation.labels import RegimeBands, episodes
from alarmstack.storage.files import fingerprint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMOTE = "train_smote"


def run_assets(spark: SparkSession, job: Job, source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """A run for every asset of a source: the asset and its manifest, or {"refused": reason} where
    the gate turned its drop away.
    """

    def write(key: Any, rows: pa.Table) -> pa.Table:
        chunk = chunk_of(job, rows)
        return answer(
            [(key[0].as_py(), "", 0, "", json.dumps({REFUSED: chunk}))]
            if isinstance(chunk, str)
            else _written(job, chunk)
        )

    frame = cut(spark, job, source, lambda asset, taken: _facts(job, asset, taken))
    parts: dict[str, dict[str, dict[str, object]]] = {}
    told: dict[str, dict[str, Any]] = {}
    for row in frame.groupBy("asset", "chunk").applyInArrow(write, schema=ANSWER).collect():
        if row["name"]:
            parts.setdefault(row["asset"], {})[row["name"]] = {
                "bytes": row["bytes"],
                "sha256": row["sha256"],
            }
        else:
            told[row["asset"]] = json.loads(row["told"])
    whole = [
        (asset, about["run"], sorted(parts[asset]))
        for asset, about in told.items()
        if REFUSED not in about
    ]
    for row in _evened(spark, job, whole):
        parts[row["asset"]][row["name"]] = {"bytes": row["bytes"], "sha256": row["sha256"]}
        told[row["asset"]]["schema"].update(json.loads(row["told"])["schema"])
    for asset, about in sorted(told.items()):
        yield (
            asset,
            about
            if REFUSED in about
            else job.store(asset).announce(about.pop("run"), parts[asset], about),
        )


def _facts(job: Job, asset: str, taken: Intake) -> dict[str, Any]:
    plant = job.plant
    found = episodes(taken.alarm, taken.block.segment, plant.rows(plant.time.quiet_gap))
    sealed = sealed_row(found, len(taken.block))
    told = manifest_facts(plant, taken, sealed, sum(e.onset for e in found))
    run = run_name(told, job.begun)
    told |= {"run": run, **Archive.of(job.settings, asset).keep(plant, taken, run)}
    return {"bands": asdict(RegimeBands.fit(plant, taken.block.rows(0, sealed))), "told": told}


def _written(job: Job, chunk: Chunk) -> list[tuple[str, str, int, str, str]]:
    """The chunk's part of every table, in the store."""
    told, made, answers = chunk.facts["told"], _part(job, chunk), []
    for name, table in made.items():
        content, file = as_parquet(table), f"{name}/{chunk.number:06d}.parquet"
        job.store(chunk.asset).put(f"runs/{told['run']}/{file}", content)
        answers.append((chunk.asset, file, len(content), fingerprint(content), ""))
    if chunk.number == 0:
        answers.append((chunk.asset, "", 0, "", json.dumps({**told, **schemas(made)})))
    return answers


def _part(job: Job, chunk: Chunk) -> dict[str, pl.DataFrame]:
    """The chunk's rows of every table: made with the rows around it, which are then left out."""
    found = examples(
        job.plant, chunk.block, chunk.alarm, RegimeBands(tuple(chunk.facts["bands"]["thresholds"]))
    )
    sealed = min(max(chunk.facts["told"]["sealed_from"] - chunk.first, 0), len(found))
    cuts = {"valid": (chunk.core - sealed, chunk.core_end - sealed)}
    tables = row_tables(found, chunk.block, sealed)
    return {
        name: _cut(table, *cuts.get(name, (chunk.core, chunk.core_end)))
        for name, table in tables.items()
    }


def _cut(table: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    begin, end = max(begin, 0), min(max(end, 0), table.height)
    return table.slice(begin, max(end - begin, 0))


def _evened(spark: SparkSession, job: Job, runs: list[tuple[str, str, list[str]]]) -> Iterator[Any]:
    """`train_smote` of every run, from the parts of `train` in the store."""
    if not runs:
        return
    frame = spark.createDataFrame(
        runs, "asset string, run string, files array<string>"
    ).repartition(len(runs), "asset")

    def even_out(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                store = job.store(row["asset"])
                parts = [
                    store.get(f"runs/{row['run']}/{file}")
                    for file in row["files"]
                    if file.startswith("train/")
                ]
                table = evened_out(job.plant, pl.concat(pl.read_parquet(part) for part in parts))
                content = as_parquet(table)
                store.put(f"runs/{row['run']}/{SMOTE}.parquet", content)
                told = json.dumps(schemas({SMOTE: table}))
                yield from answer(
                    [(row["asset"], f"{SMOTE}.parquet", len(content), fingerprint(content), told)]
                ).to_batches()

    yield from frame.mapInArrow(even_out, schema=ANSWER).collect()


__all__ = ["run_assets"]
