"""When to train the models again: drifted instruments and scores, too many false alarms."""

import numpy as np
import pytest

from alarmstack.alarms.drift import reference_distribution
from alarmstack.alarms.retraining import (
    Recalibration,
    ScoreReference,
    TrainingReferences,
    drift_report,
)
from alarmstack.core.plant import Plant
from tests.alarms.assessed import BEGIN, HOUR, MODEL, WEEK, assessed_hours


@pytest.fixture
def learnt(plant: Plant) -> TrainingReferences:
    """Values and scores around 0 in training."""
    known = reference_distribution(np.random.default_rng(0).normal(size=20 * WEEK), WEEK)
    assert known is not None
    instruments = {instrument.key: known for instrument in plant.modelled}
    scores = [ScoreReference(MODEL, "plant_alarm_forecaster_3h", known)]
    return TrainingReferences(instruments, scores)


def test_an_instrument_that_moved_is_named_and_the_others_are_not(
    plant: Plant, learnt: TrainingReferences
) -> None:
    hours = assessed_hours(plant, 2 * WEEK, {"te301020": 2.0}, scores=[0.0] * 2 * WEEK)
    report = drift_report(plant, hours, learnt, {})
    assert {one.key for one in report.instruments if one.state == "drifted"} == {"te301020"}
    assert not any("instruments" in reason for reason in report.reasons)
    assert report.rows == WEEK and report.until == BEGIN + 2 * WEEK * HOUR


def test_several_moved_instruments_are_a_reason_to_train_again(
    plant: Plant, learnt: TrainingReferences
) -> None:
    moved = {"te301020": 2.0, "pdt31008": 2.0, "lt301031": -2.0}
    report = drift_report(plant, assessed_hours(plant, WEEK, moved), learnt, {})
    assert "3 instruments have drifted" in " ".join(report.reasons)


def test_as_many_moved_scores_as_the_plant_allows_are_a_reason_to_train_again(
    plant: Plant, learnt: TrainingReferences
) -> None:
    strict = plant.model_copy(update={"drift": plant.drift.model_copy(update={"models": 1})})
    hours = assessed_hours(plant, WEEK, scores=[3.0] * WEEK)
    assert "1 scores have drifted: forecast_3h" in drift_report(strict, hours, learnt, {}).reasons
    assert drift_report(plant, hours, learnt, {}).reasons == []


def test_a_recalibrated_instrument_gets_a_new_reference_without_rows_in_alarm(
    plant: Plant, learnt: TrainingReferences
) -> None:
    recalibrated = {"te301020": Recalibration("te301020", BEGIN)}
    moved = assessed_hours(plant, 5 * WEEK, {"te301020": 5.0})
    in_alarm = assessed_hours(plant, 5 * WEEK, {"te301020": 5.0}, alarm=range(5 * WEEK))
    for hours, state in ((moved[:WEEK], "learning"), (moved, "usual"), (in_alarm, "learning")):
        report = drift_report(plant, hours, learnt, recalibrated)
        states = {one.key: one.state for one in report.instruments}
        assert states["te301020"] == state
        assert {one.recalibrated_at for one in report.instruments if one.key == "te301020"} == {
            BEGIN
        }


def test_an_instrument_that_the_plant_no_longer_has_is_left_out(
    plant: Plant, learnt: TrainingReferences
) -> None:
    retired = {**learnt.instruments, "retired": learnt.instruments["te301020"]}
    references = TrainingReferences(retired, learnt.scores)
    report = drift_report(plant, assessed_hours(plant, WEEK), references, {})
    assert [one.key for one in report.instruments] == [one.key for one in plant.modelled]


def test_too_few_rows_are_reported_as_such(plant: Plant, learnt: TrainingReferences) -> None:
    report = drift_report(plant, assessed_hours(plant, 5), learnt, {})
    assert {one.state for one in report.instruments} == {"few rows"}
    assert drift_report(plant, [], learnt, {}).since is None


def test_more_false_alarms_than_the_budget_are_a_reason_to_train_again(
    plant: Plant, learnt: TrainingReferences
) -> None:
    scores = [0.9 if hour % 12 == 0 else 0.0 for hour in range(20 * 24)]
    hours = assessed_hours(plant, 20 * 24, scores=scores)
    reasons = drift_report(plant, hours, learnt, {}).reasons
    assert any("forecast_3h raised" in one and "false alarms" in one for one in reasons)
