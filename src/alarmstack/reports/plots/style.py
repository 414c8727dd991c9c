"""How every figure looks: one palette that colour-blind readers can tell apart, plain axes, shading that says what it means."""

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
from alarmstack.reports.timeline import GRID, INK

BLUE, SKY, GREEN, ORANGE, VERMILLION, PURPLE = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
)
"""Okabe and Ito's palette (2008), which people with any colour vision tell apart."""
GREY = "#8c9196"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, INK)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
"""Lines differ by dash as well as by colour: they survive a grey print."""
SMALL, TEXT = 8, 9
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
    """The figure with a title above all axes, at the left."""
    figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
    return figure


def dated(axis: Axes, when: Instants, zone: str) -> None:
    """An axis of plant time that spans `when`."""
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
    for first, last in runs(on):
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
    """The legend of the shading, above the axes."""
    handles: list[Any] = [
        *extra,
        Patch(color=VERMILLION, alpha=0.25, linewidth=0, label="in alarm"),
    ]
    if periods:
        handles.append(
            Patch(
                facecolor="none", edgecolor=GREY, hatch="////", label="period of the operator log"
            )
        )
    figure.legend(
        handles=handles,
        loc="outside upper right",
        fontsize=SMALL,
        frameon=False,
        ncols=len(handles),
    )


def limit(axis: Axes, value: float, text: str) -> None:
    """A limit as a dashed line that says what it is."""
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


def runs(on: Mask) -> list[tuple[int, int]]:
    """First and last row of every stretch that is on.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    edges = np.diff(np.concatenate(([0], np.asarray(on, int), [0])))
    return [
        (int(a), int(b))
        for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1, strict=True)
    ]


def hide(axes: Iterable[Axes]) -> None:
    """Leave places of a grid empty."""
    for axis in axes:
        axis.set_axis_off()


def short(name: str, prefix: str) -> str:
    """A model's name without the plant's prefix, in words."""
    return name.removeprefix(f"{prefix}_").replace("_", " ")


__all__ = [
    "BLUE",
    "DASHES",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "SERIES",
    "SKY",
    "SMALL",
    "TEXT",
    "VERMILLION",
    "dated",
    "entitle",
    "hide",
    "limit",
    "runs",
    "shade",
    "shade_periods",
    "shading_key",
    "sheet",
    "short",
]
