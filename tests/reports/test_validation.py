"""Figures of a walk show its warnings: hits, leads, misses, and say where nothing can be measured."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from alarmstack.core.plant import Plant
from alarmstack.evaluation.splits import walk_forward
from alarmstack.reports import plots
from alarmstack.training.walk_forward import Walk, Walked, walk_rows
from tests.reports.test_signals import words
from tests.training.stories import drawn


def story(plant: Plant, cycles: int) -> Walk:
    """Alarms every 50 rows, each told two rows before by the 1 h forecaster, by nobody else."""
    source = drawn(plant, ("." * 46 + "AAAA") * cycles)
    folds = walk_forward(source)
    begin = int(folds[0].held_back[0])
    judged = source.rows(begin, len(source))
    fold = np.concatenate([np.full(len(f.held_back), n) for n, f in enumerate(folds)])
    right = np.full(len(judged), 0.05)
    for onset in judged.onsets:
        right[onset - 2 : onset] = 0.9
    blind = np.full(len(judged), 0.1)
    models = tuple(
        Walked(
            f"plant_alarm_forecaster_{h}h",
            said,
            judged.onset_target(timedelta(hours=h)),
            (0.5,) * 5,
            timedelta(hours=h),
            True,
        )
        for h, said in ((1, right), (3, blind))
    )
    baseline = Walked("random", blind, np.full(len(judged), np.nan), (0.5,) * 5)
    return Walk(source, folds, judged, fold, models, (baseline,))


@pytest.fixture(scope="module")
def made(plant: Plant) -> Walk:
    return story(plant, 40)


def test_folds_are_drawn_with_their_gaps(made: Walk) -> None:
    bars = [bar.get_width() for bar in plots.folds_figure(made).axes[0].patches]
    days = [
        width / np.timedelta64(1, "D") if isinstance(width, np.timedelta64) else width
        for width in bars
    ]
    assert len(days) == 15 and days[1::3] == pytest.approx([1.0] * 5)
    assert days[2] == pytest.approx(len(made.folds[0].held_back) / 24)


def test_leads_and_misses_are_counted(made: Walk) -> None:
    onsets = len(made.examples.onsets)
    right, blind = plots.leads_figure(made).axes
    assert [bar.get_height() for bar in right.patches] == [0, 0, onsets, 0, 0, 0, 0]
    assert [bar.get_height() for bar in blind.patches] == [onsets, 0, 0, 0, 0, 0, 0]
    told = words(plots.events_view(made))
    assert f"{onsets} of {onsets} warned of" in told and f"0 of {onsets} warned of" in told


def test_horizons_show_recall_or_say_that_it_is_not_measurable(plant: Plant, made: Walk) -> None:
    rows = walk_rows("story", made)
    told = words(plots.horizons_figure(made, rows))
    assert "not\nmeasurable" not in told and "no onset\nwarned of" in told
    table = plots.events_table(rows)
    assert table.filter(table["metric"].str.starts_with("event_recall"))["value"].to_list() == [
        1.0,
        0.0,
    ]
    short = story(plant, 10)
    assert "not\nmeasurable" in words(plots.horizons_figure(short, walk_rows("short", short)))


def test_a_median_lead_between_two_hours_is_not_rounded(made: Walk) -> None:
    scores = np.full(len(made.examples), 0.05)
    pairs = len(made.examples.onsets) // 2
    for lead, onsets in (
        (2, made.examples.onsets[:pairs]),
        (3, made.examples.onsets[pairs : 2 * pairs]),
    ):
        for onset in onsets:
            scores[onset - lead : onset] = 0.9
    walk = replace(made, models=(replace(made.models[0], scores=scores),))
    assert "2.5 h" in words(plots.horizons_figure(walk, walk_rows("story", walk)))


def test_curves_and_sweep_name_models_and_baselines(made: Walk) -> None:
    curves, sweep = plots.curves_figure(made), plots.sweep_figure(made)
    told = "\n".join(
        t.get_text() for a in curves.axes if a.get_legend() for t in a.get_legend().get_texts()
    )
    assert "forecaster 1h: area 0.99" in told and "forecaster 3h: average precision" in told
    assert "budget 0.5 a day" in words(sweep) and "baseline: random" in words(sweep)


def test_tables_have_a_line_a_fold_and_a_line_a_model(made: Walk) -> None:
    assert len(plots.folds_table(made)) == 5 * 3
    assert plots.folds_table(made)["event_recall"].to_list()[:5] == [1.0] * 5
    assert plots.rows_table(made, walk_rows("story", made))["model"].to_list() == [
        "forecaster 1h",
        "forecaster 3h",
    ]
    assert plots.reliability_bins(made, 1)[0].model == "plant_alarm_forecaster_1h"
