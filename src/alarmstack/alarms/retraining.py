"""Whether the models should be trained again: drift of the plant, and too many false alarms.

`drift` measures one quantity. Here the last days of every instrument and of every model's score are
measured against training, and the reasons for a new training are collected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from alarmstack.alarms.comparison import (
    AssessedInterval,
    FalseAlarms,
    false_alarms,
    scores_of,
    values_of,
)
from alarmstack.alarms.drift import ReferenceDistribution, psi, reference_distribution
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Instrument, Plant

WINDOWS = 4
"""Drift windows of the past that are read.

After a recalibration an instrument needs one for its new reference; comparisons use them all.
"""
ROWS_PER_BIN = 2
"""Rows that a PSI needs for each bin of its reference."""
DriftState = Literal["usual", "drifted", "learning", "few rows"]
"""`usual`: no drift; `learning`: recalibrated, too few rows since. API bodies use these values."""


@dataclass(frozen=True)
class Recalibration:
    """An instrument was recalibrated at `at`: earlier values are no reference for later ones."""

    key: str
    at: datetime
    user: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class ScoreReference:
    """The reference distribution of a model's score."""

    column: str
    name: str
    distribution: ReferenceDistribution


@dataclass(frozen=True)
class TrainingReferences:
    """Reference distributions of instruments by key, and of the scores of models."""

    instruments: Mapping[str, ReferenceDistribution] = field(default_factory=dict)
    scores: Sequence[ScoreReference] = ()


@dataclass(frozen=True)
class QuantityDrift:
    """The PSI of an instrument or a score. Above `bound` it has drifted. None: too few rows."""

    key: str
    title: str
    psi: float | None
    bound: float
    state: DriftState
    recalibrated_at: datetime | None = None


@dataclass(frozen=True)
class DriftReport:
    """Drift of the last `rows` rows, false alarms, and the reasons to train again, if any."""

    rows: int
    since: datetime | None
    until: datetime | None
    instruments: list[QuantityDrift]
    scores: list[QuantityDrift]
    false_alarms: list[FalseAlarms]
    reasons: list[str]


def drift_report(
    plant: Plant,
    intervals: Sequence[AssessedInterval],
    references: TrainingReferences,
    recalibrations: Mapping[str, Recalibration],
) -> DriftReport:
    """Measure the last window of the intervals, oldest first, against training.

    After a recalibration an instrument is measured against its first windows of rows since, without
    rows in alarm: faulty values must not become the reference.
    """
    rows = plant.rows(plant.drift.window)
    recent = intervals[-rows:]
    instruments = [
        _instrument_drift(
            plant,
            intervals,
            instrument,
            references.instruments[instrument.key],
            recalibrations.get(instrument.key),
        )
        for instrument in plant.modelled
        if instrument.key in references.instruments
    ]
    scores = [
        _measured(score.column, score.name, scores_of(recent, score.column), score.distribution)
        for score in references.scores
    ]
    lead_rows = plant.rows(plant.time.longest_useful_lead)
    false = false_alarms(plant, intervals[-rows - lead_rows :])
    return DriftReport(
        rows=len(recent),
        since=recent[0].start if recent else None,
        until=recent[-1].start + plant.time.cadence if recent else None,
        instruments=instruments,
        scores=scores,
        false_alarms=false,
        reasons=_reasons(plant, instruments, scores, false),
    )


def _instrument_drift(
    plant: Plant,
    intervals: Sequence[AssessedInterval],
    instrument: Instrument,
    reference: ReferenceDistribution,
    recalibration: Recalibration | None,
) -> QuantityDrift:
    key, title = instrument.key, instrument.title
    rows = plant.rows(plant.drift.window)
    recent = intervals[-rows:]
    if recalibration is None:
        return _measured(key, title, values_of(recent, key), reference)
    at = recalibration.at
    normal = [one for one in intervals if one.start >= at and not one.in_alarm]
    own = reference_distribution(values_of(normal, key)[: 2 * rows], rows)
    if own is None:
        return QuantityDrift(key, title, None, reference.bound, "learning", at)
    wider = ReferenceDistribution(own.edges, own.shares, max(own.bound, reference.bound))
    recent_since = [one for one in recent if one.start >= at]
    return _measured(key, title, values_of(recent_since, key), wider, at)


def _measured(
    key: str,
    title: str,
    values: Floats,
    reference: ReferenceDistribution,
    recalibrated_at: datetime | None = None,
) -> QuantityDrift:
    """The drift of a quantity [rows] from its reference."""
    bins = len(reference.edges) + 1
    if np.isfinite(values).sum() < ROWS_PER_BIN * bins:
        return QuantityDrift(key, title, None, reference.bound, "few rows", recalibrated_at)
    index = psi(reference, values)
    state: DriftState = "drifted" if index > reference.bound else "usual"
    return QuantityDrift(key, title, index, reference.bound, state, recalibrated_at)


def _reasons(
    plant: Plant,
    instruments: Sequence[QuantityDrift],
    scores: Sequence[QuantityDrift],
    false: Sequence[FalseAlarms],
) -> list[str]:
    """Why a new training is needed; empty where it is not."""
    reasons = []
    drifted_instruments = [one.key for one in instruments if one.state == "drifted"]
    if len(drifted_instruments) >= plant.drift.tags:
        keys = ", ".join(drifted_instruments)
        reasons.append(f"{len(drifted_instruments)} instruments have drifted: {keys}")
    drifted_scores = [one.key for one in scores if one.state == "drifted"]
    if len(drifted_scores) >= plant.drift.models:
        reasons.append(f"{len(drifted_scores)} scores have drifted: {', '.join(drifted_scores)}")
    for one in false:
        budget = one.budget_per_day * one.days
        tolerated = plant.drift.nuisance * budget
        # A count scatters by its square root around what is expected (Poisson).
        if one.count > tolerated + np.sqrt(tolerated):
            reasons.append(
                f"{one.column} raised {one.count} false alarms in {one.days:.0f} days; "
                f"the budget is {budget:.0f}"
            )
    return reasons


__all__ = [
    "WINDOWS",
    "DriftReport",
    "QuantityDrift",
    "Recalibration",
    "ScoreReference",
    "TrainingReferences",
    "drift_report",
]
