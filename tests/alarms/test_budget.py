"""Both sides of a false-alarm budget, counted through the alarm engine."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.alarms import WarningRule
from alarmstack.alarms.budget import (
    Budget,
    QuietScores,
    choose_threshold,
    contradictions,
    realised,
)

CADENCES = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1))
AT_ONCE = WarningRule(0.0)


def surprise(rows: int, seed: int) -> np.ndarray:
    """Scores of independent rows: one in ten reaches 1, one in a hundred reaches 2."""
    return np.random.default_rng(seed).exponential(1 / np.log(10), rows)


def series(scores: np.ndarray, asset: str = "") -> QuietScores:
    return QuietScores(scores, np.zeros(len(scores), np.int32), asset)


@pytest.mark.parametrize("cadence", CADENCES, ids=str)
@pytest.mark.parametrize("off_delay_rows", [0, 30])
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.02, 0.05]))
def test_new_rows_keep_both_sides_of_the_budget(
    cadence: timedelta, off_delay_rows: int, seed: int, share: float
) -> None:
    rule = WarningRule(0.0, off_delay=off_delay_rows * cadence.total_seconds())
    per_day = share * (timedelta(days=1) / cadence) / 4
    budget = Budget(per_day, share)
    choice = choose_threshold(rule, cadence, budget, [series(surprise(20_000, seed))])
    later = realised(
        WarningRule(choice.threshold, off_delay=rule.off_delay),
        cadence,
        [series(surprise(100_000, seed + 5000))],
    )
    assert later.per_day <= 2 * per_day and later.share <= 2 * share
    assert later.share >= share / 5 or later.per_day >= per_day / 5, "it is not kept by silence"


def test_the_share_counts_the_rows_that_the_off_delay_adds() -> None:
    scores = np.zeros(1000)
    scores[::100] = 3.0
    rule = WarningRule(2.0, off_delay=9 * 60)
    counted = realised(rule, timedelta(minutes=1), [series(scores)])
    assert counted.episodes == 10 and counted.share == pytest.approx(0.1)


def test_a_long_asset_does_not_decide_for_all() -> None:
    noisy, calm = np.tile([0.0, 3.0], 5000), np.zeros(100)
    rows = [series(noisy, "long"), series(calm, "a"), series(calm, "b")]
    assert realised(WarningRule(2.0), timedelta(minutes=1), rows).share == pytest.approx(1 / 6)


def test_a_gap_in_the_scores_is_not_a_second_warning() -> None:
    scores = np.array([3.0, np.nan, 3.0, 0.0])
    counted = realised(WarningRule(2.0), timedelta(days=1), [series(scores)])
    assert (counted.episodes, counted.days) == (1, 3.0)


@pytest.mark.parametrize("rarer", [10, 100])
def test_a_rare_budget_is_extrapolated_and_says_so(rarer: int) -> None:
    minute = timedelta(minutes=1)
    per_day = 1440 * 8 / 5000 / rarer
    choice = choose_threshold(AT_ONCE, minute, Budget(per_day, 0.9), [series(surprise(5000, 1))])
    later = realised(WarningRule(choice.threshold), minute, [series(surprise(2_000_000, 2))])
    assert per_day / 2.5 <= later.per_day <= 2.5 * per_day
    assert "extrapolated" in choice.notes[0]


def test_too_few_rows_give_no_warning_and_the_time_that_a_count_takes() -> None:
    minute = timedelta(minutes=1)
    choice = choose_threshold(AT_ONCE, minute, Budget(1.0, 0.01), [series(np.zeros(300))])
    assert choice.threshold == float("inf") and "no warnings yet" in choice.notes[0]
    assert "8 warnings take 8 days" in choice.notes[0]
    assert choose_threshold(AT_ONCE, minute, Budget(1.0, 0.01), []).threshold == float("inf")


def test_two_sides_that_contradict_each_other_are_named() -> None:
    rule, minute = WarningRule(0.0, off_delay=3600), timedelta(minutes=1)
    (sentence,) = contradictions(rule, minute, Budget(0.5, 0.01))
    assert "0.5 warnings a day that each last at least 61 min are 2.12% of the time" in sentence
    assert contradictions(rule, minute, Budget(0.5, 0.03)) == []


@pytest.mark.parametrize(
    "scores",
    [
        np.where(np.arange(20_000) % 200 == 0, 5.0, 0.0),
        np.where(np.arange(20_000) // 1000 % 2 == 0, 5.0, 0.0),
    ],
    ids=["spikes", "blocks"],
)
def test_equal_scores_do_not_break_the_budget(scores: np.ndarray) -> None:
    budget = Budget(0.5, 0.05)
    choice = choose_threshold(AT_ONCE, timedelta(minutes=1), budget, [series(scores)])
    assert budget.kept_by(choice.expected)


def test_scores_below_zero_are_no_thresholds_where_there_is_a_hysteresis() -> None:
    """The release level of a negative threshold would be above it."""
    rule, scores = WarningRule(0.0, hysteresis=0.5), surprise(5000, 3) - 1.0
    choice = choose_threshold(rule, timedelta(minutes=1), Budget(900.0, 0.6), [series(scores)])
    assert choice.threshold > 0


@pytest.mark.parametrize(("per_day", "share"), [(0.0, 0.1), (1.0, 0.0), (1.0, 1.5)])
def test_numbers_that_are_not_a_budget_are_refused(per_day: float, share: float) -> None:
    with pytest.raises(ValueError, match="use numbers above 0"):
        Budget(per_day, share)
