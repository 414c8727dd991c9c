"""Plots of the registered models: calibration, reliability, importance and contributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import OPERATING
from alarmstack.features.examples import Examples
from alarmstack.models.contributions import explain, importance
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import BLOCK
from alarmstack.reports.plots.style import (
    BLUE,
    GREY,
    NO_FORECASTER,
    ORANGE,
    SERIES,
    SMALL,
    VERMILLION,
    empty_plot,
    entitle,
    hide,
    sheet,
    short,
)
from alarmstack.reports.timeline import INK
from alarmstack.training.studies import Bin

TOP = 10
"""Features shown."""
SAMPLE = 400
"""Rows whose contributions are plotted."""
LEAST_VARIANCE = 1e-4
"""Of an observed frequency of 0 or 1, so that its interval is visible."""
NORMAL_95 = 1.96
"""Half width of a 95 % interval in standard errors."""
NO_BINS = "nothing to plot: no model with probabilities, or too few rows"
NO_FEATURES = "nothing to plot: no model of the plant learns from features"
NATURAL = np.linspace(0.002, 0.985, 400)
"""Raw probabilities for which a calibration is plotted."""


def calibration_plot(bundles: Mapping[str, Bundle]) -> Figure:
    """Raw and calibrated probability of each calibrated model. The diagonal means: unchanged."""
    shown = {name: b for name, b in bundles.items() if b.calibration is not None}
    figure, axes = sheet(1, max(len(shown), 1), 13, 3.4, sharey=True)
    if not shown:
        hide(axes.flat)
        axes[0, 0].annotate(
            "no model is calibrated", (0, 0.5), xycoords="axes fraction", fontsize=SMALL
        )
    for axis, (name, bundle) in zip(axes[0], shown.items(), strict=False):
        assert bundle.calibration is not None
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=":")
        axis.plot(NATURAL, bundle.calibration(NATURAL), color=BLUE, linewidth=1.8)
        axis.set_title(short(name, bundle.prefix), fontsize=10, loc="left", color=INK)
        axis.set_xlabel("raw probability of the estimator", fontsize=SMALL)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_aspect("equal")
    axes[0, 0].set_ylabel("calibrated probability", fontsize=SMALL)
    return entitle(
        figure,
        "Calibration: raw and calibrated probability, fitted on held-back rows (dotted: unchanged)",
    )


def reliability_plot(bins: Sequence[Bin], prefix: str, of: str) -> Figure:
    """Forecast probability and observed frequency. Points on the diagonal are right.

    The numbers are rows. `of`: the name of the data, for the title.
    """
    if not bins:
        return empty_plot(f"Reliability on {of}", NO_BINS)
    names = list(dict.fromkeys(b.model for b in bins))
    columns = min(len(names), 4)
    lines = ceil(len(names) / columns)
    figure, axes = sheet(lines, columns, 13, 3.9 * lines, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        own_bins = [b for b in bins if b.model == name]
        forecast = np.array([b.said for b in own_bins])
        observed = np.array([b.came for b in own_bins])
        rows = np.array([b.rows for b in own_bins])
        variance = np.maximum(observed * (1 - observed), LEAST_VARIANCE)
        half_width = NORMAL_95 * np.sqrt(variance / rows)
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=":")
        axis.errorbar(
            forecast,
            observed,
            half_width,
            color=BLUE,
            linewidth=1.4,
            marker="o",
            markersize=5,
            elinewidth=1.0,
            capsize=2,
        )
        for count_of_rows, x, y in zip(rows, forecast, observed, strict=True):
            right = x < 0.75
            axis.annotate(
                f"{count_of_rows}",
                (x, y),
                xytext=(6 if right else -6, -9 if right and y > 0.12 else 6),
                textcoords="offset points",
                ha="left" if right else "right",
                fontsize=7,
                color=INK,
            )
        axis.set_title(short(name, prefix), fontsize=10, loc="left", color=INK)
        axis.set_xlabel("forecast probability", fontsize=SMALL)
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.02, 1.02)
        axis.set_aspect("equal")
    hide(axes.flat[len(names) :])
    axes[0, 0].set_ylabel("observed frequency", fontsize=SMALL)
    return entitle(
        figure,
        f"Reliability on {of} "
        "(numbers: rows; bars: 95 % interval as if rows were independent, which they are not)",
    )


def importance_plot(bundles: Mapping[str, Bundle]) -> Figure:
    """The most important features of each model, as shares of the total importance."""
    shown = [b for b in bundles.values() if b.group != BLOCK]
    if not shown:
        return empty_plot("Feature importance", NO_FEATURES)
    columns = 3
    figure, axes = sheet(
        ceil(len(shown) / columns), columns, 13.5, 0.6 + 2.6 * ceil(len(shown) / columns)
    )
    for axis, bundle in zip(axes.flat, shown, strict=False):
        shares, method = importance(bundle.native_form, bundle.native)
        best = np.argsort(shares)[-TOP:]
        axis.barh(range(len(best)), 100 * shares[best], color=BLUE, height=0.7)
        axis.set_yticks(range(len(best)), [bundle.names[place] for place in best], fontsize=7)
        axis.grid(axis="y", visible=False)
        axis.set_title(short(bundle.name, bundle.prefix), fontsize=10, loc="left", color=INK)
        axis.set_xlabel(f"% of {method}", fontsize=SMALL)
    hide(axes.flat[len(shown) :])
    return entitle(figure, f"Feature importance: the {TOP} strongest features of each model")


def contributions_plot(bundle: Bundle, examples: Examples) -> Figure:
    """Contribution of each feature to the scores of many rows: one dot per row.

    The colour is the value of the feature. Contributions are Shapley values of boosted trees,
    decision paths of forests, and products of linear models (`models.contributions`).
    """
    rows = _sample(bundle, examples)
    explained = [explain(bundle.native_form, bundle.native, bundle.kind, row) for row in rows]
    contributions = np.array([explanation.contributions for explanation in explained])
    best = np.argsort(np.abs(contributions).mean(axis=0))[-TOP - 2 :]
    figure, axes = sheet(1, 1, 10.5, 5.4)
    axis, drawn = axes[0, 0], None
    jitter = np.random.default_rng(0).normal(0, 0.11, len(rows)).clip(-0.35, 0.35)
    for place, feature in enumerate(best):
        drawn = axis.scatter(
            contributions[:, feature],
            place + jitter,
            c=_ranks(rows[:, feature]),
            cmap="cividis",
            s=9,
            linewidth=0,
        )
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_yticks(range(len(best)), [bundle.names[place] for place in best], fontsize=SMALL)
    axis.set_xlabel(
        f"contribution to the score ({explained[0].scale}); right: towards an alarm", fontsize=SMALL
    )
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axis, pad=0.01, ticks=[0, 1], shrink=0.6, aspect=35)
        bar.ax.set_yticklabels(["lowest", "highest"], fontsize=SMALL)
        bar.set_label("value of the feature (rank; missing values: in the middle)", fontsize=SMALL)
    return entitle(
        figure, f"{short(bundle.name, bundle.prefix)}: {explained[0].method} of {len(rows)} rows"
    )


def explanation_plot(bundle: Bundle, examples: Examples, row: int) -> Figure:
    """Explanation of one score: what the strongest features add to the base value or subtract."""
    values = examples.features("window" if bundle.group == "window" else "point")[row]
    explanation = explain(bundle.native_form, bundle.native, bundle.kind, values)
    best = np.argsort(np.abs(explanation.contributions))[-TOP:]
    strongest = explanation.contributions[best]
    rest = explanation.contributions.sum() - strongest.sum()
    steps = np.concatenate(([rest], strongest))
    labels = [_value_label(bundle.names[place], values[place]) for place in best]
    figure, axes = sheet(1, 1, 10.5, 4.6)
    axis = axes[0, 0]
    begin = explanation.base + np.concatenate(([0.0], np.cumsum(steps)[:-1]))
    axis.barh(
        range(len(steps)),
        steps,
        left=begin,
        color=[VERMILLION if s > 0 else BLUE for s in steps],
        height=0.7,
    )
    axis.set_yticks(
        range(len(steps)),
        [f"the other {len(values) - len(best)} features", *labels],
        fontsize=SMALL,
    )
    axis.axvline(explanation.base, color=GREY, linewidth=1.0, linestyle=":")
    axis.axvline(explanation.total, color=INK, linewidth=1.0)
    ends = np.concatenate((begin, begin + steps))
    room = 0.04 * float(np.ptp(ends)) + 1e-6
    axis.set_xlim(ends.min() - room, ends.max() + room)
    axis.set_xlabel(f"score ({explanation.scale}, before calibration)", fontsize=SMALL)
    axis.grid(axis="y", visible=False)
    keys = [
        Line2D([], [], color=VERMILLION, linewidth=6, label="raises the score"),
        Line2D([], [], color=BLUE, linewidth=6, label="lowers it"),
        Line2D([], [], color=GREY, linestyle=":", label=f"base value {explanation.base:.2f}"),
        Line2D([], [], color=INK, label=f"score {explanation.total:.2f}"),
    ]
    figure.legend(handles=keys, loc="outside lower center", fontsize=SMALL, frameon=False, ncols=4)
    time = str(examples.start[row].astype("datetime64[m]")).replace("T", " ")
    output = float(bundle.score(values[None])[0])
    name = short(bundle.name, bundle.prefix)
    return entitle(figure, f"{name}: why {output:.0%} at {time} (UTC)")


def _value_label(name: str, value: float) -> str:
    return f"{name} = {value:.3g}" if np.isfinite(value) else f"{name}: missing"


def metrics_table(bundles: Mapping[str, Bundle]) -> pl.DataFrame:
    """The evaluation metrics of every model, one per line."""
    rows = [
        {"model": short(b.name, b.prefix), "metric": metric, "value": round(value, 4)}
        for b in bundles.values()
        for metric, value in sorted(b.metrics.items())
    ]
    return pl.DataFrame(rows, schema={"model": pl.String, "metric": pl.String, "value": pl.Float64})


def thresholds_plot(bundles: Mapping[str, Bundle], examples: Examples, of: str) -> Figure:
    """Distribution of each forecaster's output, before alarms and otherwise, and its threshold.

    `of`: the name of the rows, for the title.
    """
    shown = [b for b in bundles.values() if b.group == "window"]
    if not shown:
        return empty_plot(f"Scores and thresholds: {of}", NO_FORECASTER)
    figure, axes = sheet(1, len(shown), 13, 3.2, sharey=True)
    ahead = examples.onset_target(max(examples.plant.time.horizons))
    for axis, bundle in zip(axes[0], shown, strict=False):
        scores = bundle.score(examples.window)
        for value, colour, name in (
            (0.0, SERIES[0], "no alarm ahead"),
            (1.0, VERMILLION, "an alarm begins soon"),
        ):
            part = scores[ahead == value]
            if len(part):
                weights = np.full(len(part), 100 / len(part))
                axis.hist(
                    part,
                    np.linspace(0, 1, 31),
                    weights=weights,
                    histtype="step",
                    color=colour,
                    linewidth=1.5,
                    label=name,
                )
        threshold = bundle.thresholds.get(OPERATING)
        if threshold is not None:
            axis.axvline(
                threshold,
                color=ORANGE,
                linewidth=1.5,
                linestyle=(0, (5, 2)),
                label="operating threshold",
            )
        axis.set_yscale("log")
        axis.set_title(short(bundle.name, bundle.prefix), fontsize=10, loc="left", color=INK)
        axis.set_xlabel("probability", fontsize=SMALL)
    axes[0, 0].set_ylabel("% of the rows", fontsize=SMALL)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper right", fontsize=SMALL, frameon=False, ncols=3
    )
    return entitle(figure, f"Scores and thresholds: {of}")


def highest_row(bundle: Bundle, examples: Examples) -> int:
    """The quiet row with the highest probability of a forecaster."""
    scores = np.where(examples.quiet, bundle.score(examples.window), -np.inf)
    return int(np.argmax(scores))


def _sample(bundle: Bundle, examples: Examples) -> Floats:
    """Rows spread evenly over time, and as many rows with the highest scores.

    Quiet rows alone would show little.
    """
    values = examples.features("window" if bundle.group == "window" else "point")
    usable = np.flatnonzero(examples.segment >= 0)
    highest = usable[np.argsort(bundle.score(values[usable]))[-SAMPLE // 2 :]]
    even = usable[:: max(len(usable) // (SAMPLE // 2), 1)]
    return values[np.union1d(highest, even)]


def _ranks(values: Floats) -> Floats:
    """Ranks from 0 to 1; 0.5 for a missing value."""
    finite = np.isfinite(values)
    ranks = np.full(len(values), 0.5)
    if finite.any():
        order = np.unique(values[finite], return_inverse=True)[1]
        ranks[finite] = order / max(order.max(), 1)
    return ranks


__all__ = [
    "calibration_plot",
    "contributions_plot",
    "explanation_plot",
    "highest_row",
    "importance_plot",
    "metrics_table",
    "reliability_plot",
    "thresholds_plot",
]
