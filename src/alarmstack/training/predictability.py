"""Predictability of the simulated plant: how many onsets the baselines already warn of.

It is measured on the onsets with a precursor, at half a false alarm per day, before any model is
tuned. A plant whose events a lowered limit detects is no test for models. The best baseline must
therefore miss at least a third of these onsets at a lead of one hour or more.
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
"""False alarms per day that each baseline may raise."""
LEAST_LEAD = timedelta(hours=1)
LEAST_MISSED = 1 / 3
"""Share of the onsets with a precursor that the best baseline must miss."""


@dataclass(frozen=True)
class Predictability:
    """The result of a baseline on unseen plants.

    `caught`: share of the onsets with a precursor that it warned of at least an hour before.
    """

    baseline: str
    caught: float
    false_per_day: float
    onsets: int

    def record(self) -> dict[str, object]:
        """The line as a JSON object."""
        return asdict(self)


def predictability(
    plant: Plant, start: datetime, days: int, training_seed: int, seeds: list[int]
) -> list[Predictability]:
    """Fit the baselines on one simulated plant and evaluate them on others."""
    training = simulated_trial(plant, start, days, [training_seed]).examples
    trial = simulated_trial(plant, start, days, seeds)
    folds = inner_folds(training)
    lines = []
    for name in BASELINES:
        threshold = threshold_for(training, out_of_fold(name, training, folds), BUDGET)
        result = outcome(trial.examples, fit_baseline(name, training)(trial.examples), threshold)
        in_time = result.lead[trial.precursor] >= LEAST_LEAD / timedelta(hours=1)
        lines.append(
            Predictability(
                name, float(np.mean(in_time)), result.false_per_day, int(trial.precursor.sum())
            )
        )
    return lines


def render(lines: list[Predictability]) -> Table:
    """A table of the baselines, with the share of onsets that the best of them misses."""
    missed = 1 - max(line.caught for line in lines)
    title = (
        f"The best baseline misses {missed:.0%} of {lines[0].onsets} onsets with a precursor "
        f"(required: at least {LEAST_MISSED:.0%})"
    )
    table = Table(title=title, title_justify="left")
    for name in ("baseline", "warned ≥ 1 h ahead", "false alarms per day"):
        table.add_column(name, justify="left" if name == "baseline" else "right")
    for line in lines:
        table.add_row(line.baseline, f"{line.caught:.0%}", f"{line.false_per_day:.2f}")
    return table


__all__ = ["LEAST_MISSED", "Predictability", "predictability", "render"]
