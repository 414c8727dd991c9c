"""VUS-PR: the volume under the surface of range-aware precision and recall.

Source: Paparrizos et al., "Volume Under the Surface", PVLDB 15(11), 2022, in the "opt" form that the package `vus` and the TSB-AD
leaderboard use. Written again because that package brings TensorFlow along; a test holds it to the package's own figures.

Each event is widened by up to half a window on both sides, with weights that fall off; that is done for every window from 0 to the
widest, and the areas under the precision-recall curves are averaged. Only the order of the scores counts.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alarmstack.core.intervals import Floats, Mask

Spans = list[tuple[int, int]]


def vus_pr(labels: Mask, scores: Floats, window: int = 57, thresholds: int = 250) -> float:
    """The figure, 0 … 1, higher is better. `labels` bool [rows], `scores` [rows] without NaN, higher means worse.

    >>> round(vus_pr(np.arange(400) // 20 == 7, np.exp(-np.abs(np.arange(400) - 149.5)), window=10), 3)
    1.0
    """
    events = spans(labels)
    levels = -np.sort(-scores)[np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    predicted = len(scores) - np.searchsorted(np.sort(scores), levels, side="left")
    near = np.concatenate(
        [np.arange(first, last + 1) for first, last in _widened(events, window, len(labels))]
    )
    above = scores[near, None] >= levels
    areas = [_area(labels, events, width, near, above, predicted) for width in range(window + 1)]
    return float(np.mean(areas))


def spans(mask: Mask) -> Spans:
    """First and last row of each stretch of True.

    >>> spans(np.array([0, 1, 1, 0, 1], bool))
    [(1, 2), (4, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [
        (int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def _area(
    labels: Mask,
    events: Spans,
    width: int,
    near: npt.NDArray[np.intp],
    above: Mask,
    predicted: npt.NDArray[np.intp],
) -> float:
    weight = _weights(labels, events, width)[near]
    inside = labels[near]
    hit = weight @ above
    counted = inside.sum() + (weight * ~inside) @ above
    recall = np.minimum(hit / ((labels.sum() + counted) / 2), 1.0)
    wide = _widened(events, width, len(labels))
    found = np.mean(
        [
            above[np.searchsorted(near, first) : np.searchsorted(near, last, "right")].any(axis=0)
            for first, last in wide
        ],
        axis=0,
    )
    steps = np.diff(np.concatenate(([0.0], recall * found)))
    return float(steps @ (hit / predicted))


def _weights(labels: Mask, events: Spans, width: int) -> Floats:
    weight = labels.astype(float)
    for first, last in events:
        after = np.arange(last + 1, min(last + width // 2 + 1, len(labels)))
        before = np.arange(max(first - width // 2, 0), first)
        weight[after] += np.sqrt(1 - (after - last) / max(width, 1))
        weight[before] += np.sqrt(1 - (first - before) / max(width, 1))
    return np.asarray(np.minimum(weight, 1.0))


def _widened(events: Spans, width: int, rows: int) -> Spans:
    """Events widened by half a window; what then touches is one."""
    half = width // 2
    wide, first = [], max(events[0][0] - half, 0)
    for (_, last), (following, _) in pairwise(events):
        if last + half < following - half:
            wide.append((first, last + half))
            first = following - half
    return [*wide, (first, min(events[-1][1] + half, rows - 1))]


__all__ = ["Spans", "spans", "vus_pr"]
