"""Limit alarms as an operator sees them: values and expected states, one letter per minute.

A: active, p: exceeded while the on-delay runs, r: active while the off-delay runs.
"""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmstack.alarms.limits import (
    QUIET,
    LimitRule,
    LimitState,
    deadband,
    limit_title,
    off_delay,
    rewound,
    step,
)
from alarmstack.core.plant import Limit, Plant
from alarmstack.features.matrix import build, feature_names
from alarmstack.preparation.derived import holds
from alarmstack.services.schemas.observations import Observation, to_block
from tests.alarms.plants import mill
from tests.upstreams import BEGIN

NAN = float("nan")
MINUTE = 60.0

CASES = [
    # what happens, rule, values, expected
    ("without delays the reading raises the alarm", LimitRule(300), [299, 301, 300], ".A."),
    ("a value at the limit does not exceed it", LimitRule(300), [300, 300], ".."),
    (
        "an on-delay suppresses a short excursion",
        LimitRule(300, on_delay=2 * MINUTE),
        [301, 301, 301, 299],
        "ppA.",
    ),
    (
        "a short excursion ends the on-delay",
        LimitRule(300, on_delay=2 * MINUTE),
        [301, 299, 301, 301],
        "p.pp",
    ),
    ("a deadband bridges small dips", LimitRule(300, deadband=8), [301, 295, 301, 292], "AAA."),
    (
        "an off-delay bridges short dips",
        LimitRule(300, off_delay=2 * MINUTE),
        [301, 206, 206, 301, 206, 206, 206],
        "ArrArr.",
    ),
    (
        "an unknown value raises nothing",
        LimitRule(300, on_delay=MINUTE),
        [NAN, 301, NAN, 301],
        ".ppA",
    ),
    (
        "an unknown value clears nothing",
        LimitRule(300, off_delay=2 * MINUTE),
        [301, 206, NAN, 206, 206, 206],
        "ArArr.",
    ),
]


def letter(state: LimitState) -> str:
    if state.active:
        return "A" if state.back is None else "r"
    return "." if state.since is None else "p"


def states_of(
    rule: LimitRule, values: list[float], state: LimitState = QUIET, begin: float = 0.0
) -> list[LimitState]:
    states = []
    for minute, value in enumerate(values):
        state = step(rule, state, begin + minute * MINUTE, value)
        states.append(state)
    return states


@pytest.mark.parametrize(("what", "rule", "values", "expected"), CASES, ids=[c[0] for c in CASES])
def test_states_of_a_series_of_values(
    what: str, rule: LimitRule, values: list[float], expected: str
) -> None:
    assert "".join(map(letter, states_of(rule, values))) == expected


def test_an_alarm_is_dated_to_the_reading_that_exceeded_the_limit() -> None:
    rule = LimitRule(300, on_delay=MINUTE)
    state = step(rule, QUIET, 0.0, 280)
    state = step(rule, state, 600.0, 310, read_at=430.0)
    assert state == LimitState(True, 430.0, None, 600.0), (
        "measured 170 s ago without a later value: the on-delay is over"
    )
    assert step(rule, LimitState(at=500.0), 600.0, 310, read_at=430.0).since == 500.0, (
        "the previous value was within the limit"
    )


def test_an_older_value_changes_nothing() -> None:
    state = step(LimitRule(300), QUIET, 600.0, 310)
    assert step(LimitRule(300), state, 540.0, 200) is state


def test_a_clock_that_was_set_back_keeps_alarms_and_restarts_delays() -> None:
    active, waiting = LimitState(True, 500.0, 550.0, 600.0), LimitState(False, 500.0, None, 600.0)
    assert rewound(active, 100.0) == LimitState(True, 100.0, None, 100.0)
    assert rewound(waiting, 100.0) == LimitState(False, None, None, 100.0)


VALUES = st.lists(st.floats(0, 20) | st.just(NAN), min_size=1, max_size=80)
RULES = st.builds(
    LimitRule,
    level=st.just(10.0),
    deadband=st.sampled_from([0.0, 2.0]),
    on_delay=st.sampled_from([0.0, MINUTE, 3 * MINUTE]),
    off_delay=st.sampled_from([0.0, MINUTE, 5 * MINUTE]),
)


@given(rule=RULES, values=VALUES)
def test_no_alarm_chatters_faster_than_its_off_delay(rule: LimitRule, values: list[float]) -> None:
    states = states_of(rule, values)
    before = [QUIET, *states]
    raised = [
        at * MINUTE for at, state in enumerate(states) if state.active and not before[at].active
    ]
    assert all(later - earlier > rule.off_delay for earlier, later in pairwise(raised))


@given(rule=RULES, values=VALUES, minutes=st.integers(1, 6))
def test_a_value_above_the_limit_for_the_on_delay_raises_an_alarm(
    rule: LimitRule, values: list[float], minutes: int
) -> None:
    lasting = int(rule.on_delay / MINUTE) + minutes
    states = states_of(rule, [*values, *[11.0] * lasting])
    assert states[-1].active and states[-1].since is not None
    assert states[-1].since <= (len(values) + minutes - 1) * MINUTE


@given(rule=RULES, values=VALUES, cut=st.integers(1, 80), again=st.integers(0, 10))
def test_overlapping_chunks_give_the_result_of_one_pass(
    rule: LimitRule, values: list[float], cut: int, again: int
) -> None:
    state = states_of(rule, values[:cut])[-1]
    begin = max(min(cut, len(values)) - 1 - again, 0)
    assert states_of(rule, values[begin:], state, begin * MINUTE)[-1] == states_of(rule, values)[-1]


def test_heights_of_high_low_and_absolute_limits() -> None:
    high, low = (
        Limit(name="h", column="T1", above=80, unit="°C"),
        Limit(name="l", column="L1", below=20, unit="%"),
    )
    wide = Limit(name="d", column="LC1_deviation", above=10, unit="%", absolute=True)
    assert [
        rule.height(value) > rule.level
        for rule, value in [(high, 81.0), (high, 80.0), (low, 19.0), (low, 20.0)]
    ] == [
        True,
        False,
        True,
        False,
    ]
    assert wide.height(-11.0) > wide.level and not wide.height(9.0) > wide.level


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({}, "needs one limit"),
        ({"above": 1.0, "below": 0.0}, "needs one limit"),
        ({"below": 1.0, "absolute": True}, "`absolute` needs `above`"),
        ({"above": 1.0, "deadband": -1.0}, "greater than or equal to 0"),
        ({"above": 1.0, "off_delay": "soon"}, "not a duration"),
    ],
)
def test_an_invalid_limit_is_refused(content: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Limit.model_validate({"name": "r", "column": "T1", "unit": "°C"} | content)


def test_default_deadbands_and_delays_follow_the_instrument_and_the_cadence(plant: Plant) -> None:
    defaults = {
        rule.name: (deadband(plant, rule), off_delay(plant, rule)) for rule in plant.labels.rules
    }
    two_hours = timedelta(hours=2)
    assert defaults == {
        "flooding": (8.0, two_hours),
        "d301_level_deviation": (5.0, two_hours),
        "reboiler_swing": (5.25, two_hours),
    }
    rules = {rule.name: rule for rule in mill().labels.rules}
    assert deadband(mill(), rules["bearing_hot"]) == 2.0 and off_delay(
        mill(), rules["bearing_hot"]
    ) == timedelta(minutes=2)
    assert off_delay(mill(), rules["bearing_unsteady"]) == timedelta(seconds=30), "its own"


def test_titles_of_limits(plant: Plant) -> None:
    assert [limit_title(plant, rule) for rule in plant.labels.rules] == [
        "PDT31008 above 300 mbar",
        "LIC31002 more than 10 % from its setpoint",
        "LT301031 standard deviation over 3 h above 20 %",
    ]
    assert [limit_title(mill(), rule) for rule in mill().labels.rules] == [
        "TB7 above 80 °C",
        "LB2 below 20 %",
        "SC9 more than 5 % from its setpoint",
        "TB7 standard deviation over 3 min above 4 °C",
    ]


def test_labels_and_features_support_low_limits() -> None:
    plant = mill()
    rows = [
        Observation(timestamp=BEGIN + n * timedelta(minutes=1), lb2=level, lb2_min=level - 1)
        for n, level in enumerate((30.0, 20.5))
    ]
    block = to_block(plant, rows)
    low = next(rule for rule in plant.labels.rules if rule.name == "bin_low")
    assert holds(plant, block, low).tolist() == [False, True]
    names = feature_names(plant, "window")
    matrix = build(plant, block, "window")
    assert matrix[:, names.index("bin_low_margin")].tolist() == [9.0, -0.5], "distance to the limit"
    assert matrix[:, names.index("bin_low_peak")].tolist() == [29.0, 19.5], "lowest of the window"
