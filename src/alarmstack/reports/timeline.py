"""Plots of results: a timeline of measurements, model outputs and alarms, and event recall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmstack.core.intervals import IntervalBlock, Mask
from alarmstack.core.model_list import CHAMPION, NORMALITY, model_list
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.whole_files import replacing
from alarmstack.evaluation.table import TableRow
from alarmstack.preparation.derived import column, holds
from alarmstack.preparation.labels import Episode

INK, GRID, ALARM, WARNING = "#2b2f33", "#d5d8db", "#b3261e", "#8a5a00"
FORECAST = ("#9db7d5", "#5580b4", "#1f4e8c")
"""Colours of the forecasts; the shortest horizon is the darkest."""


def timeline(
    plant: Plant,
    block: IntervalBlock,
    results: pl.DataFrame,
    episodes: tuple[Episode, ...],
    path: Path,
) -> None:
    """Write `timeline_plot` as a PNG."""
    save(timeline_plot(plant, block, results, episodes), path)


def timeline_plot(
    plant: Plant, block: IntervalBlock, results: pl.DataFrame, episodes: tuple[Episode, ...]
) -> Figure:
    """Risk, forecasts, warnings, alarm episodes and the columns with limits, over time."""
    rules = plant.labels.rules
    figure = Figure(figsize=(15, 3 + 1.6 * len(rules)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2 + len(rules), 1, sharex=True, height_ratios=[2, 0.7, *[1.3] * len(rules)]
    )
    when = block.start.astype("datetime64[us]")
    _scores(axes[0], plant, when, results, episodes)
    _warnings(axes[1], plant, when, results)
    for axis, rule in zip(axes[2:], rules, strict=True):
        value = column(plant, block, rule.column)
        value = np.abs(value) if rule.absolute else value
        axis.plot(when, value, color=INK, linewidth=0.8)
        axis.axhline(rule.limit, color=ALARM, linewidth=0.8, linestyle=(0, (6, 3)))
        axis.annotate(
            f"limit {rule.limit:g} {rule.unit}",
            (0.005, rule.limit),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            color=ALARM,
        )
        axis.fill_between(
            when,
            *axis.get_ylim(),
            where=holds(plant, block, rule),
            color=ALARM,
            alpha=0.25,
            step="post",
            linewidth=0,
        )
        axis.set_ylabel(f"{rule.column}\n{rule.unit}", fontsize=8)
    for axis in axes:
        _plain(axis, when, episodes)
    axes[-1].set_xlabel(f"plant time ({plant.timezone})", fontsize=9)
    axes[0].set_title(
        f"{plant.title}: model outputs, warnings and alarms (shaded: in alarm)",
        fontsize=11,
        loc="left",
        color=INK,
    )
    return figure


def recall_plot(rows: Sequence[TableRow], path: Path) -> None:
    """Write a PNG: event recall of models and baselines at each budget, with 95 % intervals."""
    recalls = [row for row in rows if row.metric.startswith("event_recall")]
    models = list(dict.fromkeys(row.model for row in recalls))
    budgets = [row.metric.removeprefix("event_recall") for row in recalls if row.model == models[0]]
    figure = Figure(
        figsize=(4.2 * len(budgets), 1.2 + 0.75 * len(models)),
        layout="constrained",
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(budgets), sharey=True))
    for axis, budget in zip(axes, budgets, strict=True):
        for place, model in enumerate(reversed(models)):
            own_rows = [row for row in rows if row.model == model and row.metric.endswith(budget)]
            _recall_line(axis, own_rows, place)
        axis.set_title(
            budget.removeprefix("@").replace("/day", " false alarms a day"),
            fontsize=10,
            loc="left",
            color=INK,
        )
        axis.set_yticks(range(len(models)), list(reversed(models)), fontsize=8)
        axis.set_xlim(-0.02, 1.02)
        axis.set_xlabel(
            "share of onsets with a warning (dot, 95 % interval); ticks: baselines", fontsize=8
        )
        axis.grid(color=GRID, linewidth=0.5, axis="x")
        axis.tick_params(labelsize=8)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
    save(figure, path)


def _recall_line(axis: Axes, rows: Sequence[TableRow], place: int) -> None:
    recall = next(r for r in rows if r.metric.startswith("event_recall"))
    if recall.value is None or recall.low is None or recall.high is None:
        axis.annotate("not measurable", (0.3, place), fontsize=8, color=INK, va="center")
        return
    axis.plot(np.array([recall.low, recall.high]), [place, place], color=FORECAST[1], linewidth=2)
    axis.plot(recall.value, place, "o", color=FORECAST[2], markersize=6)
    for row in rows:
        if row.metric.startswith("recall_gain") and row.baseline_value is not None:
            axis.plot(
                row.baseline_value, place, "|", color=WARNING, markersize=12, markeredgewidth=1.5
            )


def save(figure: Figure, path: Path) -> None:
    """Write a plot as a PNG. An existing file is replaced when the new one is complete."""
    with replacing(path) as partial, mpl.rc_context({"svg.hashsalt": "alarmstack"}):
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})


def _scores(
    axis: Axes, plant: Plant, when: np.ndarray, results: pl.DataFrame, episodes: tuple[Episode, ...]
) -> None:
    if CHAMPION not in results.columns:
        _distance(axis, when, results)
        return
    axis.plot(when, results[CHAMPION].to_numpy(), color=INK, linewidth=1.0, label="risk now")
    for colour, horizon in zip(FORECAST, reversed(_horizons(plant)), strict=False):
        name = write_duration(horizon)
        axis.plot(
            when,
            results[f"forecast_{name}"].to_numpy(),
            color=colour,
            linewidth=1.1,
            linestyle=(0, (4, 1.5)),
            label=f"alarm begins within {name}",
        )
    axis.set_ylim(-0.02, 1.02)
    axis.set_ylabel("probability", fontsize=8)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=4, frameon=False)


def _distance(axis: Axes, when: np.ndarray, results: pl.DataFrame) -> None:
    """The distance from normal behaviour: the score of a plant without labels."""
    if NORMALITY in results.columns:
        axis.plot(when, results[NORMALITY].to_numpy(), color=INK, linewidth=1.0)
    axis.set_ylabel("distance from normal", fontsize=8)


def _warnings(axis: Axes, plant: Plant, when: np.ndarray, results: pl.DataFrame) -> None:
    names = [write_duration(h) for h in _horizons(plant)]
    for place, name in enumerate(names):
        on = results[f"warning_{name}"].to_numpy().astype(bool)
        axis.fill_between(
            when,
            place + 0.15,
            place + 0.85,
            where=_whole_rows(on),
            color=WARNING,
            step="post",
            linewidth=0,
        )
    axis.set_yticks(
        [p + 0.5 for p in range(len(names))], [f"warning {n}" for n in names], fontsize=8
    )
    axis.set_ylim(0, max(len(names), 1))


def _horizons(plant: Plant) -> list[timedelta]:
    """The horizons of the plant's forecasters."""
    return [model.horizon for model in model_list(plant) if model.horizon is not None]


def _whole_rows(on: Mask) -> Mask:
    """A mask with which an active row is drawn up to the start of the next row."""
    return np.asarray(on | np.concatenate(([False], on[:-1])))


def _plain(axis: Axes, when: np.ndarray, episodes: tuple[Episode, ...]) -> None:
    for episode in episodes:
        axis.axvspan(
            when[episode.first],
            when[min(episode.last + 1, len(when) - 1)],
            color=ALARM,
            alpha=0.10,
            linewidth=0,
        )
    axis.grid(color=GRID, linewidth=0.5)
    axis.tick_params(labelsize=8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.set_xlim(when[0], when[-1])


__all__ = ["recall_plot", "save", "timeline", "timeline_plot"]
