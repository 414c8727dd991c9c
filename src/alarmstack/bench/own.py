"""Sets of the gas-treatment plant itself: the nine models as `alarmstack evaluate` judges them, in the benchmark's form."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alarmstack.bench.lines import Line
from alarmstack.bench.sets import FigureWanted, SetDescription
from alarmstack.core.errors import BenchError
from alarmstack.core.progress import Progress
from alarmstack.core.settings import load_settings
from alarmstack.evaluation.table import TableRow
from alarmstack.pipelines.local import champions, evaluate_file, evaluate_simulated

FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 365


def judge_own(described: SetDescription, data: Path, progress: Progress) -> list[Line]:
    """The wanted figures of the promoted models. Raises NotPromotedError where there are none."""
    plant, settings = described.load_plant(), load_settings()
    if described.kind == "simulated":
        rows = evaluate_simulated(
            plant, settings, champions(plant, settings), FIRST_DAY, DAYS, described.seeds, progress
        )
    else:
        rows = evaluate_file(plant, settings, champions(plant, settings), data / described.files)
    by_name = {
        f"{row.model.removeprefix(f'{plant.registry_prefix}_')} {row.metric}": row for row in rows
    }
    return [_line(described, wanted, by_name) for wanted in described.figures]


def _line(described: SetDescription, wanted: FigureWanted, rows: dict[str, TableRow]) -> Line:
    if wanted.figure not in rows:
        raise BenchError(
            f"{described.name}: figure {wanted.figure!r} is unknown: use one of {', '.join(sorted(rows))}"
        )
    row = rows[wanted.figure]
    value = float("nan") if row.value is None else row.value
    baselines = (
        {}
        if row.baseline is None or row.baseline_value is None
        else {row.baseline: row.baseline_value}
    )
    return Line(
        set=described.name,
        metric=wanted.figure,
        value=value,
        low=row.low,
        high=row.high,
        count=None,
        baselines=baselines,
        published=dict(wanted.published),
        aim=wanted.aim,
        met=None if row.value is None else wanted.met(value),
    )


__all__ = ["judge_own"]
