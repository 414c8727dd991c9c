"""Living with models: drift is told by tag and model, a recalibrated instrument starts anew, a challenger is compared."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from alarmstack.alarms.drift import reference_distribution
from alarmstack.core.plant import Plant
from alarmstack.services.monitor.living import Recalibration, compare, drift, nuisance
from alarmstack.services.schemas.inference import Reference, References, ReferenceValues
from alarmstack.storage.database.plant_history import Past
from tests.upstreams import BEGIN, HOUR

WEEK = 168


def learnt(plant: Plant) -> References:
    """Models that learnt from tags and scores around 0."""
    known = reference_distribution(np.random.default_rng(0).normal(size=20 * WEEK), WEEK)
    assert known is not None
    told = ReferenceValues(edges=list(known.edges), shares=list(known.shares), bound=known.bound)
    values = {i.key: told for i in plant.modelled}
    name = "plant_alarm_forecaster_3h"
    return References(
        models=[Reference(name=name, column="forecast_3h", version="1", score=told, values=values)]
    )


def past(
    plant: Plant,
    hours: int,
    moved: dict[str, float] | None = None,
    alarm: Sequence[int] = (),
    scores: Sequence[float] | None = None,
) -> list[Past]:
    """Hours of a plant whose tags say something around 0, or around what they have moved to."""
    noise = np.random.default_rng(1).normal(size=(hours, len(plant.modelled)))
    rows = []
    for hour in range(hours):
        row = {
            i.key: float(noise[hour, at]) + (moved or {}).get(i.key, 0.0)
            for at, i in enumerate(plant.modelled)
        }
        score = float(noise[hour, 0]) if scores is None else scores[hour]
        said = {
            "scores": {"forecast_3h": score},
            "spoken": {"forecast_3h": [score, 0.5, "1"]},
            "forecasts": [],
        }
        rows.append(Past(BEGIN + hour * HOUR, row, said, hour in alarm))
    return rows


def test_a_tag_that_moved_is_named_and_the_others_are_not(plant: Plant) -> None:
    found = drift(
        plant, past(plant, 2 * WEEK, {"te301020": 2.0}, scores=[0.0] * 2 * WEEK), learnt(plant), {}
    )
    assert {one.key for one in found.tags if one.state == "drifted"} == {"te301020"}
    assert not any("instruments" in reason for reason in found.reasons)
    assert found.rows == WEEK and found.until == BEGIN + 2 * WEEK * HOUR


def test_several_moved_tags_or_a_moved_score_propose_a_new_training(plant: Plant) -> None:
    moved = {"te301020": 2.0, "pdt31008": 2.0, "lt301031": -2.0}
    assert "3 instruments have drifted" in " ".join(
        drift(plant, past(plant, WEEK, moved), learnt(plant), {}).reasons
    )
    strict = plant.model_copy(update={"drift": plant.drift.model_copy(update={"models": 1})})
    scores = drift(strict, past(plant, WEEK, scores=[3.0] * WEEK), learnt(plant), {})
    assert scores.retrain and "1 scores have drifted: forecast_3h" in scores.reasons
    assert not drift(plant, past(plant, WEEK, scores=[3.0] * WEEK), learnt(plant), {}).retrain


def test_a_recalibrated_instrument_learns_anew_and_alarms_do_not_become_usual(plant: Plant) -> None:
    moved = past(plant, 5 * WEEK, {"te301020": 5.0})
    reset = {"te301020": Recalibration("te301020", BEGIN)}
    state = {
        one.key: one.state for one in drift(plant, moved[: 1 * WEEK], learnt(plant), reset).tags
    }
    assert state["te301020"] == "learning"
    state = {one.key: one.state for one in drift(plant, moved, learnt(plant), reset).tags}
    assert state["te301020"] == "usual"
    in_alarm = past(plant, 5 * WEEK, {"te301020": 5.0}, alarm=range(5 * WEEK))
    state = {one.key: one.state for one in drift(plant, in_alarm, learnt(plant), reset).tags}
    assert state["te301020"] == "learning"


def test_an_instrument_that_only_the_models_know_is_left_out(plant: Plant) -> None:
    told = learnt(plant).models[0]
    strange = References(
        models=[
            told.model_copy(update={"values": {**told.values, "retired": told.values["te301020"]}})
        ]
    )
    assert [one.key for one in drift(plant, past(plant, WEEK), strange, {}).tags] == [
        i.key for i in plant.modelled
    ]


def test_too_few_rows_say_so(plant: Plant) -> None:
    assert {one.state for one in drift(plant, past(plant, 5), learnt(plant), {}).tags} == {
        "few rows"
    }
    assert drift(plant, [], learnt(plant), {}).since is None


def test_warnings_for_nothing_are_counted_against_the_budget(plant: Plant) -> None:
    scores = [0.9 if hour % 12 == 0 else 0.0 for hour in range(20 * 24)]
    found = next(
        one
        for one in nuisance(plant, past(plant, 20 * 24, scores=scores))
        if one.column == "forecast_3h"
    )
    assert found.false_alarms in (39, 40) and found.days == 20
    reasons = drift(plant, past(plant, 20 * 24, scores=scores), learnt(plant), {}).reasons
    assert any("forecast_3h warned" in reason and "for nothing" in reason for reason in reasons)


def test_a_challenger_that_warns_where_the_champion_does_not(plant: Plant) -> None:
    onsets = (100, 200, 300)
    blind, seeing = (
        [0.0] * 400,
        [0.9 if any(hour in (o - 3, o - 2, o - 1) for o in onsets) else 0.1 for hour in range(400)],
    )
    rows = [
        Past(
            one.start,
            one.row,
            {**(one.said or {}), "shadows": {"forecast_3h": [score, 0.5, "2"]}},
            one.in_alarm,
        )
        for one, score in zip(past(plant, 400, alarm=onsets, scores=blind), seeing, strict=True)
    ]
    contest = compare(plant, rows).contests[0]
    assert (contest.champion.version, contest.challenger.version) == ("1", "2")
    assert (contest.champion.onsets_warned, contest.challenger.onsets_warned) == (0, 3)
    assert contest.challenger.warnings == 3 and contest.challenger.false_alarms == 0
    assert contest.rows == 400 and contest.since == BEGIN


def test_an_onset_is_what_the_labels_call_one(plant: Plant) -> None:
    """An alarm that pauses for less than the quiet gap begins once; one whose beginning was not seen has no onset."""
    pausing = (50, 51, 53, 54, 56)
    rows = [
        Past(
            one.start,
            one.row,
            {**(one.said or {}), "shadows": {"forecast_3h": [0.0, 0.5, "2"]}},
            one.in_alarm,
        )
        for one in past(
            plant,
            100,
            alarm=(0, *pausing),
            scores=[0.9 if hour in (48, 52) else 0.0 for hour in range(100)],
        )
    ]
    champion = compare(plant, rows).contests[0].champion
    assert (champion.onsets, champion.onsets_warned) == (1, 1)
    assert (champion.warnings, champion.false_alarms) == (1, 0), (
        "a warning inside an episode is not judged"
    )


def test_only_rows_of_the_present_challenger_count(plant: Plant) -> None:
    rows = [
        Past(
            one.start,
            one.row,
            {**(one.said or {}), "shadows": {"forecast_3h": [0.0, 0.5, "2" if hour < 30 else "3"]}},
        )
        for hour, one in enumerate(past(plant, 50))
    ]
    contest = compare(plant, rows).contests[0]
    assert (
        contest.challenger.version == "3"
        and contest.rows == 20
        and contest.since == BEGIN + timedelta(hours=30)
    )
