"""A plot of one event: the signals that changed most, the score, the active alarm and the event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmstack.bench.metrics import EvaluatedRun
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.models.normality import monitored
from alarmstack.reports.timeline import ALARM, GRID, INK, WARNING, save

SIGNALS = 4
"""Signals shown: those that change most from the rows before the event to the event."""
BEFORE, AFTER = 1.5, 0.5
"""Time shown before and after the event, in lengths of the event."""
FEWEST_ROWS = 60
"""Shorter events are shown as if they had this many rows."""
RELATIVE_SPREAD, LEAST_SPREAD = 1e-3, 1e-12
"""Smallest spread of a signal: a share of its median, so that a constant signal does not rank
first.
"""
SMALL = 7


def event_plot(plant: Plant, result: EvaluatedRun, event: tuple[int, int], path: Path) -> None:
    """Plot the rows around an event (first row, last row) as a PNG."""
    first, last = event
    length = max(last - first + 1, FEWEST_ROWS)
    begin = max(0, first - int(BEFORE * length))
    end = min(len(result.active), last + 1 + int(AFTER * length))
    rows = np.arange(begin, end)
    when = result.run.block.start[begin:end].astype("datetime64[us]")
    tags = _most_changed(plant, result, event, begin)
    figure = Figure(figsize=(9, 1.4 + 1.1 * len(tags)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1 + len(tags), 1, sharex=True))
    for axis, tag in zip(axes, tags, strict=False):
        _line(axis, tag, when, result.run.block.statistic(tag)[rows])
        axis.set_ylabel(plant.instrument(tag).unit, fontsize=SMALL)
    _line(axes[-1], "score", when, result.scores[rows])
    top, bottom = axes[-1].get_ylim()
    active = result.active[rows].tolist()
    axes[-1].fill_between(
        when, top, bottom, where=active, color=WARNING, alpha=0.35, step="post", linewidth=0
    )
    event_begin, event_end = when[first - begin], when[min(last + 1, end - 1) - begin]
    for axis in axes:
        axis.axvspan(event_begin, event_end, color=ALARM, alpha=0.12, linewidth=0)
        axis.grid(color=GRID, linewidth=0.5)
        axis.tick_params(labelsize=SMALL)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    title = f"{result.run.name}: event (red), warning active (brown)"
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", color=INK)
    save(figure, path)


def _line(axis: Axes, title: str, when: np.ndarray, values: Floats) -> None:
    axis.plot(when, values, color=INK, linewidth=0.8)
    axis.set_title(title, fontsize=SMALL, loc="left", pad=3, color=INK)


def _most_changed(
    plant: Plant, result: EvaluatedRun, event: tuple[int, int], begin: int
) -> list[str]:
    """Monitored tags, largest change first.

    The change is the distance between the medians in the event and before it, in standard
    deviations before it.
    """
    first, last = event
    changes: dict[str, float] = {}
    for instrument in monitored(plant):
        values: Floats = result.run.block.statistic(instrument.tag)
        before, inside = values[begin : first or 1], values[first : last + 1]
        if np.isfinite(before).any() and np.isfinite(inside).any():
            median = float(np.nanmedian(before))
            spread = np.nanstd(before) + RELATIVE_SPREAD * abs(median) + LEAST_SPREAD
            changes[instrument.tag] = float(abs(np.nanmedian(inside) - median) / spread)
    return sorted(changes, key=lambda tag: changes[tag], reverse=True)[:SIGNALS]


__all__ = ["event_plot"]
