"""The studies give the known results of constructed forecasters."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from alarmstack.bench.study import NOTHING_TO_STUDY, StudyResults
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.features.examples import examples
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.simulator import simulate
from alarmstack.training.studies import (
    Bin,
    learning_curve,
    middle_forecaster,
    reliability,
    sensor_loss,
    study_rows,
)
from alarmstack.training.trial import Trial
from tests.heater import ODD_PLANTS, odd_history


@pytest.fixture(scope="module")
def trial(plant: Plant) -> Trial:
    simulated = simulate(plant, start=datetime(2026, 1, 1, tzinfo=UTC), days=180, seed=5)
    block = close_intervals(plant, simulated.readings)
    of_plant = examples(plant, block, in_alarm(plant, block, simulated.operator_log))
    return Trial(of_plant, (block,), np.ones(len(of_plant.onsets), bool))


class Oracle:
    """A forecaster that knows the onsets; its score is 0 in rows without features."""

    def __init__(self, trial: Trial, share: float) -> None:
        self.thresholds = {"operating": 0.5}
        self._target = np.nan_to_num(trial.examples.onset_target(timedelta(hours=3)))
        self._share = share

    def score(self, window: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(window).mean(axis=1) > 0.9, 0.0, self._target * self._share + 0.01)


def bundles(trial: Trial, share: float) -> dict[str, Any]:
    return {"plant_alarm_forecaster_3h": cast(Any, Oracle(trial, share))}


def test_a_probability_that_is_too_low_is_reported(plant: Plant, trial: Trial) -> None:
    bins = {bin_.low: bin_ for bin_ in reliability(plant, bundles(trial, 0.6), trial)}
    assert (
        bins[0.6].came == 1.0
        and bins[0.6].said == pytest.approx(0.61)
        and bins[0.6].gap == pytest.approx(0.39)
    )
    rows = study_rows(list(bins.values()), [], [])
    assert [row["met"] for row in rows] == [True, False]


def test_a_difference_beyond_its_interval_is_not_chance(plant: Plant, trial: Trial) -> None:
    bins = {bin_.low: bin_ for bin_ in reliability(plant, bundles(trial, 0.6), trial)}
    assert bins[0.6].least == pytest.approx(0.39) and not bins[0.6].chance
    assert bins[0.0].chance
    unlucky = Bin("m", 0.3, 50, said=0.35, came=0.28, least=-0.12, most=0.01)
    assert unlucky.gap > 0.05 and unlucky.chance


def test_forecasters_with_all_instruments_and_without_each(plant: Plant, trial: Trial) -> None:
    losses = sensor_loss(plant, bundles(trial, 0.9), trial)
    assert [one.without for one in losses] == ["nothing", *(i.tag for i in plant.modelled)]
    assert losses[0].recall > 0.9 and losses[0].false_alarms_per_day == 0.0


def test_without_an_event_only_the_normal_behaviour_model_is_trained(
    plant: Plant, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alarmstack.training.studies.EVENTS", (0,))
    monkeypatch.setattr("alarmstack.training.studies.STARTS", (0.0, 0.5))
    curve = learning_curve(plant, trial.examples, trial.blocks[0], trial)
    assert [(one.model, one.events, one.days) for one in curve] == [
        ("plant_alarm_normality", 0, 14.0)
    ]
    assert curve[0].lowest <= curve[0].recall <= curve[0].highest


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("minute horizons", [("forecaster_20min", 1), ("forecaster_20min", 3)]),
        ("few onsets", [("forecaster_20min", 1), ("forecaster_20min", 3)]),
        ("no horizons", []),
        ("no labels", [("normality", 0)]),
        ("no labels and no normality", []),
    ],
)
def test_the_studies_cover_the_models_and_the_onsets_that_a_plant_has(
    name: str, points: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The heater has ten onsets; no variant has thirty.
    monkeypatch.setattr("alarmstack.training.studies.EVENTS", (0, 1, 3, 30))
    heater, block, rows = odd_history(name, tmp_path)
    trial = Trial(rows, (block,), np.ones(len(rows.onsets), bool))
    curve = learning_curve(heater, rows, block, trial)
    assert [(one.model, one.events) for one in curve] == [
        (f"heater_{model}", events) for model, events in points
    ]
    losses, bins = sensor_loss(heater, {}, trial), reliability(heater, {}, trial)
    assert losses == [] and bins == []
    results = StudyResults("heater", bins, losses, curve)
    assert results.markdown().count(NOTHING_TO_STUDY) == (2 if points else 3)


def test_histories_without_an_event_have_as_many_rows_and_no_recall(tmp_path: Path) -> None:
    heater, block, rows = odd_history("no labels", tmp_path)
    trial = Trial(rows, (block,), np.ones(0, bool))
    (point,) = learning_curve(heater, rows, block, trial)
    results = StudyResults("heater", [], [], [point])
    assert [(row["value"], row["recall"]) for row in results.rows()] == [(None, None)]
    assert "nan" not in results.markdown()
    assert point.days * 24 * 60 == pytest.approx(14 * 24)


def test_the_middle_forecaster(plant: Plant, tmp_path: Path) -> None:
    middle = middle_forecaster(model_list(plant))
    assert middle is not None and middle.name == "plant_alarm_forecaster_3h"
    without_forecaster = set(ODD_PLANTS) - {"minute horizons", "few onsets"}
    for name in without_forecaster:
        heater, _, _ = odd_history(name, tmp_path)
        assert middle_forecaster(model_list(heater)) is None
