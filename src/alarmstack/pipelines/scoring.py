"""What every model says of every row: features once, each Bundle once, warnings by the alarm
engine. Batch and live call this.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from alarmstack.alarms import WarningRule, warning_active
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import OPERATING, Expected, expected
from alarmstack.core.plant import Plant, write_duration
from alarmstack.features.matrix import GROUPS, build
from alarmstack.preparation.labels import REGIMES
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import BLOCK

Scores = Mapping[str, Floats]
"""What models said, by registry name: float64 [rows], or [rows, regimes]."""


def score_block(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle], in_alarm: Mask
) -> pl.DataFrame:
    """model_results: `timestamp` and what each model said, one row an interval.

    A model that is not promoted says nothing: its columns are empty. A row's scores rest on that
    row and earlier ones only, and are known at the row's end. While `in_alarm` no warning stands:
    the alarm has taken its place.
    """
    scores = {**row_scores(plant, block, bundles), **series_scores(plant, block, bundles)}
    return results(plant, block, bundles, scores, in_alarm)


def row_scores(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle]
) -> dict[str, Floats]:
    """Scores of the models that see a row's features, which look back `plant.lookback` rows at
    most.
    """
    speaking = {name: bundle for name, bundle in bundles.items() if bundle.group != BLOCK}
    matrices: dict[str, Floats] = {
        group: build(plant, block, group)
        for group in GROUPS
        if any(b.group == group for b in speaking.values())
    }
    return {name: bundle.score(matrices[bundle.group]) for name, bundle in speaking.items()}


def series_scores(
    plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle]
) -> dict[str, Floats]:
    """Scores of the models that see the whole series up to a row."""
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
    for one in expected(plant):
        columns |= score_columns(one, scores.get(one.name), len(block))
        if one.horizon is not None:
            rule = warning_rule(plant, bundles.get(one.name))
            score = columns[one.column]
            on = warning_active(
                rule, score, plant.time.cadence.total_seconds(), in_alarm, block.segment
            )
            columns[warning_column(one)] = on.astype(np.int64)
    stamps = pl.Series("timestamp", block.start.astype("datetime64[us]")).dt.replace_time_zone(
        "UTC"
    )
    return pl.DataFrame(
        [stamps, *(pl.Series(name, values) for name, values in columns.items())]
    ).fill_nan(None)


def warning_rule(plant: Plant, bundle: Bundle | None) -> WarningRule:
    """When a model's score is a warning; never, where it has no threshold that keeps its budget."""
    threshold = None if bundle is None else bundle.thresholds.get(OPERATING)
    return WarningRule.of(plant, float("inf") if threshold is None else threshold)


def warning_column(one: Expected) -> str:
    """Name of the column that tells where a forecaster's warning stands."""
    assert one.horizon is not None
    return f"warning_{write_duration(one.horizon)}"


def score_columns(one: Expected, score: Floats | None, rows: int) -> dict[str, Floats]:
    """A model's columns; NaN where it said nothing."""
    if one.kind != "classes":
        return {one.column: np.full(rows, np.nan) if score is None else score}
    score = np.full((rows, len(REGIMES)), np.nan) if score is None else score
    return {f"{one.column}_{name}": score[:, place] for place, name in enumerate(REGIMES)} | {
        f"{one.column}_pred": np.where(np.isnan(score[:, 0]), np.nan, score.argmax(axis=1))
    }


__all__ = [
    "REGIMES",
    "results",
    "row_scores",
    "score_block",
    "score_columns",
    "series_scores",
    "warning_column",
    "warning_rule",
]
