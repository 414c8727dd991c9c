"""Live readings of many assets, scored as they come: Structured Streaming over a folder of Parquet
files.

Readings arrive as `asset=NAME/*.parquet` (tag, time, value; the form of `raw/live/…`). Each asset
is followed by itself: its open intervals, the rows it looks back on and its standing warnings are
the stream's state. An interval is closed when the asset speaks of a time that is the grace time
after its end. Every closed interval becomes one row of the output, once, whatever is ended or
started again in between: the checkpoint and the file sink's log see to that. Readings whose time or
tag cannot be believed are set aside in a folder of their own (`sift`).
"""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from alarmstack.alarms import IDLE, State, step
from alarmstack.core.errors import ClusterError
from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock, join
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks
from alarmstack.pipelines.scoring import (
    row_scores,
    score_columns,
    series_scores,
    warning_column,
    warning_rule,
)
from alarmstack.pipelines.spark.pieces import spark_schema
from alarmstack.pipelines.spark.validation import AssetClock, keep_aside, longest_step, sift
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import CloserState, close, instant_of, open_at
from alarmstack.registry import Bundle

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import StreamingQuery

OPTIONS = {"spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "16"}
"""What the session must be told. The assets' states lie in as many files as there are partitions,
as long as the stream lives.
"""
STEP_SECONDS = 86_400.0
POLL_SECONDS = 1.0
"""How often a running stream is asked for its progress."""
STALLS_AFTER = 1800.0
"""Wall seconds for one batch: the first one may hold a year of many assets."""
READINGS = "asset string, tag string, time timestamp, value double"


@dataclass(frozen=True)
class Followed:
    """What is remembered of an asset between two batches: `seen` the last closed rows, `warnings`
    by column, `last` its segment.
    """

    closer: CloserState
    seen: IntervalBlock | None = None
    warnings: Mapping[str, State] = field(default_factory=dict)
    last: int = 0


@dataclass(frozen=True)
class Remembered:
    """The state of an asset in the stream: its clock, and what `follow` remembers (None: no reading
    counted yet).
    """

    clock: AssetClock = field(default_factory=AssetClock)
    followed: Followed | None = None

    @classmethod
    def of(cls, state: bytes | None) -> Remembered:
        """From the checkpoint; one of an earlier version knows what was followed alone."""
        if state is None:
            return cls()
        # The state is this job's own, in its own checkpoint.
        found: Remembered | Followed = pickle.loads(state)
        if isinstance(found, Remembered):
            return found
        return cls(AssetClock(instant_of(found.closer.begin)), found)


def follow(
    plant: Plant,
    bundles: Mapping[str, Bundle],
    followed: Followed | None,
    readings: pl.DataFrame,
    grace: timedelta = timedelta(),
) -> tuple[Followed, pl.DataFrame | None]:
    """Take an asset's readings; what is remembered then, and the rows of the intervals that they
    closed (None: none).
    """
    first, newest = readings["time"].min(), readings["time"].max()
    assert isinstance(first, datetime) and isinstance(newest, datetime)
    followed = followed or Followed(open_at(plant, first))
    closer, closed = close(plant, followed.closer, readings, newest - grace)
    followed = replace(followed, closer=closer)
    if not len(closed):
        return followed, None
    block = closed if followed.seen is None else join([followed.seen, closed])
    new = slice(len(block) - len(closed), None)
    scores = {**row_scores(plant, block, bundles), **series_scores(plant, block, bundles)}
    columns: dict[str, np.ndarray] = {}
    warnings = dict(followed.warnings)
    for one in model_list(plant):
        score = scores.get(one.name)
        columns |= score_columns(one, None if score is None else score[new], len(closed))
        if one.horizon is not None:
            name = warning_column(one)
            columns[name], warnings[name] = _warned(
                plant,
                bundles.get(one.name),
                columns[one.column],
                any_rule(plant, block)[new],
                closed,
                followed,
                name,
            )
    table = pl.DataFrame(
        [
            pl.Series("timestamp", closed.start.astype("datetime64[us]")),
            *(pl.Series(n, c) for n, c in columns.items()),
        ]
    )
    seen = block.rows(len(block) - plant.lookback, len(block))
    return Followed(closer, seen, warnings, int(closed.segment[-1])), table.fill_nan(None)


def _warned(
    plant: Plant,
    bundle: Bundle | None,
    score: np.ndarray,
    alarm: np.ndarray,
    closed: IntervalBlock,
    followed: Followed,
    name: str,
) -> tuple[np.ndarray, State]:
    """Where a warning stands in the closed rows, and its state after them."""
    rule, state, last = (
        warning_rule(plant, bundle),
        followed.warnings.get(name, IDLE),
        followed.last,
    )
    known = (
        (closed.start + np.timedelta64(plant.time.cadence)).astype("datetime64[s]").astype(float)
    )
    on = np.zeros(len(closed), np.int64)
    for row, now in enumerate(known):
        if closed.segment[row] != last:
            state, last = IDLE, int(closed.segment[row])
        state = step(rule, state, float(now), float(score[row]), bool(alarm[row]))
        on[row] = state.on
    return on, state


def score_stream(
    spark: SparkSession,
    plant: Plant,
    bundles: Mapping[str, Bundle],
    source: Path,
    out: Path,
    *,
    checkpoint: Path,
    grace: timedelta = timedelta(),
    once: bool = False,
    aside: Path | None = None,
    step_seconds: float = STEP_SECONDS,
) -> StreamingQuery:
    """Begin to score what lies and what arrives in `source`, into Parquet files in `out`. `once`:
    end when all of it is scored.

    `out` and `checkpoint` belong together: a stream goes on where its checkpoint stands. `aside`:
    folder for the readings that are not believed (default: `aside_of(out)`), which all workers must
    be able to write; `step_seconds`: see `sift`.
    """
    from pyspark.sql.streaming.state import GroupStateTimeout

    carried = spark.sparkContext.broadcast(
        {name: replace(bundle) for name, bundle in bundles.items()}
    )
    schema = _schema(plant)
    set_aside, step = (aside or aside_of(out)).resolve(), longest_step(plant, step_seconds)

    def update(
        key: tuple[Any, ...], batches: Iterable[pd.DataFrame], state: Any
    ) -> Iterator[pd.DataFrame]:
        arrived = pl.concat(pl.from_pandas(batch[list(READING_SCHEMA)]) for batch in batches)
        arrived = arrived.with_columns(
            pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        )
        remembered = Remembered.of(state.get[0] if state.exists else None)
        sifted = sift(plant, remembered.clock, arrived, step)
        keep_aside(set_aside, str(key[0]), sifted.aside)
        followed, table = remembered.followed, None
        if len(sifted.sound):
            followed, table = follow(plant, carried.value, followed, sifted.sound, grace)
        state.update((pickle.dumps(Remembered(sifted.clock, followed)),))
        if table is not None:
            yield table.insert_column(0, pl.lit(key[0]).alias("asset")).to_pandas()

    readings = (
        spark.readStream.schema(READINGS).option("pathGlobFilter", "*.parquet").parquet(str(source))
    )
    scored = readings.groupBy("asset").applyInPandasWithState(
        update, spark_schema(schema), "held binary", "append", GroupStateTimeout.NoTimeout
    )
    writer = (
        scored.writeStream.format("parquet")
        .outputMode("append")
        .option("checkpointLocation", str(checkpoint))
    )
    return (writer.trigger(availableNow=True) if once else writer).start(str(out))


def aside_of(out: Path) -> Path:
    """Where the readings go that are not believed, beside the scores."""
    return out.with_name(f"{out.name}_quarantine")


async def keep_scoring(
    begin: Callable[[], StreamingQuery], tasks: Tasks, tell: Callable[[], None]
) -> None:
    """Run a stream until it ends by itself, and begin it again after an error: it goes on from its
    checkpoint.

    `begin` starts a stream; `tell` is called after every batch.
    """

    async def work(task: Task) -> None:
        query = await asyncio.to_thread(begin)
        batch = None
        try:
            while not await asyncio.to_thread(_ended, query):
                newest = query.lastProgress["batchId"] if query.lastProgress else None
                if newest != batch or not query.status["isTriggerActive"]:
                    task.progress()
                if newest != batch:
                    batch = newest
                    await asyncio.to_thread(tell)
        finally:
            query.stop()

    await tasks.keep_running("stream", work, stalls_after=STALLS_AFTER)


def run_once(begin: Callable[[], StreamingQuery]) -> None:
    """Score what lies there. Raises ClusterError where that fails; another run goes on from the
    checkpoint.
    """
    query = begin()
    while not _ended(query):
        pass


def _ended(query: StreamingQuery) -> bool:
    """Wait a moment; whether the stream has ended. Raises ClusterError where an error ended it."""
    from pyspark.errors import StreamingQueryException

    try:
        return bool(query.awaitTermination(POLL_SECONDS))
    except StreamingQueryException as error:
        raise ClusterError(f"the stream broke off: {_cause(str(error))}") from error


def _cause(text: str) -> str:
    """The line of Spark's message that names the cause: its own first lines say only which task it
    was.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [
        line
        for line in lines
        if line.startswith("Caused by:") or re.match(r"[\w.]*(Error|Exception)\b", line)
    ]
    return " ".join((causes or lines or ["no message"])[-1].split())[:500]


def _schema(plant: Plant) -> pa.Schema:
    fields: list[tuple[str, pa.DataType]] = [
        ("asset", pa.string()),
        ("timestamp", pa.timestamp("us")),
    ]
    for one in model_list(plant):
        fields += [(name, pa.float64()) for name in score_columns(one, None, 0)]
        if one.horizon is not None:
            fields.append((warning_column(one), pa.int64()))
    return pa.schema(fields)


__all__ = ["OPTIONS", "Followed", "aside_of", "follow", "keep_scoring", "run_once", "score_stream"]
