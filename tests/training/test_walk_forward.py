"""Walk-forward evaluation: trains on the past alone, and evaluates each fold by events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from alarmstack.core.errors import SplitError
from alarmstack.core.plant import Plant
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.splits import purge_rows, walk_forward, walk_forward_gap
from alarmstack.features.examples import Examples, examples
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.simulator import simulate
from alarmstack.training.walk_forward import (
    Walk,
    Walked,
    fold_metrics,
    row_metrics,
    walk,
    walk_metrics,
    walk_rows,
)
from tests.evaluation.test_splits import LETTERS
from tests.heater import odd_history
from tests.training.stories import drawn, scores


@given(letters=LETTERS)
@settings(max_examples=25, deadline=None)
def test_folds_advance_with_a_gap_and_split_no_event(plant: Plant, letters: str) -> None:
    series = drawn(plant, letters)
    folds = walk_forward(series)
    evaluated = [int(row) for f in folds for row in f.held_back]
    assert evaluated == list(range(len(series) - len(evaluated), len(series)))
    for fold in folds:
        begin = int(fold.held_back[0])
        assert fold.train.tolist() == list(range(begin - plant.rows(walk_forward_gap(plant))))
        assert not any(e.first < begin <= e.last for e in series.episodes)


def test_a_gap_is_never_shorter_than_window_and_horizon(plant: Plant) -> None:
    folds = walk_forward(drawn(plant, ("." * 40 + "AA") * 12), gap=timedelta(hours=1))
    assert [int(f.held_back[0]) - len(f.train) for f in folds] == [purge_rows(plant)] * len(folds)


def test_the_gap_follows_the_durations_of_the_plant(plant: Plant, tmp_path: Path) -> None:
    heater, _, rows = odd_history("minute horizons", tmp_path)
    assert walk_forward_gap(plant) == timedelta(hours=24)
    assert walk_forward_gap(heater) == timedelta(minutes=12 + 30 + 30)
    folds = walk_forward(rows)
    assert [int(f.held_back[0]) - len(f.train) for f in folds] == [72] * 5


def test_a_history_without_a_fold_is_an_error_that_names_the_rows_and_the_gap(
    tmp_path: Path,
) -> None:
    heater, _, rows = odd_history("minute horizons", tmp_path)
    with pytest.raises(SplitError, match=r"80 rows with 1 onsets .* 72min \(72 rows\)"):
        walk(heater, rows.rows(0, 80))


def test_a_missing_score_neither_raises_nor_clears_a_warning(plant: Plant) -> None:
    letters = "." * 18 + "|" + "." * 18
    result, one = two_folds(plant, letters, "....5????????5....|" + "?" * 18, (0.4, 0.4))
    assert result.outcome(one).activation.tolist() == [4]
    result, one = two_folds(plant, letters, "?" * 18 + "|" + "?" * 18, (float("inf"), 0.4))
    assert result.outcome(one).activation.tolist() == []


def two_folds(
    plant: Plant, letters: str, digits: str, thresholds: tuple[float, ...]
) -> tuple[Walk, Walked]:
    """Two folds drawn as text, separated by |."""
    series, cut = drawn(plant, letters), letters.index("|")
    fold = np.array([0] * cut + [1] * (len(series) - cut))
    one = Walked(
        "m",
        scores(digits.replace("|", "")),
        series.alarm.astype(float),
        thresholds,
        timedelta(hours=3),
        True,
    )
    return Walk(series, (), series, fold, (one,), ()), one


def test_each_fold_uses_its_own_threshold(plant: Plant) -> None:
    letters = "..........AA......|..........AA......"
    digits = "........5.........|........3........."
    result, one = two_folds(plant, letters, digits, (0.4, 0.2))
    assert result.outcome(one).lead.tolist() == [2.0, 2.0]
    result, one = two_folds(plant, letters, digits, (0.4, 0.4))
    assert np.isnan(result.outcome(one).lead).tolist() == [False, True]
    result, one = two_folds(plant, letters, digits, (float("inf"), 0.2))
    assert np.isnan(result.outcome(one).lead).tolist() == [True, False]


def test_dividing_by_the_threshold_changes_no_warning(plant: Plant) -> None:
    random = np.random.default_rng(3)
    series = drawn(plant, ("." * 60 + "AAA") * 10)
    random_scores = random.random(len(series))
    no_target = np.full(len(series), np.nan)
    one = Walked("m", random_scores, no_target, (0.83,), timedelta(hours=3), True)
    plain = outcome(series, random_scores, 0.83)
    levelled = Walk(series, (), series, np.zeros(len(series), int), (one,), ()).outcome(one)
    assert plain.activation.tolist() == levelled.activation.tolist()
    assert plain.warned.tolist() == levelled.warned.tolist()


def test_row_metrics_of_a_perfect_model(plant: Plant) -> None:
    result, one = two_folds(plant, "....AA....|....AA....", "....99....|....99....", (0.5, 0.5))
    assert row_metrics(result, one) == {"roc_auc": 1.0, "f1": 1.0}


@pytest.fixture(scope="module")
def small(plant: Plant) -> Examples:
    simulation = simulate(plant, start=datetime(2026, 1, 1, tzinfo=UTC), days=60, seed=5)
    block = close_intervals(plant, simulation.readings)
    return examples(plant, block, in_alarm(plant, block, simulation.operator_log))


@pytest.mark.slow
def test_every_fold_is_evaluated_and_does_not_depend_on_later_rows(
    plant: Plant, small: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alarmstack.models import recipes
    from alarmstack.training import walk_forward as module

    light = [r for r in recipes(plant) if r.column in ("lr_soft_alarm", "forecast_3h")]
    monkeypatch.setattr(module, "recipes", lambda plant: light)
    result = walk(plant, small)
    assert [m.name for m in result.models] == [
        "plant_alarm_lr_soft_alarm",
        "plant_alarm_forecaster_3h",
    ]
    assert len(result.examples.onsets) == sum(
        len(o.onset) for o in result.by_fold(result.models[1])
    )
    metrics = walk_metrics(result, walk_rows("sixty days", result))
    assert metrics["plant_alarm_lr_soft_alarm.roc_auc"] > 0.6
    assert len(fold_metrics(result)["plant_alarm_forecaster_3h.fold_event_recall"]) == 5
    end = int(result.folds[1].held_back[0])
    # The scores of the first fold do not change when all later rows do.
    cut = walk(plant, _other_future(small, end))
    first = result.fold == 0
    assert np.array_equal(
        result.models[1].scores[first], cut.models[1].scores[cut.fold == 0], equal_nan=True
    )


def _other_future(series: Examples, row: int) -> Examples:
    """The same rows with random features after a row; labels and folds do not change."""
    noise = np.random.default_rng(0)
    point, window = series.point.copy(), series.window.copy()
    point[row:], window[row:] = noise.random(point[row:].shape), noise.random(window[row:].shape)
    return Examples(
        series.plant,
        series.start,
        series.segment,
        point,
        window,
        series.alarm,
        series.regime,
        series.next_deviation,
    )
