"""What speaking more often than once a cadence gives: the same models, judged at every stride.

Between two closed intervals a model can be asked of the interval that ends now, on another phase of the grid. The scores of all
phases, in the order in which they become known, are one series with a row a stride. Beside it stands what the model says once a
cadence, held until it speaks again: same plants, same engine, same onsets. Here an onset is dated by the first stride at which the
alarm is seen, for both, so that minutes gained count and none are invented.
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
from alarmstack.training.trial import announced

AS_REGISTERED = ", threshold of the hourly grid"
"""Beside the threshold that was chosen for the stride: what one gets by speaking more often and changing nothing else."""


@dataclass(frozen=True)
class Rolling:
    """Rows a stride apart. `quiet` bool [rows]: judged, not in alarm as far as is known at the row; `onsets`: rows where an alarm
    is first seen; `segment` int32 [rows]; `scores` of each model at every stride, `held` what it said once a cadence, until it
    speaks again; `precursor` bool [onsets].
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
    """Every forecaster at every stride, beside itself once a cadence, which stands in the baseline's place.

    Both get thresholds for each budget on the plants of `threshold_seeds`, which are not those they are judged on. A third line is
    the stride with the threshold that the cadence got.
    """
    if stride <= timedelta(0) or plant.time.cadence % stride:
        raise PlantError(
            f"stride {write_duration(stride)!r} does not divide the cadence {write_duration(plant.time.cadence)!r}: "
            f"choose a part of it such as {write_duration(plant.time.cadence / 4)!r}"
        )
    speaking = {
        name: bundle for name, bundle in bundles.items() if bundle.time["horizon"] is not None
    }
    plants = [*threshold_seeds, *seeds]
    rolled = []
    for done, seed in enumerate(plants):
        progress(
            f"seed {seed}, {len(phases(plant.time.cadence, stride))} phases", done / len(plants)
        )
        rolled.append(_rolled(plant, speaking, start, days, stride, seed))
    choice, trial = join(rolled[: len(threshold_seeds)]), join(rolled[len(threshold_seeds) :])
    data = f"simulated plant, seeds {', '.join(map(str, seeds))}, every {write_duration(stride)}"
    rows: list[TableRow] = []
    for name in speaking:
        often, hourly = (
            _thresholds(choice, scores[name]) for scores in (choice.scores, choice.held)
        )
        target = np.full(len(trial), np.nan)
        models = [
            ScoredModel(name, trial.scores[name], often, target),
            ScoredModel(name + AS_REGISTERED, trial.scores[name], hourly, target),
        ]
        beside = ScoredModel(
            f"every {write_duration(plant.time.cadence)}", trial.held[name], hourly, target
        )
        rows += evaluate(data, trial, models, [beside], trial.precursor)
    return rows


def roll(
    plant: Plant,
    readings: pl.DataFrame,
    operator_log: pl.DataFrame | None,
    bundles: Mapping[str, Bundle],
    stride: timedelta,
) -> tuple[Rolling, Examples]:
    """Readings judged at every stride, not knowing which onsets announce themselves; and the examples of the base grid."""
    grid = phases(plant.time.cadence, stride)
    base = close_intervals(plant, readings)
    found = examples(plant, base, in_alarm(plant, base, operator_log))
    rows = len(found) * len(grid)
    alarm = np.zeros(rows, bool)
    scores = {name: np.full(rows, np.nan) for name in bundles}
    held = {name: _held(bundle.score(found.window), len(grid)) for name, bundle in bundles.items()}
    for phase in grid:
        block = close_intervals(plant, readings, phase) if phase else base
        window = build(plant, block, "window") if phase else found.window
        at, inside = _places(base, block, stride, rows)
        alarm[at] = in_alarm(plant, block, operator_log)[inside]
        for name, bundle in bundles.items():
            scores[name][at] = bundle.score(window)[inside]
    onsets = np.array([_first_seen(alarm, row, len(grid)) for row in found.onsets], np.intp)
    quiet = np.repeat(found.quiet, len(grid))
    for row, seen in zip(found.onsets, onsets, strict=True):
        quiet[row * len(grid) : seen] = True
    segment = np.repeat(found.segment, len(grid)).astype(np.int32)
    return Rolling(
        plant, stride, quiet & ~alarm, onsets, segment, scores, held, np.zeros(len(onsets), bool)
    ), found


def _rolled(
    plant: Plant,
    bundles: Mapping[str, Bundle],
    start: datetime,
    days: int,
    stride: timedelta,
    seed: int,
) -> Rolling:
    """A simulated plant judged at every stride."""
    made = simulate(plant, start=start, days=days, seed=seed)
    rolling, found = roll(plant, made.readings, made.operator_log, bundles, stride)
    return replace(rolling, precursor=announced(found, made.truth))


def _places(
    base: IntervalBlock, block: IntervalBlock, stride: timedelta, rows: int
) -> tuple[npt.NDArray[np.intp], Mask]:
    """The stride at whose end each interval of a block is known, counted from the base grid's beginning, and which lie on it."""
    known_at = block.start + np.timedelta64(block.cadence)
    place = (known_at - base.start[0]) // np.timedelta64(stride) - 1
    inside = (place >= 0) & (place < rows)
    return place[inside].astype(np.intp), np.asarray(inside)


def _held(score: Floats, strides: int) -> Floats:
    """What was said once a cadence, at every stride: known from the row's end on, until the next row's."""
    return np.concatenate((np.full(strides - 1, np.nan), np.repeat(score, strides)))[
        : len(score) * strides
    ]


def _first_seen(alarm: Mask, row: int, strides: int) -> int:
    """The first stride of a row at which its alarm is seen; the last one, where the whole interval must be over."""
    within = np.flatnonzero(alarm[row * strides : (row + 1) * strides])
    return row * strides + (int(within[0]) if len(within) else strides - 1)


def _thresholds(rolling: Rolling, scores: Floats) -> dict[float, float]:
    return dict(zip(BUDGETS, thresholds_for(rolling, scores, BUDGETS), strict=True))


def join(parts: Sequence[Rolling]) -> Rolling:
    """Several plants as one, segments kept apart."""
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
        np.concatenate([p.quiet for p in parts]),
        np.concatenate(onsets),
        np.concatenate(segments),
        {name: np.concatenate([p.scores[name] for p in parts]) for name in first.scores},
        {name: np.concatenate([p.held[name] for p in parts]) for name in first.held},
        np.concatenate([p.precursor for p in parts]),
    )


__all__ = ["AS_REGISTERED", "Rolling", "evaluate_stride", "join", "roll"]
