"""The live plant equals the exported plant; scenarios begin now; a restart resumes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.errors import ServiceError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.services.sensors import LivePlant

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def test_what_is_shown_step_by_step_closes_to_the_intervals_of_the_batch(plant: Plant) -> None:
    live = LivePlant(plant, 3, BEGIN)
    shown = [one for hours in np.arange(0.05, 48.05, 0.35) for one in live.advance(float(hours))]
    shown += live.advance(48)
    assert live.intervals is not None
    batch = close_intervals(plant, pl.DataFrame(shown, schema=READING_SCHEMA, orient="row"))
    assert np.array_equal(live.intervals.values, batch.values[:48], equal_nan=True)
    assert np.array_equal(live.intervals.count, batch.count[:48])


@settings(max_examples=5, deadline=None)
@given(
    switched_at=st.floats(24.0, 30.0),
    scenario=st.sampled_from(["pressure_rise", "level_swing", "multi_alarm"]),
)
def test_switching_a_scenario_never_rewrites_what_was_shown(
    plant: Plant, switched_at: float, scenario: str
) -> None:
    quiet, switched = LivePlant(plant, 4, BEGIN), LivePlant(plant, 4, BEGIN)
    before = quiet.advance(switched_at)
    assert switched.advance(switched_at) == before
    switched.activate(scenario)
    assert switched.snapshot == quiet.snapshot
    quiet.advance(40)
    switched.advance(40)
    closed = int(switched_at)
    assert quiet.intervals is not None and switched.intervals is not None
    assert np.array_equal(
        quiet.intervals.values[:closed], switched.intervals.values[:closed], equal_nan=True
    )
    assert not np.array_equal(quiet.intervals.values, switched.intervals.values, equal_nan=True)


@pytest.mark.parametrize("scenario", ["pressure_rise", "level_swing", "multi_alarm"])
def test_a_scenario_ends_in_alarm_and_fades_when_it_is_taken_back(
    plant: Plant, scenario: str
) -> None:
    live = LivePlant(plant, 5, BEGIN)
    live.advance(30.4)
    live.activate(scenario)
    live.advance(54)
    assert live.intervals is not None
    alarm = any_rule(plant, live.intervals)
    assert not alarm[:32].any() and alarm[32:54].any()
    live.activate("normal")
    live.advance(78)
    assert not any_rule(plant, live.intervals)[66:].any()


def test_a_restart_goes_on_where_the_plant_stood(plant: Plant, tmp_path: Path) -> None:
    whole = LivePlant(plant, 6, BEGIN)
    whole.advance(70.3)
    whole.activate("pressure_rise")
    whole.advance(290.7)
    whole.save(tmp_path / "live.json")
    again = LivePlant.load(plant, tmp_path / "live.json")
    assert again is not None and again.now == whole.now and again.scenario == "pressure_rise"
    assert again.snapshot == whole.snapshot
    whole.advance(300)
    again.advance(300)
    assert whole.intervals is not None and again.intervals is not None
    kept = len(again.intervals)
    assert kept >= 230
    assert np.array_equal(whole.intervals.values[-kept:], again.intervals.values, equal_nan=True)


def speaking(plant: Plant, minutes: float) -> Plant:
    return plant.model_copy(
        update={"time": plant.time.model_copy(update={"stride": timedelta(minutes=minutes)})}
    )


@pytest.mark.parametrize("minutes", [1, 15, 20])
def test_between_two_hours_intervals_end_at_the_stride_and_are_those_of_the_batch(
    plant: Plant, minutes: int
) -> None:
    live = LivePlant(speaking(plant, minutes), 3, BEGIN)
    shown = live.advance(60.72)
    rolled = live.rolling(30)
    assert rolled is not None and len(rolled) == 30
    end = datetime(2026, 3, 3, 12, 43 // minutes * minutes, tzinfo=UTC)
    assert live.last_stride == end
    assert rolled.start[-1] == np.datetime64((end - timedelta(hours=1)).replace(tzinfo=None))
    readings = pl.DataFrame(shown, schema=READING_SCHEMA, orient="row").filter(pl.col("time") < end)
    batch = close_intervals(plant, readings, timedelta(minutes=end.minute))
    last = int(np.flatnonzero(batch.start == rolled.start[-1])[0]) + 1
    assert np.array_equal(rolled.values, batch.values[last - 30 : last], equal_nan=True)


def test_at_a_whole_hour_the_rolling_intervals_are_the_closed_ones(plant: Plant) -> None:
    live = LivePlant(speaking(plant, 15), 3, BEGIN)
    live.advance(60.1)
    rolled = live.rolling(20)
    assert rolled is not None and live.intervals is not None
    assert np.array_equal(rolled.values, live.intervals.values[-20:], equal_nan=True)


def test_speaking_more_often_changes_no_closed_interval(plant: Plant) -> None:
    often, hourly = LivePlant(speaking(plant, 7.5), 3, BEGIN), LivePlant(plant, 3, BEGIN)
    assert often.advance(50) == hourly.advance(50)
    assert often.intervals is not None and hourly.intervals is not None
    assert np.array_equal(often.intervals.values, hourly.intervals.values, equal_nan=True)


def test_a_restart_speaks_of_the_same_rolling_intervals(plant: Plant, tmp_path: Path) -> None:
    whole = LivePlant(speaking(plant, 15), 6, BEGIN)
    whole.advance(290.6)
    whole.save(tmp_path / "live.json")
    again = LivePlant.load(whole.plant, tmp_path / "live.json")
    assert again is not None
    before, after = whole.rolling(plant.lookback), again.rolling(plant.lookback)
    assert before is not None and after is not None
    assert (
        np.array_equal(before.values, after.values, equal_nan=True)
        and before.start.tolist() == after.start.tolist()
    )


def test_an_unknown_scenario_names_the_known_ones(plant: Plant) -> None:
    with pytest.raises(ServiceError, match="pressure_rise"):
        LivePlant(plant, 1, BEGIN).activate("earthquake")


def test_a_damaged_file_says_what_to_do(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "live.json"
    assert LivePlant.load(plant, path) is None
    path.write_text('{"simulator": "1"}')
    with pytest.raises(ServiceError, match="delete it"):
        LivePlant.load(plant, path)
