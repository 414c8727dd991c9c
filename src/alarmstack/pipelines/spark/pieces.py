"""Assets cut into pieces that travel through Arrow: stretches of closed intervals, with what they
look back on and ahead to.

One task reads an asset's drop, has it judged by the gate and closed into intervals, and hands its
rows on in *chunks*: a stretch of rows with as many before it as features look back, and as many
after it as targets look ahead. What is made of a chunk alone is then what is made of the whole, bit
for bit, and a large asset keeps no worker longer than a small one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from alarmstack.core.errors import GateRefused, SourceError
from alarmstack.core.intervals import STATISTICS, IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.preparation.assets import assets_in, place
from alarmstack.preparation.intake import Intake, take_in
from alarmstack.sources.guarded import Workbooks
from alarmstack.sources.limits import Limits
from alarmstack.storage.files import Store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CHUNK_ROWS = 5000
"""Rows of a chunk: some seconds of work, some megabytes."""
REFUSED = "refused"
ANSWER = "asset string, name string, bytes long, sha256 string, told string"
"""What tasks answer: a file that was written, or (`name` empty) what is to be told of an asset."""


@dataclass(frozen=True)
class Job:
    """What every task is told."""

    plant: Plant
    settings: Settings
    operator_log: Path | None = None
    chunk_rows: int = CHUNK_ROWS
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Names the runs: a task that is run again must not find another name."""

    @property
    def back(self) -> int:
        """Rows before a chunk that its features and its episodes look back on."""
        return max(self.plant.lookback, self.plant.rows(self.plant.time.quiet_gap)) + 1

    @property
    def ahead(self) -> int:
        """Rows after a chunk that its targets look ahead to, and the episodes that those rows may
        belong to.
        """
        return (
            self.plant.rows(self.plant.time.farthest_horizon)
            + self.plant.rows(self.plant.time.quiet_gap)
            + 1
        )

    def store(self, asset: str) -> Store:
        """Where an asset's runs are."""
        return Store.of(self.settings, place(self.settings.store, asset))


@dataclass(frozen=True)
class Chunk:
    """Rows `core` … `core_end` − 1 of an asset, among those around them: row 0 of `block` is row
    `first` of the asset.
    """

    asset: str
    number: int
    first: int
    core: int
    core_end: int
    block: IntervalBlock
    alarm: Mask
    facts: Mapping[str, Any]


Facts = Callable[[str, Intake], Mapping[str, Any]]
"""What an asset's chunks need to know of the whole asset: JSON."""


def cut(spark: SparkSession, job: Job, source: Path, facts: Facts) -> DataFrame:
    """Rows of all chunks of all assets, as a frame on the cluster: group it by `asset` and `chunk`,
    read groups by `chunk_of`.
    """

    def close(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for asset, path in zip(
                batch["asset"].to_pylist(), batch["path"].to_pylist(), strict=True
            ):
                yield from _chunks(job, asset, Path(path), facts)

    drops = [(asset, str(path.resolve())) for asset, path in assets_in(source).items()]
    frame = spark.createDataFrame(drops, "asset string, path string").repartition(
        len(drops), "asset"
    )
    return frame.mapInArrow(close, schema=spark_schema(arrow_schema(job.plant)))


def chunk_of(job: Job, rows: pa.Table) -> Chunk | str:
    """A group of `cut`'s frame; or, where the asset's drop was turned away, why."""
    rows = rows.sort_by("row")
    facts = json.loads(rows["facts"][0].as_py())
    if REFUSED in facts:
        return str(facts[REFUSED])
    core = np.flatnonzero(rows["core"].to_numpy())
    return Chunk(
        asset=rows["asset"][0].as_py(),
        number=rows["chunk"][0].as_py(),
        first=rows["row"][0].as_py(),
        core=int(core[0]),
        core_end=int(core[-1]) + 1,
        block=block_of(job.plant, rows),
        alarm=rows["alarm"].to_numpy(),
        facts=facts,
    )


def _chunks(job: Job, asset: str, path: Path, facts: Facts) -> Iterator[pa.RecordBatch]:
    try:
        refused, read = job.settings.data / "refused", Workbooks(Limits.of(job.settings))
        taken = take_in(job.plant, path, operator_log=job.operator_log, refused=refused, read=read)
    except (GateRefused, SourceError) as error:
        yield _refusal(job.plant, asset, str(error).splitlines()[0])
        return
    told = json.dumps(facts(asset, taken))
    for number, begin in enumerate(range(0, len(taken.block), job.chunk_rows)):
        end = min(begin + job.chunk_rows, len(taken.block))
        first, last = max(begin - job.back, 0), min(end + job.ahead, len(taken.block))
        row = np.arange(first, last)
        columns = {
            "asset": pa.array([asset] * len(row)),
            "chunk": pa.array([number] * len(row), pa.int64()),
            "row": pa.array(row, pa.int64()),
            "core": pa.array((row >= begin) & (row < end)),
            "facts": pa.array([told] + [""] * (len(row) - 1)),
            **block_columns(job.plant, taken.block.rows(first, last), taken.alarm[first:last]),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=arrow_schema(job.plant))


def _refusal(plant: Plant, asset: str, reason: str) -> pa.RecordBatch:
    row: dict[str, Any] = {field.name: [None] for field in arrow_schema(plant)}
    row |= {
        "asset": [asset],
        "chunk": [-1],
        "row": [-1],
        "core": [False],
        "facts": [json.dumps({REFUSED: reason})],
    }
    return pa.RecordBatch.from_pydict(row, schema=arrow_schema(plant))


def block_columns(plant: Plant, block: IntervalBlock, alarm: Mask) -> dict[str, pa.Array]:
    """A block as columns: `block_fields` names them."""
    columns = [block.start.astype("datetime64[us]").astype(np.int64), block.segment, alarm]
    for at in range(len(plant.signals)):
        columns += [block.values[:, at, part] for part in range(len(STATISTICS))]
        columns += [block.count[:, at], block.age[:, at]]
    return {
        name: pa.array(values, type_)
        for (name, type_), values in zip(block_fields(plant), columns, strict=True)
    }


def block_of(plant: Plant, rows: pa.Table) -> IntervalBlock:
    """The block behind `block_columns`."""

    def stacked(part: str) -> np.ndarray:
        return np.stack([rows[f"{signal}_{part}"].to_numpy() for signal in plant.signals], axis=1)

    return IntervalBlock(
        start=rows["start"].to_numpy().astype("datetime64[us]"),
        cadence=plant.time.cadence,
        signals=plant.signals,
        values=np.stack([stacked(part) for part in STATISTICS], axis=2),
        count=stacked("count"),
        age=stacked("age"),
        segment=rows["segment"].to_numpy(),
    )


def block_fields(plant: Plant) -> list[tuple[str, pa.DataType]]:
    """Names and types of a block's columns."""
    fields = [("start", pa.int64()), ("segment", pa.int32()), ("alarm", pa.bool_())]
    for signal in plant.signals:
        fields += [(f"{signal}_{part}", pa.float64()) for part in STATISTICS]
        fields += [(f"{signal}_count", pa.int32()), (f"{signal}_age", pa.float64())]
    return fields


def arrow_schema(plant: Plant) -> pa.Schema:
    """Names and types of `cut`'s frame."""
    fields = [
        ("asset", pa.string()),
        ("chunk", pa.int64()),
        ("row", pa.int64()),
        ("core", pa.bool_()),
        ("facts", pa.string()),
    ]
    return pa.schema(fields + block_fields(plant))


def spark_schema(schema: pa.Schema) -> Any:
    """An Arrow schema in Spark's own terms."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def answer(rows: list[tuple[str, str, int, str, str]]) -> pa.Table:
    """Rows of ANSWER."""
    names = ("asset", "name", "bytes", "sha256", "told")
    types = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string())
    return pa.table(
        {n: pa.array(v, t) for n, t, v in zip(names, types, zip(*rows, strict=True), strict=True)}
    )


__all__ = [
    "ANSWER",
    "REFUSED",
    "Chunk",
    "Job",
    "answer",
    "block_columns",
    "block_fields",
    "block_of",
    "chunk_of",
    "cut",
    "spark_schema",
]
