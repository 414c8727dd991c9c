"""The studies give the known results of constructed forecasters."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from alarmstack.core.plant import Plant
from alarmstack.features.examples import examples
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.simulator import simulate
from alarmstack.training.studies import Bin, learning_curve, reliability, sensor_loss, study_rows
from alarmstack.training.trial import Trial


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
