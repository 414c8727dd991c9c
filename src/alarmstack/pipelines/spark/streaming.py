"""Live readings of many assets, scored as they arrive: Structured Streaming over Parquet files.

Readings arrive as `asset=NAME/*.parquet` (tag, time, value; the form of `raw/live/…`). The state
of the stream is kept for each asset: its open intervals, the rows that features look back on, and
its active warnings. An interval is closed when a reading of the asset is later than its end by the
grace time. Every closed interval becomes exactly one row of the output, also after a restart: the
checkpoint and the log of the file sink guarantee it. Readings with an implausible time or an
unknown tag are set aside in a folder of their own (`validation`).
"""

from __future__ import annotations

import asyncio
import io
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
"""Options of the session. The number of partitions is fixed for the life of a checkpoint."""
STEP_SECONDS = 86_400.0
POLL_SECONDS = 1.0
"""Wall seconds between two checks of a running stream."""
STALLS_AFTER = 1800.0
"""Wall seconds for one batch: the first one can contain a year of many assets."""
MOVED_MODULES = {
    "alarmstack.clean": "alarmstack.preparation.interval_closer",
    "alarmstack.intervals": "alarmstack.core.intervals",
    "alarmstack.spark.sift": "alarmstack.pipelines.spark.validation",
    "alarmstack.spark.streaming": "alarmstack.pipelines.spark.streaming",
}
"""Modules that stored states name, by their names in version 0.1."""
READINGS = "asset string, tag string, time timestamp, value double"


@dataclass(frozen=True)
class Followed:
    """The state of scoring an asset between two batches.

    `seen`: the last closed rows. `warnings`: the states of warnings by column. `last`: the segment
    of the last row.
    """

    closer: CloserState
    seen: IntervalBlock | None = None
    warnings: Mapping[str, State] = field(default_factory=dict)
    last: int = 0


@dataclass(frozen=True)
class Remembered:
    """The state of an asset in the stream, which the checkpoint stores.

    `followed` is None until the first reading is accepted.
    """

    clock: AssetClock = field(default_factory=AssetClock)
    followed: Followed | None = None

    @classmethod
    def of(cls, state: bytes | None) -> Remembered:
        """The state from the checkpoint. An earlier version stored `Followed` only.

        Raises ClusterError if no version of this program wrote the state.
        """
        if state is None:
            return cls()
        # Unpickling is safe: only this job writes to its checkpoint.
        try:
            stored: Remembered | Followed = _StateReader(io.BytesIO(state)).load()
        except (ImportError, AttributeError, pickle.UnpicklingError) as error:
            raise ClusterError(
                f"the checkpoint was written by another version and cannot be read: {error}; "
                "start the stream with a new checkpoint folder"
            ) from error
        if isinstance(stored, Remembered):
            return stored
        return cls(AssetClock(instant_of(stored.closer.begin)), stored)


class _StateReader(pickle.Unpickler):
    """Reads a state, also of a version whose modules had other names."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(MOVED_MODULES.get(module, module), name)


def follow(
    plant: Plant,
    bundles: Mapping[str, Bundle],
    followed: Followed | None,
    readings: pl.DataFrame,
    grace: timedelta = timedelta(),
) -> tuple[Followed, pl.DataFrame | None]:
    """Process a batch of an asset's readings, and score the intervals that they close.

    Returns the new state, and the scored rows; None if no interval was closed.
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
    for entry in model_list(plant):
        score = scores.get(entry.name)
        columns |= score_columns(entry, None if score is None else score[new], len(closed))
        if entry.horizon is not None:
            name = warning_column(entry)
            columns[name], warnings[name] = _warned(
                plant,
                bundles.get(entry.name),
                columns[entry.column],
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
    """The closed rows with an active warning, and the state of the warning after them."""
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
    """Start a stream that scores the readings in `source` into Parquet files in `out`.

    With `once`, the stream ends when all present readings are scored; otherwise it continues with
    new ones. `out` and `checkpoint` belong together: a restarted stream resumes at its checkpoint.
    `aside`: folder for the readings that are set aside (default: `aside_of(out)`); all workers must
    be able to write to it. `step_seconds`: see `longest_step`.
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
    """The default folder for the readings that are set aside, next to the scores."""
    return out.with_name(f"{out.name}_quarantine")


async def keep_scoring(
    begin: Callable[[], StreamingQuery], tasks: Tasks, report: Callable[[], None]
) -> None:
    """Run a stream until it ends. After an error it is started again and resumes at its checkpoint.

    `begin` starts a stream; `report` is called after every batch.
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
                    await asyncio.to_thread(report)
        finally:
            query.stop()

    await tasks.keep_running("stream", work, stalls_after=STALLS_AFTER)


def run_once(begin: Callable[[], StreamingQuery]) -> None:
    """Score the readings that are present.

    Raises ClusterError if that fails; the next run resumes at the checkpoint.
    """
    query = begin()
    while not _ended(query):
        pass


def _ended(query: StreamingQuery) -> bool:
    """Wait `POLL_SECONDS`. Returns whether the stream has ended.

    Raises ClusterError if an error ended it.
    """
    from pyspark.errors import StreamingQueryException

    try:
        return bool(query.awaitTermination(POLL_SECONDS))
    except StreamingQueryException as error:
        raise ClusterError(f"the stream stopped: {_cause(str(error))}") from error


def _cause(text: str) -> str:
    """The line of Spark's message that names the cause; its first lines only name the task."""
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
    for entry in model_list(plant):
        fields += [(name, pa.float64()) for name in score_columns(entry, None, 0)]
        if entry.horizon is not None:
            fields.append((warning_column(entry), pa.int64()))
    return pa.schema(fields)


__all__ = ["OPTIONS", "Followed", "aside_of", "follow", "keep_scoring", "run_once", "score_stream"]
