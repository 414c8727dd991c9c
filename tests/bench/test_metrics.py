"""Figures count what an operator would: alarms that begin, in time or for nothing."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from alarmstack.bench.metrics import Judged, figure
from alarmstack.bench.sets import Run
from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.evaluation.vus import spans


def told(what: str, alarm: str, early: str | None = None) -> Judged:
    """A run drawn as text, a row a letter: `.` normal, `E` event, `?` neither; `#` where an alarm stands."""
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
    on = np.array(list(alarm)) == "#"
    run = Run("run", "asset", block, event, in_time, normal, normal)
    return Judged(run, on.astype(float), on, np.ones(rows, bool), spans(event))


STORIES = [
    ("an alarm that begins in the event is a hit", "....EEEE", ".....##.", "event_recall", {}, 1.0),
    ("one that stood already is none", "....EEEE", "...###..", "event_recall", {}, 0.0),
    (
        "but it is found, and said to have stood",
        "....EEEE",
        "...###..",
        "standing_at_onset",
        {},
        1.0,
    ),
    ("and rows in alarm count all the same", "....EEEE", "...###..", "detection_rate", {}, 0.5),
    ("half of the event is left", "....EEEE", ".....###", "event_recall", {"left": 0.5}, 1.0),
    ("less than half is left", "....EEEE", "......##", "event_recall", {"left": 0.5}, 0.0),
    (
        "what comes after the first rows of a run does not count",
        "....EEEE",
        ".....###",
        "event_recall",
        {"rows": 5},
        0.0,
    ),
    ("one false alarm in a day", "." * 24 + "EE", "#" + "." * 25, "false_alarms", {}, 1.0),
    ("an alarm that goes on is one", "." * 24 + "EE", "###" + "." * 23, "false_alarms", {}, 1.0),
    ("in a week", "." * 24, "#" + "." * 23, "false_alarms", {"days": 7}, 7.0),
    ("rows that are neither do not count", "....????", "....####", "false_alarm_rate", {}, 0.0),
    ("the delay is counted from the onset", "..EEEE..", "....##..", "delay_rows", {}, 2.0),
    ("a missed event delays by all its rows", "..EEEE..", "........", "delay_rows", {}, 4.0),
    ("missed rows", "....EEEE", ".....###", "missed_alarm_rate", {}, 0.25),
    ("F1 over rows", "....EEEE", "...#.###", "f1", {}, 0.75),
    (
        "the score of the water network",
        "....EEEE",
        ".....###",
        "batadal_s",
        {},
        (0.75 + (0.75 + 1.0) / 2) / 2,
    ),
]


@pytest.mark.parametrize(
    ("what", "alarm", "name", "options", "expected"),
    [s[1:] for s in STORIES],
    ids=[s[0] for s in STORIES],
)
def test_stories(
    what: str, alarm: str, name: str, options: dict[str, float], expected: float
) -> None:
    assert figure(name, [told(what, alarm)], options).value == pytest.approx(expected)


def test_a_growing_fault_must_be_seen_while_it_is_small_and_one_that_is_large_at_once_does_not_count() -> (
    None
):
    seen = told("..EEEE", "...###", "eeeell")
    late = told("..EEEE", "....##", "eeeell")
    sudden = told("..EEEE", "..####", "eellll")
    found = figure("early_recall", [seen, late, sudden])
    assert (found.value, found.count) == (0.5, 2)


def test_warnings_that_fall_by_chance_stand_as_often_while_a_fault_grows_as_before_it() -> None:
    seen = told("......EEEE", "......####", "eeeeeeeell")
    chance = told("......EEEE", "..#.....##", "eeeeeeeell")
    assert figure("early_time", [seen]).value == 1.0
    assert figure("early_time", [chance]).value == 0.0
    assert figure("early_time", [seen, chance]).value == 0.5


def test_few_events_have_wide_intervals() -> None:
    found = figure("event_recall", [told("..EE", "..##")] * 3)
    assert found.value == 1.0
    assert found.low is not None and found.low < 0.5


def test_an_unknown_figure_is_named() -> None:
    with pytest.raises(BenchError, match="use one of event_recall"):
        figure("event_recal", [])


def test_a_budget_is_compared_with_what_came_where_ten_alarms_were_asked_for() -> None:
    story = told("." * 72, ("#" + "." * 23) * 3)
    kept = figure("false_alarms_of_asked", [replace(story, asked=4.0)])
    assert (kept.value, kept.count) == (pytest.approx(3 / 12), 3)
    assert np.isnan(figure("false_alarms_of_asked", [replace(story, asked=3.0)]).value)
    assert np.isnan(figure("false_alarms_of_asked", [story]).value)
