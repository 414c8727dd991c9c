"""Live readings of many assets, scored as they come: Structured Streaming over a folder of Parquet files.

Readings arrive as `asset=NAME/*.parquet` (tag, time, value; the form of `raw/live/…`). Each asset is followed by itself: its open
intervals, the rows it looks back on and its standing warnings are the stream's state. An interval is closed when the asset speaks
of a time that is the grace time after its end. Every closed interval becomes one row of the output, once, whatever is ended or
started again in between: the checkpoint and the file sink's log see to that.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from alarmstack.alarms import IDLE, State, step
from alarmstack.clean import CloserState, close, open_at
from alarmstack.derived import any_rule
from alarmstack.expected import expected
from alarmstack.intervals import READING_SCHEMA, IntervalBlock, join
from alarmstack.plant import Plant
from alarmstack.registry import Bundle
from alarmstack.scoring import row_scores, score_columns, series_scores, warning_column, warning_rule
from alarmstack.spark.pieces import spark_schema

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import StreamingQuery

OPTIONS = {"spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "16"}
"""What the session must be told. The assets' states lie in as many files as there are partitions, as long as the stream lives."""
READINGS = "asset string, tag string, time timestamp, value double"


@dataclass(frozen=True)
class Followed:
    """What is remembered of an asset between two batches: `seen` the last closed rows, `warnings` by column, `last` its segment."""

    closer: CloserState
    seen: IntervalBlock | None = None
    warnings: Mapping[str, State] = field(default_factory=dict)
    last: int = 0


def follow(
    plant: Plant, bundles: Mapping[str, Bundle], followed: Followed | None, readings: pl.DataFrame, grace: timedelta = timedelta()
) -> tuple[Followed, pl.DataFrame | None]:
    """Take an asset's readings; what is remembered then, and the rows of the intervals that they closed (None: none)."""
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
    for one in expected(plant):
        score = scores.get(one.name)
        columns |= score_columns(one, None if score is None else score[new], len(closed))
        if one.horizon is not None:
            name = warning_column(one)
            columns[name], warnings[name] = _warned(
                plant, bundles.get(one.name), columns[one.column], any_rule(plant, block)[new], closed, followed, name
            )
    table = pl.DataFrame(
        [pl.Series("timestamp", closed.start.astype("datetime64[us]")), *(pl.Series(n, c) for n, c in columns.items())]
    )
    seen = block.rows(len(block) - plant.lookback, len(block))
    return Followed(closer, seen, warnings, int(closed.segment[-1])), table.fill_nan(None)


def _warned(
    plant: Plant, bundle: Bundle | None, score: np.ndarray, alarm: np.ndarray, closed: IntervalBlock, followed: Followed, name: str
) -> tuple[np.ndarray, State]:
    """Where a warning stands in the closed rows, and its state after them."""
    rule, state, last = warning_rule(plant, bundle), followed.warnings.get(name, IDLE), followed.last
    known = (closed.start + np.timedelta64(plant.time.cadence)).astype("datetime64[s]").astype(float)
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
) -> StreamingQuery:
    """Begin to score what lies and what arrives in `source`, into Parquet files in `out`. `once`: end when all of it is scored.

    `out` and `checkpoint` belong together: a stream goes on where its checkpoint stands.
    """
    from pyspark.sql.streaming.state import GroupStateTimeout

    carried = spark.sparkContext.broadcast({name: replace(bundle) for name, bundle in bundles.items()})
    schema = _schema(plant)

    def update(key: tuple[Any, ...], batches: Iterable[pd.DataFrame], state: Any) -> Iterator[pd.DataFrame]:
        arrived = pl.concat(pl.from_pandas(batch[list(READING_SCHEMA)]) for batch in batches)
        arrived = arrived.with_columns(pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        # The state is this job's own, in its own checkpoint.
        followed = pickle.loads(state.get[0]) if state.exists else None
        followed, table = follow(plant, carried.value, followed, arrived, grace)
        state.update((pickle.dumps(followed),))
        if table is not None:
            yield table.insert_column(0, pl.lit(key[0]).alias("asset")).to_pandas()

    readings = spark.readStream.schema(READINGS).option("pathGlobFilter", "*.parquet").parquet(str(source))
    scored = readings.groupBy("asset").applyInPandasWithState(
        update, spark_schema(schema), "held binary", "append", GroupStateTimeout.NoTimeout
    )
    writer = scored.writeStream.format("parquet").outputMode("append").option("checkpointLocation", str(checkpoint))
    return (writer.trigger(availableNow=True) if once else writer).start(str(out))


def _schema(plant: Plant) -> pa.Schema:
    fields: list[tuple[str, pa.DataType]] = [("asset", pa.string()), ("timestamp", pa.timestamp("us"))]
    for one in expected(plant):
        fields += [(name, pa.float64()) for name in score_columns(one, None, 0)]
        if one.horizon is not None:
            fields.append((warning_column(one), pa.int64()))
    return pa.schema(fields)


__all__ = ["OPTIONS", "Followed", "follow", "score_stream"]
