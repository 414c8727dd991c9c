"""Plots of models show their numbers: contributions add up to the score, calibration is exact."""

import re

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from alarmstack.core.plant import Plant
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names, source_of
from alarmstack.models import fit, recipes
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import make_bundle
from alarmstack.reports import plots
from alarmstack.training.studies import tenths
from tests.reports.test_signals import words
from tests.training.stories import drawn


@pytest.fixture(scope="module")
def examples(plant: Plant) -> Examples:
    examples = drawn(plant, ("." * 40 + "AAA") * 6)
    random = np.random.default_rng(1)
    examples.point[:] = random.normal(0, 1, examples.point.shape)
    examples.window[:] = random.normal(0, 1, examples.window.shape)
    examples.point[:, 7] += 4 * examples.alarm
    return examples


@pytest.fixture(scope="module")
def soft(plant: Plant, examples: Examples) -> Bundle:
    recipe = next(r for r in recipes(plant) if r.name.endswith("lr_soft_alarm"))
    names, rows = feature_names(plant, "point"), np.arange(len(examples))
    folds = [(np.setdiff1d(rows, part), part) for part in np.array_split(rows, 3)]
    fitted = fit(
        recipe,
        names,
        [source_of(plant, n) for n in names],
        examples.point,
        examples.alarm.astype(float),
        folds,
    )
    return make_bundle(
        plant,
        fitted,
        thresholds={},
        metrics={"f1": 0.5},
        card="",
        data_fingerprint="d",
        reference={},
        check=examples.point,
    )


def test_the_calibration_plot_shows_the_calibration_of_the_model(soft: Bundle) -> None:
    line = plots.calibration_plot({soft.name: soft}).axes[0].lines[1]
    assert soft.calibration is not None
    assert np.allclose(
        np.asarray(line.get_ydata()), soft.calibration(np.asarray(line.get_xdata(), float))
    )
    assert "no model is calibrated" in words(plots.calibration_plot({}))


def test_contributions_add_up_from_the_base_value_to_the_score(
    soft: Bundle, examples: Examples
) -> None:
    row = int(np.flatnonzero(examples.alarm)[0])
    figure = plots.explanation_plot(soft, examples, row)
    last = figure.axes[0].patches[-1]
    assert isinstance(last, Rectangle)
    text = words(figure)
    end = last.get_x() + last.get_width()
    (legend,) = re.findall(r"^score (\S+)$", text, re.M)
    score = float(legend)
    assert end == pytest.approx(score, abs=0.006)
    assert f"{float(soft.score(examples.point[row][None])[0]):.0%}" in text


def test_the_decisive_feature_is_at_the_top(plant: Plant, soft: Bundle, examples: Examples) -> None:
    decisive = feature_names(plant, "point")[7]
    for figure in (
        plots.importance_plot({soft.name: soft}),
        plots.contributions_plot(soft, examples),
    ):
        figure.canvas.draw()
        assert figure.axes[0].get_yticklabels()[-1].get_text() == decisive


def test_tenths_and_their_plot() -> None:
    score, target = (
        np.array([0.05, 0.05, 0.95, np.nan, 0.5]),
        np.array([0.0, 1.0, 1.0, 1.0, np.nan]),
    )
    bins = tenths("plant_alarm_x", score, target, week=2, fewest=1)
    values = [(one.low, one.rows, one.said, one.came) for one in bins]
    assert values == [(0.0, 2, 0.05, 0.5), (0.9, 1, 0.95, 1.0)]
    assert tenths("m", score, target, week=2, fewest=3) == []
    assert "Reliability on a trial" in words(plots.reliability_plot(bins, "plant_alarm", "a trial"))
    plots.reliability_plot([], "plant_alarm", "nothing")


def test_the_metrics_table_has_one_metric_per_line(soft: Bundle) -> None:
    assert plots.metrics_table({soft.name: soft}).rows() == [("lr soft alarm", "f1", 0.5)]
