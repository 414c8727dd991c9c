"""Every contender judged alike: learn, score, choose a threshold without labels, go through the alarm engine, count.

A contender never scores a row it learnt from. Where a set holds assets out, a run is scored by what other assets have taught, and
its threshold comes from the other assets' scores, and where the set asks for it is moved by what the run's asset did before
(`threshold_offset`). Elsewhere it comes from scores of rows learnt from that were held back for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from alarmstack.alarms import WarningRule, warning_active
from alarmstack.bench.metrics import Judged
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


@dataclass(frozen=True)
class Taught:
    """What a contender has learnt: `score` maps a block to scores [rows], causal, NaN where nothing can be said; `held_back` gives
    scores of the rows learnt from, as if they had not been.
    """

    score: Scorer
    held_back: Callable[[], Sequence[HeldBack]]


class Contender(Protocol):
    """Something that learns normal behaviour and then scores rows, higher meaning worse."""

    def __call__(self, plant: Plant, lessons: Sequence[TrainingSegment]) -> Taught:
        """Learn from the normal rows of lessons."""
        ...


def judge(
    plant: Plant,
    described: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress = silent,
) -> list[Judged]:
    """All runs of a set that hold judged rows, as one contender saw them."""
    judge_by = _by_other_assets if described.protocol.hold_out else _by_taught_rows
    return judge_by(plant, described, runs, contender, progress)


def _by_other_assets(
    plant: Plant,
    described: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress,
) -> list[Judged]:
    scores: dict[str, Floats] = {}
    assets = sorted({run.asset for run in runs})
    for place, asset in enumerate(assets):
        progress(asset, place / len(assets))
        taught = contender(plant, [_lesson(run) for run in runs if run.asset != asset])
        scores |= {run.name: taught.score(run.block) for run in runs if run.asset == asset}
    thresholds = {asset: threshold_for(plant, _others(runs, scores, asset)) for asset in assets}
    found: dict[str, Judged] = {}
    for run in sorted(runs, key=lambda run: run.block.start[0]):
        past = [
            j
            for j in found.values()
            if j.run.asset == run.asset and j.run.block.start[-1] < run.block.start[0]
        ]
        threshold = thresholds[run.asset]
        if described.protocol.history:
            threshold += threshold_offset(plant, threshold, _history(past), _verdicts(past))
        found[run.name] = _judged(plant, described, run, scores[run.name], threshold, 0)
    return [found[run.name] for run in runs]


def _history(past: Sequence[Judged]) -> list[HeldBack]:
    return [HeldBack(np.where(j.run.learn, j.scores, np.nan), j.run.block.segment) for j in past]


def _verdicts(past: Sequence[Judged]) -> list[Verdict]:
    """What an operator would have said of the warnings of earlier runs; nothing of those that began in rows nobody judged."""
    return [
        Verdict(float(np.nanmax(j.scores[first : last + 1])), bool(j.inside[first]))
        for j in past
        for first, last in spans(j.on)
        if j.inside[first] or j.normal[first]
    ]


def _others(runs: Sequence[Run], scores: Mapping[str, Floats], asset: str) -> list[HeldBack]:
    return [
        HeldBack(np.where(run.learn, scores[run.name], np.nan), run.block.segment)
        for run in runs
        if run.asset != asset
    ]


def _by_taught_rows(
    plant: Plant,
    described: SetDescription,
    runs: Sequence[Run],
    contender: Contender,
    progress: Progress,
) -> list[Judged]:
    judged = [run for run in runs if (run.event | run.normal).any()]
    lessons = [_lesson_for(judged, run) for run in runs if run.learn.any()]
    own = plant.rows(described.protocol.own) if described.protocol.own else 0
    shared = None if own else contender(plant, lessons)
    found = []
    for place, run in enumerate(judged):
        progress(run.name, place / len(judged))
        taught = shared or contender(plant, [*lessons, _own_lesson(run, own)])
        threshold = threshold_for(plant, taught.held_back())
        found.append(_judged(plant, described, run, taught.score(run.block), threshold, own))
    return found


def by_stretches(fit: Callable[[Plant, Sequence[TrainingSegment]], Scorer]) -> Contender:
    """A contender of a plain fit: the normal rows are cut into stretches that take turns to be left out."""

    def contender(plant: Plant, lessons: Sequence[TrainingSegment]) -> Taught:
        return Taught(fit(plant, lessons), lambda: list(_left_out(fit, plant, lessons)))

    return contender


def _left_out(
    fit: Callable[[Plant, Sequence[TrainingSegment]], Scorer],
    plant: Plant,
    lessons: Sequence[TrainingSegment],
) -> Iterator[HeldBack]:
    for keep, left_out in stretches([lesson.normal for lesson in lessons]):
        kept = [
            replace(lesson, normal=mask)
            for lesson, mask in zip(lessons, keep, strict=True)
            if mask.any()
        ]
        score = fit(plant, kept)
        for lesson, mask in zip(lessons, left_out, strict=True):
            if mask.any():
                yield HeldBack(np.where(mask, score(lesson.block), np.nan), lesson.block.segment)


def _lesson(run: Run) -> TrainingSegment:
    return TrainingSegment(run.asset, run.block, run.learn, run.event)


def _lesson_for(judged: Sequence[Run], run: Run) -> TrainingSegment:
    """What a run teaches a contender that judges those runs: no event of theirs, which it would know before it is judged by it."""
    lesson = _lesson(run)
    return (
        replace(lesson, event=np.zeros_like(lesson.event))
        if any(run is one for one in judged)
        else lesson
    )


def _own_lesson(run: Run, rows: int) -> TrainingSegment:
    first = np.arange(len(run.block)) < rows
    return TrainingSegment(run.asset, run.block, first & run.spoke, np.zeros(len(first), bool))


def _judged(
    plant: Plant, described: SetDescription, run: Run, scores: Floats, threshold: float, own: int
) -> Judged:
    counted = run.spoke & (np.arange(len(run.block)) >= own)
    rule = WarningRule.of(plant, threshold)
    said = np.where(counted | ~run.spoke, scores, np.nan)
    on = warning_active(rule, said, plant.time.cadence.total_seconds(), None, run.block.segment)
    shortest = described.protocol.shortest_own
    needed = plant.rows(shortest) if shortest else 0
    events = [
        (first, last)
        for first, last in spans(run.event & (np.arange(len(run.block)) >= own))
        if run.normal[:first].sum() >= needed
    ]
    asked = plant.warnings.false_alarms_per_day if plant.warnings.time_in_warning is None else None
    return Judged(run, scores, on, counted, events, asked)


__all__ = ["Contender", "Scorer", "Taught", "by_stretches", "judge"]
