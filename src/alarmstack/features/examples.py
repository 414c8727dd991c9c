"""Examples: every row's features with what the models are to learn, made by one function for training, tests and live data alike.

Targets: in alarm at this row; the regime; the next row's deviation of one controller; an onset within each horizon. An example that
a model may not learn from (the end of a series, a row in alarm for a forecaster) has NaN as its target.
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
    """Window examples on other phases of the grid, for forecasters to learn from beside those of the base grid; they judge nothing.

    `row` [rows]: the base row in which each interval begins (it ends in the next one), `start` instants [rows], `window` [rows,
    window features], `target` of each horizon float [rows], `phases`: how many grids an hour is seen on, the base grid included.
    """

    row: npt.NDArray[np.intp]
    start: npt.NDArray[np.datetime64]
    window: Floats
    target: Mapping[timedelta, Floats]
    phases: int

    def rows(self, begin: int, end: int) -> Between:
        """Those that lie whole in the base rows begin … end − 1, counted from there."""
        inside = (self.row >= begin) & (self.row + 1 < end)
        target = {horizon: values[inside] for horizon, values in self.target.items()}
        return Between(
            self.row[inside] - begin, self.start[inside], self.window[inside], target, self.phases
        )


@dataclass(frozen=True)
class Examples:
    """Rows of one asset in time order, with the features of both groups and everything targets come from.

    `point` [rows, point features], `window` [rows, window features], `alarm` bool [rows], `regime` float [rows],
    `next_deviation` float [rows], `segment` int32 [rows], `start` instants [rows]; `between`: what forecasters learn beside them.
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
        """Stretches of alarm, with those whose beginning was seen marked as onsets."""
        return episodes(self.alarm, self.segment, self.plant.rows(self.plant.time.quiet_gap))

    @cached_property
    def onsets(self) -> npt.NDArray[np.intp]:
        """Rows where an alarm begins."""
        return np.array([e.first for e in self.episodes if e.onset], np.intp)

    @cached_property
    def quiet(self) -> Mask:
        """Rows that forecasters learn from and are judged on: outside every episode."""
        return forecastable(self.episodes, self.segment)

    @cached_property
    def sealed_from(self) -> int:
        """First row of the sealed last fifth, which no fit, choice or threshold may see."""
        return sealed_row(self.episodes, len(self))

    def before_episode(self, row: int) -> int:
        """The row, moved back to the beginning of an episode it would cut."""
        return _before(self.episodes, row)

    def onset_target(self, horizon: timedelta) -> Floats:
        """1.0 where an alarm begins within the horizon, 0.0 where not, NaN in alarm and where the horizon runs over the end."""
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
    """Features and targets of a block. Without `bands`, those of the rows before the sealed last fifth are taken."""
    if bands is None:
        found = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
        bands = RegimeBands.fit(plant, block.rows(0, sealed_row(found, len(block))))
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


def with_between(found: Examples, blocks: Sequence[tuple[IntervalBlock, Mask]]) -> Examples:
    """The examples with those of other phases of their grid beside them, given as intervals and alarms."""
    plant = found.plant
    if not blocks:
        return found
    parts = []
    for block, alarm in blocks:
        row = (block.start - found.start[0]) // np.timedelta64(plant.time.cadence)
        inside = (row >= 0) & (row + 1 < len(found))
        episode = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
        target = {
            h: _onset_target(plant, alarm, episode, block.segment, h)[inside]
            for h in plant.time.horizons
        }
        parts.append(
            Between(
                row[inside].astype(np.intp),
                block.start[inside],
                build(plant, block, "window")[inside],
                target,
                0,
            )
        )
    between = Between(
        np.concatenate([p.row for p in parts]),
        np.concatenate([p.start for p in parts]),
        np.concatenate([p.window for p in parts]),
        {h: np.concatenate([p.target[h] for p in parts]) for h in plant.time.horizons},
        len(blocks) + 1,
    )
    return replace(found, between=between)


def _onset_target(
    plant: Plant,
    alarm: Mask,
    found: tuple[Episode, ...],
    segment: npt.NDArray[np.int32],
    horizon: timedelta,
) -> Floats:
    rows = plant.rows(horizon)
    target = onset_within(alarm, found, rows).astype(float)
    ahead = np.concatenate((segment[rows:], np.full(min(rows, len(segment)), -1, np.int32)))
    target[~forecastable(found, segment) | ((ahead != segment) & (target == 0.0))] = np.nan
    return target


def sealed_row(found: tuple[Episode, ...], rows: int) -> int:
    """First row of the sealed last fifth, moved back to the beginning of an episode it would cut."""
    return _before(found, int(rows * (1 - SEALED_SHARE)))


def _before(found: tuple[Episode, ...], row: int) -> int:
    return next((e.first for e in found if e.first <= row <= e.last), row)


def join(parts: Sequence[Examples]) -> Examples:
    """Several series as one, segments kept apart; no window, episode or warning crosses from one into the next."""
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
