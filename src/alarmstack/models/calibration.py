"""Calibration: a map from raw scores to probabilities, stored as numbers.

It is fitted on held-back rows at their natural rate, and consists of straight lines between knots
on the log-odds axis. There are two forms. *isotonic*: isotonic regression (Zadrozny & Elkan 2002)
with its jumps smoothed; a jump would turn a rounding error of the graph into a different
probability. *smooth*: logistic regression on the log-odds, with a bend at each quartile of the
alarms' scores. It has only five parameters and therefore overfits less if there are few events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from alarmstack.core.intervals import Floats

LOWEST, HIGHEST = 1e-3, 0.99
"""Raw probabilities are clipped to these: beyond them float32 cannot distinguish log-odds."""
KNOT_GAP = 0.5
"""Smallest distance between two knots, in log-odds."""
BENDS = (0.25, 0.5, 0.75)
"""Quantiles of the alarms' scores at which the smooth map may change its slope."""
SMOOTH_GAP = 0.1
"""Distance between knots of the smooth map, in log-odds.

Straight lines between them differ from the map by less than 0.0005.
"""
Form = Literal["isotonic", "smooth"]
LEAST_DOUBT = 1e-4
"""No calibrated probability is closer to 0 or 1 than this."""


@dataclass(frozen=True)
class Calibration:
    """A monotone map from log-odds `x` to probability `y`: linear between knots."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, raw: Floats) -> Floats:
        """Calibrated probabilities of raw ones; NaN stays NaN."""
        return np.asarray(np.interp(log_odds(raw), self.x, self.y))

    @classmethod
    def fit(cls, raw: Floats, label: Floats, form: Form = "isotonic") -> Calibration:
        """Fit on rows that the estimator did not see. Labels must contain both 0 and 1."""
        if form == "smooth":
            return cls._smooth(log_odds(raw), label)
        return cls._isotonic(log_odds(raw), label)

    @classmethod
    def _smooth(cls, place: Floats, label: Floats) -> Calibration:
        bends = np.unique(np.quantile(place[label == 1], BENDS))
        model = LogisticRegression(max_iter=500).fit(_bent(place, bends), label)
        lowest, highest = log_odds(np.array([0.0, 1.0]))
        knots = np.append(np.arange(lowest, highest, SMOOTH_GAP), highest)
        value = np.clip(
            model.predict_proba(_bent(knots, bends))[:, 1], LEAST_DOUBT, 1 - LEAST_DOUBT
        )
        return cls(tuple(knots.tolist()), tuple(np.maximum.accumulate(value).tolist()))

    @classmethod
    def _isotonic(cls, place: Floats, label: Floats) -> Calibration:
        steps = IsotonicRegression(
            y_min=LEAST_DOUBT, y_max=1 - LEAST_DOUBT, out_of_bounds="clip"
        ).fit(place, label)
        edges = np.arange(place.min(), place.max() + KNOT_GAP, KNOT_GAP)
        # A knot is the mean of the rows in its bin: means of isotonic values are isotonic.
        bins = np.clip(np.digitize(place, edges) - 1, 0, len(edges) - 1)
        count = np.bincount(bins, minlength=len(edges))
        filled = count > 0
        value = np.bincount(bins, steps.predict(place), len(edges))[filled] / count[filled]
        centre = edges[filled] + KNOT_GAP / 2
        return cls(tuple(centre.tolist()), tuple(np.maximum.accumulate(value).tolist()))


def _bent(place: Floats, bends: Floats) -> Floats:
    """The basis of a line with bends: float64 [rows, 1 + bends]."""
    return np.stack([place, *(np.maximum(place - bend, 0.0) for bend in bends)], axis=1)


def log_odds(raw: Floats) -> Floats:
    """Log-odds of clipped probabilities."""
    clipped = np.clip(raw, LOWEST, HIGHEST)
    return np.asarray(np.log(clipped / (1 - clipped)))


__all__ = ["Calibration", "Form", "log_odds"]
