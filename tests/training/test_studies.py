"""The studies of the plant's own models say what happened, on a trial whose answers are known."""

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
    made = close_intervals(plant, simulated.readings)
    found = examples(plant, made, in_alarm(plant, made, simulated.operator_log))
    return Trial(found, (made,), np.ones(len(found.onsets), bool))


class Oracle:
    """A forecaster that sees the future, as far as its probability goes; blind where the pressure is gone."""

    def __init__(self, trial: Trial, share: float) -> None:
        self.thresholds = {"operating": 0.5}
        self._target = np.nan_to_num(trial.examples.onset_target(timedelta(hours=3)))
        self._share = share

    def score(self, window: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(window).mean(axis=1) > 0.9, 0.0, self._target * self._share + 0.01)


def bundles(trial: Trial, share: float) -> dict[str, Any]:
    return {"plant_alarm_forecaster_3h": cast(Any, Oracle(trial, share))}


def test_a_probability_that_is_too_low_is_found_out(plant: Plant, trial: Trial) -> None:
    found = {bin_.low: bin_ for bin_ in reliability(plant, bundles(trial, 0.6), trial)}
    assert (
        found[0.6].came == 1.0
        and found[0.6].said == pytest.approx(0.61)
        and found[0.6].gap == pytest.approx(0.39)
    )
    rows = study_rows(list(found.values()), [], [])
    assert [row["met"] for row in rows] == [True, False]


def test_what_lies_beyond_its_interval_is_no_chance(plant: Plant, trial: Trial) -> None:
    found = {bin_.low: bin_ for bin_ in reliability(plant, bundles(trial, 0.6), trial)}
    assert found[0.6].least == pytest.approx(0.39) and not found[0.6].chance
    assert found[0.0].chance
    unlucky = Bin("m", 0.3, 50, said=0.35, came=0.28, least=-0.12, most=0.01)
    assert unlucky.gap > 0.05 and unlucky.chance


def test_all_instruments_and_each_lost_in_turn(plant: Plant, trial: Trial) -> None:
    found = sensor_loss(plant, bundles(trial, 0.9), trial)
    assert [one.without for one in found] == ["nothing", *(i.tag for i in plant.modelled)]
    assert found[0].recall > 0.9 and found[0].false_alarms_per_day == 0.0


def test_a_plant_without_an_event_has_normal_behaviour_and_no_forecaster(
    plant: Plant, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alarmstack.training.studies.EVENTS", (0,))
    monkeypatch.setattr("alarmstack.training.studies.STARTS", (0.0, 0.5))
    curve = learning_curve(plant, trial.examples, trial.blocks[0], trial)
    assert [(one.model, one.events, one.days) for one in curve] == [
        ("plant_alarm_normality", 0, 14.0)
    ]
    assert curve[0].lowest <= curve[0].recall <= curve[0].highest
