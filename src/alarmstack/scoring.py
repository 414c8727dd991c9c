"""What every model says of every row: features once, each Bundle once, warnings by the alarm engine. Batch and live call this."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from alarmstack.alarms import WarningRule, standing
from alarmstack.derived import Mask
from alarmstack.expected import Expected, expected
from alarmstack.features import GROUPS, build
from alarmstack.intervals import Floats, IntervalBlock
from alarmstack.plant import Plant, write_duration
from alarmstack.registry import BLOCK, Bundle

REGIMES = ("normal", "transition", "alarm")


def score_block(plant: Plant, block: IntervalBlock, bundles: Mapping[str, Bundle], in_alarm: Mask) -> pl.DataFrame:
    """model_results: `timestamp` and what each model said, one row an interval.

    A model that is not promoted says nothing: its columns are empty. A row's scores rest on that row and earlier ones only, and are
    known at the row's end. While `in_alarm` no warning stands: the alarm has taken its place.
    """
    matrices: dict[str, Floats] = {group: build(plant, block, group) for group in GROUPS}
    columns: dict[str, np.ndarray] = {}
    for one in expected(plant):
        bundle = bundles.get(one.name)
        threshold = None if bundle is None else bundle.thresholds.get("operating")
        columns |= _columns(plant, block, one, _scores(plant, block, one, bundle, matrices), threshold, in_alarm)
    stamps = pl.Series("timestamp", block.start.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    return pl.DataFrame([stamps, *(pl.Series(name, values) for name, values in columns.items())]).fill_nan(None)


def _scores(plant: Plant, block: IntervalBlock, one: Expected, bundle: Bundle | None, matrices: Mapping[str, Floats]) -> np.ndarray:
    if bundle is None:
        return np.full((len(block), len(REGIMES)) if one.kind == "classes" else len(block), np.nan)
    return bundle.open_normal(plant)(block).score if bundle.group == BLOCK else bundle.score(matrices[bundle.group])


def _columns(
    plant: Plant, block: IntervalBlock, one: Expected, score: np.ndarray, threshold: float | None, in_alarm: Mask
) -> dict[str, np.ndarray]:
    if one.kind == "classes":
        return {f"regime_{name}": score[:, place] for place, name in enumerate(REGIMES)} | {
            "regime_pred": np.where(np.isnan(score[:, 0]), np.nan, score.argmax(axis=1))
        }
    if one.horizon is None:
        return {one.column: score}
    horizon = write_duration(one.horizon)
    rule = WarningRule.of(plant, float("inf") if threshold is None else threshold)
    on = standing(rule, score, plant.time.cadence.total_seconds(), in_alarm, block.segment)
    return {f"forecast_{horizon}": score, f"warning_{horizon}": on.astype(np.int64)}


__all__ = ["REGIMES", "score_block"]
