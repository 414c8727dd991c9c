"""Examples: every row's features with what the models are to learn, made by one function for training, tests and live data alike.

Targets: in alarm at this row; the regime; the next row's deviation of one controller; an onset within each horizon. An example that
a model may not learn from (the end of a series, a row in alarm for a forecaster) has NaN as its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from alarmstack.derived import Mask, deviation, shifted
from alarmstack.features import Group, build
from alarmstack.intervals import Floats, IntervalBlock
from alarmstack.labels import Episode, RegimeBands, episodes, forecastable, onset_within
from alarmstack.plant import Plant

SEALED_SHARE = 0.2


@dataclass(frozen=True)
class Examples:
    """Rows of one asset in time order, with the features of both groups and everything targets come from.

    `point` [rows, point features], `window` [rows, window features], `alarm` bool [rows], `regime` float [rows],
    `next_deviation` float [rows], `segment` int32 [rows], `start` instants [rows].
    """

    plant: Plant
    start: npt.NDArray[np.datetime64]
    segment: npt.NDArray[np.int32]
    point: Floats
    window: Floats
    alarm: Mask
    regime: Floats
    next_deviation: Floats

    def __len__(self) -> int:
        return len(self.start)

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
        rows = self.plant.rows(horizon)
        target = onset_within(self.alarm, self.episodes, rows).astype(float)
        ahead = np.concatenate((self.segment[rows:], np.full(min(rows, len(self)), -1, np.int32)))
        target[~self.quiet | ((ahead != self.segment) & (target == 0.0))] = np.nan
        return target

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
        )


def examples(plant: Plant, block: IntervalBlock, alarm: Mask, bands: RegimeBands | None = None) -> Examples:
    """Features and targets of a block. Without `bands`, those of the rows before the sealed last fifth are taken."""
    if bands is None:
        found = episodes(alarm, block.segment, plant.rows(plant.time.quiet_gap))
        bands = RegimeBands.fit(plant, block.rows(0, sealed_row(found, len(block))))
    now = deviation(block, plant.deviation_controller)
    ahead = shifted(now[::-1], block.segment[::-1], 1)[::-1]
    return Examples(
        plant=plant,
        start=block.start,
        segment=block.segment,
        point=build(plant, block, "point"),
        window=build(plant, block, "window"),
        alarm=alarm,
        regime=bands.regime(plant, block, alarm).astype(float),
        next_deviation=ahead,
    )


def sealed_row(found: tuple[Episode, ...], rows: int) -> int:
    """First row of the sealed last fifth, moved back to the beginning of an episode it would cut."""
    return _before(found, int(rows * (1 - SEALED_SHARE)))


def _before(found: tuple[Episode, ...], row: int) -> int:
    return next((e.first for e in found if e.first <= row <= e.last), row)


def join(parts: Sequence[Examples]) -> Examples:
    """Several series as one, segments kept apart; no window, episode or warning crosses from one into the next."""
    segments, first = [], 0
    for part in parts:
        segments.append(np.where(part.segment < 0, part.segment, part.segment + first).astype(np.int32))
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


__all__ = ["Examples", "examples", "join", "sealed_row"]
