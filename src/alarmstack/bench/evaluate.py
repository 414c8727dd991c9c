"""Evaluates every contender in the same way: fit, score, choose a threshold without labels, alarm.

A contender never scores a row that it was fitted on. If a set holds assets out, a run is scored by
a contender fitted on the other assets, and its threshold is chosen on the scores of those assets.
If the set asks for it, the earlier runs of the same asset then move the threshold
(`threshold_offset`). In all other sets the threshold is chosen on training rows that were held
back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from alarmstack.alarms import WarningRule, warning_active
from alarmstack.bench.metrics import EvaluatedRun
from alarmstack.bench.sets import Run, SetDescription
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.vus import spans
from alarmstack.models.normality import (
    HeldBack,
    TrainingSegment,
    Verdict,
    stretches,
    threshold_for,
    threshold_offset,
)

Scorer = Callable[[IntervalBlock], Floats]
Fit = Callable[[Plant, Sequence[TrainingSegment]], Scorer]


@dataclass(frozen=True)
class FittedContender:
    """A contender after its fit.

    `score` maps a block to scores [rows]: causal, NaN where there is no score. `held_back` gives
    the scores of the training rows, each computed by a fit that did not use the row.
    """

    score: Scorer
    held_back: Callable[[], Sequence[HeldBack]]


class Contender(Protocol):
    """A method that learns normal behaviour and then scores rows; a higher score means worse."""

    def __call__(self, plant: Plant, segments: Sequence[TrainingSegment]) -> FittedContender:
        """Fit on the normal rows of the segments."""
        ...


def evaluate(
    plant: Plant,
    description: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress = silent,
) -> list[EvaluatedRun]:
    """Evaluate one contender on every run of a set that has rows to evaluate."""
    by_protocol = _by_other_assets if description.protocol.hold_out else _by_training_rows
    return by_protocol(plant, description, runs, contender, progress)


def _by_other_assets(
    plant: Plant,
    description: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress,
) -> list[EvaluatedRun]:
    scores: dict[str, Floats] = {}
    assets = sorted({run.asset for run in runs})
    for place, asset in enumerate(assets):
        progress(asset, place / len(assets))
        fitted = contender(plant, [_segment(run) for run in runs if run.asset != asset])
        scores |= {run.name: fitted.score(run.block) for run in runs if run.asset == asset}
    thresholds = {asset: threshold_for(plant, _others(runs, scores, asset)) for asset in assets}
    evaluated: dict[str, EvaluatedRun] = {}
    for run in sorted(runs, key=lambda run: run.block.start[0]):
        earlier = [other for other in evaluated.values() if _is_earlier(other.run, run)]
        threshold = thresholds[run.asset]
        if description.protocol.history:
            history, verdicts = _history(earlier), _verdicts(earlier)
            threshold += threshold_offset(plant, threshold, history, verdicts)
        evaluated[run.name] = _evaluated(plant, description, run, scores[run.name], threshold, 0)
    return [evaluated[run.name] for run in runs]


def _is_earlier(other: Run, run: Run) -> bool:
    """Whether another run of the same asset ended before this one began."""
    return other.asset == run.asset and bool(other.block.start[-1] < run.block.start[0])


def _history(earlier: Sequence[EvaluatedRun]) -> list[HeldBack]:
    return [
        HeldBack(np.where(result.run.learn, result.scores, np.nan), result.run.block.segment)
        for result in earlier
    ]


def _verdicts(earlier: Sequence[EvaluatedRun]) -> list[Verdict]:
    """The operator's verdicts on the warnings of earlier runs.

    A warning that was raised in a row that is not evaluated has no verdict.
    """
    return [
        Verdict(float(np.nanmax(result.scores[first : last + 1])), bool(result.in_event[first]))
        for result in earlier
        for first, last in spans(result.active)
        if result.in_event[first] or result.normal[first]
    ]


def _others(runs: Sequence[Run], scores: Mapping[str, Floats], asset: str) -> list[HeldBack]:
    return [
        HeldBack(np.where(run.learn, scores[run.name], np.nan), run.block.segment)
        for run in runs
        if run.asset != asset
    ]


def _by_training_rows(
    plant: Plant,
    description: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress,
) -> list[EvaluatedRun]:
    to_evaluate = [run for run in runs if (run.event | run.normal).any()]
    segments = [_segment_without_own_events(to_evaluate, run) for run in runs if run.learn.any()]
    own_rows = plant.rows(description.protocol.own) if description.protocol.own else 0
    shared = None if own_rows else contender(plant, segments)
    evaluated = []
    for place, run in enumerate(to_evaluate):
        progress(run.name, place / len(to_evaluate))
        fitted = shared or contender(plant, [*segments, _own_segment(run, own_rows)])
        threshold = threshold_for(plant, fitted.held_back())
        scores = fitted.score(run.block)
        evaluated.append(_evaluated(plant, description, run, scores, threshold, own_rows))
    return evaluated


def by_stretches(fit: Fit) -> Contender:
    """Make a contender of a plain fit: its normal rows are held back in turn."""

    def contender(plant: Plant, segments: Sequence[TrainingSegment]) -> FittedContender:
        return FittedContender(fit(plant, segments), lambda: list(_held_back(fit, plant, segments)))

    return contender


def _held_back(fit: Fit, plant: Plant, segments: Sequence[TrainingSegment]) -> Iterator[HeldBack]:
    for keep, left_out in stretches([segment.normal for segment in segments]):
        kept = [
            replace(segment, normal=mask)
            for segment, mask in zip(segments, keep, strict=True)
            if mask.any()
        ]
        score = fit(plant, kept)
        for segment, mask in zip(segments, left_out, strict=True):
            if mask.any():
                scores = np.where(mask, score(segment.block), np.nan)
                yield HeldBack(scores, segment.block.segment)


def _segment(run: Run) -> TrainingSegment:
    return TrainingSegment(run.asset, run.block, run.learn, run.event)


def _segment_without_own_events(to_evaluate: Sequence[Run], run: Run) -> TrainingSegment:
    """A run's training segment. The events of a run that is evaluated are left out."""
    segment = _segment(run)
    if any(run is other for other in to_evaluate):
        return replace(segment, event=np.zeros_like(segment.event))
    return segment


def _own_segment(run: Run, rows: int) -> TrainingSegment:
    first = np.arange(len(run.block)) < rows
    return TrainingSegment(
        run.asset, run.block, first & run.has_reading, np.zeros(len(first), bool)
    )


def _evaluated(
    plant: Plant,
    description: SetDescription,
    run: Run,
    scores: Floats,
    threshold: float,
    own_rows: int,
) -> EvaluatedRun:
    after_own = np.arange(len(run.block)) >= own_rows
    counted = run.has_reading & after_own
    rule = WarningRule.of(plant, threshold)
    alarm_input = np.where(counted | ~run.has_reading, scores, np.nan)
    cadence = plant.time.cadence.total_seconds()
    active = warning_active(rule, alarm_input, cadence, None, run.block.segment)
    shortest = description.protocol.shortest_own
    needed = plant.rows(shortest) if shortest else 0
    events = [
        (first, last)
        for first, last in spans(run.event & after_own)
        if run.normal[:first].sum() >= needed
    ]
    by_share_of_time = plant.warnings.time_in_warning is not None
    budget = None if by_share_of_time else plant.warnings.false_alarms_per_day
    return EvaluatedRun(run, scores, active, counted, events, budget)


__all__ = ["Contender", "FittedContender", "Scorer", "by_stretches", "evaluate"]
