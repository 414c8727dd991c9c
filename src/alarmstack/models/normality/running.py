"""Running statistics over rows: causal, and separate for each segment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.signal import lfilter

from alarmstack.core.intervals import Floats

Segments = npt.NDArray[np.int32]
FEWEST = 10
"""Known values that a running quantile needs."""


def quantile(values: Floats, rows: int, share: float, segment: Segments) -> Floats:
    """The quantile `share` of each column over the last `rows` rows, including the row itself.

    float64 [rows, columns].
    """

    def of_segment(part: Floats) -> Floats:
        fewest = max(1, min(FEWEST, rows // 2))
        columns = [
            pl.Series(column)
            .fill_nan(None)
            .rolling_quantile(share, window_size=rows, min_samples=fewest, interpolation="linear")
            for column in part.T
        ]
        return np.stack([column.to_numpy() for column in columns], axis=1)

    return by_segment(of_segment, values, segment)


def average(values: Floats, rows: float, segment: Segments) -> Floats:
    """Exponentially weighted average with a time constant of `rows` rows.

    Missing values are skipped.
    """
    keep = float(np.exp(-1 / rows))

    def of_segment(part: Floats) -> Floats:
        known = np.isfinite(part)
        filled = np.where(known, part, 0.0)
        weight = lfilter([1 - keep], [1, -keep], known.astype(float), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(lfilter([1 - keep], [1, -keep], filled, axis=0) / weight)

    return by_segment(of_segment, values, segment)


def by_segment(function: Callable[[Floats], Floats], values: Floats, segment: Segments) -> Floats:
    """Apply a function to each stretch of rows of one segment; rows without segment are NaN."""
    edges = np.flatnonzero(np.diff(segment)) + 1
    numbers = segment[np.concatenate(([0], edges))]
    parts = [
        function(part) if number >= 0 else np.full(part.shape, np.nan)
        for part, number in zip(np.split(values, edges), numbers, strict=True)
    ]
    return np.concatenate(parts)


__all__ = ["Segments", "average", "by_segment", "quantile"]
