"""The walk forward learns from the past alone, gives its verdict by events, and says the same as each fold alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings

from alarmstack.core.plant import Plant
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.splits import GAP, purge_rows, walk_forward
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
from tests.training.stories import drawn, scores


@given(letters=LETTERS)
@settings(max_examples=25, deadline=None)
def test_folds_go_forward_with_a_gap_and_cut_no_event(plant: Plant, letters: str) -> None:
    found = drawn(plant, letters)
    folds = walk_forward(found)
    judged = [int(row) for f in folds for row in f.held_back]
    assert judged == list(range(len(found) - len(judged), len(found)))
    for fold in folds:
        begin = int(fold.held_back[0])
        assert fold.train.tolist() == list(range(begin - plant.rows(GAP)))
        assert not any(e.first < begin <= e.last for e in found.episodes)


def test_a_gap_is_never_shorter_than_window_and_horizon(plant: Plant) -> None:
    folds = walk_forward(drawn(plant, ("." * 40 + "AA") * 12), gap=timedelta(hours=1))
    assert [int(f.held_back[0]) - len(f.train) for f in folds] == [purge_rows(plant)] * len(folds)


def told(
    plant: Plant, letters: str, said: str, thresholds: tuple[float, ...]
) -> tuple[Walk, Walked]:
    """A walk of two folds drawn as text, the cut drawn as |."""
    found, cut = drawn(plant, letters), letters.index("|")
    fold = np.array([0] * cut + [1] * (len(found) - cut))
    one = Walked(
        "m",
        scores(said.replace("|", "")),
        found.alarm.astype(float),
        thresholds,
        timedelta(hours=3),
        True,
    )
    return Walk(found, (), found, fold, (one,), ()), one


def test_each_folds_own_threshold_raises_its_warnings(plant: Plant) -> None:
    letters = "..........AA......|..........AA......"
    said = "........5.........|........3........."
    made, one = told(plant, letters, said, (0.4, 0.2))
    assert made.outcome(one).lead.tolist() == [2.0, 2.0]
    made, one = told(plant, letters, said, (0.4, 0.4))
    assert np.isnan(made.outcome(one).lead).tolist() == [False, True]
    made, one = told(plant, letters, said, (float("inf"), 0.2))
    assert np.isnan(made.outcome(one).lead).tolist() == [True, False]


def test_levelling_changes_no_warning(plant: Plant) -> None:
    random = np.random.default_rng(3)
    found = drawn(plant, ("." * 60 + "AAA") * 10)
    said = random.random(len(found))
    one = Walked("m", said, np.full(len(said), np.nan), (0.83,), timedelta(hours=3), True)
    plain = outcome(found, said, 0.83)
    levelled = Walk(found, (), found, np.zeros(len(found), int), (one,), ()).outcome(one)
    assert plain.activation.tolist() == levelled.activation.tolist()
    assert plain.warned.tolist() == levelled.warned.tolist()


def test_row_metrics_of_a_model_that_is_right(plant: Plant) -> None:
    made, one = told(plant, "....AA....|....AA....", "....99....|....99....", (0.5, 0.5))
    assert row_metrics(made, one) == {"roc_auc": 1.0, "f1": 1.0}


@pytest.fixture(scope="module")
def small(plant: Plant) -> Examples:
    made = simulate(plant, start=datetime(2026, 1, 1, tzinfo=UTC), days=60, seed=5)
    block = close_intervals(plant, made.readings)
    return examples(plant, block, in_alarm(plant, block, made.operator_log))


@pytest.mark.slow
def test_a_walk_judges_every_fold_and_knows_nothing_of_what_follows(
    plant: Plant, small: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alarmstack.training import walk_forward as module

    light = [r for r in module.recipes(plant) if r.column in ("lr_soft_alarm", "forecast_3h")]
    monkeypatch.setattr(module, "recipes", lambda plant: light)
    found = walk(plant, small)
    assert [m.name for m in found.models] == [
        "plant_alarm_lr_soft_alarm",
        "plant_alarm_forecaster_3h",
    ]
    assert len(found.examples.onsets) == sum(len(o.onset) for o in found.by_fold(found.models[1]))
    metrics = walk_metrics(found, walk_rows("sixty days", found))
    assert metrics["plant_alarm_lr_soft_alarm.roc_auc"] > 0.6
    assert len(fold_metrics(found)["plant_alarm_forecaster_3h.fold_event_recall"]) == 5
    end = int(found.folds[1].held_back[0])
    # The first fold's scores stay what they are when all that follows is another story.
    cut = walk(plant, _other_future(small, end))
    first = found.fold == 0
    assert np.array_equal(
        found.models[1].scores[first], cut.models[1].scores[cut.fold == 0], equal_nan=True
    )


def _other_future(found: Examples, row: int) -> Examples:
    """The same rows, with features that are noise from a row on; labels and so the folds are the same."""
    noise = np.random.default_rng(0)
    point, window = found.point.copy(), found.window.copy()
    point[row:], window[row:] = noise.random(point[row:].shape), noise.random(window[row:].shape)
    return Examples(
        found.plant,
        found.start,
        found.segment,
        point,
        window,
        found.alarm,
        found.regime,
        found.next_deviation,
    )
