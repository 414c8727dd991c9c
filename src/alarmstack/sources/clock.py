"""The plant clock: local times, which skip an hour in spring and repeat one in autumn, become UTC.

A historian's series runs forward. In the repeated hour, the rows before the step back of the local
times belong to the first pass, and the rows after it to the second. A file that is written newest
first is read from its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl


@dataclass(frozen=True)
class Passed:
    """`instants` UTC; `absent`: the clock skips the time; `undecided`: the pass is unclear."""

    instants: pl.Series
    absent: pl.Series
    undecided: pl.Series


def to_utc(moments: pl.Series, zone: ZoneInfo, series: pl.Series | None = None) -> Passed:
    """UTC instants of local `moments` in file order; the order counts within each `series`."""
    first = moments.dt.replace_time_zone(
        zone.key, ambiguous="earliest", non_existent="null"
    ).dt.convert_time_zone("UTC")
    second = moments.dt.replace_time_zone(
        zone.key, ambiguous="latest", non_existent="null"
    ).dt.convert_time_zone("UTC")
    absent = first.is_null() & moments.is_not_null()
    repeated = (first != second).fill_null(False)
    if not repeated.any():
        return Passed(first, absent, repeated)
    later, unsure = _second_pass(moments, repeated, series)
    chosen = pl.select(pl.when(later).then(second).otherwise(first)).to_series()
    return Passed(chosen, absent, unsure)


def _second_pass(
    moments: pl.Series, repeated: pl.Series, series: pl.Series | None
) -> tuple[pl.Series, pl.Series]:
    """For each row, whether it is in the second pass, and whether that is uncertain.

    The second pass begins at the only step back among the repeated times of a day. Without a step
    back it begins at a time that occurs twice (an hourly file: 02:00, 02:00). With neither, or with
    several steps back, it is uncertain and the first pass is assumed.
    """
    frame = pl.DataFrame({"moment": moments, "repeated": repeated}).with_row_index("at")
    frame = frame.with_columns(series=pl.lit("") if series is None else series)
    steps = pl.col("moment").diff().over("series")
    outside = ~(pl.col("repeated") & pl.col("repeated").shift().over("series"))
    newest_first = frame.select(
        (outside & (steps < pl.duration())).sum() > (outside & (steps > pl.duration())).sum()
    ).item()
    group = ["series", pl.col("moment").dt.date()]
    step = pl.col("moment").diff().over(group)
    back, again = step < pl.duration(), step == pl.duration()
    passes = (
        frame.filter("repeated")
        .sort("at", descending=bool(newest_first))
        .with_columns(back=back.fill_null(False), again=again.fill_null(False))
        .with_columns(
            backs=pl.col("back").sum().over(group), agains=pl.col("again").sum().over(group)
        )
        .with_columns(switch=pl.when(pl.col("backs") > 0).then("back").otherwise("again"))
        .with_columns(
            later=pl.col("switch").cast(pl.Int64).cum_sum().over(group) > 0,
            unsure=(pl.col("backs") > 1) | ((pl.col("backs") == 0) & (pl.col("agains") != 1)),
        )
        .with_columns(later=pl.col("later") & ~pl.col("unsure"))
    )
    joined = frame.join(passes.select("at", "later", "unsure"), on="at", how="left").sort("at")
    return joined["later"].fill_null(False), joined["unsure"].fill_null(False)


__all__ = ["Passed", "to_utc"]
