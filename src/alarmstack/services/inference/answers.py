"""Results of the models, as pure functions of a request and the loaded models."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np

from alarmstack.alarms.drift import SCORE
from alarmstack.alarms.wording import forecast_verdict
from alarmstack.core.errors import (
    FeatureError,
    NoModelError,
    NotPromotedError,
    ObservationError,
)
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.model_list import NORMALITY, OPERATING, ModelEntry
from alarmstack.core.plant import Instrument, Plant, duration_in_hours, write_duration
from alarmstack.core.tasks import reason_of
from alarmstack.features.matrix import GROUPS, build, source_of
from alarmstack.features.wording import in_words
from alarmstack.models.contributions import explain, importance
from alarmstack.models.normality import Assessed, NormalModel
from alarmstack.preparation.derived import any_rule, column, holds
from alarmstack.registry import Bundle
from alarmstack.services.inference.shelf import LoadedModel, Shelf
from alarmstack.services.schemas.inference import (
    Assessment,
    Contribution,
    Driver,
    Explanation,
    Forecast,
    Importance,
    Importances,
    Inputs,
    ModelOutput,
    Prediction,
    Recommendation,
    Reference,
    References,
    ReferenceValues,
    RuleState,
    Shadowed,
    TagQuality,
)
from alarmstack.services.schemas.observations import Observation, to_block, to_instant

log = logging.getLogger(__name__)
DRIVERS = 5
"""Contributions that are listed for each score."""
SHOWN = 5
"""Inputs that an error message names."""
URGENT_COUNT, URGENT_RISK = 5, 0.8
RAISED_COUNT, RAISED_RISK = 3, 0.6
FLAT_ROWS = 24
"""Rows with readings and without any change after which an instrument counts as flat."""


def predict(shelf: Shelf, features: Mapping[str, float | None]) -> Prediction:
    """Risk of one row of features, of which any may be missing.

    Raises FeatureError for unknown names, and NoModelError if the plant has no such model.
    """
    loaded, ranges = predictor(shelf), shelf.ranges
    bundle = loaded.bundle
    row = _row(bundle, features)
    missing, of = bundle.missing(row[0]), len(bundle.names)
    given = of - len(missing)
    score = float(bundle.score(row)[0])
    threshold = bundle.thresholds.get(OPERATING)
    # Requested thousands of times a second: the types are known, so they are not validated again.
    return Prediction.model_construct(
        inputs=Inputs.model_construct(given=given, of=of, text=_counted(given, of)),
        risk_score=score,
        alarm=_alarm(score, threshold),
        threshold=threshold,
        missing=missing,
        out_of_range=[
            name
            for name, value in features.items()
            if value is not None
            and name in ranges
            and not ranges[name][0] <= value <= ranges[name][1]
        ],
        model=loaded.ref,
    )


def predictor(shelf: Shelf) -> LoadedModel:
    """The model that answers /predict. Raises NoModelError if the plant has none."""
    if not shelf.predictor:
        raise NoModelError(
            f"{shelf.plant.name} has no model of the risk now: its plant.toml has no limit rules "
            "and no operator log to learn from"
        )
    return shelf.model(shelf.predictor)


def _row(bundle: Bundle, features: Mapping[str, float | None]) -> Floats:
    """A matrix of one row of features.

    Raises FeatureError for unknown names, and where no feature has a value.
    """
    row = bundle.row(features)
    if all(value is None for value in features.values()):
        some = ", ".join(bundle.names[:SHOWN])
        raise FeatureError(
            f"no input has a value: give at least one, such as {some} (GET /importance lists all)"
        )
    return row


def _counted(given: int, of: int) -> str:
    rest = "" if given == of else f"; the other {of - given} count as missing"
    return f"{given} of {of} inputs had a value{rest}."


def forecast(
    plant: Plant, shelf: Shelf, horizon: timedelta, rows: Sequence[Observation]
) -> Forecast:
    """Probability that an alarm begins within the horizon after the last row.

    Raises NoModelError if the plant has no forecaster, and ObservationError for a horizon without
    one, for too few rows, and for rows that are not valid.
    """
    loaded = shelf.model(_forecaster(shelf, horizon).name)
    block = _window(plant, rows)
    matrix = build(plant, block, "window")[-1:]
    score = float(loaded.bundle.score(matrix)[0])
    threshold = loaded.bundle.thresholds.get(OPERATING)
    quality = _quality(plant, block)
    in_alarm_now = bool(any_rule(plant, block)[-1])
    return Forecast(
        anomaly_probability=score,
        alarm=_alarm(score, threshold),
        horizon=write_duration(horizon),
        horizon_hours=duration_in_hours(horizon),
        n_observations=len(rows),
        in_alarm_now=in_alarm_now,
        threshold=threshold,
        known_at=_known_at(block),
        missing=loaded.bundle.missing(matrix[0]),
        out_of_range=[q.key for q in quality if q.status == "out_of_range"],
        stale=[q.key for q in quality if q.status == "stale"],
        model=loaded.ref,
        text=forecast_verdict(score, threshold, horizon, in_alarm_now),
    )


def recommend(failure_frequency: float, risk: float) -> Recommendation:
    """A recommendation in one of three levels of urgency."""
    if failure_frequency >= URGENT_COUNT and risk >= URGENT_RISK:
        text = (
            "High urgency: inspect and correct within 24 hours; limits were exceeded often and "
            "the risk is high."
        )
        return Recommendation(recommendation=text, urgency="high")
    if failure_frequency >= RAISED_COUNT or risk >= RAISED_RISK:
        text = (
            "Medium urgency: schedule an inspection for the next shift and watch the drivers of "
            "the risk."
        )
        return Recommendation(recommendation=text, urgency="medium")
    return Recommendation(recommendation="Low urgency: continue normal monitoring.", urgency="low")


def explain_features(
    plant: Plant, loaded: LoadedModel, features: Mapping[str, float | None]
) -> Explanation:
    """Contributions of the inputs to the champion's score of one row of features."""
    return _explanation(plant, loaded, _row(loaded.bundle, features)[0])


def explain_window(
    plant: Plant, shelf: Shelf, horizon: timedelta, rows: Sequence[Observation]
) -> Explanation:
    """Contributions of the inputs to a forecaster's score of a window."""
    loaded = shelf.model(_forecaster(shelf, horizon).name)
    return _explanation(plant, loaded, build(plant, _window(plant, rows), "window")[-1])


def explain_normality(plant: Plant, shelf: Shelf, rows: Sequence[Observation]) -> Explanation:
    """Contributions of the tags to the last row's distance from normal.

    Raises ObservationError if the plant has no normal-behaviour model, or if the rows are too few.
    """
    name = next((one.name for one in shelf.entries if one.column == NORMALITY), None)
    if name is None:
        raise ObservationError(
            "give a horizon: this plant has no normal-behaviour model to explain "
            "([normality] in plant.toml)"
        )
    loaded = shelf.model(name)
    assert loaded.normal is not None, "a Bundle under this name holds a normal-behaviour model"
    block = to_block(plant, rows)
    assessed = loaded.normal(block)
    score = float(assessed.score[-1])
    if np.isnan(score):
        raise ObservationError(
            f"{len(rows)} rows are not enough to score the last one: send more rows, or rows with "
            "values"
        )
    contributions = _tags(plant, loaded.normal, block, assessed)
    return Explanation(
        score=score,
        score_on_scale=score,
        base_value=score - sum(c.contribution for c in contributions),
        scale="score",
        method="share of each tag in the evidence",
        contributions=contributions,
        model=loaded.ref,
    )


def importances(plant: Plant, loaded: LoadedModel) -> Importances:
    """How much each feature matters to a model."""
    bundle = loaded.bundle
    if loaded.normal is not None:
        shares, method = (
            loaded.normal.usual_shares,
            "share of each tag in the evidence of normal rows",
        )
    else:
        shares, method = importance(bundle.native_form, bundle.native)
    order = np.argsort(-shares, kind="stable")
    # The inputs of the normal-behaviour model are tags, those of the other models are features.
    keys = [name.lower() for name in bundle.names]
    features = [
        Importance(
            feature=bundle.names[i],
            key=source_of(plant, keys[i]),
            share=float(shares[i]),
            text=in_words(plant, keys[i])[0],
        )
        for i in order
    ]
    return Importances(model=loaded.ref, method=method, features=features)


def assess(plant: Plant, shelf: Shelf, rows: Sequence[Observation]) -> Assessment:
    """The output of every model for the last row.

    A model without an output is listed with the reason.
    """
    block = to_block(plant, rows)
    matrices = _matrices(plant, shelf, block)
    model_outputs, drivers = [], []
    for entry in shelf.entries:
        try:
            loaded = shelf.model(entry.name)
            output, own_drivers = _output(plant, entry, loaded, block, matrices)
        except NotPromotedError as error:
            output, own_drivers = _without_output(shelf, entry, str(error)), []
        except Exception as error:
            # One model that fails does not affect the others.
            log.exception("%s failed", entry.name)
            reason = f"{entry.name} failed: {reason_of(error)}"
            output, own_drivers = _without_output(shelf, entry, reason), []
        model_outputs.append(output)
        drivers += own_drivers
    return Assessment(
        timestamp=to_instant(block.start[-1]),
        known_at=_known_at(block),
        n_intervals=len(rows),
        in_alarm_now=bool(any_rule(plant, block)[-1]),
        models=model_outputs,
        shadows=list(_shadows(shelf, block, matrices)),
        drivers=drivers,
        rules=list(_rules(plant, block)),
        quality=_quality(plant, block),
    )


def _matrices(plant: Plant, shelf: Shelf, block: IntervalBlock) -> dict[str, Floats]:
    """The last row's features, [1, features] for each group that a loaded model uses."""
    loaded = (*shelf.loaded.values(), *shelf.shadows.values())
    used = {model.bundle.group for model in loaded}
    return {group: build(plant, block, group)[-1:] for group in GROUPS if group in used}


def _output(
    plant: Plant,
    entry: ModelEntry,
    loaded: LoadedModel,
    block: IntervalBlock,
    matrices: Mapping[str, Floats],
) -> tuple[ModelOutput, list[Driver]]:
    """One model's output for the last row, and its main drivers."""
    if loaded.normal is not None:
        assessed = loaded.normal(block)
        missing = _missing_tags(loaded.normal, block)
        output = _scored(entry, loaded, assessed.score[-1:], missing)
        return output, _deviating(plant, entry, loaded.normal, block, assessed)
    matrix = matrices[loaded.bundle.group]
    missing = loaded.bundle.missing(matrix[0])
    output = _scored(entry, loaded, loaded.bundle.score(matrix), missing)
    return output, _drivers(plant, entry, loaded, matrix[0])


def _without_output(shelf: Shelf, entry: ModelEntry, reason: str) -> ModelOutput:
    not_promoted = entry.name in shelf.not_promoted and entry.name not in shelf.loaded
    return _about(entry).model_copy(update={"reason": reason, "not_promoted": not_promoted})


def _shadows(
    shelf: Shelf, block: IntervalBlock, matrices: Mapping[str, Floats]
) -> Iterator[Shadowed]:
    """The challengers' scores of the last row. One that fails is left out."""
    shadows = shelf.shadows
    for entry in shelf.entries:
        if entry.name in shadows:
            try:
                yield _shadowed(entry, shadows[entry.name], block, matrices)
            except Exception:
                log.exception("the challenger of %s failed", entry.name)


def _forecaster(shelf: Shelf, horizon: timedelta) -> ModelEntry:
    by_horizon = {entry.horizon: entry for entry in shelf.entries if entry.horizon is not None}
    if not by_horizon:
        raise NoModelError(
            f"{shelf.plant.name} has no forecaster: forecasters need labels (limit rules or an "
            "operator log) and time.horizons in plant.toml"
        )
    if horizon not in by_horizon:
        allowed = ", ".join(map(write_duration, by_horizon))
        raise ObservationError(
            f"horizon {write_duration(horizon)} is unknown: use one of {allowed}"
        )
    return by_horizon[horizon]


def _window(plant: Plant, rows: Sequence[Observation]) -> IntervalBlock:
    needed = plant.rows(plant.time.window)
    if len(rows) < needed:
        raise ObservationError(
            f"{len(rows)} rows: a forecast needs at least {needed}, one every "
            f"{write_duration(plant.time.cadence)}, oldest first"
        )
    block = to_block(plant, rows)
    if np.isnan(block.values).all():
        raise ObservationError(
            "no row has a value: send values of the instruments, such as those of "
            "GET /sensors/intervals"
        )
    return block


def _scored(
    entry: ModelEntry, loaded: LoadedModel, scores: Floats, missing: list[str]
) -> ModelOutput:
    """A model's output from its scores of the last row: [1] or [1, classes]."""
    bundle = loaded.bundle
    threshold = bundle.thresholds.get(OPERATING)
    classes = (
        {name: float(p) for name, p in zip(bundle.classes, scores[0], strict=True)}
        if bundle.classes
        else None
    )
    score = None if bundle.classes or np.isnan(scores[0]) else float(scores[0])
    alarm = None if score is None or bundle.kind == "value" else _alarm(score, threshold)
    return _about(entry).model_copy(
        update={
            "score": score,
            "probabilities": classes,
            "threshold": threshold,
            "alarm": alarm,
            "missing": missing,
            "model": loaded.ref,
        }
    )


def _shadowed(
    entry: ModelEntry, loaded: LoadedModel, block: IntervalBlock, matrices: Mapping[str, Floats]
) -> Shadowed:
    """A challenger's score of the last row."""
    if loaded.normal is not None:
        score = float(loaded.normal(block).score[-1])
    else:
        scores = loaded.bundle.score(matrices[loaded.bundle.group])[0]
        score = float("nan") if loaded.bundle.classes else float(scores)
    return Shadowed(
        column=entry.column,
        version=loaded.version,
        score=None if np.isnan(score) else score,
        threshold=loaded.bundle.thresholds.get(OPERATING),
    )


def references(shelf: Shelf) -> References:
    """The reference distributions of the loaded models."""
    models = []
    for entry in shelf.entries:
        loaded = shelf.loaded.get(entry.name)
        if loaded is not None:
            values = {
                key: ReferenceValues(**asdict(distribution))
                for key, distribution in loaded.bundle.reference.items()
            }
            score = values.pop(SCORE, None)
            models.append(
                Reference(
                    name=entry.name,
                    column=entry.column,
                    version=loaded.version,
                    score=score,
                    values=values,
                )
            )
    return References(models=models)


def _about(entry: ModelEntry) -> ModelOutput:
    """The output of a model before it has a score."""
    return ModelOutput(
        name=entry.name,
        column=entry.column,
        title=entry.title,
        kind=entry.kind,
        horizon=entry.horizon_text,
        horizon_hours=entry.horizon_hours,
        unit=entry.unit,
    )


def _missing_tags(model: NormalModel, block: IntervalBlock) -> list[str]:
    """Keys of the monitored instruments that have no value in the last row."""
    return [tag.lower() for tag in model.tags if np.isnan(block.statistic(tag)[-1])]


def _deviating(
    plant: Plant, entry: ModelEntry, model: NormalModel, block: IntervalBlock, assessed: Assessed
) -> list[Driver]:
    """The tags that contribute most to a distance from normal."""
    return [
        Driver(**c.model_dump(), column=entry.column)
        for c in _tags(plant, model, block, assessed)[:DRIVERS]
    ]


def _tags(
    plant: Plant, model: NormalModel, block: IntervalBlock, assessed: Assessed
) -> list[Contribution]:
    """Each tag's part of the score of the last row, largest first."""
    parts = assessed.shares[-1] * assessed.score[-1]
    values = [float(block.statistic(tag)[-1]) for tag in model.tags]
    order = [i for i in np.argsort(-parts, kind="stable") if parts[i] > 0]
    return [
        _contribution(plant, plant.instrument(model.tags[i]).key, values[i], parts[i])
        for i in order
    ]


def _drivers(plant: Plant, entry: ModelEntry, loaded: LoadedModel, row: Floats) -> list[Driver]:
    """The inputs that raised the score of an alarm model most."""
    if entry.kind != "probability":
        return []
    bundle = loaded.bundle
    shares = explain(bundle.native_form, bundle.native, bundle.kind, row)
    sizes = shares.contributions
    raising = [i for i in _by_size(sizes) if sizes[i] > 0][:DRIVERS]
    largest = [_contribution(plant, bundle.names[i], row[i], sizes[i]) for i in raising]
    return [Driver(**c.model_dump(), column=entry.column) for c in largest]


def _explanation(plant: Plant, loaded: LoadedModel, row: Floats) -> Explanation:
    bundle = loaded.bundle
    shares = explain(bundle.native_form, bundle.native, bundle.kind, row)
    return Explanation(
        score=float(bundle.score(row[None])[0]),
        score_on_scale=shares.total,
        base_value=shares.base,
        scale=shares.scale,
        method=shares.method,
        contributions=[
            _contribution(plant, bundle.names[i], row[i], shares.contributions[i])
            for i in _by_size(shares.contributions)
        ],
        model=loaded.ref,
    )


def _by_size(contributions: Floats) -> list[int]:
    """Places of the contributions that are not 0, largest first."""
    return [
        i
        for i in np.argsort(-np.abs(contributions), kind="stable").tolist()
        if contributions[i] != 0
    ]


def _contribution(plant: Plant, feature: str, value: float, size: float) -> Contribution:
    """One input's contribution to a score; a `value` of NaN is missing."""
    words, unit = in_words(plant, feature)
    known = None if np.isnan(value) else float(value)
    shown = "missing" if known is None else f"{known:.4g} {unit}".strip().replace("-", "−")
    return Contribution(
        feature=feature,
        key=source_of(plant, feature),
        value=known,
        contribution=float(size),
        text=f"{words}: {shown}",
    )


def _rules(plant: Plant, block: IntervalBlock) -> Iterator[RuleState]:
    for rule in plant.labels.rules:
        value = float(column(plant, block, rule.column)[-1])
        met = bool(holds(plant, block, rule)[-1])
        known = None if np.isnan(value) else value
        yield RuleState(
            name=rule.name,
            column=rule.column,
            value=known,
            above=rule.limit,
            unit=rule.unit,
            met=met,
            low=rule.low,
        )


def _quality(plant: Plant, block: IntervalBlock) -> list[TagQuality]:
    return [_quality_of(plant, block, instrument) for instrument in plant.modelled]


def _quality_of(plant: Plant, block: IntervalBlock, instrument: Instrument) -> TagQuality:
    at = block.signals.index(instrument.tag)
    value, age = float(block.statistic(instrument.tag)[-1]), float(block.age[-1, at])
    known = None if np.isnan(age) else age
    if np.isnan(value):
        stale = known is not None and known > instrument.stale_after.total_seconds()
        return TagQuality(
            key=instrument.key,
            status="stale" if stale else "missing",
            value=None,
            age_seconds=known,
        )
    low, high = instrument.range
    if not low <= value <= high:
        return TagQuality(key=instrument.key, status="out_of_range", value=value, age_seconds=known)
    if instrument.saturated_above is not None and value > instrument.saturated_above:
        return TagQuality(key=instrument.key, status="saturated", value=value, age_seconds=known)
    recent = slice(-FLAT_ROWS, None)
    has_readings = (block.count[recent, at] > 0).all() and len(block) >= FLAT_ROWS
    flat = bool(has_readings and np.ptp(block.values[recent, at]) == 0)
    return TagQuality(
        key=instrument.key, status="flat" if flat else "good", value=value, age_seconds=known
    )


def _known_at(block: IntervalBlock) -> datetime | None:
    start = to_instant(block.start[-1])
    return None if start is None else start + block.cadence


def _alarm(score: float, threshold: float | None) -> int:
    return int(threshold is not None and score >= threshold)


__all__ = [
    "assess",
    "explain_features",
    "explain_normality",
    "explain_window",
    "forecast",
    "importances",
    "predict",
    "recommend",
    "references",
]
