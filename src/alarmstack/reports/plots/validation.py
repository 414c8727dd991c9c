"""Plots of a walk-forward validation: folds, curves, sweep, horizons, onsets and leads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from alarmstack.core.intervals import Floats
from alarmstack.core.plant import write_duration
from alarmstack.evaluation.table import TableRow
from alarmstack.evaluation.thresholds import sweep
from alarmstack.reports.plots.style import (
    BLUE,
    DASHES,
    GREY,
    NO_FORECASTER,
    ORANGE,
    SERIES,
    SMALL,
    VERMILLION,
    dated,
    empty_plot,
    entitle,
    sheet,
    short,
)
from alarmstack.reports.timeline import INK
from alarmstack.training.studies import WEEK, Bin, tenths
from alarmstack.training.walk_forward import FOLD_METRICS, Walk, Walked, row_metrics

ROWS_AFTER = 1
"""Rows shown after an onset."""
NO_EVENTS = "nothing to plot: too few events"
TICKS = 9
"""Font size of the horizons."""
BASELINE_MARKS = ("^", "x", "+", "1")
EVENTS_SCHEMA = {
    "model": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "baseline": pl.String,
    "baseline value": pl.Float64,
}
"""Columns of the table of event metrics."""
SWEEP_BUDGETS, SWEEP_PERCENT = 4, 40
"""Ranges of the threshold sweep: multiples of the budget, per cent of quiet time."""
HIGHEST_LEVEL = 2.0
"""Highest score, in units of the threshold, that the colours of the onsets distinguish."""


def folds_plot(walk: Walk) -> Figure:
    """Training rows, gap and evaluated rows of each fold, and where alarms begin."""
    source = walk.source
    figure, axes = sheet(1, 1, 13, 0.9 + 0.5 * (len(walk.folds) + 1))
    axis, when = axes[0, 0], source.start.astype("datetime64[us]")
    last = when[-1] + np.timedelta64(source.plant.time.cadence)
    ends = np.append(when, last)
    for place, fold in enumerate(walk.folds):
        train, first, end = len(fold.train), int(fold.held_back[0]), int(fold.held_back[-1]) + 1
        for a, b, colour in ((0, train, BLUE), (train, first, GREY), (first, end, ORANGE)):
            axis.barh(
                place,
                ends[b] - ends[a],
                left=ends[a],
                height=0.6,
                color=colour,
                alpha=0.85,
                linewidth=0,
            )
        onsets = source.onsets[(source.onsets >= first) & (source.onsets < end)]
        axis.plot(
            when[onsets],
            np.full(len(onsets), place),
            "|",
            color=INK,
            markersize=9,
            markeredgewidth=0.8,
        )
    axis.set_yticks(
        range(len(walk.folds)), [f"fold {n + 1}" for n in range(len(walk.folds))], fontsize=SMALL
    )
    axis.set_ylim(len(walk.folds) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    dated(axis, ends, source.plant.timezone)
    keys = [
        Patch(color=BLUE, alpha=0.85, label="training"),
        Patch(color=GREY, alpha=0.85, label="gap"),
        Patch(color=ORANGE, alpha=0.85, label="evaluated"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="an alarm begins"),
    ]
    figure.legend(handles=keys, loc="outside upper right", fontsize=SMALL, frameon=False, ncols=4)
    return entitle(figure, "Walk-forward validation")


def curves_plot(walk: Walk) -> Figure:
    """ROC and precision-recall curves on unseen rows.

    Top: forecasters. Bottom: models of the current row.
    """
    groups = [
        ("an alarm begins within the horizon", [m for m in walk.models if m.horizon is not None]),
        ("in alarm at this row", [m for m in walk.models if m.horizon is None]),
    ]
    figure, axes = sheet(2, 2, 12, 9)
    for (left, right), (title, models) in zip(axes, groups, strict=True):
        left.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=":")
        for place, model in enumerate(models):
            _curve(left, right, walk, model, place)
        left.set_title(f"ROC: {title}", fontsize=10, loc="left", color=INK)
        left.set_xlabel("false-positive rate: share of other rows", fontsize=SMALL)
        left.set_ylabel("true-positive rate", fontsize=SMALL)
        right.set_title(f"Precision and recall: {title}", fontsize=10, loc="left", color=INK)
        right.set_xlabel("recall: share of such rows detected", fontsize=SMALL)
        right.set_ylabel("precision", fontsize=SMALL)
        for axis, corner in ((left, "lower right"), (right, "best")):
            axis.set_xlim(-0.01, 1.01)
            axis.set_ylim(-0.01, 1.03)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=SMALL, loc=corner, framealpha=0.9, edgecolor="none")
    return entitle(
        figure,
        "Row metrics on unseen rows (dotted: chance; right panels, tick at the edge: base rate)",
    )


def _curve(left: Axes, right: Axes, walk: Walk, model: Walked, place: int) -> None:
    usable = ~np.isnan(model.target) & ~np.isnan(model.scores)
    target, scores = model.target[usable], model.scores[usable]
    if len(np.unique(target)) < 2:
        return
    name = short(model.name, walk.examples.plant.registry_prefix)
    colour, dash = SERIES[place], DASHES[place % len(DASHES)]
    false, true, _ = roc_curve(target, scores)
    left.plot(
        false,
        true,
        color=colour,
        linestyle=dash,
        linewidth=1.6,
        label=f"{name}: area {roc_auc_score(target, scores):.2f}",
    )
    precision, recall, _ = precision_recall_curve(target, scores)
    average, base_rate = average_precision_score(target, scores), target.mean()
    right.plot(
        recall[:-1],
        precision[:-1],
        color=colour,
        linestyle=dash,
        linewidth=1.6,
        label=f"{name}: average precision {average:.2f}, base rate {base_rate:.2f}",
    )
    right.plot(
        [1.0],
        [base_rate],
        marker="_",
        color=colour,
        markersize=14,
        markeredgewidth=2,
        clip_on=False,
    )


def sweep_plot(walk: Walk) -> Figure:
    """Threshold sweep: onsets with a warning against false alarms, with each operating point."""
    plant = walk.examples.plant
    budget = plant.warnings.false_alarms_per_day
    figure, axes = sheet(1, 2, 13, 4.8)
    for place, model in enumerate((*walk.forecasters, *walk.baselines)):
        swept = sweep(walk.examples, model.scores)
        is_baseline = model.horizon is None
        colour = GREY if is_baseline else SERIES[place]
        dash = DASHES[(place - len(walk.forecasters)) % len(DASHES)] if is_baseline else "-"
        name = (
            f"baseline: {model.name}" if is_baseline else short(model.name, plant.registry_prefix)
        )
        recall = [point.recall for point in swept]
        false_per_day = [point.false_per_day for point in swept]
        time_in_warning = [100 * point.share_in_warning for point in swept]
        for axis, x in zip(axes[0], (false_per_day, time_in_warning), strict=True):
            axis.plot(
                x,
                recall,
                color=colour,
                linestyle=dash,
                linewidth=1.2 if is_baseline else 1.8,
                label=name,
            )
        if not is_baseline:
            chosen = walk.outcome(model)
            point = (chosen.false_per_day, 100 * chosen.share_in_warning)
            for axis, at in zip(axes[0], point, strict=True):
                axis.plot(
                    at, chosen.recall, "o", color=colour, markersize=8, markeredgecolor="white"
                )
    axes[0, 0].axvline(budget, color=VERMILLION, linewidth=1.0, linestyle=(0, (6, 3)))
    axes[0, 0].annotate(
        f"budget {budget:g} a day",
        (budget, 0.02),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=SMALL,
        color=VERMILLION,
    )
    axes[0, 0].set_xlim(0, SWEEP_BUDGETS * budget)
    axes[0, 0].set_xlabel("false alarms a day", fontsize=SMALL)
    axes[0, 1].set_xlim(0, SWEEP_PERCENT)
    axes[0, 1].set_xlabel("% of quiet time in warning", fontsize=SMALL)
    for axis in axes[0]:
        axis.set_ylim(-0.02, 1.02)
        axis.set_ylabel("share of onsets with a warning", fontsize=SMALL)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        fontsize=SMALL,
        frameon=False,
        ncols=len(handles),
    )
    return entitle(
        figure,
        "Threshold sweep (dots: operating points; thresholds were chosen on earlier rows)",
    )


def reliability_bins(walk: Walk, fewest: int) -> list[Bin]:
    """Reliability of every model with probabilities on unseen rows, by tenths of probability."""
    week = WEEK // walk.examples.step
    bins: list[Bin] = []
    for model in walk.models:
        if model.probability:
            bins += tenths(model.name, model.scores, model.target, week, fewest)
    return bins


def horizons_plot(walk: Walk, rows: Sequence[TableRow]) -> Figure:
    """The forecasters: recall with baselines, average precision with base rate, and leads."""
    if not walk.forecasters:
        return empty_plot("Horizons", NO_FORECASTER)
    plant = walk.examples.plant
    budget = plant.warnings.false_alarms_per_day
    figure, axes = sheet(1, 3, 13, 3.9)
    for place, model in enumerate(walk.forecasters):
        own_rows = [row for row in rows if row.model == model.name]
        gains = [row for row in own_rows if "gain" in row.metric]
        by_metric = {row.metric: row for row in own_rows if "gain" not in row.metric}
        _recall(axes[0, 0], place, by_metric[f"event_recall@{budget:g}/day"], gains)
        _precision(axes[0, 1], place, by_metric.get("average_precision"))
        _leads(axes[0, 2], place, walk.outcome(model).lead)
    names = ["" if m.horizon is None else write_duration(m.horizon) for m in walk.forecasters]
    titles = (
        f"onsets with a warning at {budget:g} false alarms a day",
        "average precision",
        "hours of warning",
    )
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_xticks(range(len(names)), names, fontsize=TICKS)
        axis.set_xlim(-0.6, len(names) - 0.4)
        axis.set_xlabel("horizon", fontsize=SMALL)
        axis.set_title(title, fontsize=10, loc="left", color=INK)
        axis.set_ylim(bottom=-0.02)
    axes[0, 0].set_ylim(-0.02, 1.02)
    axes[0, 1].set_ylim(-0.02, 1.02)
    axes[0, 0].set_ylabel("share of onsets", fontsize=SMALL)
    axes[0, 2].set_ylabel("hours", fontsize=SMALL)
    key = _key(rows)
    figure.legend(
        handles=key, loc="outside lower center", fontsize=SMALL, frameon=False, ncols=len(key)
    )
    return entitle(figure, "Horizons")


def _key(rows: Sequence[TableRow]) -> list[Line2D]:
    names = list(dict.fromkeys(str(r.baseline) for r in rows if "gain" in r.metric))
    baselines = [
        Line2D(
            [], [], color=INK, marker=mark, linestyle="", markersize=7, label=f"baseline: {name}"
        )
        for name, mark in zip(names, BASELINE_MARKS, strict=False)
    ]
    dot = Line2D(
        [],
        [],
        color=BLUE,
        marker="o",
        linewidth=2,
        label="forecaster (line: 95 % interval; for hours: P10 to P90)",
    )
    return [
        dot,
        *baselines,
        Line2D([], [], color=INK, marker="_", linestyle="", markersize=12, label="base rate"),
    ]


def _recall(axis: Axes, place: int, row: TableRow, gains: Sequence[TableRow]) -> None:
    if row.value is None or row.low is None or row.high is None:
        axis.annotate(
            "not\nmeasurable", (place, 0.5), ha="center", va="center", fontsize=SMALL, color=INK
        )
        return
    axis.plot([place, place], [row.low, row.high], color=BLUE, linewidth=2)
    axis.plot(place, row.value, "o", color=BLUE, markersize=8)
    for gain, mark in zip(gains, BASELINE_MARKS, strict=False):
        if gain.baseline_value is not None:
            axis.plot(
                place + 0.14,
                gain.baseline_value,
                mark,
                color=INK,
                markersize=7,
                markeredgewidth=1.2,
            )


def _precision(axis: Axes, place: int, row: TableRow | None) -> None:
    if row is None or row.value is None or row.baseline_value is None:
        axis.annotate(
            "not\nmeasurable", (place, 0.5), ha="center", va="center", fontsize=SMALL, color=INK
        )
        return
    axis.plot(place, row.value, "o", color=BLUE, markersize=8)
    axis.plot(place, row.baseline_value, "_", color=INK, markersize=16, markeredgewidth=2)


def _leads(axis: Axes, place: int, lead: Floats) -> None:
    leads = lead[np.isfinite(lead)]
    if not len(leads):
        axis.annotate(
            "no onset\nwith a warning",
            (place, 0.5),
            ha="center",
            va="bottom",
            fontsize=SMALL,
            color=INK,
        )
        return
    low, middle, high = np.quantile(leads, (0.1, 0.5, 0.9))
    axis.plot([place, place], [low, high], color=BLUE, linewidth=2)
    axis.plot(place, middle, "o", color=BLUE, markersize=8)
    axis.annotate(
        f"{middle:.3g} h",
        (place, middle),
        xytext=(9, -3),
        textcoords="offset points",
        fontsize=SMALL,
        color=INK,
    )


def onsets_plot(walk: Walk) -> Figure:
    """Every onset as a line: the forecaster's score in the rows before, and the warning.

    The colour is the score in units of its threshold. A ring marks the first warning in time. Lines
    without a ring were missed.
    """
    if not walk.forecasters:
        return empty_plot("Every onset", NO_FORECASTER)
    plant = walk.examples.plant
    before = plant.rows(max(plant.time.window, plant.time.longest_useful_lead))
    hour = plant.time.cadence / timedelta(hours=1)
    figure, axes = sheet(1, len(walk.forecasters), 13, 6.2)
    drawn = None
    for axis, model in zip(axes[0], walk.forecasters, strict=True):
        outcome, level = walk.outcome(model), walk.levelled(model)
        order = np.argsort(np.nan_to_num(outcome.lead, nan=-1.0), kind="stable")
        if len(order):
            segment, onsets = walk.examples.segment, outcome.onset[order]
            lines = np.stack(
                [_around(level, segment, int(onset), before, ROWS_AFTER) for onset in onsets]
            )
            extent = (-(before + 0.5) * hour, (ROWS_AFTER + 0.5) * hour, -0.5, len(order) - 0.5)
            drawn = axis.imshow(
                np.minimum(lines, HIGHEST_LEVEL),
                aspect="auto",
                origin="lower",
                cmap="cividis",
                vmin=0,
                vmax=HIGHEST_LEVEL,
                extent=extent,
                interpolation="none",
            )
            lead = outcome.lead[order]
            axis.plot(
                -lead,
                np.arange(len(order)),
                "o",
                markersize=4.5,
                markerfacecolor="none",
                markeredgecolor=VERMILLION,
            )
            warned = np.isfinite(lead).sum()
            name = short(model.name, plant.registry_prefix)
            axis.set_title(
                f"{name}: {warned} of {len(lead)} with a warning",
                fontsize=10,
                loc="left",
                color=INK,
            )
        else:
            axis.annotate(
                NO_EVENTS, (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=SMALL
            )
        axis.axvline(0, color=VERMILLION, linewidth=1.2)
        axis.grid(False)
        axis.set_xlabel("hours from the onset (line: the alarm begins)", fontsize=SMALL)
        axis.set_yticks([])
    axes[0, 0].set_ylabel("onsets, longest lead at the top", fontsize=SMALL)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, pad=0.01, shrink=0.8, ticks=[0, 1, 2])
        bar.ax.set_yticklabels(["0", "1: warning", "2 or more"], fontsize=SMALL)
        bar.set_label("score in units of the threshold", fontsize=SMALL)
    return entitle(figure, "Every onset: the score before it, and the warning (ring)")


def _around(level: Floats, segment: np.ndarray, onset: int, before: int, after: int) -> Floats:
    rows = np.arange(onset - before, onset + after + 1)
    inside = (rows >= 0) & (rows < len(level))
    clipped = np.clip(rows, 0, len(level) - 1)
    same_segment = segment[clipped] == segment[onset]
    return np.where(inside & same_segment, level[clipped], np.nan)


def leads_plot(walk: Walk) -> Figure:
    """Number of onsets by lead time."""
    if not walk.forecasters:
        return empty_plot("Lead times", NO_FORECASTER)
    plant = walk.examples.plant
    longest = plant.rows(plant.time.longest_useful_lead)
    hour = plant.time.cadence / timedelta(hours=1)
    figure, axes = sheet(1, len(walk.forecasters), 13, 3.0, sharey=True)
    for axis, model in zip(axes[0], walk.forecasters, strict=True):
        lead = walk.outcome(model).lead
        missed = int(np.isnan(lead).sum())
        by_lead = [int(np.isclose(lead, rows * hour).sum()) for rows in range(1, longest + 1)]
        counts = [missed, *by_lead]
        bars = axis.bar(range(longest + 1), counts, color=[GREY, *[BLUE] * longest], width=0.75)
        axis.bar_label(bars, fontsize=SMALL, color=INK)
        axis.set_xticks(
            range(longest + 1),
            ["missed", *(f"{rows * hour:g}" for rows in range(1, longest + 1))],
            fontsize=SMALL,
        )
        axis.set_xlabel("hours of warning", fontsize=SMALL)
        axis.set_title(short(model.name, plant.registry_prefix), fontsize=10, loc="left", color=INK)
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("onsets", fontsize=SMALL)
    return entitle(figure, "Lead times")


def folds_table(walk: Walk) -> pl.DataFrame:
    """Event metrics of every forecaster and baseline in every fold."""
    prefix = walk.examples.plant.registry_prefix
    table: list[dict[str, object]] = []
    for model in (*walk.forecasters, *walk.baselines):
        for number, outcome in enumerate(walk.by_fold(model)):
            first_row = walk.folds[number].held_back[0]
            head = {
                "model": short(model.name, prefix),
                "fold": number + 1,
                "evaluated from": str(walk.source.start[first_row])[:10],
            }
            metrics = {
                name.removeprefix("fold_"): round(metric(outcome), 3)
                for name, metric in FOLD_METRICS.items()
            }
            table.append(head | metrics)
    return pl.DataFrame(table)


def rows_table(walk: Walk, rows: Sequence[TableRow]) -> pl.DataFrame:
    """Row metrics of every model on unseen rows. F1 uses the threshold chosen in each fold."""
    prefix = walk.examples.plant.registry_prefix
    table: list[dict[str, object]] = []
    for model in walk.models:
        by_metric = {row.metric: row for row in rows if row.model == model.name}
        metrics = dict(row_metrics(walk, model))
        for name in ("average_precision", "brier_skill"):
            value = by_metric[name].value if name in by_metric else None
            if value is not None:
                metrics[name] = value
        line: dict[str, object] = {"model": short(model.name, prefix)}
        for name in ("roc_auc", "average_precision", "brier_skill", "f1"):
            line[name] = round(metrics[name], 3) if name in metrics else None
        precision = by_metric.get("average_precision")
        line["base rate"] = None if precision is None else precision.baseline_value
        table.append(line)
    return pl.DataFrame(table, infer_schema_length=None)


def events_table(rows: Sequence[TableRow]) -> pl.DataFrame:
    """Event metrics of every forecaster with 95 % intervals, and the best baseline.

    Empty for a plant without a forecaster.
    """
    return pl.DataFrame(
        [
            {
                "model": r.model,
                "metric": r.metric,
                "value": r.value,
                "low": r.low,
                "high": r.high,
                "baseline": r.baseline,
                "baseline value": r.baseline_value,
            }
            for r in rows
            if "@" in r.metric
        ],
        schema=EVENTS_SCHEMA,
    ).with_columns(pl.col(pl.Float64).round(3))


__all__ = [
    "curves_plot",
    "events_table",
    "folds_plot",
    "folds_table",
    "horizons_plot",
    "leads_plot",
    "onsets_plot",
    "reliability_bins",
    "rows_table",
    "sweep_plot",
]
