"""The correction of one asset's threshold, from its own history and its operators' verdicts.

A threshold that was chosen on other assets, or on the first months of this one, is right on
average. An asset with more variation than the others warns too often at it, an asset with less
warns too late. Its own normal history shows which of the two applies, if it is long enough;
operators' verdicts show it directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from alarmstack.core.plant import Plant
from alarmstack.models.normality.threshold import HeldBack, threshold_for

TRUSTED = 10.0
"""Budgeted false alarms (or rows in warning) in a history that has half the weight."""
LARGEST_OFFSET = 1.0
"""Offsets are clipped here: one power of ten of rarity.

A larger one would replace the threshold by a few verdicts or a short history.
"""


@dataclass(frozen=True)
class Verdict:
    """An operator's verdict on one warning.

    `peak`: the highest score while the warning was active. `real`: whether the operator confirmed
    the warning; False for a nuisance.
    """

    peak: float
    real: bool


def threshold_offset(
    plant: Plant, threshold: float, history: Sequence[HeldBack], verdicts: Sequence[Verdict] = ()
) -> float:
    """What to add to this asset's `threshold`, in the unit of the scores (powers of ten of rarity).

    `history`: scores of the asset's own normal rows, by a model that did not learn from them. The
    threshold that keeps the budget on them gets more weight the longer the history is: half, if
    the budget allows ten false alarms in it. Nuisance warnings beyond the budget raise the
    threshold above all but the highest of them that the budget allows. A confirmed warning is
    never suppressed. Without history and verdicts the offset is 0.
    """
    allowed = _allowed(plant, history)
    own = threshold_for(plant, history)
    corrected = threshold
    if np.isfinite(own) and np.isfinite(threshold):
        corrected += (own - threshold) * allowed / (allowed + TRUSTED)
    nuisance_peaks = sorted((v.peak for v in verdicts if not v.real), reverse=True)
    beyond_budget = nuisance_peaks[int(allowed) :]
    if beyond_budget:
        corrected = max(corrected, float(np.nextafter(beyond_budget[0], np.inf)))
    real_peaks = [v.peak for v in verdicts if v.real]
    if real_peaks:
        corrected = min(corrected, max(min(real_peaks), threshold))
    if not np.isfinite(threshold):
        return 0.0
    return float(np.clip(corrected - threshold, -LARGEST_OFFSET, LARGEST_OFFSET))


def _allowed(plant: Plant, history: Sequence[HeldBack]) -> float:
    """False alarms that the budget allows in the history; for a share of time, rows in warning."""
    rows = sum(int(np.isfinite(h.scores).sum()) for h in history)
    if plant.warnings.time_in_warning is not None:
        return rows * plant.warnings.time_in_warning
    return rows * (plant.time.cadence / timedelta(days=1)) * plant.warnings.false_alarms_per_day


__all__ = ["Verdict", "threshold_offset"]
