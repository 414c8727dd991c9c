"""Drift: how far the values of some days are from those a model learnt from, by the population stability index (PSI).

The PSI of two distributions over the same bins is Σ (p − q) · ln(p / q); below 0.1 nothing has moved, above 0.25 much has
(Siddiqi, Credit Risk Scorecards, 2006). A plant's hours are like their neighbours, so that even usual days reach more than that:
the bound of a quantity is what one in a hundred stretches of the training data reached, and never less than 0.25.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats

SCORE = "score"
"""Key of a model's own score among the instruments'."""
BINS = 10
LEAST_BOUND = 0.25
USUAL_SHARE = 0.99
STRETCHES = 200
"""Stretches of the training data that the bound is found on, at most."""


@dataclass(frozen=True)
class ReferenceDistribution:
    """Values in training: inner `edges` of the bins, `shares` of the rows in each, and the `bound` that usual stretches keep."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    bound: float


def reference_distribution(values: Floats, rows: int) -> ReferenceDistribution | None:
    """What is usual for a quantity [rows], judged in stretches of so many rows; None with less than two stretches of values."""
    known = values[np.isfinite(values)]
    if len(known) < 2 * rows or rows < BINS:
        return None
    edges = tuple(float(e) for e in np.unique(np.quantile(known, np.arange(1, BINS) / BINS)))
    made = ReferenceDistribution(edges, tuple(float(s) for s in _shares(edges, known)), LEAST_BOUND)
    starts = np.unique(np.linspace(0, len(known) - rows, STRETCHES).astype(int))
    reached = [psi(made, known[start : start + rows]) for start in starts]
    return ReferenceDistribution(
        made.edges, made.shares, max(LEAST_BOUND, float(np.quantile(reached, USUAL_SHARE)))
    )


def psi(reference: ReferenceDistribution, values: Floats) -> float:
    """The PSI of values [rows] against what is usual; NaN without values.

    >>> round(psi(ReferenceDistribution((0.0,), (0.5, 0.5), 0.25), np.array([-1.0, 1.0] * 50)), 6)
    0.0
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan")
    now = _shares(reference.edges, known)
    before = np.asarray(reference.shares)
    return float(np.sum((now - before) * np.log(now / before)))


def _shares(edges: tuple[float, ...], values: Floats) -> Floats:
    """Share of values in each bin, half a value added to each so that an empty bin is rare and not impossible."""
    counts = (
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
    )
    return np.asarray(counts / counts.sum())


__all__ = ["SCORE", "ReferenceDistribution", "psi", "reference_distribution"]
