"""Labels: which rows are in alarm, where an alarm begins, and in which regime the plant runs.

A row is *in alarm* inside an operator-log period or while a limit rule holds. An *episode* is a stretch of alarm rows; gaps shorter
than the quiet gap belong to it. Its first row is an *onset* if at least a quiet gap without alarm was seen before it. Operators
write late, so labels are for training and judging; nothing that serves may use a period.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """Rows `first` … `last` in alarm (both included); `onset`: its beginning was seen."""

    first: int
    last: int
    onset: bool


def in_period(block: IntervalBlock, operator_log: pl.DataFrame | None) -> Mask:
    """Rows whose stamp lies in an operator-log period, both ends included."""
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
    """Alarm rows joined over gaps shorter than `quiet_rows`; a segment's end ends an episode."""
    found: list[Episode] = []
    for row in np.flatnonzero(alarm):
        if found and row - found[-1].last <= quiet_rows and segment[row] == segment[found[-1].last]:
            found[-1] = Episode(found[-1].first, int(row), found[-1].onset)
        else:
            before = slice(max(row - quiet_rows, 0), row)
            seen_quiet = row >= quiet_rows and bool((segment[before] == segment[row]).all())
            found.append(Episode(int(row), int(row), bool(seen_quiet)))
    return tuple(found)


def onset_within(alarm: Mask, found: tuple[Episode, ...], horizon_rows: int) -> Mask:
    """The forecast target: an onset in rows t+1 … t+horizon_rows. Rows in alarm carry no target (see `forecastable`)."""
    target = np.zeros(len(alarm), bool)
    for episode in found:
        if episode.onset:
            target[max(episode.first - horizon_rows, 0) : episode.first] = True
    return target & ~alarm


def forecastable(found: tuple[Episode, ...], segment: npt.NDArray[np.int32]) -> Mask:
    """Rows that may be trained and scored for onsets: outside every episode, inside a segment."""
    usable = segment >= 0
    for episode in found:
        usable[episode.first : episode.last + 1] = False
    return usable


@dataclass(frozen=True)
class RegimeBands:
    """Thresholds of regime 1, one a transition column. Fit them on training rows; the whole file is not causal."""

    thresholds: tuple[float, ...]

    @classmethod
    def fit(cls, plant: Plant, block: IntervalBlock) -> RegimeBands:
        """The plant's quantile of each transition column over the rows of `block`."""
        transition = plant.labels.transition
        values = (column(plant, block, name) for name in transition.columns)
        return cls(tuple(_quantile(v, transition.quantile) for v in values))

    def regime(self, plant: Plant, block: IntervalBlock, alarm: Mask) -> npt.NDArray[np.int64]:
        """0 normal, 1 transition, 2 alarm: int64 [rows]."""
        restless = np.zeros(len(block), bool)
        for name, threshold in zip(plant.labels.transition.columns, self.thresholds, strict=True):
            with np.errstate(invalid="ignore"):
                restless |= column(plant, block, name) > threshold
        return np.where(alarm, ALARM, np.where(restless, TRANSITION, NORMAL))


def _quantile(values: Floats, share: float) -> float:
    """The quantile of the values that are known; NaN where none is, as for an instrument that a drop lacks."""
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
