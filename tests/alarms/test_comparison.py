"""False alarms, and the champion/challenger comparison of what two versions would raise."""

from datetime import timedelta

from alarmstack.alarms.comparison import VersionOutput, compare, false_alarms
from alarmstack.core.plant import Plant
from tests.alarms.assessed import BEGIN, MODEL, assessed_hours


def test_a_challenger_that_warns_where_the_champion_does_not(plant: Plant) -> None:
    onsets = (100, 200, 300)
    before_onsets = {onset - lead for onset in onsets for lead in (1, 2, 3)}
    challengers = [
        VersionOutput(0.9 if hour in before_onsets else 0.1, 0.5, "2") for hour in range(400)
    ]
    hours = assessed_hours(plant, 400, alarm=onsets, scores=[0.0] * 400, challengers=challengers)
    [model] = compare(plant, hours)
    assert (model.champion.version, model.challenger.version) == ("1", "2")
    assert (model.champion.onsets_warned, model.challenger.onsets_warned) == (0, 3)
    assert model.challenger.warnings == 3 and model.challenger.false_alarms == 0
    assert model.rows == 400 and model.since == BEGIN


def test_an_onset_is_defined_as_in_the_labels(plant: Plant) -> None:
    """An alarm that pauses for less than the quiet gap has one onset.

    An alarm whose beginning was not seen has none.
    """
    pausing = (50, 51, 53, 54, 56)
    hours = assessed_hours(
        plant,
        100,
        alarm=(0, *pausing),
        scores=[0.9 if hour in (48, 52) else 0.0 for hour in range(100)],
        challengers=[VersionOutput(0.0, 0.5, "2")] * 100,
    )
    champion = compare(plant, hours)[0].champion
    assert (champion.onsets, champion.onsets_warned) == (1, 1)
    assert (champion.warnings, champion.false_alarms) == (1, 0), (
        "a warning inside an episode is not judged"
    )


def test_only_rows_of_the_present_challenger_count(plant: Plant) -> None:
    challengers = [VersionOutput(0.0, 0.5, "2" if hour < 30 else "3") for hour in range(50)]
    [model] = compare(plant, assessed_hours(plant, 50, challengers=challengers))
    assert model.challenger.version == "3" and model.rows == 20
    assert model.since == BEGIN + timedelta(hours=30)


def test_a_model_without_a_challenger_is_not_compared(plant: Plant) -> None:
    assert compare(plant, assessed_hours(plant, 50)) == []
    assert compare(plant, []) == []


def test_false_alarms_are_counted_against_the_budget(plant: Plant) -> None:
    scores = [0.9 if hour % 12 == 0 else 0.0 for hour in range(20 * 24)]
    counts = {
        one.column: one for one in false_alarms(plant, assessed_hours(plant, 480, scores=scores))
    }
    assert counts[MODEL].count in (39, 40) and counts[MODEL].days == 20
    assert counts[MODEL].budget_per_day == plant.warnings.false_alarms_per_day
