"""Living with models: has the plant drifted, how often did they warn for nothing, does a challenger do better?

Pure: stored intervals and what was usual in training go in, figures come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from alarmstack.alarms import WarningRule, activations, standing
from alarmstack.alarms.drift import ReferenceDistribution, psi, reference_distribution
from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Instrument, Plant, write_duration
from alarmstack.preparation.labels import episodes, forecastable
from alarmstack.services.schemas.gateway import (
    Comparison,
    Contest,
    Drift,
    Drifting,
    DriftState,
    Nuisance,
    Side,
)
from alarmstack.services.schemas.inference import Reference, References, ReferenceValues
from alarmstack.storage.database.plant_history import Past

WINDOWS = 4
"""How many windows of the past are looked through for what is usual after a recalibration, and for contests."""


@dataclass(frozen=True)
class Recalibration:
    """An instrument was recalibrated: what it said before `at` is no measure of what it says since."""

    key: str
    at: datetime
    user: str | None = None
    note: str | None = None


def drift(
    plant: Plant, past: Sequence[Past], references: References, resets: Mapping[str, Recalibration]
) -> Drift:
    """How far the last window is from training, tag by tag and model by model, and whether to train again.

    After a recalibration a tag is measured against its first window of rows since, alarms left out: what was wrong in them shall
    not become usual.
    """
    rows = plant.rows(plant.drift.window)
    recent = past[-rows:]
    population = _population(references)
    tags = [
        _tag(plant, past, recent, i, population[i.key], resets.get(i.key))
        for i in plant.modelled
        if i.key in population
    ]
    models = [_model(plant, recent, one) for one in references.models if one.score is not None]
    warned = nuisance(plant, past[-rows - plant.rows(plant.time.longest_useful_lead) :])
    reasons = _reasons(plant, tags, models, warned)
    return Drift(
        window=write_duration(plant.drift.window),
        rows=len(recent),
        since=recent[0].start if recent else None,
        until=recent[-1].start + plant.time.cadence if recent else None,
        tags=tags,
        models=models,
        nuisance=warned,
        retrain=bool(reasons),
        reasons=reasons,
    )


def nuisance(plant: Plant, past: Sequence[Past]) -> list[Nuisance]:
    """How often each forecaster warned for nothing. Warnings that may yet come true are not counted."""
    budget = plant.warnings.false_alarms_per_day
    sides = {
        one.column: _side(plant, past, [_champion(i, one.column) for i in past])
        for one in model_list(plant)
        if one.horizon
    }
    return [
        Nuisance(
            column=column, false_alarms=side.false_alarms, days=side.days, budget_per_day=budget
        )
        for column, side in sides.items()
        if side.days > 0
    ]


def compare(plant: Plant, past: Sequence[Past]) -> Comparison:
    """Champions and their challengers, on the rows that the present challenger has scored."""
    contests = []
    for one in model_list(plant):
        version = next(
            (told.version for i in reversed(past) if (told := _challenger(i, one.column))), None
        )
        rows = [i for i in past if (told := _challenger(i, one.column)) and told.version == version]
        if not rows:
            continue
        champion = _side(plant, rows, [_champion(i, one.column) for i in rows])
        challenger = _side(plant, rows, [_challenger(i, one.column) for i in rows])
        contests.append(
            Contest(
                column=one.column,
                name=one.name,
                since=rows[0].start,
                rows=len(rows),
                champion=champion,
                challenger=challenger,
            )
        )
    return Comparison(contests=contests)


class _Spoken(NamedTuple):
    """What a version said of an interval."""

    score: float | None
    threshold: float | None
    version: str | None


def _champion(interval: Past, column: str) -> _Spoken | None:
    told = (interval.said or {}).get("spoken", {}).get(column)
    return None if told is None else _Spoken(*told)


def _challenger(interval: Past, column: str) -> _Spoken | None:
    told = (interval.said or {}).get("shadows", {}).get(column)
    return None if told is None else _Spoken(*told)


def _side(plant: Plant, past: Sequence[Past], spoken: Sequence[_Spoken | None]) -> Side:
    """What a series of scores would have raised at its last threshold: warnings, those an alarm followed, those that none did."""
    last = next((told for told in reversed(spoken) if told is not None), _Spoken(None, None, None))
    values = np.array(
        [np.nan if told is None or told.score is None else told.score for told in spoken], float
    )
    alarm = np.array([interval.in_alarm for interval in past], bool)
    rule = WarningRule.of(plant, float("inf") if last.threshold is None else last.threshold)
    on = standing(rule, values, plant.time.cadence.total_seconds(), alarm, _segments(plant, past))
    began = activations(on)
    longest = plant.rows(plant.time.longest_useful_lead)
    found = episodes(alarm, _segments(plant, past), plant.rows(plant.time.quiet_gap))
    onsets = np.array([one.first for one in found if one.onset], np.intp)
    began = began[forecastable(found, _segments(plant, past))[began]]
    ahead = onsets[None, :] - began[:, None]
    follows = (ahead > 0) & (ahead <= longest)
    false = ~follows.any(axis=1) & (began + longest < len(past))
    known = values[np.isfinite(values)]
    return Side(
        version=last.version,
        threshold=last.threshold,
        mean_score=float(known.mean()) if len(known) else None,
        warnings=len(began),
        false_alarms=int(false.sum()),
        onsets=len(onsets),
        onsets_warned=int(follows.any(axis=0).sum()),
        share_in_warning=float(on.mean()) if len(on) else 0.0,
        days=float((~alarm).sum() * (plant.time.cadence / timedelta(days=1))),
    )


def _tag(
    plant: Plant,
    past: Sequence[Past],
    recent: Sequence[Past],
    instrument: Instrument,
    known: ReferenceValues,
    reset: Recalibration | None,
) -> Drifting:
    key, title = instrument.key, instrument.title
    if reset is None:
        return _drifting(key, title, _values(recent, key), _as_usual(known), None)
    rows = plant.rows(plant.drift.window)
    since = [one for one in past if one.start >= reset.at and not one.in_alarm]
    own = reference_distribution(_values(since, key)[: 2 * rows], rows)
    if own is None:
        return Drifting(
            key=key,
            title=title,
            psi=None,
            bound=known.bound,
            state="learning",
            recalibrated_at=reset.at,
        )
    bound = ReferenceDistribution(own.edges, own.shares, max(own.bound, known.bound))
    return _drifting(
        key, title, _values([one for one in recent if one.start >= reset.at], key), bound, reset.at
    )


def _model(plant: Plant, recent: Sequence[Past], one: Reference) -> Drifting:
    assert one.score is not None
    scores = [(interval.said or {}).get("scores", {}).get(one.column) for interval in recent]
    return _drifting(
        one.column,
        one.name,
        np.array([np.nan if s is None else s for s in scores], float),
        _as_usual(one.score),
        None,
    )


def _drifting(
    key: str,
    title: str,
    values: Floats,
    reference: ReferenceDistribution,
    recalibrated_at: datetime | None,
) -> Drifting:
    few = np.isfinite(values).sum() < 2 * (len(reference.edges) + 1)
    reached = None if few else psi(reference, values)
    state: DriftState = (
        "few rows" if reached is None else "drifted" if reached > reference.bound else "usual"
    )
    return Drifting(
        key=key,
        title=title,
        psi=reached,
        bound=reference.bound,
        state=state,
        recalibrated_at=recalibrated_at,
    )


def _reasons(
    plant: Plant, tags: Sequence[Drifting], models: Sequence[Drifting], warned: Sequence[Nuisance]
) -> list[str]:
    """Why a new training is worth it; empty where it is not."""
    moved = [one.key for one in tags if one.state == "drifted"]
    reasons = (
        [f"{len(moved)} instruments have drifted: {', '.join(moved)}"]
        if len(moved) >= plant.drift.tags
        else []
    )
    scores = [one.key for one in models if one.state == "drifted"]
    reasons += (
        [f"{len(scores)} scores have drifted: {', '.join(scores)}"]
        if len(scores) >= plant.drift.models
        else []
    )
    for one in warned:
        allowed = plant.drift.nuisance * one.budget_per_day * one.days
        if one.false_alarms > allowed + np.sqrt(allowed):
            reasons.append(
                f"{one.column} warned {one.false_alarms} times for nothing in {one.days:.0f} days; "
                f"{one.budget_per_day * one.days:.0f} were allowed"
            )
    return reasons


def _population(references: References) -> dict[str, ReferenceValues]:
    """What was usual for each instrument, as the first model that knows it has learnt it."""
    found: dict[str, ReferenceValues] = {}
    for one in references.models:
        found = {**one.values, **found}
    return found


def _as_usual(told: ReferenceValues) -> ReferenceDistribution:
    return ReferenceDistribution(tuple(told.edges), tuple(told.shares), told.bound)


def _values(past: Sequence[Past], key: str) -> Floats:
    return np.array([np.nan if one.row.get(key) is None else one.row[key] for one in past], float)


def _segments(plant: Plant, past: Sequence[Past]) -> np.ndarray:
    """A number for each stretch without a long gap."""
    starts = [one.start for one in past]
    cuts = [False, *(b - a > plant.time.longest_gap for a, b in pairwise(starts))][: len(starts)]
    return np.cumsum(cuts).astype(np.int32)


__all__ = ["WINDOWS", "Recalibration", "compare", "drift", "nuisance"]
