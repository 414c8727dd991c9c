"""Plots of measurements: signals, controllers, correlations, distributions, events and labels."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from alarmstack.core.intervals import IntervalBlock, Mask
from alarmstack.core.plant import Instrument, Limit, Plant, write_duration
from alarmstack.preparation.datasets import LABEL, REGIME
from alarmstack.preparation.derived import column, holds, shifted, short_statistics
from alarmstack.preparation.labels import RegimeBands, in_period
from alarmstack.reports.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    SMALL,
    VERMILLION,
    dated,
    empty_plot,
    entitle,
    hide,
    limit,
    shade,
    shade_periods,
    shading_key,
    sheet,
)
from alarmstack.reports.timeline import INK

REGIME_COLOURS = {"normal": SKY, "transition": ORANGE, "alarm": VERMILLION}
AROUND = timedelta(hours=24)
"""Time shown before and after an event."""
SHOWN = 3
"""Signals shown of an event: those with the largest deviation."""
WHITE_TEXT_FROM = 0.65
"""Correlations beyond this are written in white, on the dark end of the colour scale."""
LEAST_SCALE = 1e-3
"""Share of an instrument's range that is added to its scale, so that a constant signal has one."""
EVENT_TITLE = 8.5
"""Font size of the title of an event."""


def unit_plot(
    plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame, unit: str
) -> Figure:
    """The instruments of a process unit over time: median, minimum to maximum, range and limits."""
    shown = [i for i in plant.instruments if i.process_unit == unit]
    title = next(u.title for u in plant.units if u.key == unit)
    if not shown:
        return empty_plot(title, "nothing to plot: the unit has no instrument")
    figure, axes = sheet(len(shown), 1, 13, 1.0 + 1.45 * len(shown), sharex=True)
    when = block.start.astype("datetime64[us]")
    for axis, instrument in zip(axes[:, 0], shown, strict=True):
        _instrument(axis, plant, block, instrument)
        shade(axis, when, alarm)
        shade_periods(axis, periods)
    dated(axes[-1, 0], when, plant.timezone)
    lines = [
        Line2D([], [], color=INK, linewidth=1, label="median of the row"),
        Patch(color=BLUE, alpha=0.35, linewidth=0, label="minimum to maximum"),
        Line2D([], [], color=GREEN, linestyle=":", label="normal range"),
    ]
    shading_key(figure, extra=lines)
    return entitle(figure, title)


def _instrument(axis: Axes, plant: Plant, block: IntervalBlock, instrument: Instrument) -> None:
    when = block.start.astype("datetime64[us]")
    low, high = (block.statistic(instrument.tag, name) for name in ("min", "max"))
    axis.fill_between(when, low, high, color=BLUE, alpha=0.35, linewidth=0)
    axis.plot(when, block.statistic(instrument.tag), color=INK, linewidth=0.9)
    for value in instrument.normal:
        axis.axhline(value, color=GREEN, linewidth=1.0, linestyle=":")
    for rule in plant.labels.rules:
        if rule.column in (instrument.tag, f"{instrument.tag}_max", f"{instrument.tag}_min"):
            limit(axis, rule.limit, f"limit {rule.limit:g} {rule.unit}")
    axis.set_ylabel(f"{instrument.tag}\n{instrument.unit}", fontsize=SMALL)
    dead = " – used by no model" if instrument.role == "dead" else ""
    axis.set_title(f"{instrument.title}{dead}", fontsize=SMALL, loc="left", pad=2, color=INK)


def controllers_plot(
    plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame
) -> Figure:
    """Process value and setpoint of every controller and, below, its output."""
    if not plant.controllers:
        return empty_plot("Controllers", "nothing to plot: the plant has no controller")
    figure, axes = sheet(
        2 * len(plant.controllers),
        1,
        13,
        0.8 + 2.7 * len(plant.controllers),
        sharex=True,
        height_ratios=[1.7, 1] * len(plant.controllers),
    )
    when = block.start.astype("datetime64[us]")
    for place, controller in enumerate(plant.controllers):
        process, output = axes[2 * place : 2 * place + 2, 0]
        unit = plant.instrument(controller.pv).unit
        process.plot(when, block.statistic(controller.pv), color=BLUE, linewidth=0.9)
        process.plot(
            when,
            block.statistic(controller.sp),
            color=ORANGE,
            linewidth=1.8,
            linestyle=(0, (5, 1.5)),
        )
        process.set_ylabel(f"{controller.name}\n{unit}", fontsize=SMALL)
        process.set_title(
            plant.instrument(controller.pv).title, fontsize=SMALL, loc="left", pad=2, color=INK
        )
        output.plot(when, block.statistic(controller.op), color=GREEN, linewidth=0.9)
        output.set_ylabel("output\n%", fontsize=SMALL)
        for axis in (process, output):
            shade(axis, when, alarm)
            shade_periods(axis, periods)
    dated(axes[-1, 0], when, plant.timezone)
    lines = [
        Line2D([], [], color=BLUE, label="process value (PV)"),
        Line2D([], [], color=ORANGE, linewidth=1.8, linestyle=(0, (5, 1.5)), label="setpoint (SP)"),
        Line2D([], [], color=GREEN, label="output (OP)"),
    ]
    shading_key(figure, extra=lines)
    return entitle(figure, "Controllers")


def correlations_plot(plant: Plant, block: IntervalBlock) -> Figure:
    """Rank correlations (Spearman) of the levels and of the changes from row to row."""
    levels = {i.tag: block.statistic(i.tag) for i in plant.modelled}
    changes = {tag: value - shifted(value, block.segment, 1) for tag, value in levels.items()}
    figure, axes = sheet(1, 2, 13, 6.4, sharey=True)
    cadence = write_duration(plant.time.cadence)
    drawn = None
    for axis, values, title in zip(
        axes[0], (levels, changes), ("levels", f"changes within {cadence}"), strict=True
    ):
        table = pd.DataFrame(values).corr(method="spearman").to_numpy()
        drawn = axis.imshow(table, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for (row, place), value in np.ndenumerate(table):
            axis.annotate(
                _correlation_text(value),
                (place, row),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if abs(value) > WHITE_TEXT_FROM else INK,
            )
        axis.set_xticks(range(len(values)), list(values), rotation=40, ha="right", fontsize=SMALL)
        axis.set_yticks(range(len(values)), list(values), fontsize=SMALL)
        axis.grid(False)
        axis.set_title(title, fontsize=10, loc="left", color=INK)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.01)
        bar.set_label("rank correlation", fontsize=SMALL)
        bar.ax.tick_params(labelsize=SMALL)
    return entitle(figure, "Correlations")


def _correlation_text(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def distributions_plot(plant: Plant, block: IntervalBlock, alarm: Mask) -> Figure:
    """Distribution of each instrument's values, in alarm and outside."""
    shown = plant.modelled
    columns = 3
    figure, axes = sheet(
        ceil(len(shown) / columns), columns, 13, 0.7 + 2.2 * ceil(len(shown) / columns)
    )
    for axis, instrument in zip(axes.flat, shown, strict=False):
        value = block.statistic(instrument.tag)
        finite = value[np.isfinite(value)]
        if not len(finite):
            axis.annotate(
                "no values", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=SMALL
            )
            continue
        edges = np.linspace(finite.min(), max(finite.max(), finite.min() + 1e-6), 40)
        for rows, colour, dash in ((~alarm, BLUE, "-"), (alarm, VERMILLION, (0, (4, 1)))):
            part = value[rows & np.isfinite(value)]
            if len(part):
                share = np.full(len(part), 100 / len(part))
                axis.hist(
                    part,
                    edges,
                    weights=share,
                    histtype="stepfilled",
                    color=colour,
                    alpha=0.25,
                    linewidth=0,
                )
                axis.hist(
                    part,
                    edges,
                    weights=share,
                    histtype="step",
                    color=colour,
                    linewidth=1.2,
                    linestyle=dash,
                )
        for edge in instrument.normal:
            axis.axvline(edge, color=GREEN, linewidth=1.0, linestyle=":")
        axis.set_title(
            f"{instrument.tag}: {instrument.title}", fontsize=SMALL, loc="left", color=INK
        )
        axis.set_xlabel(instrument.unit, fontsize=SMALL)
        axis.set_ylabel("% of the rows", fontsize=SMALL)
    hide(axes.flat[len(shown) :])
    keys = [
        Patch(color=BLUE, alpha=0.5, label="outside alarm"),
        Patch(color=VERMILLION, alpha=0.5, label="in alarm"),
        Line2D([], [], color=GREEN, linestyle=":", label="normal range"),
    ]
    figure.legend(handles=keys, loc="outside upper right", fontsize=SMALL, frameon=False, ncols=3)
    return entitle(figure, "Distributions")


def events_plot(plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame) -> Figure:
    """Every known period of trouble, with a day before and after it.

    Shows the signals with the largest deviation.
    """
    figure, axes = sheet(max(periods.height, 1), SHOWN, 13, 0.9 + 2.05 * max(periods.height, 1))
    if not periods.height:
        hide(axes.flat)
        axes[0, 0].annotate(
            "the operator log has no period in these data",
            (0, 0.5),
            xycoords="axes fraction",
            fontsize=SMALL,
        )
    for row, (start, end, description) in zip(
        axes, periods.select("start", "end", "description").iter_rows(), strict=False
    ):
        inside = _between(block, start, end)
        shown = _between(block, start - AROUND, end + AROUND)
        first, after = int(shown.argmax()), int(len(shown) - shown[::-1].argmax())
        this_period = periods.filter((pl.col("start") == start) & (pl.col("end") == end))
        for axis, signal in zip(row, _most_deviating(plant, block, inside), strict=False):
            _event(axis, plant, block.rows(first, after), signal)
            part = block.start.astype("datetime64[us]")[shown]
            shade(axis, part, alarm[shown])
            shade_periods(axis, this_period)
            dated(axis, part, plant.timezone)
            axis.set_xlabel("")
        row[0].set_title(
            f"{start:%d %b %H:%M} – {end:%d %b %H:%M}: {description}",
            fontsize=EVENT_TITLE,
            loc="left",
            color=INK,
            weight="bold",
        )
    setpoint = Line2D(
        [], [], color=ORANGE, linewidth=1.6, linestyle=(0, (5, 1.5)), label="setpoint"
    )
    shading_key(figure, extra=[setpoint])
    return entitle(
        figure,
        f"Known events: the {SHOWN} signals with the largest deviation (time: {plant.timezone})",
    )


def _between(block: IntervalBlock, start: datetime, end: datetime) -> Mask:
    begin, finish = (np.datetime64(t.replace(tzinfo=None), "us") for t in (start, end))
    return np.asarray((block.start >= begin) & (block.start <= finish))


def _event(axis: Axes, plant: Plant, block: IntervalBlock, signal: str) -> None:
    when = block.start.astype("datetime64[us]")
    axis.fill_between(
        when,
        block.statistic(signal, "min"),
        block.statistic(signal, "max"),
        color=BLUE,
        alpha=0.35,
        linewidth=0,
    )
    axis.plot(when, block.statistic(signal), color=INK, linewidth=1.0)
    for controller in plant.controllers:
        if signal == controller.pv:
            axis.plot(
                when,
                block.statistic(controller.sp),
                color=ORANGE,
                linewidth=1.6,
                linestyle=(0, (5, 1.5)),
            )
    for rule in plant.labels.rules:
        if rule.column == f"{signal}_max":
            limit(axis, rule.limit, f"limit {rule.limit:g}")
    axis.set_ylabel(f"{signal}\n{plant.instrument(signal).unit}", fontsize=SMALL)


def _most_deviating(plant: Plant, block: IntervalBlock, inside: Mask) -> list[str]:
    """Instruments by their largest deviation from the median, in spans of their middle 80 %."""
    deviation: dict[str, float] = {}
    for instrument in plant.modelled:
        value = block.statistic(instrument.tag)
        if not np.isfinite(value).any() or not inside.any():
            continue
        low, middle, high = np.nanquantile(value, (0.1, 0.5, 0.9))
        ends = np.concatenate(
            [block.statistic(instrument.tag, name)[inside] for name in ("min", "max")]
        )
        scale = high - low + LEAST_SCALE * (instrument.range[1] - instrument.range[0])
        largest = np.nanmax(np.abs(ends - middle), initial=0.0)
        deviation[instrument.tag] = float(largest / scale)
    return sorted(deviation, key=lambda tag: deviation[tag], reverse=True)[:SHOWN]


def volatility_plot(
    plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame
) -> Figure:
    """Rolling standard deviations over time, with limits and the quantile of transitions."""
    tags = plant.derived.short_statistics
    window = write_duration(plant.time.short_window)
    if not tags:
        note = "nothing to plot: plant.toml names no instrument in derived.short_statistics"
        return empty_plot("Volatility", note)
    figure, axes = sheet(len(tags), 1, 13, 0.8 + 1.6 * len(tags), sharex=True)
    when = block.start.astype("datetime64[us]")
    quantile = plant.labels.transition.quantile
    for axis, tag in zip(axes[:, 0], tags, strict=True):
        name = f"{tag}_roll{window}_std"
        value = short_statistics(plant, block, tag)[1]
        axis.plot(when, value, color=BLUE, linewidth=0.9)
        axis.set_ylim(bottom=0)
        if name in plant.labels.transition.columns:
            axis.axhline(
                float(np.nanquantile(value, quantile)), color=ORANGE, linewidth=1.4, linestyle=":"
            )
        for rule in plant.labels.rules:
            if rule.column == name:
                limit(axis, rule.limit, f"limit {rule.limit:g} {rule.unit}")
        axis.set_ylabel(f"{tag}\n{plant.instrument(tag).unit}", fontsize=SMALL)
        shade(axis, when, alarm)
        shade_periods(axis, periods)
    dated(axes[-1, 0], when, plant.timezone)
    line = Line2D(
        [],
        [],
        color=ORANGE,
        linestyle=":",
        linewidth=1.4,
        label=f"{quantile:.0%} quantile: above it a transition",
    )
    shading_key(figure, extra=[line])
    return entitle(figure, f"Volatility: standard deviation over {window}")


def labels_plot(plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame) -> Figure:
    """Why rows are in alarm, the regime of each row, and the hours of every regime by day."""
    regime = RegimeBands.fit(plant, block).regime(plant, block, alarm)
    lines = {rule.name.replace("_", " "): holds(plant, block, rule) for rule in plant.labels.rules}
    lines["operator log"] = in_period(block, periods)
    lines[LABEL] = alarm
    figure, axes = sheet(2, 1, 13, 5.2, sharex=True, height_ratios=[1, 1])
    when = block.start.astype("datetime64[us]")
    names = [REGIME, *reversed(lines)]
    for place, name in enumerate(names[1:], start=1):
        _strip(axes[0, 0], when, lines[name], place, VERMILLION if name == LABEL else GREY)
    for number, colour in enumerate(REGIME_COLOURS.values()):
        _strip(axes[0, 0], when, regime == number, 0, colour)
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=SMALL)
    axes[0, 0].set_ylim(-0.6, len(names) - 0.4)
    axes[0, 0].grid(axis="y", visible=False)
    _days(axes[1, 0], block, regime)
    dated(axes[1, 0], when, plant.timezone)
    keys = [Patch(color=colour, label=name) for name, colour in REGIME_COLOURS.items()]
    figure.legend(handles=keys, loc="outside upper right", fontsize=SMALL, frameon=False, ncols=3)
    return entitle(
        figure,
        "Labels and regimes (thresholds from the whole file: for this plot only, not for models)",
    )


def _strip(axis: Axes, when: np.ndarray, on: Mask, place: int, colour: str) -> None:
    step = when[1] - when[0]
    axis.barh(
        np.full(int(on.sum()), place),
        np.full(int(on.sum()), step),
        left=when[on],
        height=0.7,
        color=colour,
        linewidth=0,
    )


def _days(axis: Axes, block: IntervalBlock, regime: np.ndarray) -> None:
    day = block.start.astype("datetime64[D]")
    days = np.unique(day)
    hours = block.cadence / timedelta(hours=1)
    below = np.zeros(len(days))
    for number, colour in enumerate(REGIME_COLOURS.values()):
        rows = np.array([(regime[day == date] == number).sum() for date in days])
        height = rows * hours
        axis.bar(
            days + np.timedelta64(12, "h"),
            height,
            bottom=below,
            width=np.timedelta64(22, "h"),
            color=colour,
            linewidth=0,
        )
        below += height
    axis.set_yticks(range(0, 25, 6))
    axis.set_ylabel("hours of the day", fontsize=SMALL)


def reasons_table(
    plant: Plant, block: IntervalBlock, alarm: Mask, periods: pl.DataFrame
) -> pl.DataFrame:
    """How many rows are in alarm for each reason, and how many for this reason only."""
    reasons: dict[str, Mask] = {
        f"{rule.name}: {_compared(rule)} {rule.limit:g} {rule.unit}": holds(plant, block, rule)
        for rule in plant.labels.rules
    }
    reasons["period of the operator log"] = in_period(block, periods)
    together = np.sum(list(reasons.values()), axis=0)
    return pl.DataFrame(
        [
            {
                "reason": name,
                "rows": int(on.sum()),
                "rows of no other reason": int((on & (together == 1)).sum()),
            }
            for name, on in reasons.items()
        ]
        + [
            {
                "reason": LABEL,
                "rows": int(alarm.sum()),
                "rows of no other reason": int((alarm & (together == 0)).sum()),
            }
        ]
    )


def _compared(rule: Limit) -> str:
    """A rule's column and how it is compared with the limit."""
    name = f"|{rule.column}|" if rule.absolute else rule.column
    return f"{name} {'<' if rule.low else '>'}"


def extremes_table(plant: Plant, block: IntervalBlock) -> pl.DataFrame:
    """Each limit with the highest value of its column (low limit: the lowest) and the rows beyond
    it.
    """

    def worst(rule: Limit) -> float:
        highest = float(np.nanmax(rule.height(column(plant, block, rule.column)), initial=-np.inf))
        return -highest if rule.low else highest

    return pl.DataFrame(
        [
            {
                "column": rule.column,
                "limit": rule.limit,
                "unit": rule.unit,
                "highest": round(worst(rule), 1),
                "rows beyond": int(holds(plant, block, rule).sum()),
            }
            for rule in plant.labels.rules
        ]
    )


__all__ = [
    "controllers_plot",
    "correlations_plot",
    "distributions_plot",
    "events_plot",
    "extremes_table",
    "labels_plot",
    "reasons_table",
    "unit_plot",
    "volatility_plot",
]
