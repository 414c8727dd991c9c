"""Warnings as an operator sees them: one letter per hour (W: a warning is active)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmstack.alarms import IDLE, WarningRule, activations, step, warning_active

NAN = float("nan")
HOUR = 3600.0

CASES = [
    # what happens, rule, scores, expected
    (
        "a peak warns for the minimum on-time",
        WarningRule(0.5, minimum_on=2 * HOUR),
        [0, 0.9, 0, 0, 0],
        ".WW..",
    ),
    ("without delays it clears with its cause", WarningRule(0.5), [0, 0.9, 0.9, 0.4, 0], ".WW.."),
    (
        "chatter around the threshold stays one warning",
        WarningRule(0.5, hysteresis=0.8),
        [0.5, 0.45, 0.5, 0.41, 0.3],
        "WWWW.",
    ),
    (
        "without hysteresis it is raised again and again",
        WarningRule(0.5),
        [0.5, 0.45, 0.5, 0.41, 0.3],
        "W.W..",
    ),
    (
        "an on-delay suppresses a short peak",
        WarningRule(0.5, on_delay=2 * HOUR),
        [0.9, 0.1, 0.9, 0.9, 0.9, 0.1],
        "....W.",
    ),
    (
        "an off-delay bridges a dip",
        WarningRule(0.5, off_delay=HOUR),
        [0.9, 0.1, 0.9, 0.1, 0.1, 0.1],
        "WWWW..",
    ),
    ("an unknown score clears nothing", WarningRule(0.5), [0.9, NAN, NAN, 0.1], "WWW."),
    (
        "an unknown score raises nothing",
        WarningRule(0.5, on_delay=HOUR),
        [0.9, NAN, 0.9, 0.9],
        "...W",
    ),
]


def as_letters(active: np.ndarray) -> str:
    return "".join("W" if on else "." for on in active)


@pytest.mark.parametrize(("what", "rule", "scores", "expected"), CASES, ids=[c[0] for c in CASES])
def test_warnings_of_a_series_of_scores(
    what: str, rule: WarningRule, scores: list[float], expected: str
) -> None:
    assert as_letters(warning_active(rule, np.array(scores, float), HOUR)) == expected


def test_an_alarm_replaces_the_warning() -> None:
    alarm = np.array([False, False, True, True, False])
    on = warning_active(WarningRule(0.5, minimum_on=9 * HOUR), np.full(5, 0.9), HOUR, alarm)
    assert as_letters(on) == "WW..W"
    assert activations(on).tolist() == [0, 4]


def test_a_new_segment_clears_the_warning() -> None:
    segment = np.array([0, 0, -1, 1, 1], np.int32)
    on = warning_active(WarningRule(0.5, on_delay=HOUR), np.full(5, 0.9), HOUR, segment=segment)
    assert as_letters(on) == ".W..W"


HOURS = st.tuples(st.floats(0, 1) | st.just(NAN), st.sampled_from([False] * 9 + [True]))


@given(hours=st.lists(HOURS, min_size=1, max_size=60), cut=st.integers(0, 60))
def test_live_and_batch_results_are_equal(hours: list[tuple[float, bool]], cut: int) -> None:
    rule = WarningRule(0.5, 0.8, HOUR, HOUR, 2 * HOUR)
    state, live = IDLE, []
    for row, (score, in_alarm) in enumerate(hours):
        state = step(rule, IDLE if row == cut else state, (row + 1) * HOUR, score, in_alarm)
        live.append(state.on)
    scores, alarm = (np.array(column) for column in zip(*hours, strict=True))
    segment = (np.arange(len(hours)) >= cut).astype(np.int32)
    assert live == warning_active(rule, scores, HOUR, alarm, segment).tolist()


@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_warning_is_active_for_at_least_the_minimum_on_time(scores: list[float]) -> None:
    on = warning_active(WarningRule(0.5, 0.8, 0, HOUR, 3 * HOUR), np.array(scores, float), HOUR)
    for begin in activations(on):
        assert on[begin : begin + 3].all()
