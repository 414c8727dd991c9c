"""Checks of the models in service as API bodies: drift, and the champion/challenger comparison.

The logic is in `alarms.retraining` and `alarms.comparison`. Here stored intervals and references
become their input, and their results become bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from alarmstack.alarms import comparison, retraining
from alarmstack.alarms.comparison import AssessedInterval, VersionOutput
from alarmstack.alarms.drift import ReferenceDistribution
from alarmstack.alarms.retraining import (
    WINDOWS,
    QuantityDrift,
    Recalibration,
    ScoreReference,
    TrainingReferences,
)
from alarmstack.core.plant import Plant, write_duration
from alarmstack.services.schemas.gateway import Comparison, Contest, Drift, Drifting, Nuisance
from alarmstack.services.schemas.inference import References, ReferenceValues
from alarmstack.storage.database.outputs import CHALLENGERS, CHAMPIONS
from alarmstack.storage.database.plant_history import Past


def drift(
    plant: Plant, past: Sequence[Past], references: References, resets: Mapping[str, Recalibration]
) -> Drift:
    """Drift of the last window of the past, instrument by instrument and model by model."""
    intervals = [assessed(interval) for interval in past]
    report = retraining.drift_report(plant, intervals, learnt(references), resets)
    return Drift(
        window=write_duration(plant.drift.window),
        rows=report.rows,
        since=report.since,
        until=report.until,
        tags=[_drifting(quantity) for quantity in report.instruments],
        models=[_drifting(quantity) for quantity in report.scores],
        nuisance=[
            Nuisance(
                column=false.column,
                false_alarms=false.count,
                days=false.days,
                budget_per_day=false.budget_per_day,
            )
            for false in report.false_alarms
        ],
        retrain=bool(report.reasons),
        reasons=report.reasons,
    )


def compare(plant: Plant, past: Sequence[Past]) -> Comparison:
    """The champion/challenger comparison of every model with a challenger."""
    models = comparison.compare(plant, [assessed(interval) for interval in past])
    return Comparison(contests=[Contest.model_validate(asdict(model)) for model in models])


def assessed(interval: Past) -> AssessedInterval:
    """A stored interval."""
    parts = interval.outputs or {}
    return AssessedInterval(
        start=interval.start,
        values=interval.row,
        in_alarm=interval.in_alarm,
        scores=parts.get("scores", {}),
        champions=_outputs(parts.get(CHAMPIONS, {})),
        challengers=_outputs(parts.get(CHALLENGERS, {})),
    )


def _outputs(stored: Mapping[str, Sequence[object] | None]) -> dict[str, VersionOutput]:
    return {
        column: VersionOutput._make(output)
        for column, output in stored.items()
        if output is not None
    }


def learnt(references: References) -> TrainingReferences:
    """The references of all models; of an instrument, that of the first model that uses it."""
    instruments: dict[str, ReferenceDistribution] = {}
    for model in references.models:
        for key, values in model.values.items():
            instruments.setdefault(key, _distribution(values))
    scores = [
        ScoreReference(model.column, model.name, _distribution(model.score))
        for model in references.models
        if model.score is not None
    ]
    return TrainingReferences(instruments, scores)


def _distribution(values: ReferenceValues) -> ReferenceDistribution:
    return ReferenceDistribution(tuple(values.edges), tuple(values.shares), values.bound)


def _drifting(quantity: QuantityDrift) -> Drifting:
    return Drifting.model_validate(asdict(quantity))


__all__ = ["WINDOWS", "Recalibration", "assessed", "compare", "drift", "learnt"]
