"""What the models say, as pure functions: a request and the models in, an answer out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np

from alarmstack.derived import any_rule, column, holds
from alarmstack.errors import NotPromotedError, ObservationError
from alarmstack.features import GROUPS, build, source_of
from alarmstack.inference.shelf import Shelf, Speaker, horizon_hours
from alarmstack.inference.wording import in_words
from alarmstack.intervals import Floats, IntervalBlock
from alarmstack.models import Recipe
from alarmstack.models.contributions import Shares, explain, importance
from alarmstack.plant import Instrument, Plant
from alarmstack.registry import KINDS, Bundle
from alarmstack.wire.observations import Observation, moment, to_block
from alarmstack.wire.scoring import (
    Assessment,
    Contribution,
    Driver,
    Explanation,
    Forecast,
    Importance,
    Importances,
    Prediction,
    Recommendation,
    RuleState,
    Said,
    TagQuality,
)

OPERATING = "operating"
DRIVERS = 5
"""Contributions that are named for each score."""
URGENT_COUNT, URGENT_RISK = 5, 0.8
RAISED_COUNT, RAISED_RISK = 3, 0.6
FLAT_ROWS = 24
"""Rows with readings and not the least change after which an instrument counts as flat."""


def predict(shelf: Shelf, features: Mapping[str, float | None]) -> Prediction:
    """Risk of one row of features, of which any may be missing. Raises FeatureError for unknown names."""
    speaker, ranges = shelf.speaker(shelf.predictor), shelf.ranges
    bundle = speaker.bundle
    score = float(bundle.score(bundle.row(features))[0])
    threshold = bundle.thresholds.get(OPERATING)
    # Asked thousands of times a second, and of types that need no second look.
    return Prediction.model_construct(
        risk_score=score,
        alarm=_alarm(score, threshold),
        threshold=threshold,
        missing=[name for name in bundle.names if features.get(name) is None],
        out_of_range=[
            name
            for name, value in features.items()
            if value is not None and name in ranges and not ranges[name][0] <= value <= ranges[name][1]
        ],
        model=speaker.spoke,
    )


def forecast(plant: Plant, shelf: Shelf, horizon: int, rows: Sequence[Observation]) -> Forecast:
    """Probability that an alarm begins within the horizon after the last row.

    Raises ObservationError for a horizon that has no forecaster, and for rows that cannot be taken or are too few.
    """
    speaker = shelf.speaker(_forecaster(shelf, horizon).name)
    block = _window(plant, rows)
    matrix = build(plant, block, "window")[-1:]
    score = float(speaker.bundle.score(matrix)[0])
    threshold = speaker.bundle.thresholds.get(OPERATING)
    quality = _quality(plant, block)
    return Forecast(
        anomaly_probability=score,
        alarm=_alarm(score, threshold),
        horizon_hours=horizon,
        n_observations=len(rows),
        in_alarm_now=bool(any_rule(plant, block)[-1]),
        threshold=threshold,
        known_at=_known_at(block),
        missing=_missing(speaker.bundle, matrix[0]),
        out_of_range=[q.key for q in quality if q.status == "out_of_range"],
        stale=[q.key for q in quality if q.status == "stale"],
        model=speaker.spoke,
    )


def recommend(failure_frequency: float, risk: float) -> Recommendation:
    """What to do: the founding text's three rungs."""
    if failure_frequency >= URGENT_COUNT and risk >= URGENT_RISK:
        text = "High urgency: inspect and correct within 24 hours; limits were broken often and the risk is high."
        return Recommendation(recommendation=text, urgency="high")
    if failure_frequency >= RAISED_COUNT or risk >= RAISED_RISK:
        text = "Medium urgency: schedule an inspection for the next shift and watch the drivers of the risk."
        return Recommendation(recommendation=text, urgency="medium")
    return Recommendation(recommendation="Low urgency: continue normal monitoring.", urgency="low")


def explain_features(plant: Plant, speaker: Speaker, features: Mapping[str, float | None]) -> Explanation:
    """Why the champion scored a row of features as it did."""
    return _explanation(plant, speaker, speaker.bundle.row(features)[0])


def explain_window(plant: Plant, shelf: Shelf, horizon: int, rows: Sequence[Observation]) -> Explanation:
    """Why a forecaster scored a window as it did."""
    speaker = shelf.speaker(_forecaster(shelf, horizon).name)
    return _explanation(plant, speaker, build(plant, _window(plant, rows), "window")[-1])


def importances(plant: Plant, speaker: Speaker) -> Importances:
    """How much each feature matters to a model."""
    bundle = speaker.bundle
    shares, method = importance(bundle.native_form, bundle.native)
    order = np.argsort(-shares, kind="stable")
    features = [Importance(feature=bundle.names[i], key=source_of(plant, bundle.names[i]), share=float(shares[i])) for i in order]
    return Importances(model=speaker.spoke, method=method, features=features)


def assess(plant: Plant, shelf: Shelf, rows: Sequence[Observation]) -> Assessment:
    """What every model says of the last row. A model that cannot speak is listed with the reason."""
    block = to_block(plant, rows)
    matrices = {group: build(plant, block, group)[-1:] for group in GROUPS}
    said, drivers = [], []
    for recipe in shelf.recipes:
        matrix = matrices[recipe.group]
        try:
            speaker = shelf.speaker(recipe.name)
        except NotPromotedError as error:
            said.append(_silent(plant, recipe, str(error)))
            continue
        said.append(_said(plant, recipe, speaker, matrix))
        drivers += _drivers(plant, recipe, speaker, matrix[0])
    return Assessment(
        timestamp=moment(block.start[-1]),
        known_at=_known_at(block),
        n_intervals=len(rows),
        in_alarm_now=bool(any_rule(plant, block)[-1]),
        models=said,
        drivers=drivers,
        rules=list(_rules(plant, block)),
        quality=_quality(plant, block),
    )


def _forecaster(shelf: Shelf, horizon: int) -> Recipe:
    known = {horizon_hours(recipe): recipe for recipe in shelf.recipes if recipe.horizon is not None}
    if horizon not in known:
        raise ObservationError(f"horizon {horizon} is unknown: use one of {', '.join(str(h) for h in known)} (hours)")
    return known[horizon]


def _window(plant: Plant, rows: Sequence[Observation]) -> IntervalBlock:
    needed = plant.rows(plant.time.window)
    if len(rows) < needed:
        raise ObservationError(f"{len(rows)} rows: a forecast needs at least {needed}, one a {plant.time.cadence}, oldest first")
    return to_block(plant, rows)


def _said(plant: Plant, recipe: Recipe, speaker: Speaker, matrix: Floats) -> Said:
    bundle = speaker.bundle
    scores = bundle.score(matrix)[0]
    threshold = bundle.thresholds.get(OPERATING)
    classes = {name: float(p) for name, p in zip(bundle.classes, scores, strict=True)} if bundle.classes else None
    score = None if bundle.classes else float(scores)
    judged = score is not None and bundle.kind != "value"
    return _about(plant, recipe).model_copy(
        update={
            "score": score,
            "probabilities": classes,
            "threshold": threshold,
            "alarm": _alarm(score, threshold) if judged and score is not None else None,
            "missing": _missing(bundle, matrix[0]),
            "model": speaker.spoke,
        }
    )


def _silent(plant: Plant, recipe: Recipe, reason: str) -> Said:
    return _about(plant, recipe).model_copy(update={"reason": reason})


def _about(plant: Plant, recipe: Recipe) -> Said:
    controlled = plant.instrument(plant.deviation_controller.pv)
    return Said(
        name=recipe.name,
        column=recipe.column,
        title=recipe.title,
        kind=KINDS[recipe.target],
        horizon_hours=horizon_hours(recipe),
        unit=controlled.unit if recipe.target == "next_deviation" else None,
    )


def _drivers(plant: Plant, recipe: Recipe, speaker: Speaker, row: Floats) -> list[Driver]:
    """The inputs that raised a score most, for the models that speak of alarms."""
    if recipe.target not in ("alarm", "onset"):
        return []
    bundle = speaker.bundle
    shares = explain(bundle.native_form, bundle.native, bundle.kind, row)
    raising = [c for c in _contributions(plant, bundle, row, shares) if c.contribution > 0][:DRIVERS]
    return [Driver(**c.model_dump(), column=recipe.column, text=_text(plant, c)) for c in raising]


def _text(plant: Plant, one: Contribution) -> str:
    words, unit = in_words(plant, one.feature)
    return f"{words}: {'missing' if one.value is None else f'{one.value:.4g} {unit}'.strip()}"


def _explanation(plant: Plant, speaker: Speaker, row: Floats) -> Explanation:
    bundle = speaker.bundle
    shares = explain(bundle.native_form, bundle.native, bundle.kind, row)
    return Explanation(
        score=float(bundle.score(row[None])[0]),
        score_on_scale=shares.total,
        base_value=shares.base,
        scale=shares.scale,
        method=shares.method,
        contributions=_contributions(plant, bundle, row, shares),
        model=speaker.spoke,
    )


def _contributions(plant: Plant, bundle: Bundle, row: Floats, shares: Shares) -> list[Contribution]:
    """Every contribution that is not nothing, largest first."""
    order = [i for i in np.argsort(-np.abs(shares.contributions), kind="stable") if shares.contributions[i] != 0]
    return [
        Contribution(
            feature=bundle.names[i],
            key=source_of(plant, bundle.names[i]),
            value=None if np.isnan(row[i]) else float(row[i]),
            contribution=float(shares.contributions[i]),
        )
        for i in order
    ]


def _rules(plant: Plant, block: IntervalBlock) -> Iterator[RuleState]:
    for rule in plant.labels.rules:
        value = float(column(plant, block, rule.column)[-1])
        met = bool(holds(plant, block, rule)[-1])
        known = None if np.isnan(value) else value
        yield RuleState(name=rule.name, column=rule.column, value=known, above=rule.above, unit=rule.unit, met=met)


def _quality(plant: Plant, block: IntervalBlock) -> list[TagQuality]:
    return [_quality_of(plant, block, instrument) for instrument in plant.modelled]


def _quality_of(plant: Plant, block: IntervalBlock, instrument: Instrument) -> TagQuality:
    at = block.signals.index(instrument.tag)
    value, age = float(block.statistic(instrument.tag)[-1]), float(block.age[-1, at])
    known = None if np.isnan(age) else age
    if np.isnan(value):
        stale = known is not None and known > instrument.stale_after.total_seconds()
        return TagQuality(key=instrument.key, status="stale" if stale else "missing", value=None, age_seconds=known)
    low, high = instrument.range
    if not low <= value <= high:
        return TagQuality(key=instrument.key, status="out_of_range", value=value, age_seconds=known)
    if instrument.saturated_above is not None and value > instrument.saturated_above:
        return TagQuality(key=instrument.key, status="saturated", value=value, age_seconds=known)
    recent = slice(-FLAT_ROWS, None)
    spoke = (block.count[recent, at] > 0).all() and len(block) >= FLAT_ROWS
    flat = bool(spoke and np.ptp(block.values[recent, at]) == 0)
    return TagQuality(key=instrument.key, status="flat" if flat else "good", value=value, age_seconds=known)


def _known_at(block: IntervalBlock) -> datetime | None:
    start = moment(block.start[-1])
    return None if start is None else start + block.cadence


def _missing(bundle: Bundle, row: Floats) -> list[str]:
    return [name for name, gone in zip(bundle.names, np.isnan(row), strict=True) if gone]


def _alarm(score: float, threshold: float | None) -> int:
    return int(threshold is not None and score >= threshold)


__all__ = ["assess", "explain_features", "explain_window", "forecast", "importances", "predict", "recommend"]
