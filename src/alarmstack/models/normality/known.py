"""Statistics of the known values of each column.

In: float64 [rows, columns]. Out: float64 [columns], NaN for a column without values.
"""

from __future__ import annotations

import warnings

import numpy as np

from alarmstack.core.intervals import Floats


def quantile(values: Floats, share: float) -> Floats:
    """The quantile of each column."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return np.asarray(np.nanquantile(values, share, axis=0))


def mean(values: Floats) -> Floats:
    """The mean of each column."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return np.asarray(np.nanmean(values, axis=0))


def spread(values: Floats) -> Floats:
    """The standard deviation of each column; 1 if it is 0 or unknown, so that it can divide."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        deviation = np.nan_to_num(np.nanstd(values, axis=0))
    return np.where(deviation > 0, deviation, 1.0)


__all__ = ["mean", "quantile", "spread"]
