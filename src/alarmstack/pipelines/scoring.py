"""Scores of every model for every row, and the warnings that the scores raise.

Batch and live scoring call this. Features are built once for all models, and the alarm engine
decides on warnings.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from alarmstack.alarms import WarningRule, warning_active
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import OPERATING, ModelEntry, model_list
from alarmstack.core.plant import Plant, write_duration
from alarmstack.features.matrix import GROUPS, build
from alarmstack.preparation.labels import REGIMES
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import BLOCK

Scores = Mapping[str, Floats]
"""Scores by registry name: float64 [rows], or [rows, regimes]."""


def score_block(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle], in_alarm: Mask
) -> pl.DataFrame:
    """model_results: `timestamp` and the models' scores, one row an interval.

    The columns of a model without a Bundle are empty. A row's scores use that row and earlier ones
    only, and are known at the row's end. No warning is active in rows `in_alarm`: the alarm
    replaces it.
    """
    scores = {**row_scores(plant, block, bundles), **series_scores(plant, block, bundles)}
    return results(plant, block, bundles, scores, in_alarm)


def row_scores(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle]
) -> dict[str, Floats]:
    """Scores of the models that use features, which look back `plant.lookback` rows at most."""
    by_features = {name: bundle for name, bundle in bundles.items() if bundle.group != BLOCK}
    matrices: dict[str, Floats] = {
        group: build(plant, block, group)
        for group in GROUPS
        if any(b.group == group for b in by_features.values())
    }
    return {name: bundle.score(matrices[bundle.group]) for name, bundle in by_features.items()}


def series_scores(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle]
) -> dict[str, Floats]:
    """Scores of the models that use the whole series up to a row."""
    return {
        name: bundle.open_normal(plant)(block).score
        for name, bundle in bundles.items()
        if bundle.group == BLOCK
    }


def results(
    plant: Plant,
    block: IntervalBlock,
    bundles: Mapping[str, Bundle],
    scores: Scores,
    in_alarm: Mask,
) -> pl.DataFrame:
    """model_results from scores of every row of a block."""
    columns: dict[str, np.ndarray] = {}
    cadence_seconds = plant.time.cadence.total_seconds()
    for entry in model_list(plant):
        columns |= score_columns(entry, scores.get(entry.name), len(block))
        if entry.horizon is not None:
            rule = warning_rule(plant, bundles.get(entry.name))
            score = columns[entry.column]
            active = warning_active(rule, score, cadence_seconds, in_alarm, block.segment)
            columns[warning_column(entry)] = active.astype(np.int64)
    stamps = pl.Series("timestamp", block.start.astype("datetime64[us]")).dt.replace_time_zone(
        "UTC"
    )
    return pl.DataFrame(
        [stamps, *(pl.Series(name, values) for name, values in columns.items())]
    ).fill_nan(None)


def warning_rule(plant: Plant, bundle: Bundle | None) -> WarningRule:
    """When a model's score raises a warning: never, if no threshold keeps its budget."""
    threshold = None if bundle is None else bundle.thresholds.get(OPERATING)
    return WarningRule.of(plant, float("inf") if threshold is None else threshold)


def warning_column(entry: ModelEntry) -> str:
    """Name of the column that marks the rows with an active warning of a forecaster."""
    assert entry.horizon is not None
    return f"warning_{write_duration(entry.horizon)}"


def score_columns(entry: ModelEntry, score: Floats | None, rows: int) -> dict[str, Floats]:
    """A model's columns; NaN where it has no score."""
    if entry.kind != "classes":
        return {entry.column: np.full(rows, np.nan) if score is None else score}
    score = np.full((rows, len(REGIMES)), np.nan) if score is None else score
    probabilities = {
        f"{entry.column}_{name}": score[:, place] for place, name in enumerate(REGIMES)
    }
    predicted = np.where(np.isnan(score[:, 0]), np.nan, score.argmax(axis=1))
    return {**probabilities, f"{entry.column}_pred": predicted}


__all__ = [
    "results",
    "row_scores",
    "score_block",
    "score_columns",
    "series_scores",
    "warning_column",
    "warning_rule",
]
