"""Statistics of the known values of each column: float64 [rows, columns] in, [columns] out; NaN where a column has no value."""

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
    """The standard deviation of each column; 1 where it has none, so that it can be divided by."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        found = np.nan_to_num(np.nanstd(values, axis=0))
    return np.where(found > 0, found, 1.0)


__all__ = ["mean", "quantile", "spread"]
