"""Drift and champion/challenger comparison as API bodies, from stored intervals and references."""

import numpy as np
import pytest

from alarmstack.alarms.drift import reference_distribution
from alarmstack.core.plant import Plant
from alarmstack.services.monitor.model_checks import Recalibration, compare, drift
from alarmstack.services.schemas.inference import Reference, References, ReferenceValues
from alarmstack.storage.database.outputs import CHALLENGERS, CHAMPIONS
from alarmstack.storage.database.plant_history import Past
from tests.upstreams import BEGIN, HOUR

WEEK = 168


@pytest.fixture
def references(plant: Plant) -> References:
    """Models whose instruments and scores were around 0 in training."""
    distribution = reference_distribution(np.random.default_rng(0).normal(size=20 * WEEK), WEEK)
    assert distribution is not None
    values = ReferenceValues(
        edges=list(distribution.edges), shares=list(distribution.shares), bound=distribution.bound
    )
    return References(
        models=[
            Reference(
                name="plant_alarm_forecaster_3h",
                column="forecast_3h",
                version="1",
                score=values,
                values={instrument.key: values for instrument in plant.modelled},
            )
        ]
    )


def stored(plant: Plant, hours: int, temperature: float) -> list[Past]:
    """Intervals as the database has them; a challenger (version 2) scores with the champion."""
    noise = np.random.default_rng(1).normal(size=(hours, len(plant.modelled)))
    intervals = []
    for hour in range(hours):
        row: dict[str, float | None] = {
            instrument.key: float(noise[hour, place])
            for place, instrument in enumerate(plant.modelled)
        }
        row["te301020"] = temperature + float(noise[hour, 0])
        assessment = {
            "scores": {"forecast_3h": 0.25},
            CHAMPIONS: {"forecast_3h": [0.25, 0.5, "1"]},
            CHALLENGERS: {"forecast_3h": [0.75, 0.5, "2"]},
            "forecasts": [],
        }
        intervals.append(Past(BEGIN + hour * HOUR, row, assessment, in_alarm=False))
    return intervals


def test_stored_intervals_and_references_become_a_drift_report(
    plant: Plant, references: References
) -> None:
    report = drift(plant, stored(plant, 2 * WEEK, temperature=2.0), references, {})
    assert [one.key for one in report.tags] == [one.key for one in plant.modelled]
    assert [one.key for one in report.tags if one.state == "drifted"] == ["te301020"]
    assert [(one.key, one.title, one.state) for one in report.models] == [
        ("forecast_3h", "plant_alarm_forecaster_3h", "drifted")
    ]
    assert (report.window, report.rows) == ("168h", WEEK)
    assert (report.since, report.until) == (BEGIN + WEEK * HOUR, BEGIN + 2 * WEEK * HOUR)
    nuisance = {one.column: (one.false_alarms, one.days) for one in report.nuisance}
    assert nuisance["forecast_3h"][0] == 0 and nuisance["forecast_3h"][1] > 6
    assert report.retrain == bool(report.reasons)


def test_a_recalibration_is_shown_with_its_time(plant: Plant, references: References) -> None:
    resets = {"te301020": Recalibration("te301020", BEGIN)}
    report = drift(plant, stored(plant, WEEK, temperature=5.0), references, resets)
    [temperature] = [one for one in report.tags if one.key == "te301020"]
    assert (temperature.state, temperature.recalibrated_at) == ("learning", BEGIN)


def test_a_model_without_a_reference_of_its_score_has_no_score_drift(
    plant: Plant, references: References
) -> None:
    unscored = [model.model_copy(update={"score": None}) for model in references.models]
    report = drift(plant, stored(plant, WEEK, 0.0), References(models=unscored), {})
    assert report.models == [] and len(report.tags) == len(plant.modelled)


def test_stored_scores_of_both_versions_become_a_comparison(plant: Plant) -> None:
    [model] = compare(plant, stored(plant, 48, temperature=0.0)).contests
    assert (model.column, model.rows, model.since) == ("forecast_3h", 48, BEGIN)
    assert (model.champion.version, model.champion.mean_score) == ("1", 0.25)
    assert (model.challenger.version, model.challenger.mean_score) == ("2", 0.75)
    assert (model.champion.warnings, model.challenger.warnings) == (0, 1)


def test_intervals_that_were_not_assessed_are_missing_scores(plant: Plant) -> None:
    unassessed = [Past(one.start, one.row) for one in stored(plant, 5, temperature=0.0)]
    assert compare(plant, unassessed).contests == []
