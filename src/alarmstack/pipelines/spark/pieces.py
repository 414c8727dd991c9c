"""Divides the closed intervals of assets into chunks, which tasks process independently.

One task reads the drop of an asset, validates it, closes its intervals and returns them in
*chunks*. A chunk is a range of rows, together with the rows before it that features use and the
rows after it that targets use. Features and targets of a chunk therefore equal those of the whole
asset bit for bit, and a large asset is divided among all workers.
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
"""Rows of a chunk: a few seconds of work and a few megabytes."""
REFUSED = "refused"
RESULT_SCHEMA = "asset string, name string, bytes long, sha256 string, facts string"
"""The result of a task: a file that it wrote, or (`name` is empty) `facts` of an asset as JSON."""


@dataclass(frozen=True)
class Job:
    """The parameters of every task."""

    plant: Plant
    settings: Settings
    operator_log: Path | None = None
    chunk_rows: int = CHUNK_ROWS
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Part of each run's name, so that a repeated task writes to the same run."""

    @property
    def back(self) -> int:
        """Rows before a chunk that its features and its alarm episodes use."""
        return max(self.plant.lookback, self.plant.rows(self.plant.time.quiet_gap)) + 1

    @property
    def ahead(self) -> int:
        """Rows after a chunk that its targets use, with the alarm episodes of those rows."""
        return (
            self.plant.rows(self.plant.time.farthest_horizon)
            + self.plant.rows(self.plant.time.quiet_gap)
            + 1
        )

    def store(self, asset: str) -> Store:
        """The store of an asset's runs."""
        return Store.of(self.settings, place(self.settings.store, asset))


@dataclass(frozen=True)
class Chunk:
    """Rows `core` … `core_end` − 1 of `block`, with the rows around them.

    Row 0 of `block` is row `first` of the asset. `alarm`: bool [rows of `block`].
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
"""A function that returns, as JSON, the facts about a whole asset that its chunks need."""


def cut(spark: SparkSession, job: Job, source: Path, facts: Facts) -> DataFrame:
    """Rows of all chunks of all assets, as a frame on the cluster.

    Group it by `asset` and `chunk`, and read each group with `chunk_of`.
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
    """The chunk of a group of `cut`'s frame, or the reason if the asset's drop was refused."""
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
        intake = take_in(job.plant, path, operator_log=job.operator_log, refused=refused, read=read)
    except (GateRefused, SourceError) as error:
        yield _refusal(job.plant, asset, str(error).splitlines()[0])
        return
    asset_facts = json.dumps(facts(asset, intake))
    for number, begin in enumerate(range(0, len(intake.block), job.chunk_rows)):
        end = min(begin + job.chunk_rows, len(intake.block))
        first, last = max(begin - job.back, 0), min(end + job.ahead, len(intake.block))
        row = np.arange(first, last)
        columns = {
            "asset": pa.array([asset] * len(row)),
            "chunk": pa.array([number] * len(row), pa.int64()),
            "row": pa.array(row, pa.int64()),
            "core": pa.array((row >= begin) & (row < end)),
            "facts": pa.array([asset_facts] + [""] * (len(row) - 1)),
            **block_columns(job.plant, intake.block.rows(first, last), intake.alarm[first:last]),
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
    """A block as columns, with the names of `block_fields`."""
    columns = [block.start.astype("datetime64[us]").astype(np.int64), block.segment, alarm]
    for at in range(len(plant.signals)):
        columns += [block.values[:, at, part] for part in range(len(STATISTICS))]
        columns += [block.count[:, at], block.age[:, at]]
    return {
        name: pa.array(values, type_)
        for (name, type_), values in zip(block_fields(plant), columns, strict=True)
    }


def block_of(plant: Plant, rows: pa.Table) -> IntervalBlock:
    """The block of these rows: the inverse of `block_columns`."""

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
    """Names and types of the columns of `cut`'s frame."""
    fields = [
        ("asset", pa.string()),
        ("chunk", pa.int64()),
        ("row", pa.int64()),
        ("core", pa.bool_()),
        ("facts", pa.string()),
    ]
    return pa.schema(fields + block_fields(plant))


def spark_schema(schema: pa.Schema) -> Any:
    """An Arrow schema as a Spark schema."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def result_table(rows: list[tuple[str, str, int, str, str]]) -> pa.Table:
    """Rows of `RESULT_SCHEMA` as a table."""
    names = ("asset", "name", "bytes", "sha256", "facts")
    types = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string())
    return pa.table(
        {n: pa.array(v, t) for n, t, v in zip(names, types, zip(*rows, strict=True), strict=True)}
    )


__all__ = [
    "REFUSED",
    "RESULT_SCHEMA",
    "Chunk",
    "Job",
    "block_columns",
    "block_fields",
    "block_of",
    "chunk_of",
    "cut",
    "result_table",
    "spark_schema",
]
