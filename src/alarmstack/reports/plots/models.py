"""Figures of the registered models: calibration, reliability, what matters to them, and why a score was what it was."""

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
    ORANGE,
    SERIES,
    SMALL,
    VERMILLION,
    entitle,
    hide,
    sheet,
    short,
)
from alarmstack.reports.timeline import INK
from alarmstack.training.studies import Bin

TOP = 10
SAMPLE = 400
"""Rows whose contributions are drawn."""
NATURAL = np.linspace(0.002, 0.985, 400)
"""Raw probabilities that a calibration is drawn for."""


def calibration_figure(bundles: Mapping[str, Bundle]) -> Figure:
    """What calibration makes of each calibrated model's raw probability; on the diagonal it changes nothing."""
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
        figure, "Calibration: what raw scores become, learnt on held-back rows (dotted: unchanged)"
    )


def reliability_figure(bins: Sequence[Bin], prefix: str, of: str) -> Figure:
    """Where a model said p, how often did it come? Points on the diagonal are right; the numbers are rows. `of`: the data."""
    names = list(dict.fromkeys(b.model for b in bins))
    columns = min(max(len(names), 1), 4)
    figure, axes = sheet(
        ceil(max(len(names), 1) / columns),
        columns,
        13,
        3.9 * ceil(max(len(names), 1) / columns),
        sharey=True,
    )
    for axis, name in zip(axes.flat, names, strict=False):
        mine = [b for b in bins if b.model == name]
        said, came = np.array([b.said for b in mine]), np.array([b.came for b in mine])
        spread = 1.96 * np.sqrt(
            np.maximum(came * (1 - came), 1e-4) / np.array([b.rows for b in mine])
        )
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=":")
        axis.errorbar(
            said,
            came,
            spread,
            color=BLUE,
            linewidth=1.4,
            marker="o",
            markersize=5,
            elinewidth=1.0,
            capsize=2,
        )
        for one, x, y in zip(mine, said, came, strict=True):
            right = x < 0.75
            axis.annotate(
                f"{one.rows}",
                (x, y),
                xytext=(6 if right else -6, -9 if right and y > 0.12 else 6),
                textcoords="offset points",
                ha="left" if right else "right",
                fontsize=7,
                color=INK,
            )
        axis.set_title(short(name, prefix), fontsize=10, loc="left", color=INK)
        axis.set_xlabel("probability that was said", fontsize=SMALL)
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.02, 1.02)
        axis.set_aspect("equal")
    hide(axes.flat[len(names) :])
    axes[0, 0].set_ylabel("share of rows in which it came", fontsize=SMALL)
    return entitle(
        figure,
        f"Reliability on {of} (numbers: rows; bars: 95 % if rows were independent, which they are not)",
    )


def importance_figure(bundles: Mapping[str, Bundle]) -> Figure:
    """The features that matter most to each model, as shares of all that its features do."""
    shown = [b for b in bundles.values() if b.group != BLOCK]
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
    return entitle(figure, f"What matters to each model: its {TOP} strongest features")


def contributions_figure(bundle: Bundle, examples: Examples) -> Figure:
    """What each feature did to the scores of many rows: one dot a row, coloured by the feature's value.

    Shapley values of boosted trees, decision paths of forests, products of linear models (`models.contributions`).
    """
    rows = _sample(bundle, examples)
    explained = [explain(bundle.native_form, bundle.native, bundle.kind, row) for row in rows]
    each = np.array([one.contributions for one in explained])
    best = np.argsort(np.abs(each).mean(axis=0))[-TOP - 2 :]
    figure, axes = sheet(1, 1, 10.5, 5.4)
    axis, drawn = axes[0, 0], None
    jitter = np.random.default_rng(0).normal(0, 0.11, len(rows)).clip(-0.35, 0.35)
    for place, feature in enumerate(best):
        drawn = axis.scatter(
            each[:, feature],
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
        bar.set_label("the feature's value (rank; missing: in the middle)", fontsize=SMALL)
    return entitle(
        figure, f"{short(bundle.name, bundle.prefix)}: {explained[0].method} of {len(rows)} rows"
    )


def explanation_figure(bundle: Bundle, examples: Examples, row: int) -> Figure:
    """Why one row scored as it did: what the strongest features added to the base value, or took from it."""
    values = examples.features("window" if bundle.group == "window" else "point")[row]
    found = explain(bundle.native_form, bundle.native, bundle.kind, values)
    best = np.argsort(np.abs(found.contributions))[-TOP:]
    rest = found.contributions.sum() - found.contributions[best].sum()
    steps = np.concatenate(([rest], found.contributions[best]))
    told = [
        f"{bundle.names[p]} = {values[p]:.3g}"
        if np.isfinite(values[p])
        else f"{bundle.names[p]}: missing"
        for p in best
    ]
    figure, axes = sheet(1, 1, 10.5, 4.6)
    axis = axes[0, 0]
    begin = found.base + np.concatenate(([0.0], np.cumsum(steps)[:-1]))
    axis.barh(
        range(len(steps)),
        steps,
        left=begin,
        color=[VERMILLION if s > 0 else BLUE for s in steps],
        height=0.7,
    )
    axis.set_yticks(
        range(len(steps)), [f"the other {len(values) - len(best)} features", *told], fontsize=SMALL
    )
    axis.axvline(found.base, color=GREY, linewidth=1.0, linestyle=":")
    axis.axvline(found.total, color=INK, linewidth=1.0)
    ends = np.concatenate((begin, begin + steps))
    room = 0.04 * float(np.ptp(ends)) + 1e-6
    axis.set_xlim(ends.min() - room, ends.max() + room)
    axis.set_xlabel(f"score ({found.scale}, before calibration)", fontsize=SMALL)
    axis.grid(axis="y", visible=False)
    keys = [
        Line2D([], [], color=VERMILLION, linewidth=6, label="raises the score"),
        Line2D([], [], color=BLUE, linewidth=6, label="lowers it"),
        Line2D([], [], color=GREY, linestyle=":", label=f"base value {found.base:.2f}"),
        Line2D([], [], color=INK, label=f"score {found.total:.2f}"),
    ]
    figure.legend(handles=keys, loc="outside lower center", fontsize=SMALL, frameon=False, ncols=4)
    stamp = str(examples.start[row].astype("datetime64[m]")).replace("T", " ")
    return entitle(
        figure,
        f"{short(bundle.name, bundle.prefix)}: why {_said(bundle, values):.0%} at {stamp} (UTC)",
    )


def metrics_table(bundles: Mapping[str, Bundle]) -> pl.DataFrame:
    """The judged figures of every model, one a line."""
    rows = [
        {"model": short(b.name, b.prefix), "metric": metric, "value": round(value, 4)}
        for b in bundles.values()
        for metric, value in sorted(b.metrics.items())
    ]
    return pl.DataFrame(rows, schema={"model": pl.String, "metric": pl.String, "value": pl.Float64})


def thresholds_figure(bundles: Mapping[str, Bundle], examples: Examples, of: str) -> Figure:
    """How often each forecaster says what, before alarms and otherwise, and where its threshold lies. `of`: the rows."""
    shown = [b for b in bundles.values() if b.group == "window"]
    figure, axes = sheet(1, max(len(shown), 1), 13, 3.2, sharey=True)
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


def loudest_row(bundle: Bundle, examples: Examples) -> int:
    """The quiet row that a forecaster gives the highest probability."""
    scores = np.where(examples.quiet, bundle.score(examples.window), -np.inf)
    return int(np.argmax(scores))


def _said(bundle: Bundle, values: Floats) -> float:
    return float(bundle.score(values[None])[0])


def _sample(bundle: Bundle, examples: Examples) -> Floats:
    """Rows spread evenly over time, and as many again from those that the model thinks most of: quiet rows alone say little."""
    values = examples.features("window" if bundle.group == "window" else "point")
    usable = np.flatnonzero(examples.segment >= 0)
    loud = usable[np.argsort(bundle.score(values[usable]))[-SAMPLE // 2 :]]
    even = usable[:: max(len(usable) // (SAMPLE // 2), 1)]
    return values[np.union1d(loud, even)]


def _ranks(value: Floats) -> Floats:
    known = np.isfinite(value)
    ranks = np.full(len(value), 0.5)
    if known.any():
        order = np.unique(value[known], return_inverse=True)[1]
        ranks[known] = order / max(order.max(), 1)
    return ranks


__all__ = [
    "calibration_figure",
    "contributions_figure",
    "explanation_figure",
    "importance_figure",
    "loudest_row",
    "metrics_table",
    "reliability_figure",
    "thresholds_figure",
]
