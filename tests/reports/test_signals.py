"""Figures of signals show what was measured: every instrument once, with its unit, its limits, and what was wrong when."""

import re
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.preparation.datasets import LABEL
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.labels import in_alarm
from alarmstack.reports import plots
from alarmstack.reports.plots.style import SERIES, runs
from tests.blocks import BEGIN, block

LOG = pl.DataFrame(
    {
        "start": [BEGIN + timedelta(hours=30), BEGIN + timedelta(hours=90)],
        "end": [BEGIN + timedelta(hours=40), BEGIN + timedelta(hours=95)],
        "description": ["foam", "reflux spike"],
    }
).with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))


@pytest.fixture(scope="module")
def made(plant: Plant) -> IntervalBlock:
    return block(plant, 240, 3)


def words(figure: Figure) -> str:
    """All that a reader finds written on a figure."""
    figure.canvas.draw()
    told = [
        text.get_text()
        for axis in figure.axes
        for text in (*axis.texts, axis.title, axis.yaxis.label, axis.xaxis.label)
    ]
    told += [axis.get_title(loc="left") for axis in figure.axes]
    told += [
        label.get_text()
        for axis in figure.axes
        for label in (*axis.get_xticklabels(), *axis.get_yticklabels())
    ]
    told += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join([*told, figure.get_suptitle()])


def test_every_instrument_stands_in_its_units_figure_with_unit_and_limit(
    plant: Plant, made: IntervalBlock
) -> None:
    alarm = in_alarm(plant, made, LOG)
    for unit in plant.units:
        told = words(plots.unit_figure(plant, made, alarm, LOG, unit.key))
        mine = [i for i in plant.instruments if i.process_unit == unit.key]
        assert [i.tag for i in plant.instruments if re.search(rf"^{i.tag}$", told, re.M)] == [
            i.tag for i in mine
        ]
        assert all(f"{i.tag}\n{i.unit}" in told for i in mine)
        assert "in alarm" in told and "period of the operator log" in told
    assert "limit 300 mbar" in words(
        plots.unit_figure(plant, made, alarm, LOG, plant.instrument("PDT31008").process_unit)
    )


def test_controllers_show_value_setpoint_and_output(plant: Plant, made: IntervalBlock) -> None:
    figure = plots.controllers_figure(plant, made, any_rule(plant, made), LOG)
    value, output = figure.axes[0], figure.axes[1]
    first = plant.controllers[0]
    drawn = [line.get_ydata() for line in (*value.lines, *output.lines)]
    for signal, line in zip((first.pv, first.sp, first.op), drawn, strict=True):
        assert np.array_equal(np.asarray(line), made.statistic(signal), equal_nan=True)


def test_each_known_event_has_a_row_with_its_description(plant: Plant, made: IntervalBlock) -> None:
    told = words(plots.events_figure(plant, made, in_alarm(plant, made, LOG), LOG))
    assert "foam" in told and "reflux spike" in told
    assert "names no period" in words(
        plots.events_figure(plant, made, any_rule(plant, made), LOG.clear())
    )


def test_reasons_add_up_to_the_label(plant: Plant, made: IntervalBlock) -> None:
    alarm = in_alarm(plant, made, LOG)
    table = plots.reasons_table(plant, made, alarm, LOG)
    assert table.filter(pl.col("reason").str.starts_with("period"))["rows"].item() == 11 + 6
    label = table.filter(pl.col("reason") == LABEL)
    assert label["rows"].item() == alarm.sum() and label["rows of no other reason"].item() == 0
    assert len(plots.extremes_table(plant, made)) == len(plant.labels.rules)


def test_the_other_figures_name_units_and_what_is_drawn(plant: Plant, made: IntervalBlock) -> None:
    alarm = in_alarm(plant, made, LOG)
    assert "rank correlation" in words(plots.correlations_figure(plant, made))
    told = words(plots.distributions_figure(plant, made, alarm))
    assert all(f"{i.tag}: {i.title}" in told for i in plant.modelled) and "% of the rows" in told
    assert "90% quantile" in words(plots.volatility_figure(plant, made, alarm, LOG))
    assert "hours of the day" in words(plots.labels_figure(plant, made, alarm, LOG))


def test_an_instrument_that_never_spoke_is_no_fault(plant: Plant, made: IntervalBlock) -> None:
    values = made.values.copy()
    values[:, made.signals.index(plant.modelled[0].tag)] = np.nan
    silent = IntervalBlock(
        made.start, made.cadence, made.signals, values, made.count, made.age, made.segment
    )
    assert "no value at all" in words(
        plots.distributions_figure(plant, silent, any_rule(plant, silent))
    )
    assert "–" in words(plots.correlations_figure(plant, silent))


def test_colours_are_told_apart_without_red_and_green() -> None:
    """Distance under deuteranopia, by Viénot's (1999) projection of linear RGB."""
    linear = [np.array([int(c[at : at + 2], 16) / 255 for at in (1, 3, 5)]) ** 2.2 for c in SERIES]
    seen = [
        np.array(
            [0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b]
        )
        for r, g, b in linear
    ]
    near = min(
        np.abs(a**0.45 - b**0.45).max()
        for n, a in enumerate(np.clip(seen, 0, 1))
        for b in np.clip(seen, 0, 1)[n + 1 :]
    )
    assert near > 0.08


def test_runs_of_rows() -> None:
    assert runs(np.array([True, False, True, True])) == [(0, 0), (2, 3)]
    assert runs(np.zeros(3, bool)) == []
