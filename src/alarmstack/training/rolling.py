"""The benefit of forecasts more often than once per cadence: the same models at every stride.

Between two closed intervals a model can score the interval that ends now, on another phase of the
grid. The scores of all phases, in the order in which they become known, form one series with one
row per stride. It is compared with the model's scores once per cadence, each held until the next.
Plants, alarm engine and onsets are the same for both. An onset is dated to the first stride in
which the alarm is visible, for both, so that gained minutes count and none are invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import NO_SEGMENT, Floats, IntervalBlock, Mask
from alarmstack.core.plant import Plant, phases, write_duration
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.table import ScoredModel, TableRow, evaluate
from alarmstack.evaluation.thresholds import BUDGETS, thresholds_for
from alarmstack.features.examples import Examples, examples
from alarmstack.features.matrix import build
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.registry import Bundle
from alarmstack.simulator import simulate
from alarmstack.training.trial import has_precursor

AS_REGISTERED = ", threshold of the hourly grid"
"""Suffix of the rows that use the threshold chosen for one score per cadence."""


@dataclass(frozen=True)
class Rolling:
    """Rows that are one stride apart.

    `quiet` bool [rows]: evaluated, and not in alarm as far as the row shows. `onsets`: rows in
    which an alarm is first visible. `segment` int32 [rows]. `scores`: of each model at every
    stride. `held`: of each model once per cadence, held until the next. `precursor` bool [onsets].
    """

    plant: Plant
    step: timedelta
    quiet: Mask
    onsets: npt.NDArray[np.intp]
    segment: npt.NDArray[np.int32]
    scores: Mapping[str, Floats]
    held: Mapping[str, Floats]
    precursor: Mask

    def __len__(self) -> int:
        return len(self.segment)


def evaluate_stride(
    plant: Plant,
    bundles: Mapping[str, Bundle],
    start: datetime,
    days: int,
    seeds: Sequence[int],
    threshold_seeds: Sequence[int],
    stride: timedelta,
    progress: Progress = silent,
) -> list[TableRow]:
    """Every forecaster at every stride; the baseline is the same forecaster once per cadence.

    Both get thresholds for each budget on the plants of `threshold_seeds`, which are other plants
    than the evaluated ones. A further row is the stride with the threshold for the cadence.
    """
    cadence = write_duration(plant.time.cadence)
    if stride <= timedelta(0) or plant.time.cadence % stride:
        raise PlantError(
            f"stride {write_duration(stride)!r} does not divide the cadence {cadence!r}: "
            f"use a divisor of it such as {write_duration(plant.time.cadence / 4)!r}"
        )
    forecasters = {
        name: bundle for name, bundle in bundles.items() if bundle.time["horizon"] is not None
    }
    all_seeds = [*threshold_seeds, *seeds]
    number_of_phases = len(phases(plant.time.cadence, stride))
    plants = []
    for done, seed in enumerate(all_seeds):
        progress(f"seed {seed}, {number_of_phases} phases", done / len(all_seeds))
        plants.append(_simulated(plant, forecasters, start, days, stride, seed))
    choice, trial = join(plants[: len(threshold_seeds)]), join(plants[len(threshold_seeds) :])
    data = f"simulated plant, seeds {', '.join(map(str, seeds))}, every {write_duration(stride)}"
    rows: list[TableRow] = []
    for name in forecasters:
        for_stride = _thresholds(choice, choice.scores[name])
        for_cadence = _thresholds(choice, choice.held[name])
        no_target = np.full(len(trial), np.nan)
        models = [
            ScoredModel(name, trial.scores[name], for_stride, no_target),
            ScoredModel(name + AS_REGISTERED, trial.scores[name], for_cadence, no_target),
        ]
        baseline = ScoredModel(f"every {cadence}", trial.held[name], for_cadence, no_target)
        rows += evaluate(data, trial, models, [baseline], trial.precursor)
    return rows


def roll(
    plant: Plant,
    readings: pl.DataFrame,
    operator_log: pl.DataFrame | None,
    bundles: Mapping[str, Bundle],
    stride: timedelta,
) -> tuple[Rolling, Examples]:
    """Readings scored at every stride, and the examples of the base grid.

    `precursor` of the result is False, because readings do not show it.
    """
    grid = phases(plant.time.cadence, stride)
    base = close_intervals(plant, readings)
    of_base = examples(plant, base, in_alarm(plant, base, operator_log))
    rows = len(of_base) * len(grid)
    alarm = np.zeros(rows, bool)
    scores = {name: np.full(rows, np.nan) for name in bundles}
    held = {
        name: _held(bundle.score(of_base.window), len(grid)) for name, bundle in bundles.items()
    }
    for phase in grid:
        block = close_intervals(plant, readings, phase) if phase else base
        window = build(plant, block, "window") if phase else of_base.window
        at, inside = _places(base, block, stride, rows)
        alarm[at] = in_alarm(plant, block, operator_log)[inside]
        for name, bundle in bundles.items():
            scores[name][at] = bundle.score(window)[inside]
    onsets = np.array([_first_seen(alarm, row, len(grid)) for row in of_base.onsets], np.intp)
    quiet = np.repeat(of_base.quiet, len(grid))
    for row, onset in zip(of_base.onsets, onsets, strict=True):
        quiet[row * len(grid) : onset] = True
    segment = np.repeat(of_base.segment, len(grid)).astype(np.int32)
    no_precursor = np.zeros(len(onsets), bool)
    rolling = Rolling(plant, stride, quiet & ~alarm, onsets, segment, scores, held, no_precursor)
    return rolling, of_base


def _simulated(
    plant: Plant,
    bundles: Mapping[str, Bundle],
    start: datetime,
    days: int,
    stride: timedelta,
    seed: int,
) -> Rolling:
    """A simulated plant scored at every stride."""
    simulation = simulate(plant, start=start, days=days, seed=seed)
    rolling, of_base = roll(plant, simulation.readings, simulation.operator_log, bundles, stride)
    return replace(rolling, precursor=has_precursor(of_base, simulation.truth))


def _places(
    base: IntervalBlock, block: IntervalBlock, stride: timedelta, rows: int
) -> tuple[npt.NDArray[np.intp], Mask]:
    """The stride at whose end each interval of a block is known, and which intervals have one.

    Strides are counted from the beginning of the base grid.
    """
    known_at = block.start + np.timedelta64(block.cadence)
    place = (known_at - base.start[0]) // np.timedelta64(stride) - 1
    inside = (place >= 0) & (place < rows)
    return place[inside].astype(np.intp), np.asarray(inside)


def _held(score: Floats, strides: int) -> Floats:
    """Scores once per cadence, at every stride: from the end of a row to the end of the next."""
    unknown = np.full(strides - 1, np.nan)
    return np.concatenate((unknown, np.repeat(score, strides)))[: len(score) * strides]


def _first_seen(alarm: Mask, row: int, strides: int) -> int:
    """The first stride of a row in which its alarm is visible.

    The last one, if the alarm is visible only at the end of the interval.
    """
    within = np.flatnonzero(alarm[row * strides : (row + 1) * strides])
    return row * strides + (int(within[0]) if len(within) else strides - 1)


def _thresholds(rolling: Rolling, scores: Floats) -> dict[float, float]:
    return dict(zip(BUDGETS, thresholds_for(rolling, scores, BUDGETS), strict=True))


def join(parts: Sequence[Rolling]) -> Rolling:
    """Several plants as one series; their segments stay separate."""
    first, offset = parts[0], 0
    onsets, segments, number = [], [], 0
    for part in parts:
        onsets.append(part.onsets + offset)
        segments.append(
            np.where(part.segment == NO_SEGMENT, NO_SEGMENT, part.segment + number).astype(np.int32)
        )
        offset, number = offset + len(part), number + int(part.segment.max(initial=-1)) + 1
    return Rolling(
        first.plant,
        first.step,
        np.concatenate([part.quiet for part in parts]),
        np.concatenate(onsets),
        np.concatenate(segments),
        _concatenated([part.scores for part in parts]),
        _concatenated([part.held for part in parts]),
        np.concatenate([part.precursor for part in parts]),
    )


def _concatenated(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The scores of several plants, one after the other, by name."""
    scores = {}
    for name in parts[0]:
        scores[name] = np.concatenate([part[name] for part in parts])
    return scores


__all__ = ["AS_REGISTERED", "Rolling", "evaluate_stride", "join", "roll"]
