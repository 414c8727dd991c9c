"""The alarm state through a shift of two plants, with restarts in between."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.preparation.derived import column
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.services.monitor.alarm_state import AlarmState, FeedReading, Warned
from alarmstack.services.monitor.open_interval import Measured, NewestRows
from alarmstack.services.schemas.gateway import FeedStatus, PlantState, WarningState
from alarmstack.services.schemas.observations import Observation, Reading, to_rows
from alarmstack.services.sensors.app import Player
from alarmstack.services.sensors.live import LivePlant
from alarmstack.storage.database.limit_alarms import Episode
from alarmstack.storage.database.plant_history import Past
from tests.alarms.plants import mill
from tests.upstreams import row

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def status(feed: str = "live", reason: str | None = None) -> FeedStatus:
    return FeedStatus.model_validate(
        {
            "feed": feed,
            "feed_reason": reason,
            "inference": "ready",
            "inference_reason": None,
            "plant_time": NINE,
            "server_time": NINE,
        }
    )


def seen(state: AlarmState, *warnings: WarningState) -> PlantState:
    return state.view(status(), Warned(warnings))


def feed_reading(
    at: datetime, ages: dict[str, float | None] | None = None, /, **values: float | None
) -> FeedReading:
    """A reading. Keys that end in `_sp` are setpoints."""
    setpoints = {key: value for key, value in values.items() if key.endswith("_sp")}
    rest = {key: value for key, value in values.items() if key not in setpoints}
    return FeedReading(Reading(timestamp=at, **rest), ages or {}, setpoints)


def episodes(state: AlarmState) -> list[tuple[str, datetime, datetime | None]]:
    return [(one.rule, one.begin, one.end) for one in state.take_changes().episodes]


def test_a_value_above_its_limit_is_an_alarm_at_once_and_dates_from_its_reading(
    plant: Plant,
) -> None:
    state = AlarmState(plant)
    state.add_interval(row(plant, NINE - HOUR))
    state.add_reading(feed_reading(NINE + 38 * MINUTE, pdt31008=240.0))
    assert not seen(state).in_alarm
    state.add_reading(feed_reading(NINE + 42 * MINUTE, {"pdt31008": 120.0}, pdt31008=337.0))
    now = seen(state)
    (alarm,) = now.limits
    assert (now.in_alarm, now.since, now.plant_time) == (
        True,
        NINE + 40 * MINUTE,
        NINE + 42 * MINUTE,
    )
    assert (alarm.rule, alarm.key, alarm.title, alarm.value) == (
        "flooding",
        "pdt31008",
        "PDT31008 above 300 mbar",
        337.0,
    )


def test_an_alarm_says_that_its_value_is_back_and_clears_after_the_off_delay(plant: Plant) -> None:
    state = AlarmState(plant)
    for minute, value in ((0, 320.0), (5, 295.0), (10, 206.0)):
        state.add_reading(feed_reading(NINE + minute * MINUTE, pdt31008=value))
    (alarm,) = seen(state).limits
    assert (alarm.value, alarm.returning_since) == (206.0, NINE + 10 * MINUTE), (
        "295 lies inside the deadband"
    )
    state.add_reading(feed_reading(NINE + 129 * MINUTE, pdt31008=206.0))
    assert seen(state).in_alarm
    state.add_reading(feed_reading(NINE + 130 * MINUTE, pdt31008=206.0))
    assert not seen(state).in_alarm
    assert episodes(state) == [("flooding", NINE, NINE + 130 * MINUTE)]


def test_a_deviation_follows_the_newest_setpoint(plant: Plant) -> None:
    state = AlarmState(plant)
    state.add_interval(row(plant, NINE - HOUR, lic31002_sp=70.0))
    state.add_reading(feed_reading(NINE, lic31002_pv=81.0))
    assert [one.rule for one in seen(state).limits] == ["d301_level_deviation"], (
        "the setpoint of the closed hour"
    )
    state.add_reading(feed_reading(NINE + MINUTE, lic31002_pv=81.0, lic31002_sp=78.0))
    (alarm,) = seen(state).limits
    assert (alarm.value, alarm.returning_since) == (3.0, NINE + MINUTE), (
        "the setpoint was moved: 3 % from it"
    )


def test_a_value_that_is_missing_or_stale_neither_raises_nor_clears_and_is_named(
    plant: Plant,
) -> None:
    state = AlarmState(plant)
    state.add_reading(feed_reading(NINE, pdt31008=320.0))
    state.add_reading(feed_reading(NINE + HOUR, pdt31008=None))
    now = seen(state)
    assert now.in_alarm and now.limits[0].value is None
    gaps = {gap.rule: gap.reason for gap in now.not_evaluated}
    assert (
        "PDT31008 is missing or stale" in gaps["flooding"]
        and "2026-03-01 10:00" in gaps["flooding"]
    )
    assert gaps["d301_level_deviation"] == "no reading of LIC31002_PV yet"
    state.add_reading(feed_reading(NINE + 2 * HOUR, pdt31008=320.0))
    state.add_reading(feed_reading(NINE + 11 * HOUR, te301020=107.0))
    assert (
        "its last reading is from 2026-03-01 11:00"
        in {g.rule: g.reason for g in seen(state).not_evaluated}["flooding"]
    )
    assert seen(state).since == NINE


@pytest.mark.parametrize(
    ("feed", "reason"),
    [("down", "the sensor API does not answer"), ("stale", "no reading for 11 s")],
)
def test_nothing_is_claimed_while_the_feed_is_not_live(
    plant: Plant, feed: str, reason: str
) -> None:
    state = AlarmState(plant)
    assert state.view(status(), Warned(())).reason == "no reading yet"
    state.add_reading(feed_reading(NINE, pdt31008=320.0))
    warning = WarningState(
        column="forecast_1h", horizon="1h", horizon_hours=1, standing=True, since=NINE
    )
    blind = state.view(status(feed, reason), Warned((warning,)))
    assert (blind.known, blind.reason, blind.in_alarm, blind.plant_time) == (
        False,
        reason,
        False,
        NINE,
    )
    assert not (blind.limits or blind.warnings or blind.pending or blind.not_evaluated)


def test_in_alarm_no_warning_is_active(plant: Plant) -> None:
    state, warning = (
        AlarmState(plant),
        WarningState(
            column="forecast_1h", horizon="1h", horizon_hours=1, standing=True, since=NINE
        ),
    )
    state.add_reading(feed_reading(NINE, pdt31008=240.0))
    assert seen(state, warning).warnings == [warning]
    state.add_reading(feed_reading(NINE + MINUTE, pdt31008=320.0))
    assert [one.standing for one in seen(state, warning).warnings] == [False]


def test_a_derived_rule_follows_the_open_interval(plant: Plant) -> None:
    state = AlarmState(plant)
    for hours, level in ((2, 20.0), (1, 58.0)):
        state.add_interval(row(plant, NINE - hours * HOUR, lt301031=level))
    state.add_reading(feed_reading(NINE + MINUTE, lt301031=40.0))
    assert not seen(state).in_alarm
    state.add_reading(feed_reading(NINE + 2 * MINUTE, lt301031=20.0))
    state.add_reading(feed_reading(NINE + 3 * MINUTE, lt301031=20.0))
    (alarm,) = seen(state).limits
    assert alarm.rule == "reboiler_swing" and alarm.value == pytest.approx(
        np.std([20, 58, 20], ddof=1)
    )
    assert alarm.since == NINE + 3 * MINUTE, (
        "the median of 40, 20 is 30: only the third reading makes it 20"
    )


TAGS = ["TB7", "LB2", "SC9_PV"]
READ = st.lists(
    st.tuples(st.sampled_from(TAGS), st.integers(0, 5 * 60 - 1), st.floats(0, 100)),
    min_size=1,
    max_size=60,
    unique_by=lambda r: r[:2],
)


@settings(deadline=None)
@given(readings=READ)
def test_the_open_row_at_its_end_is_the_closed_row(readings: list[tuple[str, int, float]]) -> None:
    plant = mill()
    ordered = sorted(readings, key=lambda one: one[1])
    frame = pl.DataFrame(
        [(tag, NINE + timedelta(seconds=second), value) for tag, second, value in ordered],
        schema=READING_SCHEMA,
        orient="row",
    )
    closed = close_intervals(plant, frame)
    rows = NewestRows(plant, len(closed), TAGS)
    newest: dict[str, tuple[float, datetime]] = {}
    for tag, second, value in ordered:
        at = NINE + timedelta(seconds=second)
        newest[tag] = (value, at)
        rows.add_reading(at, {name: Measured(*one) for name, one in newest.items()})
    last = NINE + timedelta(seconds=ordered[-1][1])
    opened = rows.block(last)
    for tag in TAGS:
        place = plant.signals.index(tag)
        reported = closed.count[-1, place] > 0
        np.testing.assert_array_equal(
            opened.values[-1, place],
            closed.values[-1, place],
            err_msg=f"{tag}, reported: {reported}",
        )


def shift_of_a_mill() -> list[FeedReading]:
    """Six minutes, a reading every ten seconds: hot, low, off its setpoint, unsteady, and back."""
    readings = []
    for tick in range(36):
        hot = 85.0 if 6 <= tick < 12 else 60.0
        low = 15.0 if 10 <= tick < 20 else 50.0
        readings.append(
            feed_reading(
                NINE + tick * timedelta(seconds=10),
                tb7=hot,
                lb2=low,
                sc9_pv=50.0,
                sc9_sp=50.0 if tick < 15 else 57.0,
            )
        )
    return readings


def test_a_second_plant_with_limits_of_every_kind() -> None:
    state, pending = AlarmState(mill()), []
    for one in shift_of_a_mill():
        state.add_reading(one)
        pending += [(limit.rule, limit.value) for limit in seen(state).pending]
    alarms = {
        (rule, (begin - NINE).total_seconds(), end and (end - NINE).total_seconds())
        for rule, begin, end in episodes(state)
    }
    assert alarms == {
        ("bearing_hot", 60.0, 240.0),
        ("bin_low", 100.0, 320.0),
        ("speed_off", 150.0, None),
        ("bearing_unsteady", 60.0, 270.0),
    }
    assert ("bearing_hot", 85.0) in pending, "exceeded, while the on-delay runs"


def restarted(before: AlarmState, plant: Plant) -> AlarmState:
    """What a restart makes of the stored states."""
    after = AlarmState(plant)
    after.restore(before.take_changes().states)
    return after


@pytest.mark.parametrize("cut", range(1, 36))
def test_a_restart_changes_neither_state_nor_episodes(cut: int) -> None:
    whole, first = AlarmState(mill()), AlarmState(mill())
    shift = shift_of_a_mill()
    for one in shift:
        whole.add_reading(one)
    for one in shift[:cut]:
        first.add_reading(one)
    stored: dict[tuple[str, datetime], Episode] = {
        (e.rule, e.begin): e for e in first.take_changes().episodes
    }
    first._save_all()
    again = restarted(first, mill())
    again.resume([], shift)
    assert seen(again).limits == seen(whole).limits
    stored |= {(e.rule, e.begin): e for e in again.take_changes().episodes}
    ended = {(e.rule, e.begin, e.end) for e in stored.values()}
    assert ended == set(episodes(whole))


def test_a_limit_that_was_changed_begins_anew(plant: Plant) -> None:
    state = AlarmState(plant)
    state.add_reading(feed_reading(NINE, pdt31008=320.0))
    rules = tuple(rule.model_copy(update={"above": 350.0}) for rule in plant.labels.rules[:1])
    changed = plant.model_copy(update={"labels": plant.labels.model_copy(update={"rules": rules})})
    after = AlarmState(changed)
    assert after.restore(state.take_changes().states) == {}
    after.add_reading(feed_reading(NINE + MINUTE, pdt31008=320.0))
    assert not seen(after).in_alarm


def closed_hours(plant: Plant, pressures: Sequence[float]) -> list[Past]:
    """Closed hours from nine on, with these peaks."""
    rows = [row(plant, NINE + n * HOUR, pdt31008_max=peak) for n, peak in enumerate(pressures)]
    return [Past(one.timestamp, one.model_dump(mode="json")) for one in rows if one.timestamp]


def test_hours_without_readings_are_evaluated_on_closed_intervals(plant: Plant) -> None:
    state = AlarmState(plant)
    state.resume(
        closed_hours(plant, [250, 320, 330, 250]), [feed_reading(NINE + 5 * HOUR, pdt31008=240.0)]
    )
    (episode,) = state.take_changes().episodes
    assert (episode.begin, episode.end) == (NINE + HOUR, NINE + 5 * HOUR)
    assert episode.approximate and episode.peak == 330.0
    state.resume(
        closed_hours(plant, [250, 320, 330, 250]), [feed_reading(NINE + 5 * HOUR, pdt31008=240.0)]
    )
    assert not state.take_changes().episodes, "what was looked at is not looked at again"


def test_where_the_feed_still_has_readings_they_tell_not_the_intervals(plant: Plant) -> None:
    state = AlarmState(plant)
    readings = [
        feed_reading(NINE + minute * MINUTE, pdt31008=320.0 if minute >= 100 else 240.0)
        for minute in range(60, 125, 5)
    ]
    state.resume(closed_hours(plant, [250, 320]), readings)
    assert seen(state).since == NINE + 100 * MINUTE and not seen(state).limits[0].approximate


def test_an_interval_that_makes_no_sense_stops_nothing(plant: Plant) -> None:
    state, past = AlarmState(plant), closed_hours(plant, [250, 320, 250])
    past[1] = Past(
        past[1].start + 17 * MINUTE,
        past[1].row | {"timestamp": (past[1].start + 17 * MINUTE).isoformat()},
    )
    state.resume(past, [])
    state.add_reading(feed_reading(NINE + 4 * HOUR, pdt31008=320.0, lt301031=50.0))
    assert [one.rule for one in seen(state).limits] == ["flooding"]


def test_a_reading_from_the_future_does_not_freeze_the_state(plant: Plant) -> None:
    state = AlarmState(plant)
    state.add_reading(feed_reading(NINE, pdt31008=240.0))
    state.add_reading(feed_reading(NINE + timedelta(days=365), pdt31008=240.0))
    state.add_reading(feed_reading(NINE + MINUTE, pdt31008=320.0))
    assert seen(state).since == NINE + MINUTE and seen(state).plant_time == NINE + MINUTE


def test_a_reading_that_comes_late_changes_nothing(plant: Plant) -> None:
    state = AlarmState(plant)
    state.add_reading(feed_reading(NINE + MINUTE, pdt31008=240.0))
    state.add_reading(feed_reading(NINE, pdt31008=320.0))
    assert not seen(state).in_alarm and seen(state).plant_time == NINE + MINUTE


def test_the_block_of_the_open_interval_is_read_by_the_rules_of_the_labels(plant: Plant) -> None:
    rows = NewestRows(plant, 3, ["LT301031"])
    for hours, level in ((2, 20.0), (1, 60.0)):
        interval = row(plant, NINE - hours * HOUR, lt301031=level)
        rows.add_interval(Observation.model_validate(interval))
    rows.add_reading(NINE, {"LT301031": Measured(35.0, NINE)})
    assert column(plant, rows.block(NINE), "LT301031_roll3h_mean")[-1] == pytest.approx(
        (20 + 60 + 35) / 3
    )
    assert [str(one)[:16] for one in rows.block(NINE).start] == [
        "2026-03-01T07:00",
        "2026-03-01T08:00",
        "2026-03-01T09:00",
    ]
    assert len(to_rows(plant, rows.block(NINE))) == 3


def test_a_pressure_that_swings_about_its_limit_is_one_alarm_not_twelve(plant: Plant) -> None:
    """The simulated pressure rise: the pressure crosses its limit every one or two hours."""
    live = LivePlant(plant, 11, NINE)
    live.advance(48)
    player, state = Player(live, 720.0, None, None), AlarmState(plant)
    live.activate("pressure_rise")
    crossings, above = 0, False
    for _ in range(20 * 60):
        closed = live.closed_hours
        live.advance(live.hours + 1 / 60)
        if live.closed_hours > closed and live.intervals is not None:
            state.add_interval(
                to_rows(plant, live.intervals.rows(len(live.intervals) - 1, len(live.intervals)))[0]
            )
        newest = player.now()
        state.add_reading(FeedReading(newest.reading, newest.ages, newest.setpoints))
        before, above = above, (newest.reading.numbers.get("pdt31008") or 0.0) > 300.0
        crossings += above and not before
    begun = [begin for rule, begin, _ in episodes(state) if rule == "flooding"]
    assert crossings > 5 and len(begun) <= 2


def test_closed_intervals_that_follow_one_another_give_one_instant_one_value(plant: Plant) -> None:
    """Below the limit for exactly the off-delay, then above it again.

    The alarm did not end and begin in the same instant.
    """
    state = AlarmState(plant)
    state.resume(closed_hours(plant, [320, 250, 250, 320, 250, 250, 250]), [])
    begun = [(begin, end) for rule, begin, end in episodes(state) if rule == "flooding"]
    assert begun == [(NINE, NINE + 6 * HOUR)]
