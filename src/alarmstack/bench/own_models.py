"""Sets of the gas-treatment plant itself: its models as `alarmstack evaluate` evaluates them."""

from __future__ import annotations

from pathlib import Path

from alarmstack.bench.lines import Line
from alarmstack.bench.sets import SetDescription, WantedMetric
from alarmstack.core.clock import FIRST_DAY
from alarmstack.core.errors import BenchError
from alarmstack.core.progress import Progress
from alarmstack.core.settings import load_settings
from alarmstack.evaluation.table import TableRow
from alarmstack.pipelines.local import champions, evaluate_file, evaluate_simulated

DAYS = 365


def evaluate_own_models(description: SetDescription, data: Path, progress: Progress) -> list[Line]:
    """The set's metrics for the promoted models. Raises NotPromotedError if there are none."""
    plant, settings = description.load_plant(), load_settings()
    bundles = champions(plant, settings)
    if description.kind == "simulated":
        rows = evaluate_simulated(
            plant, settings, bundles, FIRST_DAY, DAYS, description.seeds, progress
        )
    else:
        rows = evaluate_file(plant, settings, bundles, data / description.files)
    prefix = f"{plant.registry_prefix}_"
    by_name = {f"{row.model.removeprefix(prefix)} {row.metric}": row for row in rows}
    return [_line(description, wanted, by_name) for wanted in description.metrics]


def _line(description: SetDescription, wanted: WantedMetric, rows: dict[str, TableRow]) -> Line:
    if wanted.metric not in rows:
        raise BenchError(
            f"{description.name}: metric {wanted.metric!r} is unknown: "
            f"use one of {', '.join(sorted(rows))}"
        )
    row = rows[wanted.metric]
    value = float("nan") if row.value is None else row.value
    baselines = {}
    if row.baseline is not None and row.baseline_value is not None:
        baselines[row.baseline] = row.baseline_value
    return Line(
        set=description.name,
        metric=wanted.metric,
        value=value,
        low=row.low,
        high=row.high,
        count=None,
        baselines=baselines,
        published=dict(wanted.published),
        aim=wanted.aim,
        met=None if row.value is None else wanted.met(value),
    )


__all__ = ["evaluate_own_models"]
