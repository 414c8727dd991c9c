"""Drift: how far recent values differ from those in training, by the population stability index.

The population stability index (PSI) of two distributions over the same bins is
Σ (p - q) · ln(p / q). Below 0.1 there is no drift, above 0.25 there is much (Siddiqi, Credit Risk
Scorecards, 2006). The values of a plant depend on those of the hours before, so that even normal
days can exceed 0.25. The bound of a quantity is therefore the PSI that one in a hundred stretches
of the training data reached, and at least 0.25.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats

SCORE = "score"
"""Key of the model's own score, beside the keys of the instruments."""
BINS = 10
LEAST_BOUND = 0.25
"""A PSI above this is large (Siddiqi 2006)."""
SHARE_WITHIN_BOUND = 0.99
"""Share of the stretches of the training data whose PSI is within the bound."""
STRETCHES = 200
"""Most stretches of the training data that the bound is computed from."""


@dataclass(frozen=True)
class ReferenceDistribution:
    """The values in training: inner `edges` of bins and the `shares` of rows in each bin.

    `bound`: the PSI up to which a stretch is normal.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    bound: float


def reference_distribution(values: Floats, rows: int) -> ReferenceDistribution | None:
    """The distribution of a quantity [rows in training], with a bound for stretches of `rows` rows.

    None if there are too few values for two stretches.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 * rows or rows < BINS:
        return None
    edges = tuple(float(e) for e in np.unique(np.quantile(known, np.arange(1, BINS) / BINS)))
    shares = tuple(float(s) for s in _shares(edges, known))
    without_bound = ReferenceDistribution(edges, shares, LEAST_BOUND)
    starts = np.unique(np.linspace(0, len(known) - rows, STRETCHES).astype(int))
    of_stretches = [psi(without_bound, known[start : start + rows]) for start in starts]
    bound = max(LEAST_BOUND, float(np.quantile(of_stretches, SHARE_WITHIN_BOUND)))
    return ReferenceDistribution(edges, shares, bound)


def psi(reference: ReferenceDistribution, values: Floats) -> float:
    """The PSI of values [rows] against the reference; NaN without values.

    >>> reference = ReferenceDistribution((0.0,), (0.5, 0.5), 0.25)
    >>> round(psi(reference, np.array([-1.0, 1.0] * 50)), 6)
    0.0
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan")
    now = _shares(reference.edges, known)
    before = np.asarray(reference.shares)
    return float(np.sum((now - before) * np.log(now / before)))


def _shares(edges: tuple[float, ...], values: Floats) -> Floats:
    """Share of the values in each bin.

    Half a value is added to each bin, so that no share is zero.
    """
    bins = np.searchsorted(edges, values, side="right")
    counts = np.bincount(bins, minlength=len(edges) + 1) + 0.5
    return np.asarray(counts / counts.sum())


__all__ = ["SCORE", "ReferenceDistribution", "psi", "reference_distribution"]
