"""Figures of a walk forward: the folds, curves, what a threshold does, horizons beside baselines, and every event with its warning."""

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
    ORANGE,
    SERIES,
    SMALL,
    VERMILLION,
    dated,
    entitle,
    sheet,
    short,
)
from alarmstack.reports.timeline import INK
from alarmstack.training.studies import WEEK, Bin, tenths
from alarmstack.training.walk_forward import FOLD_METRICS, Walk, Walked, row_metrics

BEFORE, AFTER = timedelta(hours=12), timedelta(hours=1)
"""What the event view shows around an onset."""
NOTHING = "nothing to draw: too few events"


def folds_figure(walk: Walk) -> Figure:
    """What each fold learns from, the gap, what it is judged on, and where alarms begin."""
    found = walk.source
    figure, axes = sheet(1, 1, 13, 0.9 + 0.5 * (len(walk.folds) + 1))
    axis, when = axes[0, 0], found.start.astype("datetime64[us]")
    last = when[-1] + np.timedelta64(found.plant.time.cadence)
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
        onsets = found.onsets[(found.onsets >= first) & (found.onsets < end)]
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
    dated(axis, ends, found.plant.timezone)
    keys = [
        Patch(color=BLUE, alpha=0.85, label="learnt from"),
        Patch(color=GREY, alpha=0.85, label="gap"),
        Patch(color=ORANGE, alpha=0.85, label="judged on"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="an alarm begins"),
    ]
    figure.legend(handles=keys, loc="outside upper right", fontsize=SMALL, frameon=False, ncols=4)
    return entitle(figure, "The walk forward")


def curves_figure(walk: Walk) -> Figure:
    """ROC and precision-recall curves on rows that no model had seen: above the forecasters, below the models of the present."""
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
        right.set_xlabel("recall: share of such rows found", fontsize=SMALL)
        right.set_ylabel("precision", fontsize=SMALL)
        for axis, corner in ((left, "lower right"), (right, "best")):
            axis.set_xlim(-0.01, 1.01)
            axis.set_ylim(-0.01, 1.03)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=SMALL, loc=corner, framealpha=0.9, edgecolor="none")
    return entitle(
        figure,
        "Row by row on unseen rows (dotted: chance; in the right panels a tick at the edge: the base rate)",
    )


def _curve(left: Axes, right: Axes, walk: Walk, model: Walked, place: int) -> None:
    known = ~np.isnan(model.target) & ~np.isnan(model.scores)
    target, scores = model.target[known], model.scores[known]
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
    label = f"{name}: average precision {average_precision_score(target, scores):.2f}, base rate {target.mean():.2f}"
    right.plot(
        recall[:-1], precision[:-1], color=colour, linestyle=dash, linewidth=1.6, label=label
    )
    right.plot(
        [1.0],
        [target.mean()],
        marker="_",
        color=colour,
        markersize=14,
        markeredgewidth=2,
        clip_on=False,
    )


def sweep_figure(walk: Walk) -> Figure:
    """What a threshold buys: onsets warned of against false alarms a day, forecasters beside baselines, and where they operate."""
    plant = walk.examples.plant
    budget = plant.warnings.false_alarms_per_day
    figure, axes = sheet(1, 2, 13, 4.8)
    for place, one in enumerate((*walk.forecasters, *walk.baselines)):
        swept = sweep(walk.examples, one.scores)
        is_baseline = one.horizon is None
        colour = GREY if is_baseline else SERIES[place]
        dash = DASHES[(place - len(walk.forecasters)) % len(DASHES)] if is_baseline else "-"
        name = f"baseline: {one.name}" if is_baseline else short(one.name, plant.registry_prefix)
        recall = [s.recall for s in swept]
        for axis, x in zip(
            axes[0],
            ([s.false_per_day for s in swept], [100 * s.share_in_warning for s in swept]),
            strict=True,
        ):
            axis.plot(
                x,
                recall,
                color=colour,
                linestyle=dash,
                linewidth=1.2 if is_baseline else 1.8,
                label=name,
            )
        if not is_baseline:
            told = walk.outcome(one)
            for axis, at in zip(
                axes[0], (told.false_per_day, 100 * told.share_in_warning), strict=True
            ):
                axis.plot(at, told.recall, "o", color=colour, markersize=8, markeredgecolor="white")
    axes[0, 0].axvline(budget, color=VERMILLION, linewidth=1.0, linestyle=(0, (6, 3)))
    axes[0, 0].annotate(
        f"budget {budget:g} a day",
        (budget, 0.02),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=SMALL,
        color=VERMILLION,
    )
    axes[0, 0].set_xlim(0, 4 * budget)
    axes[0, 0].set_xlabel("false alarms a day", fontsize=SMALL)
    axes[0, 1].set_xlim(0, 40)
    axes[0, 1].set_xlabel("% of quiet time in warning", fontsize=SMALL)
    for axis in axes[0]:
        axis.set_ylim(-0.02, 1.02)
        axis.set_ylabel("share of onsets warned of", fontsize=SMALL)
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
        "Threshold sweep (dots: where each forecaster operates, its threshold chosen on earlier rows)",
    )


def reliability_bins(walk: Walk, fewest: int) -> list[Bin]:
    """Tenths of every model that says probabilities, on rows it had not seen."""
    week = WEEK // walk.examples.step
    return [
        b
        for one in walk.models
        if one.probability
        for b in tenths(one.name, one.scores, one.target, week, fewest)
    ]


def horizons_figure(walk: Walk, rows: Sequence[TableRow]) -> Figure:
    """The forecasters beside one another: onsets warned of and every baseline, average precision and base rate, lead times."""
    plant = walk.examples.plant
    budget = plant.warnings.false_alarms_per_day
    figure, axes = sheet(1, 3, 13, 3.9)
    for place, model in enumerate(walk.forecasters):
        mine = {r.metric: r for r in rows if r.model == model.name and "gain" not in r.metric}
        gains = [r for r in rows if r.model == model.name and "gain" in r.metric]
        _recall(axes[0, 0], place, mine[f"event_recall@{budget:g}/day"], gains)
        _precision(axes[0, 1], place, mine.get("average_precision"))
        _leads(axes[0, 2], place, walk.outcome(model).lead)
    names = ["" if m.horizon is None else write_duration(m.horizon) for m in walk.forecasters]
    titles = (
        f"onsets warned of at {budget:g} false alarms a day",
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


TICKS = 9
BASELINE_MARKS = ("^", "x", "+", "1")


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
        label="forecaster (line: 95 % interval; of hours: P10 to P90)",
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
    known = lead[np.isfinite(lead)]
    if not len(known):
        axis.annotate(
            "no onset\nwarned of", (place, 0.5), ha="center", va="bottom", fontsize=SMALL, color=INK
        )
        return
    low, middle, high = np.quantile(known, (0.1, 0.5, 0.9))
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


def events_view(walk: Walk) -> Figure:
    """Every onset as a line: how the forecaster's score rose in the hours before, and when the warning was issued.

    Colour is the score in units of its threshold; a ring marks the first warning in time; lines without a ring were missed.
    """
    plant = walk.examples.plant
    before, after = plant.rows(BEFORE), plant.rows(AFTER)
    hour = plant.time.cadence / timedelta(hours=1)
    figure, axes = sheet(1, len(walk.forecasters), 13, 6.2)
    drawn = None
    for axis, model in zip(axes[0], walk.forecasters, strict=True):
        told, level = walk.outcome(model), walk.levelled(model)
        order = np.argsort(np.nan_to_num(told.lead, nan=-1.0), kind="stable")
        if len(order):
            lines = np.stack(
                [
                    _around(level, walk.examples.segment, int(told.onset[o]), before, after)
                    for o in order
                ]
            )
            extent = (-(before + 0.5) * hour, (after + 0.5) * hour, -0.5, len(order) - 0.5)
            drawn = axis.imshow(
                np.minimum(lines, 2.0),
                aspect="auto",
                origin="lower",
                cmap="cividis",
                vmin=0,
                vmax=2,
                extent=extent,
                interpolation="none",
            )
            lead = told.lead[order]
            axis.plot(
                -lead,
                np.arange(len(order)),
                "o",
                markersize=4.5,
                markerfacecolor="none",
                markeredgecolor=VERMILLION,
            )
            warned = np.isfinite(lead)
            axis.set_title(
                f"{short(model.name, plant.registry_prefix)}: {warned.sum()} of {len(lead)} warned of",
                fontsize=10,
                loc="left",
                color=INK,
            )
        else:
            axis.annotate(
                NOTHING, (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=SMALL
            )
        axis.axvline(0, color=VERMILLION, linewidth=1.2)
        axis.grid(False)
        axis.set_xlabel("hours from the onset (line: the alarm begins)", fontsize=SMALL)
        axis.set_yticks([])
    axes[0, 0].set_ylabel("onsets, the longest lead on top", fontsize=SMALL)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, pad=0.01, shrink=0.8, ticks=[0, 1, 2])
        bar.ax.set_yticklabels(["0", "1: warning", "2 or more"], fontsize=SMALL)
        bar.set_label("score in units of the threshold", fontsize=SMALL)
    return entitle(
        figure, "Every event: the score before it, and when the warning was issued (ring)"
    )


def _around(level: Floats, segment: np.ndarray, onset: int, before: int, after: int) -> Floats:
    rows = np.arange(onset - before, onset + after + 1)
    inside = (rows >= 0) & (rows < len(level))
    seen = np.clip(rows, 0, len(level) - 1)
    return np.where(inside & (segment[seen] == segment[onset]), level[seen], np.nan)


def leads_figure(walk: Walk) -> Figure:
    """How many onsets were warned of how long before."""
    plant = walk.examples.plant
    longest = plant.rows(plant.time.longest_useful_lead)
    hour = plant.time.cadence / timedelta(hours=1)
    figure, axes = sheet(1, len(walk.forecasters), 13, 3.0, sharey=True)
    for axis, model in zip(axes[0], walk.forecasters, strict=True):
        lead = walk.outcome(model).lead
        counts = [
            int(np.isnan(lead).sum()),
            *(int(np.isclose(lead, rows * hour).sum()) for rows in range(1, longest + 1)),
        ]
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
    """Event figures of every forecaster and baseline in every fold."""
    prefix = walk.examples.plant.registry_prefix
    return pl.DataFrame(
        [
            {
                "model": short(one.name, prefix),
                "fold": number + 1,
                "judged from": str(walk.source.start[fold.held_back[0]])[:10],
            }
            | {
                name.removeprefix("fold_"): round(figure(told), 3)
                for name, figure in FOLD_METRICS.items()
            }
            for one in (*walk.forecasters, *walk.baselines)
            for number, (fold, told) in enumerate(zip(walk.folds, walk.by_fold(one), strict=True))
        ]
    )


def rows_table(walk: Walk, rows: Sequence[TableRow]) -> pl.DataFrame:
    """Row figures of every model on unseen rows. F1: the score against the threshold that its fold chose."""
    prefix = walk.examples.plant.registry_prefix
    told = []
    for one in walk.models:
        mine = {
            r.metric: r
            for r in rows
            if r.model == one.name and r.metric in ("average_precision", "brier_skill")
        }
        figures = row_metrics(walk, one) | {
            name: row.value for name, row in mine.items() if row.value is not None
        }
        base = mine["average_precision"].baseline_value if "average_precision" in mine else None
        names = ("roc_auc", "average_precision", "brier_skill", "f1")
        told.append(
            {"model": short(one.name, prefix)}
            | {n: round(figures[n], 3) if n in figures else None for n in names}
            | {"base rate": base}
        )
    return pl.DataFrame(told, infer_schema_length=None)


def events_table(rows: Sequence[TableRow]) -> pl.DataFrame:
    """Event figures of every forecaster with 95 % intervals, and the best baseline beside them."""
    return pl.DataFrame(
        [
            {
                "model": r.model,
                "metric": r.metric,
                "value": r.value,
                "low": r.low,
                "high": r.high,
                "baseline": r.baseline,
                "baseline's": r.baseline_value,
            }
            for r in rows
            if "@" in r.metric
        ],
        infer_schema_length=None,
    ).with_columns(pl.col("value", "low", "high", "baseline's").cast(pl.Float64).round(3))


__all__ = [
    "curves_figure",
    "events_table",
    "events_view",
    "folds_figure",
    "folds_table",
    "horizons_figure",
    "leads_figure",
    "reliability_bins",
    "rows_table",
    "sweep_figure",
]
