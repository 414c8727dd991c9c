"""Labels: which rows are in alarm, where an alarm begins, and in which regime the plant runs.

A row is *in alarm* inside a period of the operator log or while a limit is exceeded. An *episode*
is a sequence of alarm rows, including gaps shorter than the quiet gap. Its first row is an *onset*
if the rows before it show at least a quiet gap without alarm. Operators write their log late, so
labels are for training and evaluation only; serving must not use a period of the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.preparation.derived import any_rule, column

NORMAL, TRANSITION, ALARM = 0, 1, 2
REGIMES = ("normal", "transition", "alarm")
"""Names of the regimes, by number."""


@dataclass(frozen=True)
class Episode:
    """Rows `first` … `last` in alarm (both included); `onset`: its beginning is known."""

    first: int
    last: int
    onset: bool


def in_period(block: IntervalBlock, operator_log: pl.DataFrame | None) -> Mask:
    """Rows whose timestamp is in a period of the operator log, both ends included."""
    inside = np.zeros(len(block), bool)
    if operator_log is not None:
        for start, end in operator_log.select("start", "end").iter_rows():
            begin, finish = (np.datetime64(t.replace(tzinfo=None), "us") for t in (start, end))
            inside |= (block.start >= begin) & (block.start <= finish)
    return inside


def in_alarm(plant: Plant, block: IntervalBlock, operator_log: pl.DataFrame | None) -> Mask:
    """anomaly_label as bool [rows]."""
    return in_period(block, operator_log) | any_rule(plant, block)


def episodes(alarm: Mask, segment: npt.NDArray[np.int32], quiet_rows: int) -> tuple[Episode, ...]:
    """Alarm rows joined over gaps shorter than `quiet_rows`, inside a segment."""
    joined: list[Episode] = []
    for row in map(int, np.flatnonzero(alarm)):
        latest = joined[-1] if joined else None
        if (
            latest is not None
            and row - latest.last <= quiet_rows
            and segment[row] == segment[latest.last]
        ):
            joined[-1] = replace(latest, last=row)
        else:
            before = slice(max(row - quiet_rows, 0), row)
            quiet_before = row >= quiet_rows and bool((segment[before] == segment[row]).all())
            joined.append(Episode(row, row, onset=quiet_before))
    return tuple(joined)


def onset_within(alarm: Mask, joined: tuple[Episode, ...], horizon_rows: int) -> Mask:
    """The forecast target: an onset in rows t+1 … t+horizon_rows.

    Rows in alarm have no target (see `forecastable`).
    """
    target = np.zeros(len(alarm), bool)
    for episode in joined:
        if episode.onset:
            target[max(episode.first - horizon_rows, 0) : episode.first] = True
    return target & ~alarm


def forecastable(joined: tuple[Episode, ...], segment: npt.NDArray[np.int32]) -> Mask:
    """Rows for training and scoring of forecasts: outside every episode and inside a segment."""
    usable = segment >= 0
    for episode in joined:
        usable[episode.first : episode.last + 1] = False
    return usable


@dataclass(frozen=True)
class RegimeBands:
    """Thresholds of regime 1, one for each transition column.

    To be causal they must be fitted on training rows, not on the whole file.
    """

    thresholds: tuple[float, ...]

    @classmethod
    def fit(cls, plant: Plant, block: IntervalBlock) -> RegimeBands:
        """The quantile (from plant.toml) of each transition column over the rows of `block`."""
        transition = plant.labels.transition
        values = (column(plant, block, name) for name in transition.columns)
        return cls(tuple(_quantile(v, transition.quantile) for v in values))

    def regime(self, plant: Plant, block: IntervalBlock, alarm: Mask) -> npt.NDArray[np.int64]:
        """0 normal, 1 transition, 2 alarm: int64 [rows]."""
        in_transition = np.zeros(len(block), bool)
        for name, threshold in zip(plant.labels.transition.columns, self.thresholds, strict=True):
            with np.errstate(invalid="ignore"):
                in_transition |= column(plant, block, name) > threshold
        return np.where(alarm, ALARM, np.where(in_transition, TRANSITION, NORMAL))


def _quantile(values: Floats, share: float) -> float:
    """The quantile of the known values; NaN when there are none, as for a missing instrument."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, share)) if known.size else float("nan")


__all__ = [
    "ALARM",
    "NORMAL",
    "TRANSITION",
    "Episode",
    "RegimeBands",
    "episodes",
    "forecastable",
    "in_alarm",
    "in_period",
    "onset_within",
]
