"""The metrics count what an operator sees: alarms that begin, in time or false."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from alarmstack.bench.metrics import EvaluatedRun, estimate
from alarmstack.bench.sets import Run
from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.evaluation.vus import spans


def drawn(what: str, alarm: str, early: str | None = None) -> EvaluatedRun:
    """A run drawn as text, one letter per row.

    `what`: `.` normal, `E` event, `?` neither. `alarm`: `#` an alarm is active. `early`: `e` in
    time.
    """
    rows = len(what)
    block = IntervalBlock(
        start=np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h"),
        cadence=timedelta(hours=1),
        signals=("P",),
        values=np.zeros((rows, 1, 3)),
        count=np.ones((rows, 1), np.int32),
        age=np.zeros((rows, 1)),
        segment=np.zeros(rows, np.int32),
    )
    letters = np.array(list(what))
    event, normal = letters == "E", letters == "."
    in_time = np.ones(rows, bool) if early is None else np.array(list(early)) == "e"
    active = np.array(list(alarm)) == "#"
    run = Run("run", "asset", block, event, in_time, normal, normal)
    return EvaluatedRun(run, active.astype(float), active, np.ones(rows, bool), spans(event))


CASES = [
    ("an alarm that begins in the event is a hit", "....EEEE", ".....##.", "event_recall", {}, 1.0),
    ("one that was already active is not", "....EEEE", "...###..", "event_recall", {}, 0.0),
    (
        "but it was active at the onset",
        "....EEEE",
        "...###..",
        "standing_at_onset",
        {},
        1.0,
    ),
    (
        "and its rows in alarm count for the row metrics",
        "....EEEE",
        "...###..",
        "detection_rate",
        {},
        0.5,
    ),
    ("half of the event is left", "....EEEE", ".....###", "event_recall", {"left": 0.5}, 1.0),
    ("less than half is left", "....EEEE", "......##", "event_recall", {"left": 0.5}, 0.0),
    (
        "only the first rows of a run count",
        "....EEEE",
        ".....###",
        "event_recall",
        {"rows": 5},
        0.0,
    ),
    ("one false alarm in one day", "." * 24 + "EE", "#" + "." * 25, "false_alarms", {}, 1.0),
    ("a long alarm counts once", "." * 24 + "EE", "###" + "." * 23, "false_alarms", {}, 1.0),
    ("false alarms per week", "." * 24, "#" + "." * 23, "false_alarms", {"days": 7}, 7.0),
    (
        "rows that are neither normal nor event do not count",
        "....????",
        "....####",
        "false_alarm_rate",
        {},
        0.0,
    ),
    ("the delay is counted from the onset", "..EEEE..", "....##..", "delay_rows", {}, 2.0),
    ("a missed event counts with all its rows", "..EEEE..", "........", "delay_rows", {}, 4.0),
    ("event rows without alarm", "....EEEE", ".....###", "missed_alarm_rate", {}, 0.25),
    ("F1 over rows", "....EEEE", "...#.###", "f1", {}, 0.75),
    (
        "the score of the BATADAL competition",
        "....EEEE",
        ".....###",
        "batadal_s",
        {},
        (0.75 + (0.75 + 1.0) / 2) / 2,
    ),
]


@pytest.mark.parametrize(
    ("what", "alarm", "name", "options", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_metric_of_a_drawn_run(
    what: str, alarm: str, name: str, options: dict[str, float], expected: float
) -> None:
    assert estimate(name, [drawn(what, alarm)], options).value == pytest.approx(expected)


def test_early_recall_counts_alarms_in_the_early_phase_of_events_that_have_one() -> None:
    in_time = drawn("..EEEE", "...###", "eeeell")
    late = drawn("..EEEE", "....##", "eeeell")
    sudden = drawn("..EEEE", "..####", "eellll")
    result = estimate("early_recall", [in_time, late, sudden])
    assert (result.value, result.count) == (0.5, 2)


def test_early_time_is_the_share_of_early_event_rows_with_an_active_alarm() -> None:
    in_time = drawn("......EEEE", "......####", "eeeeeeeell")
    chance = drawn("......EEEE", "..#.....##", "eeeeeeeell")
    assert estimate("early_time", [in_time]).value == 1.0
    assert estimate("early_time", [chance]).value == 0.0
    assert estimate("early_time", [in_time, chance]).value == 0.5


def test_few_events_have_wide_intervals() -> None:
    result = estimate("event_recall", [drawn("..EE", "..##")] * 3)
    assert result.value == 1.0
    assert result.low is not None and result.low < 0.5


def test_an_unknown_metric_is_refused_with_the_known_names() -> None:
    with pytest.raises(BenchError, match="use one of event_recall"):
        estimate("event_recal", [])


def test_false_alarms_are_compared_with_a_budget_that_allows_at_least_ten() -> None:
    run_of_three_days = drawn("." * 72, ("#" + "." * 23) * 3)
    ratio = estimate("false_alarms_of_asked", [replace(run_of_three_days, budget=4.0)])
    assert ratio.value == pytest.approx(3 / 12) and ratio.count == 3
    assert np.isnan(
        estimate("false_alarms_of_asked", [replace(run_of_three_days, budget=3.0)]).value
    )
    assert np.isnan(estimate("false_alarms_of_asked", [run_of_three_days]).value)
