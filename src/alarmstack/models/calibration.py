"""Calibration: raw scores become probabilities by a map that travels as numbers.

Isotonic regression on held-back rows at their natural rate (Zadrozny & Elkan 2002), drawn as straight lines between a few knots
on the log-odds axis. Isotonic regression itself jumps; a jump would turn a rounding error of the graph into another probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from alarmstack.intervals import Floats

LOWEST, HIGHEST = 1e-3, 0.99
"""Raw probabilities beyond these are taken as these: float32 cannot tell log-odds apart out there."""
KNOT_GAP = 0.5
"""Least distance of two knots in log-odds."""
SURE = 1e-4
"""No calibrated probability is nearer to 0 or 1 than this."""


@dataclass(frozen=True)
class Calibration:
    """A monotone map from log-odds `x` to probability `y`, straight between knots, level beyond them."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, raw: Floats) -> Floats:
        """Probabilities of raw ones; NaN stays NaN."""
        return np.asarray(np.interp(log_odds(raw), self.x, self.y))

    @classmethod
    def fit(cls, raw: Floats, label: Floats) -> Calibration:
        """From scores of rows that the estimator did not see."""
        place = log_odds(raw)
        steps = IsotonicRegression(y_min=SURE, y_max=1 - SURE, out_of_bounds="clip").fit(place, label)
        edges = np.arange(place.min(), place.max() + KNOT_GAP, KNOT_GAP)
        # A knot is the mean of the rows around it, on both axes: a mean of isotonic values is isotonic, and thin ends stay honest.
        bins = np.clip(np.digitize(place, edges) - 1, 0, len(edges) - 1)
        count = np.bincount(bins, minlength=len(edges))
        filled = count > 0
        value = np.bincount(bins, steps.predict(place), len(edges))[filled] / count[filled]
        centre = edges[filled] + KNOT_GAP / 2
        return cls(tuple(centre.tolist()), tuple(np.maximum.accumulate(value).tolist()))


def log_odds(raw: Floats) -> Floats:
    """Log-odds of clipped probabilities."""
    clipped = np.clip(raw, LOWEST, HIGHEST)
    return np.asarray(np.log(clipped / (1 - clipped)))


__all__ = ["Calibration", "log_odds"]
