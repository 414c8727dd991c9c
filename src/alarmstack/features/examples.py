"""Examples: the features of every row together with the targets that models learn.

Training, tests and live data use the same function. Targets: in alarm at this row; the regime; the
next row's deviation of one controller; an onset within each horizon. A row that a model must not
learn from (the end of a series; for a forecaster, a row in alarm) has the target NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import Group, build
from alarmstack.preparation.derived import deviation, shifted
from alarmstack.preparation.labels import Episode, RegimeBands, episodes, forecastable, onset_within

SEALED_SHARE = 0.2


@dataclass(frozen=True)
class Between:
    """Window examples of intervals between those of the base grid (on other phases of the grid).

    Forecasters learn from them, but are not evaluated on them. `row` [rows]: the base row in which
    the interval begins (it ends in the next one). `start`: instants [rows]. `window` [rows, window
    features]. `target`: for each horizon, float [rows]. `phases`: the number of grids, with the
    base grid.
    """

    row: npt.NDArray[np.intp]
    start: npt.NDArray[np.datetime64]
    window: Floats
    target: Mapping[timedelta, Floats]
    phases: int

    def rows(self, begin: int, end: int) -> Between:
        """The examples that lie completely in the base rows begin … end - 1."""
        inside = (self.row >= begin) & (self.row + 1 < end)
        target = {horizon: values[inside] for horizon, values in self.target.items()}
        return Between(
            self.row[inside] - begin, self.start[inside], self.window[inside], target, self.phases
        )


@dataclass(frozen=True)
class Examples:
    """Rows of one asset in time order, with features and targets.

    `point` [rows, point features], `window` [rows, window features], `alarm` bool [rows], `regime`
    float [rows], `next_deviation` float [rows], `segment` int32 [rows], `start` instants [rows].
    `between`: further examples for forecasters.
    """

    plant: Plant
    start: npt.NDArray[np.datetime64]
    segment: npt.NDArray[np.int32]
    point: Floats
    window: Floats
    alarm: Mask
    regime: Floats
    next_deviation: Floats
    between: Between | None = None

    def __len__(self) -> int:
        return len(self.start)

    @property
    def step(self) -> timedelta:
        """Plant time between two rows."""
        return self.plant.time.cadence

    def features(self, group: Group) -> Floats:
        """Matrix of a feature group."""
        return self.point if group == "point" else self.window

    @cached_property
    def episodes(self) -> tuple[Episode, ...]:
        """Stretches of alarm; those that begin after enough quiet time are marked as onsets."""
        return episodes(self.alarm, self.segment, self.plant.rows(self.plant.time.quiet_gap))

    @cached_property
    def onsets(self) -> npt.NDArray[np.intp]:
        """Rows where an alarm begins."""
        return np.array([e.first for e in self.episodes if e.onset], np.intp)

    @cached_property
    def quiet(self) -> Mask:
        """Rows that forecasters learn from and are evaluated on: outside every episode."""
        return forecastable(self.episodes, self.segment)

    @cached_property
    def sealed_from(self) -> int:
        """First row of the sealed last fifth, which no fit, choice or threshold may use."""
        return sealed_row(self.episodes, len(self))

    def before_episode(self, row: int) -> int:
        """The row, or the first row of the episode that contains it."""
        return _before(self.episodes, row)

    def onset_target(self, horizon: timedelta) -> Floats:
        """1.0 if an alarm begins within the horizon, 0.0 if not.

        NaN in alarm, and if the horizon extends beyond the end of the segment.
        """
        return _onset_target(self.plant, self.alarm, self.episodes, self.segment, horizon)

    def rows(self, begin: int, end: int) -> Examples:
        """The rows begin … end − 1."""
        cut = slice(begin, end)
        return Examples(
            self.plant,
            self.start[cut],
            self.segment[cut],
            self.point[cut],
            self.window[cut],
            self.alarm[cut],
            self.regime[cut],
            self.next_deviation[cut],
            None if self.between is None else self.between.rows(begin, end),
        )


def examples(
    plant: Plant, block: IntervalBlock, alarm: Mask, bands: RegimeBands | None = None
) -> Examples:
    """Features and targets of a block.

    Without `bands`, the regime bands are fitted on the rows before the sealed last fifth.
    """
    if bands is None:
        of_block = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
        bands = RegimeBands.fit(plant, block.rows(0, sealed_row(of_block, len(block))))
    return Examples(
        plant=plant,
        start=block.start,
        segment=block.segment,
        point=build(plant, block, "point"),
        window=build(plant, block, "window"),
        alarm=alarm,
        regime=bands.regime(plant, block, alarm).astype(float),
        next_deviation=_next_deviation(plant, block),
    )


def _next_deviation(plant: Plant, block: IntervalBlock) -> Floats:
    """The next row's deviation of the controller that the plant names; NaN where it names none."""
    if plant.deviation_target is None:
        return np.full(len(block), np.nan)
    now = deviation(block, plant.deviation_controller)
    return shifted(now[::-1], block.segment[::-1], 1)[::-1]


def with_between(base: Examples, blocks: Sequence[tuple[IntervalBlock, Mask]]) -> Examples:
    """The examples together with those of other phases of their grid.

    `blocks`: the intervals of each other phase, and whether each of them is in alarm.
    """
    if not blocks:
        return base
    phases = len(blocks) + 1
    parts = [_between(base, block, alarm, phases) for block, alarm in blocks]
    targets = {}
    for horizon in base.plant.time.horizons:
        targets[horizon] = np.concatenate([part.target[horizon] for part in parts])
    between = Between(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.window for part in parts]),
        targets,
        phases,
    )
    return replace(base, between=between)


def _between(base: Examples, block: IntervalBlock, alarm: Mask, phases: int) -> Between:
    """The examples of one other phase that lie completely in the base rows."""
    plant = base.plant
    row = (block.start - base.start[0]) // np.timedelta64(plant.time.cadence)
    inside = (row >= 0) & (row + 1 < len(base))
    of_block = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
    target = {
        horizon: _onset_target(plant, alarm, of_block, block.segment, horizon)[inside]
        for horizon in plant.time.horizons
    }
    return Between(
        row[inside].astype(np.intp),
        block.start[inside],
        build(plant, block, "window")[inside],
        target,
        phases,
    )


def _onset_target(
    plant: Plant,
    alarm: Mask,
    of_series: tuple[Episode, ...],
    segment: npt.NDArray[np.int32],
    horizon: timedelta,
) -> Floats:
    rows = plant.rows(horizon)
    target = onset_within(alarm, of_series, rows).astype(float)
    no_segment = np.full(min(rows, len(segment)), -1, np.int32)
    segment_at_horizon = np.concatenate((segment[rows:], no_segment))
    unknown = (segment_at_horizon != segment) & (target == 0.0)
    target[~forecastable(of_series, segment) | unknown] = np.nan
    return target


def sealed_row(of_series: tuple[Episode, ...], rows: int) -> int:
    """First row of the sealed last fifth; if an episode contains it, the first row of that."""
    return _before(of_series, int(rows * (1 - SEALED_SHARE)))


def _before(of_series: tuple[Episode, ...], row: int) -> int:
    return next((e.first for e in of_series if e.first <= row <= e.last), row)


def join(parts: Sequence[Examples]) -> Examples:
    """Several series as one.

    Their segments stay separate: no window, episode or warning continues into the next series.
    """
    segments, first = [], 0
    for part in parts:
        segments.append(
            np.where(part.segment < 0, part.segment, part.segment + first).astype(np.int32)
        )
        first += int(part.segment.max(initial=-1)) + 1
    return Examples(
        parts[0].plant,
        np.concatenate([p.start for p in parts]),
        np.concatenate(segments),
        np.concatenate([p.point for p in parts]),
        np.concatenate([p.window for p in parts]),
        np.concatenate([p.alarm for p in parts]),
        np.concatenate([p.regime for p in parts]),
        np.concatenate([p.next_deviation for p in parts]),
    )


__all__ = ["Between", "Examples", "examples", "join", "sealed_row", "with_between"]
