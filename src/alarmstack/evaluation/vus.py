"""VUS-PR: the volume under the surface of range-aware precision and recall.

Source: Paparrizos et al., "Volume Under the Surface", PVLDB 15(11), 2022, in the "opt" form that
the package `vus` and the TSB-AD leaderboard use. It is written here again because that package
depends on TensorFlow; a test compares the values with those of the package.

Each event is extended by up to half a window on both sides, with weights that decrease. This is
done for every window from 0 to the longest, and the areas under the precision-recall curves are
averaged. Only the order of the scores matters.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alarmstack.core.intervals import Floats, Mask

Spans = list[tuple[int, int]]


def vus_pr(labels: Mask, scores: Floats, window: int = 57, thresholds: int = 250) -> float:
    """VUS-PR, 0 … 1; higher is better.

    `labels` bool [rows]; `scores` [rows] without NaN, higher means worse.

    >>> rows = np.arange(400)
    >>> round(vus_pr(rows // 20 == 7, np.exp(-np.abs(rows - 149.5)), window=10), 3)
    1.0
    """
    events = spans(labels)
    levels = -np.sort(-scores)[np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    predicted = len(scores) - np.searchsorted(np.sort(scores), levels, side="left")
    widest = _extended(events, window, len(labels))
    near_events = np.concatenate([np.arange(first, last + 1) for first, last in widest])
    above = scores[near_events, None] >= levels
    areas = [
        _area(labels, events, width, near_events, above, predicted) for width in range(window + 1)
    ]
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
    near_events: npt.NDArray[np.intp],
    above: Mask,
    predicted: npt.NDArray[np.intp],
) -> float:
    """The area under the precision-recall curve for one width of the extension.

    `above` bool [rows near events, thresholds]; `predicted` [thresholds]: rows above each of them.
    """
    weight = _weights(labels, events, width)[near_events]
    inside = labels[near_events]
    hits = weight @ above
    counted = inside.sum() + (weight * ~inside) @ above
    recall = np.minimum(hits / ((labels.sum() + counted) / 2), 1.0)
    detected = [
        above[np.searchsorted(near_events, first) : np.searchsorted(near_events, last, "right")]
        for first, last in _extended(events, width, len(labels))
    ]
    share_detected = np.mean([rows.any(axis=0) for rows in detected], axis=0)
    steps = np.diff(np.concatenate(([0.0], recall * share_detected)))
    return float(steps @ (hits / predicted))


def _weights(labels: Mask, events: Spans, width: int) -> Floats:
    weight = labels.astype(float)
    for first, last in events:
        after = np.arange(last + 1, min(last + width // 2 + 1, len(labels)))
        before = np.arange(max(first - width // 2, 0), first)
        weight[after] += np.sqrt(1 - (after - last) / max(width, 1))
        weight[before] += np.sqrt(1 - (first - before) / max(width, 1))
    return np.asarray(np.minimum(weight, 1.0))


def _extended(events: Spans, width: int, rows: int) -> Spans:
    """Events extended by half a window on both sides; events that then touch become one."""
    half = width // 2
    extended, first = [], max(events[0][0] - half, 0)
    for (_, last), (following, _) in pairwise(events):
        if last + half < following - half:
            extended.append((first, last + half))
            first = following - half
    return [*extended, (first, min(events[-1][1] + half, rows - 1))]


__all__ = ["Spans", "spans", "vus_pr"]
