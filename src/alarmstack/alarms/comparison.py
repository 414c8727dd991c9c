"""How good the warnings of models in service are: false alarms, champion/challenger comparison.

A *challenger* is a version that scores the same intervals as the champion without raising warnings.
Both are judged by what their scores would have raised at their own threshold: warnings, the onsets
of alarms that a warning preceded, and the warnings that no onset followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alarmstack.alarms.engine import WarningRule, activations, warning_active
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.preparation.labels import episodes, forecastable


class VersionOutput(NamedTuple):
    """The score that a version of a model gave to an interval, and the threshold it had then."""

    score: float | None
    threshold: float | None
    version: str | None


@dataclass(frozen=True)
class AssessedInterval:
    """A closed interval: values by instrument key, model outputs by column; None where missing."""

    start: datetime
    values: Mapping[str, float | None]
    in_alarm: bool
    scores: Mapping[str, float | None]
    champions: Mapping[str, VersionOutput]
    challengers: Mapping[str, VersionOutput]


@dataclass(frozen=True)
class WarningPerformance:
    """What the scores of a version would have raised on some intervals, at its newest threshold.

    `days`: time outside alarms. A warning that an onset may still follow is not a false alarm yet.
    """

    version: str | None
    threshold: float | None
    mean_score: float | None
    warnings: int
    false_alarms: int
    onsets: int
    onsets_warned: int
    share_in_warning: float
    days: float


@dataclass(frozen=True)
class ModelComparison:
    """A champion and its challenger on the same rows, the first of which starts at `since`."""

    column: str
    name: str
    since: datetime
    rows: int
    champion: WarningPerformance
    challenger: WarningPerformance


@dataclass(frozen=True)
class FalseAlarms:
    """False alarms of a forecaster in so many days outside alarms, and the budget for one day."""

    column: str
    count: int
    days: float
    budget_per_day: float


def compare(plant: Plant, intervals: Sequence[AssessedInterval]) -> list[ModelComparison]:
    """Every champion with a challenger, on the rows that the present challenger has scored."""
    comparisons = []
    for model in model_list(plant):
        column = model.column
        rows = _rows_of_newest_challenger(intervals, column)
        if not rows:
            continue
        comparisons.append(
            ModelComparison(
                column=column,
                name=model.name,
                since=rows[0].start,
                rows=len(rows),
                champion=_performance(plant, rows, [row.champions.get(column) for row in rows]),
                challenger=_performance(plant, rows, [row.challengers.get(column) for row in rows]),
            )
        )
    return comparisons


def false_alarms(plant: Plant, intervals: Sequence[AssessedInterval]) -> list[FalseAlarms]:
    """How often each forecaster in service raised a false alarm."""
    budget = plant.warnings.false_alarms_per_day
    counts = []
    for model in model_list(plant):
        if not model.horizon:
            continue
        outputs = [interval.champions.get(model.column) for interval in intervals]
        performance = _performance(plant, intervals, outputs)
        if performance.days > 0:
            counts.append(
                FalseAlarms(model.column, performance.false_alarms, performance.days, budget)
            )
    return counts


def _rows_of_newest_challenger(
    intervals: Sequence[AssessedInterval], column: str
) -> list[AssessedInterval]:
    """The intervals that the challenger of the newest interval with one has scored."""
    scored = [interval for interval in intervals if column in interval.challengers]
    if not scored:
        return []
    newest = scored[-1].challengers[column].version
    return [row for row in scored if row.challengers[column].version == newest]


def _performance(
    plant: Plant, intervals: Sequence[AssessedInterval], outputs: Sequence[VersionOutput | None]
) -> WarningPerformance:
    """What the outputs would have raised: one output, or None, for each interval."""
    present = [output for output in outputs if output is not None]
    newest = present[-1] if present else VersionOutput(None, None, None)
    scores = np.array(
        [np.nan if output is None or output.score is None else output.score for output in outputs],
        float,
    )
    in_alarm = np.array([interval.in_alarm for interval in intervals], bool)
    segment = _segments(plant, intervals)
    rule = WarningRule.of(plant, float("inf") if newest.threshold is None else newest.threshold)
    active = warning_active(rule, scores, plant.time.cadence.total_seconds(), in_alarm, segment)
    hits = _hits(plant, activations(active), in_alarm, segment)
    finite = scores[np.isfinite(scores)]
    return WarningPerformance(
        version=newest.version,
        threshold=newest.threshold,
        mean_score=float(finite.mean()) if len(finite) else None,
        warnings=hits.warnings,
        false_alarms=hits.false_alarms,
        onsets=hits.onsets,
        onsets_warned=hits.onsets_warned,
        share_in_warning=float(active.mean()) if len(active) else 0.0,
        days=float((~in_alarm).sum() * (plant.time.cadence / timedelta(days=1))),
    )


class _Hits(NamedTuple):
    warnings: int
    false_alarms: int
    onsets: int
    onsets_warned: int


def _hits(
    plant: Plant, raised: npt.NDArray[np.intp], in_alarm: Mask, segment: npt.NDArray[np.int32]
) -> _Hits:
    """Match warnings with the onsets within the longest useful lead after them.

    A warning that is raised inside an alarm episode is not judged.
    """
    alarm_episodes = episodes(in_alarm, segment, plant.rows(plant.time.quiet_gap))
    onsets = np.array([episode.first for episode in alarm_episodes if episode.onset], np.intp)
    judged = raised[forecastable(alarm_episodes, segment)[raised]]
    longest_lead = plant.rows(plant.time.longest_useful_lead)
    lead = onsets[None, :] - judged[:, None]
    useful = (lead > 0) & (lead <= longest_lead)
    complete = judged + longest_lead < len(in_alarm)
    return _Hits(
        warnings=len(judged),
        false_alarms=int((~useful.any(axis=1) & complete).sum()),
        onsets=len(onsets),
        onsets_warned=int(useful.any(axis=0).sum()),
    )


def _segments(plant: Plant, intervals: Sequence[AssessedInterval]) -> npt.NDArray[np.int32]:
    """A number for each stretch without a long gap."""
    steps = [after.start - before.start for before, after in pairwise(intervals)]
    cuts = [False, *(step > plant.time.longest_gap for step in steps)][: len(intervals)]
    return np.cumsum(cuts).astype(np.int32)


def scores_of(intervals: Sequence[AssessedInterval], column: str) -> Floats:
    """The champion's score of each interval; NaN where it has none."""
    scores = [interval.scores.get(column) for interval in intervals]
    return np.array([np.nan if score is None else score for score in scores], float)


def values_of(intervals: Sequence[AssessedInterval], key: str) -> Floats:
    """The value of an instrument in each interval; NaN where it is missing."""
    values = [interval.values.get(key) for interval in intervals]
    return np.array([np.nan if value is None else value for value in values], float)


__all__ = [
    "AssessedInterval",
    "FalseAlarms",
    "ModelComparison",
    "VersionOutput",
    "WarningPerformance",
    "compare",
    "false_alarms",
    "scores_of",
    "values_of",
]
