"""A picture of one event: the signals that speak of it, the score, when an alarm stood and when the event was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmstack.bench.metrics import Judged
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.models.normality import monitored
from alarmstack.reports.timeline import ALARM, GRID, INK, WARNING, save

SIGNALS = 4
"""Signals shown: those that move most between the rows before the event and the event."""
BEFORE, AFTER = 1.5, 0.5
"""Lengths of the event shown before and after it."""
FEWEST_ROWS = 60


def event_picture(plant: Plant, judged: Judged, event: tuple[int, int], path: Path) -> None:
    """Draw rows around an event (first row, last row) as a PNG."""
    first, last = event
    length = max(last - first + 1, FEWEST_ROWS)
    begin = max(0, first - int(BEFORE * length))
    end = min(len(judged.on), last + 1 + int(AFTER * length))
    rows = np.arange(begin, end)
    when = judged.run.block.start[begin:end].astype("datetime64[us]")
    shown = _speaking(plant, judged, event, begin)
    figure = Figure(figsize=(9, 1.4 + 1.1 * len(shown)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1 + len(shown), 1, sharex=True)
    axes = np.atleast_1d(axes)
    for axis, tag in zip(axes, shown, strict=False):
        axis.plot(when, judged.run.block.statistic(tag)[rows], color=INK, linewidth=0.8)
        axis.set_title(tag, fontsize=7, loc="left", pad=3, color=INK)
        axis.set_ylabel(plant.instrument(tag).unit, fontsize=7)
    axes[-1].plot(when, judged.scores[rows], color=INK, linewidth=0.8)
    axes[-1].set_title("score", fontsize=7, loc="left", pad=3, color=INK)
    top, bottom = axes[-1].get_ylim()
    axes[-1].fill_between(
        when,
        top,
        bottom,
        where=judged.on[rows].tolist(),
        color=WARNING,
        alpha=0.35,
        step="post",
        linewidth=0,
    )
    for axis in axes:
        axis.axvspan(
            when[first - begin],
            when[min(last + 1, end - 1) - begin],
            color=ALARM,
            alpha=0.12,
            linewidth=0,
        )
        axis.grid(color=GRID, linewidth=0.5)
        axis.tick_params(labelsize=7)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.suptitle(
        f"{judged.run.name}: event (red), warning (brown)", fontsize=9, x=0.01, ha="left", color=INK
    )
    save(figure, path)


def _speaking(plant: Plant, judged: Judged, event: tuple[int, int], begin: int) -> list[str]:
    """Watched tags by how far their median in the event lies from that before it, in spreads before it."""
    first, last = event
    found: dict[str, float] = {}
    for instrument in monitored(plant):
        value: Floats = judged.run.block.statistic(instrument.tag)
        before, inside = value[begin : first or 1], value[first : last + 1]
        if np.isfinite(before).any() and np.isfinite(inside).any():
            spread = np.nanstd(before) + 1e-3 * abs(float(np.nanmedian(before))) + 1e-12
            found[instrument.tag] = float(abs(np.nanmedian(inside) - np.nanmedian(before)) / spread)
    return sorted(found, key=lambda tag: found[tag], reverse=True)[:SIGNALS]


__all__ = ["event_picture"]
