"""What one asset's threshold is moved by, from its own history and from what operators said of its warnings.

A threshold that was chosen on other assets, or on the first months of this one, is right on average. An asset that is livelier than
the others warns too often at it, a quieter one too late. Its own normal history says which of the two it is, as far as that history
is long enough; operators' verdicts say it directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from alarmstack.core.plant import Plant
from alarmstack.models.normality.budget import HeldBack, threshold_for

TRUSTED = 10.0
"""Budgeted false alarms (or rows in warning) in the history at which it counts as much as the threshold it corrects."""
FARTHEST = 1.0
"""An offset is cut here: one power of ten of rarity."""


@dataclass(frozen=True)
class Verdict:
    """What an operator said of a warning: whether it was `real`, and the highest score while it stood."""

    peak: float
    real: bool


def threshold_offset(
    plant: Plant, threshold: float, history: Sequence[HeldBack], verdicts: Sequence[Verdict] = ()
) -> float:
    """What to add to this asset's `threshold`, in the scale of the scores (surprise: powers of ten).

    `history`: scores of the asset's own normal rows, by a model that did not learn from them. The threshold that keeps the budget
    on them pulls as much as the history is long: with ten budgeted false alarms in it, half the way. Nuisance warnings beyond the
    budget lift the threshold above all but the loudest that the budget allows; a real one is never silenced. Without history and
    verdicts: 0.
    """
    expected = _expected(plant, history)
    own = threshold_for(plant, history)
    wanted = threshold
    if np.isfinite(own) and np.isfinite(threshold):
        wanted += (own - threshold) * expected / (expected + TRUSTED)
    nuisances = sorted((v.peak for v in verdicts if not v.real), reverse=True)
    too_many = nuisances[int(expected) :]
    if too_many:
        wanted = max(wanted, float(np.nextafter(too_many[0], np.inf)))
    real = [v.peak for v in verdicts if v.real]
    if real:
        wanted = min(wanted, max(min(real), threshold))
    return (
        float(np.clip(wanted - threshold, -FARTHEST, FARTHEST)) if np.isfinite(threshold) else 0.0
    )


def _expected(plant: Plant, history: Sequence[HeldBack]) -> float:
    """False alarms that the budget allows in the history; rows in warning, where the plant is judged by time."""
    rows = sum(int(np.isfinite(h.scores).sum()) for h in history)
    if plant.warnings.time_in_warning is not None:
        return rows * plant.warnings.time_in_warning
    return rows * (plant.time.cadence / timedelta(days=1)) * plant.warnings.false_alarms_per_day


__all__ = ["Verdict", "threshold_offset"]
