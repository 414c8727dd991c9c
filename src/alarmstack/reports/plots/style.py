"""The common style of all plots: a palette for any colour vision, plain axes, labelled shading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from alarmstack.core.intervals import Mask
from alarmstack.evaluation.vus import spans
from alarmstack.reports.timeline import GRID, INK

BLUE, SKY, GREEN, ORANGE, VERMILLION, PURPLE = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
)
"""Palette of Okabe and Ito (2008); its colours can be distinguished with any colour vision."""
GREY = "#8c9196"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, INK)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
"""Lines differ by dash as well as by colour, so that a grey print is readable."""
SMALL = 8
"""Font size of labels."""
NO_FORECASTER = "nothing to plot: the plant has no forecaster (no labels, or no time.horizons)"
"""The note of a plot of forecasters for a plant without one."""
Instants = npt.NDArray[np.datetime64]


def sheet(
    rows: int, columns: int, width: float, height: float, **grid: Any
) -> tuple[Figure, npt.NDArray[Any]]:
    """An empty figure and its axes [rows, columns]; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white", dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    for axis in axes.flat:
        axis.grid(color=GRID, linewidth=0.5)
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=SMALL)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return figure, axes


def entitle(figure: Figure, title: str) -> Figure:
    """Add a title above all axes, at the left."""
    figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
    return figure


def empty_plot(title: str, note: str) -> Figure:
    """A figure without axes that states why nothing is plotted."""
    figure, axes = sheet(1, 1, 13, 1.2)
    hide(axes.flat)
    axes[0, 0].annotate(note, (0, 0.5), xycoords="axes fraction", fontsize=SMALL)
    return entitle(figure, title)


def dated(axis: Axes, when: Instants, zone: str) -> None:
    """Format an axis as plant time that spans `when`."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)
    formatter.formats[2] = formatter.zero_formats[2] = "%d %b"
    axis.xaxis.set_major_formatter(formatter)
    axis.xaxis.get_offset_text().set_fontsize(SMALL)
    axis.set_xlim(when[0], when[-1])
    axis.set_xlabel(f"time ({zone})", fontsize=SMALL)


def shade(axis: Axes, when: Instants, on: Mask) -> None:
    """Shade rows in alarm."""
    for first, last in spans(on):
        axis.axvspan(
            when[first],
            when[min(last + 1, len(when) - 1)],
            color=VERMILLION,
            alpha=0.18,
            linewidth=0,
            zorder=0.4,
        )


def shade_periods(axis: Axes, periods: pl.DataFrame) -> None:
    """Hatch the known periods of trouble."""
    for start, end in periods.select("start", "end").iter_rows():
        begin, finish = start.replace(tzinfo=None), end.replace(tzinfo=None)
        axis.axvspan(
            begin,
            finish,
            facecolor="none",
            edgecolor=GREY,
            hatch="////",
            linewidth=0.5,
            alpha=0.45,
            zorder=0.5,
        )


def shading_key(figure: Figure, *, periods: bool = True, extra: Sequence[Any] = ()) -> None:
    """Add the legend of the shading, above the axes."""
    alarm = Patch(color=VERMILLION, alpha=0.25, linewidth=0, label="in alarm")
    period = Patch(
        facecolor="none", edgecolor=GREY, hatch="////", label="period of the operator log"
    )
    handles: list[Any] = [*extra, alarm, *([period] if periods else [])]
    figure.legend(
        handles=handles,
        loc="outside upper right",
        fontsize=SMALL,
        frameon=False,
        ncols=len(handles),
    )


def limit(axis: Axes, value: float, text: str) -> None:
    """Draw a limit as a dashed line with its label."""
    axis.axhline(value, color=VERMILLION, linewidth=1.0, linestyle=(0, (6, 3)))
    axis.annotate(
        text,
        (0.995, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
        color=VERMILLION,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
    )


def hide(axes: Iterable[Axes]) -> None:
    """Leave places of a grid of axes empty."""
    for axis in axes:
        axis.set_axis_off()


def short(name: str, prefix: str) -> str:
    """The name of a model without the plant's prefix, in words."""
    return name.removeprefix(f"{prefix}_").replace("_", " ")


__all__ = [
    "BLUE",
    "DASHES",
    "GREEN",
    "GREY",
    "NO_FORECASTER",
    "ORANGE",
    "PURPLE",
    "SERIES",
    "SKY",
    "SMALL",
    "VERMILLION",
    "dated",
    "empty_plot",
    "entitle",
    "hide",
    "limit",
    "shade",
    "shade_periods",
    "shading_key",
    "sheet",
    "short",
]
