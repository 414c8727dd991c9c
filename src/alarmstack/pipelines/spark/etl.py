"""The ETL on a cluster. Its tables equal those of the local ETL bit for bit.

One task builds the part of every table that belongs to one chunk, and writes it to the store. The
driver receives names, sizes and fingerprints, but no rows. If a worker is lost and its task runs
again, the task writes the same bytes to the same names. A run is published when all its parts are
in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from alarmstack.core.checksum import fingerprint
from alarmstack.features.examples import examples, sealed_row
from alarmstack.pipelines.etl.local import Archive, manifest_facts, run_name, schemas
from alarmstack.pipelines.etl.tables import as_parquet, balanced_table, row_tables
from alarmstack.pipelines.spark.pieces import (
    REFUSED,
    RESULT_SCHEMA,
    Chunk,
    Job,
    chunk_of,
    cut,
    result_table,
)
from alarmstack.preparation.intake import Intake
from alarmstack.preparation.labels import RegimeBands, episodes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMOTE = "train_smote"


def run_assets(spark: SparkSession, job: Job, source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the ETL for every asset of a source.

    Yields the asset and its manifest, or {"refused": reason} if its drop was refused.
    """

    def write(key: Any, rows: pa.Table) -> pa.Table:
        chunk = chunk_of(job, rows)
        return result_table(
            [(key[0].as_py(), "", 0, "", json.dumps({REFUSED: chunk}))]
            if isinstance(chunk, str)
            else _write_part(job, chunk)
        )

    chunks = cut(spark, job, source, lambda asset, intake: _facts(job, asset, intake))
    files: dict[str, dict[str, dict[str, object]]] = {}
    manifests: dict[str, dict[str, Any]] = {}
    written = chunks.groupBy("asset", "chunk").applyInArrow(write, schema=RESULT_SCHEMA)
    for row in written.collect():
        if row["name"]:
            files.setdefault(row["asset"], {})[row["name"]] = {
                "bytes": row["bytes"],
                "sha256": row["sha256"],
            }
        else:
            manifests[row["asset"]] = json.loads(row["facts"])
    accepted = [
        (asset, manifest["run"], sorted(files[asset]))
        for asset, manifest in manifests.items()
        if REFUSED not in manifest
    ]
    for row in _balanced(spark, job, accepted):
        files[row["asset"]][row["name"]] = {"bytes": row["bytes"], "sha256": row["sha256"]}
        manifests[row["asset"]]["schema"].update(json.loads(row["facts"])["schema"])
    for asset, manifest in sorted(manifests.items()):
        yield (
            asset,
            manifest
            if REFUSED in manifest
            else job.store(asset).announce(manifest.pop("run"), files[asset], manifest),
        )


def _facts(job: Job, asset: str, intake: Intake) -> dict[str, Any]:
    """The regime thresholds and the manifest, which need all rows of the asset."""
    plant = job.plant
    alarm_episodes = episodes(intake.alarm, intake.block.segment, plant.rows(plant.time.quiet_gap))
    sealed = sealed_row(alarm_episodes, len(intake.block))
    onsets = sum(episode.onset for episode in alarm_episodes)
    manifest = manifest_facts(plant, intake, sealed, onsets)
    run = run_name(manifest, job.begun)
    manifest |= {"run": run, **Archive.of(job.settings, asset).keep(plant, intake, run)}
    bands = RegimeBands.fit(plant, intake.block.rows(0, sealed))
    return {"bands": asdict(bands), "manifest": manifest}


def _write_part(job: Job, chunk: Chunk) -> list[tuple[str, str, int, str, str]]:
    """Write the chunk's part of every table to the store. Returns rows of `RESULT_SCHEMA`."""
    manifest, tables, results = chunk.facts["manifest"], _part(job, chunk), []
    for name, table in tables.items():
        content, file = as_parquet(table), f"{name}/{chunk.number:06d}.parquet"
        job.store(chunk.asset).put(f"runs/{manifest['run']}/{file}", content)
        results.append((chunk.asset, file, len(content), fingerprint(content), ""))
    if chunk.number == 0:
        facts = json.dumps({**manifest, **schemas(tables)})
        results.append((chunk.asset, "", 0, "", facts))
    return results


def _part(job: Job, chunk: Chunk) -> dict[str, pl.DataFrame]:
    """The chunk's rows of every table, without the rows around it, which features need."""
    bands = RegimeBands(tuple(chunk.facts["bands"]["thresholds"]))
    chunk_examples = examples(job.plant, chunk.block, chunk.alarm, bands)
    sealed_from = chunk.facts["manifest"]["sealed_from"] - chunk.first
    sealed = min(max(sealed_from, 0), len(chunk_examples))
    cuts = {"valid": (chunk.core - sealed, chunk.core_end - sealed)}
    tables = row_tables(chunk_examples, chunk.block, sealed)
    return {
        name: _cut(table, *cuts.get(name, (chunk.core, chunk.core_end)))
        for name, table in tables.items()
    }


def _cut(table: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    begin, end = max(begin, 0), min(max(end, 0), table.height)
    return table.slice(begin, max(end - begin, 0))


def _balanced(
    spark: SparkSession, job: Job, runs: list[tuple[str, str, list[str]]]
) -> Iterator[Any]:
    """Write `train_smote` of every run from the parts of `train` in the store."""
    if not runs:
        return
    frame = spark.createDataFrame(
        runs, "asset string, run string, files array<string>"
    ).repartition(len(runs), "asset")

    def balance(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                store = job.store(row["asset"])
                parts = [
                    store.get(f"runs/{row['run']}/{file}")
                    for file in row["files"]
                    if file.startswith("train/")
                ]
                train = pl.concat(pl.read_parquet(part) for part in parts)
                table = balanced_table(job.plant, train)
                content = as_parquet(table)
                store.put(f"runs/{row['run']}/{SMOTE}.parquet", content)
                facts = json.dumps(schemas({SMOTE: table}))
                yield from result_table(
                    [(row["asset"], f"{SMOTE}.parquet", len(content), fingerprint(content), facts)]
                ).to_batches()

    yield from frame.mapInArrow(balance, schema=RESULT_SCHEMA).collect()


__all__ = ["run_assets"]
