"""Plots of a validation show hits, leads and misses, and state what cannot be measured."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.patches import Rectangle

from alarmstack.core.plant import Plant
from alarmstack.evaluation.splits import walk_forward
from alarmstack.reports import plots
from alarmstack.training.walk_forward import Walk, Walked, walk_rows
from tests.reports.test_signals import words
from tests.training.stories import drawn


def validation(plant: Plant, cycles: int) -> Walk:
    """Alarms every 50 rows; only the 1 h forecaster predicts them, two rows before."""
    source = drawn(plant, ("." * 46 + "AAAA") * cycles)
    folds = walk_forward(source)
    begin = int(folds[0].held_back[0])
    evaluated = source.rows(begin, len(source))
    fold = np.concatenate([np.full(len(f.held_back), n) for n, f in enumerate(folds)])
    correct = np.full(len(evaluated), 0.05)
    for onset in evaluated.onsets:
        correct[onset - 2 : onset] = 0.9
    constant = np.full(len(evaluated), 0.1)
    models = tuple(
        Walked(
            f"plant_alarm_forecaster_{h}h",
            scores,
            evaluated.onset_target(timedelta(hours=h)),
            (0.5,) * 5,
            timedelta(hours=h),
            True,
        )
        for h, scores in ((1, correct), (3, constant))
    )
    baseline = Walked("random", constant, np.full(len(evaluated), np.nan), (0.5,) * 5)
    return Walk(source, folds, evaluated, fold, models, (baseline,))


@pytest.fixture(scope="module")
def many_events(plant: Plant) -> Walk:
    return validation(plant, 40)


def rectangles(patches: Iterable[Artist]) -> list[Rectangle]:
    """The bars among the patches of an axis."""
    return [patch for patch in patches if isinstance(patch, Rectangle)]


def test_folds_are_plotted_with_their_gaps(many_events: Walk) -> None:
    bars = [bar.get_width() for bar in rectangles(plots.folds_plot(many_events).axes[0].patches)]
    days = [
        width / np.timedelta64(1, "D") if isinstance(width, np.timedelta64) else width
        for width in bars
    ]
    assert len(days) == 15 and days[1::3] == pytest.approx([1.0] * 5)
    assert days[2] == pytest.approx(len(many_events.folds[0].held_back) / 24)


def test_leads_and_misses_are_counted(many_events: Walk) -> None:
    onsets = len(many_events.examples.onsets)
    correct, constant = plots.leads_plot(many_events).axes
    assert [bar.get_height() for bar in rectangles(correct.patches)] == [0, 0, onsets, 0, 0, 0, 0]
    assert [bar.get_height() for bar in rectangles(constant.patches)] == [onsets, 0, 0, 0, 0, 0, 0]
    text = words(plots.onsets_plot(many_events))
    assert f"{onsets} of {onsets} with a warning" in text
    assert f"0 of {onsets} with a warning" in text


def test_horizons_show_recall_or_state_that_it_is_not_measurable(
    plant: Plant, many_events: Walk
) -> None:
    rows = walk_rows("data", many_events)
    text = words(plots.horizons_plot(many_events, rows))
    assert "not\nmeasurable" not in text and "no onset\nwith a warning" in text
    table = plots.events_table(rows)
    assert table.filter(table["metric"].str.starts_with("event_recall"))["value"].to_list() == [
        1.0,
        0.0,
    ]
    short = validation(plant, 10)
    assert "not\nmeasurable" in words(plots.horizons_plot(short, walk_rows("short", short)))


def test_a_median_lead_between_two_hours_is_not_rounded(many_events: Walk) -> None:
    scores = np.full(len(many_events.examples), 0.05)
    pairs = len(many_events.examples.onsets) // 2
    for lead, onsets in (
        (2, many_events.examples.onsets[:pairs]),
        (3, many_events.examples.onsets[pairs : 2 * pairs]),
    ):
        for onset in onsets:
            scores[onset - lead : onset] = 0.9
    walk = replace(many_events, models=(replace(many_events.models[0], scores=scores),))
    assert "2.5 h" in words(plots.horizons_plot(walk, walk_rows("data", walk)))


def test_curves_and_sweep_name_models_and_baselines(many_events: Walk) -> None:
    curves, sweep = plots.curves_plot(many_events), plots.sweep_plot(many_events)
    text = "\n".join(
        t.get_text() for a in curves.axes if (legend := a.get_legend()) for t in legend.get_texts()
    )
    assert "forecaster 1h: area 0.99" in text and "forecaster 3h: average precision" in text
    assert "budget 0.5 a day" in words(sweep) and "baseline: random" in words(sweep)


def test_tables_have_a_line_per_fold_and_a_line_per_model(many_events: Walk) -> None:
    assert len(plots.folds_table(many_events)) == 5 * 3
    assert plots.folds_table(many_events)["event_recall"].to_list()[:5] == [1.0] * 5
    assert plots.rows_table(many_events, walk_rows("data", many_events))["model"].to_list() == [
        "forecaster 1h",
        "forecaster 3h",
    ]
    assert plots.reliability_bins(many_events, 1)[0].model == "plant_alarm_forecaster_1h"
