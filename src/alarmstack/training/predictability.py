"""How hard the simulated plant is: what the baselines catch of the onsets that announce themselves, at half a false alarm a day.

Measured before any model was tuned. A plant whose troubles a lowered limit would see is worth nothing as a test: at least a third
of the announced onsets must escape the best baseline at a lead of an hour or more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
from rich.table import Table

from alarmstack.core.plant import Plant
from alarmstack.evaluation.baselines import BASELINES, fit_baseline, out_of_fold
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.splits import inner_folds
from alarmstack.evaluation.thresholds import threshold_for
from alarmstack.training.trial import simulated_trial

BUDGET = 0.5
LEAST_LEAD = timedelta(hours=1)
LEAST_ESCAPED = 1 / 3


@dataclass(frozen=True)
class Hardness:
    """A baseline on unseen plants: share of announced onsets caught at a lead of an hour or more, and its false alarms a day."""

    baseline: str
    caught: float
    false_per_day: float
    onsets: int

    def record(self) -> dict[str, object]:
        """The line as JSON takes it."""
        return asdict(self)


def hardness(
    plant: Plant, start: datetime, days: int, training_seed: int, seeds: list[int]
) -> list[Hardness]:
    """Fit the baselines on one simulated plant and try them on others."""
    training = simulated_trial(plant, start, days, [training_seed]).examples
    trial = simulated_trial(plant, start, days, seeds)
    folds = inner_folds(training)
    lines = []
    for name in BASELINES:
        threshold = threshold_for(training, out_of_fold(name, training, folds), BUDGET)
        result = outcome(trial.examples, fit_baseline(name, training)(trial.examples), threshold)
        in_time = result.lead[trial.precursor] >= LEAST_LEAD / timedelta(hours=1)
        lines.append(
            Hardness(
                name, float(np.mean(in_time)), result.false_per_day, int(trial.precursor.sum())
            )
        )
    return lines


def render(lines: list[Hardness]) -> Table:
    """The baselines, and what escapes the best of them."""
    escaped = 1 - max(line.caught for line in lines)
    title = f"{escaped:.0%} of {lines[0].onsets} announced onsets escape the best baseline (at least {LEAST_ESCAPED:.0%} must)"
    table = Table(title=title, title_justify="left")
    for name in ("baseline", "caught ≥ 1 h ahead", "false alarms a day"):
        table.add_column(name, justify="left" if name == "baseline" else "right")
    for line in lines:
        table.add_row(line.baseline, f"{line.caught:.0%}", f"{line.false_per_day:.2f}")
    return table


__all__ = ["LEAST_ESCAPED", "Hardness", "hardness", "render"]
