"""Figures of models say what the models do: contributions lead to the score, calibration is drawn as it is."""

import numpy as np
import pytest

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
def found(plant: Plant) -> Examples:
    made = drawn(plant, ("." * 40 + "AAA") * 6)
    random = np.random.default_rng(1)
    made.point[:] = random.normal(0, 1, made.point.shape)
    made.window[:] = random.normal(0, 1, made.window.shape)
    made.point[:, 7] += 4 * made.alarm
    return made


@pytest.fixture(scope="module")
def soft(plant: Plant, found: Examples) -> Bundle:
    recipe = next(r for r in recipes(plant) if r.name.endswith("lr_soft_alarm"))
    names, rows = feature_names(plant, "point"), np.arange(len(found))
    folds = [(np.setdiff1d(rows, part), part) for part in np.array_split(rows, 3)]
    fitted = fit(
        recipe,
        names,
        [source_of(plant, n) for n in names],
        found.point,
        found.alarm.astype(float),
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
        check=found.point,
    )


def test_calibration_is_drawn_as_it_is(soft: Bundle) -> None:
    line = plots.calibration_figure({soft.name: soft}).axes[0].lines[1]
    assert soft.calibration is not None
    assert np.allclose(
        np.asarray(line.get_ydata()), soft.calibration(np.asarray(line.get_xdata(), float))
    )
    assert "no model is calibrated" in words(plots.calibration_figure({}))


def test_steps_lead_from_the_base_value_to_the_score(soft: Bundle, found: Examples) -> None:
    row = int(np.flatnonzero(found.alarm)[0])
    figure = plots.explanation_figure(soft, found, row)
    last = figure.axes[0].patches[-1]
    told = words(figure)
    end = last.get_x() + last.get_width()
    score = float(
        next(
            line for line in told.splitlines() if line.startswith("score ") and "(" not in line
        ).split()[1]
    )
    assert end == pytest.approx(score, abs=0.006)
    assert f"{float(soft.score(found.point[row][None])[0]):.0%}" in told


def test_the_feature_that_decides_stands_on_top(
    plant: Plant, soft: Bundle, found: Examples
) -> None:
    decides = feature_names(plant, "point")[7]
    for figure in (
        plots.importance_figure({soft.name: soft}),
        plots.contributions_figure(soft, found),
    ):
        figure.canvas.draw()
        assert figure.axes[0].get_yticklabels()[-1].get_text() == decides


def test_tenths_and_their_figure() -> None:
    score, target = (
        np.array([0.05, 0.05, 0.95, np.nan, 0.5]),
        np.array([0.0, 1.0, 1.0, 1.0, np.nan]),
    )
    bins = tenths("plant_alarm_x", score, target, week=2, fewest=1)
    told = [(one.low, one.rows, one.said, one.came) for one in bins]
    assert told == [(0.0, 2, 0.05, 0.5), (0.9, 1, 0.95, 1.0)]
    assert tenths("m", score, target, week=2, fewest=3) == []
    assert "Reliability on a trial" in words(
        plots.reliability_figure(bins, "plant_alarm", "a trial")
    )
    plots.reliability_figure([], "plant_alarm", "nothing")


def test_metrics_stand_one_a_line(soft: Bundle) -> None:
    assert plots.metrics_table({soft.name: soft}).rows() == [("lr soft alarm", "f1", 0.5)]
