"""Plots of signals show every instrument with its unit, limits, alarms and known periods."""

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
from alarmstack.reports.plots.style import SERIES
from tests.blocks import BEGIN, block

LOG = pl.DataFrame(
    {
        "start": [BEGIN + timedelta(hours=30), BEGIN + timedelta(hours=90)],
        "end": [BEGIN + timedelta(hours=40), BEGIN + timedelta(hours=95)],
        "description": ["foam", "reflux spike"],
    }
).with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))


@pytest.fixture(scope="module")
def month(plant: Plant) -> IntervalBlock:
    return block(plant, 240, 3)


def words(figure: Figure) -> str:
    """All text of a plot."""
    figure.canvas.draw()
    text = [
        text.get_text()
        for axis in figure.axes
        for text in (*axis.texts, axis.title, axis.yaxis.label, axis.xaxis.label)
    ]
    text += [axis.get_title(loc="left") for axis in figure.axes]
    text += [
        label.get_text()
        for axis in figure.axes
        for label in (*axis.get_xticklabels(), *axis.get_yticklabels())
    ]
    text += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join([*text, figure.get_suptitle()])


def test_every_instrument_is_in_the_plot_of_its_unit_with_unit_and_limit(
    plant: Plant, month: IntervalBlock
) -> None:
    alarm = in_alarm(plant, month, LOG)
    for unit in plant.units:
        text = words(plots.unit_plot(plant, month, alarm, LOG, unit.key))
        expected = [i for i in plant.instruments if i.process_unit == unit.key]
        shown = [i for i in plant.instruments if re.search(rf"^{i.tag}$", text, re.M)]
        assert shown == expected
        assert all(f"{i.tag}\n{i.unit}" in text for i in expected)
        assert "in alarm" in text and "period of the operator log" in text
    assert "limit 300 mbar" in words(
        plots.unit_plot(plant, month, alarm, LOG, plant.instrument("PDT31008").process_unit)
    )


def test_controllers_show_value_setpoint_and_output(plant: Plant, month: IntervalBlock) -> None:
    figure = plots.controllers_plot(plant, month, any_rule(plant, month), LOG)
    value, output = figure.axes[0], figure.axes[1]
    first = plant.controllers[0]
    drawn = [line.get_ydata() for line in (*value.lines, *output.lines)]
    for signal, line in zip((first.pv, first.sp, first.op), drawn, strict=True):
        assert np.array_equal(np.asarray(line), month.statistic(signal), equal_nan=True)


def test_each_known_event_has_a_row_with_its_description(
    plant: Plant, month: IntervalBlock
) -> None:
    text = words(plots.events_plot(plant, month, in_alarm(plant, month, LOG), LOG))
    assert "foam" in text and "reflux spike" in text
    assert "has no period" in words(
        plots.events_plot(plant, month, any_rule(plant, month), LOG.clear())
    )


def test_reasons_add_up_to_the_label(plant: Plant, month: IntervalBlock) -> None:
    alarm = in_alarm(plant, month, LOG)
    table = plots.reasons_table(plant, month, alarm, LOG)
    assert table.filter(pl.col("reason").str.starts_with("period"))["rows"].item() == 11 + 6
    label = table.filter(pl.col("reason") == LABEL)
    assert label["rows"].item() == alarm.sum() and label["rows of no other reason"].item() == 0
    assert len(plots.extremes_table(plant, month)) == len(plant.labels.rules)


def test_the_other_plots_name_units_and_content(plant: Plant, month: IntervalBlock) -> None:
    alarm = in_alarm(plant, month, LOG)
    assert "rank correlation" in words(plots.correlations_plot(plant, month))
    text = words(plots.distributions_plot(plant, month, alarm))
    assert all(f"{i.tag}: {i.title}" in text for i in plant.modelled) and "% of the rows" in text
    assert "90% quantile" in words(plots.volatility_plot(plant, month, alarm, LOG))
    assert "hours of the day" in words(plots.labels_plot(plant, month, alarm, LOG))


def test_an_instrument_without_values_is_not_an_error(plant: Plant, month: IntervalBlock) -> None:
    values = month.values.copy()
    values[:, month.signals.index(plant.modelled[0].tag)] = np.nan
    without_values = IntervalBlock(
        month.start, month.cadence, month.signals, values, month.count, month.age, month.segment
    )
    assert "no values" in words(
        plots.distributions_plot(plant, without_values, any_rule(plant, without_values))
    )
    assert "–" in words(plots.correlations_plot(plant, without_values))


def test_colours_can_be_distinguished_without_red_and_green() -> None:
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
