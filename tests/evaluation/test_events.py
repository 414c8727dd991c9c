"""Hits, leads and false alarms of series that are drawn as text.

The plant's rules: no off-delay, at least 1 h on, useful lead at most 6 h, quiet gap 3 h.
"""

import numpy as np
import pytest

from alarmstack.core.plant import Plant, parse_duration
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.thresholds import BUDGETS, threshold_for, thresholds_for
from tests.training.stories import drawn, scores

NAN = float("nan")
CASES = [
    # alarms, scores, leads of the onsets, false alarms
    ("warned two hours ahead", "........AA....", "......9.......", [2.0], 0),
    ("warned one hour ahead", "........AA....", ".......9......", [1.0], 0),
    ("the alarm row itself is too late", "........AA....", "........99....", [NAN], 0),
    ("six hours is the longest useful lead", "........AA....", "..9...........", [6.0], 0),
    ("seven hours is a false alarm", "........AA....", ".9............", [NAN], 1),
    ("a warning that was active before is not a hit", "..........AA..", ".99999999.....", [NAN], 1),
    ("the first activation counts", ".........AA...", "...9...9......", [6.0], 0),
    ("a false alarm", "..............", ".....9........", [], 1),
    ("rows in alarm are not evaluated", "......AAAAAAAA", "........99.99.", [NAN], 0),
    ("a short pause belongs to the episode", ".....AA..AA...", ".......99.....", [NAN], 0),
    ("a warning is cleared at the end of a segment", "....|...A.....", "..9..........", [NAN], 1),
    ("an onset needs quiet before it", ".A............", "..............", [], 0),
]


@pytest.mark.parametrize(
    ("what", "alarms", "given", "leads", "false"), CASES, ids=[c[0] for c in CASES]
)
def test_leads_and_false_alarms(
    plant: Plant, what: str, alarms: str, given: str, leads: list[float], false: int
) -> None:
    examples = drawn(plant, alarms)
    result = outcome(examples, scores(given)[: len(examples)], 0.5)
    assert result.lead.tolist() == pytest.approx(leads, nan_ok=True)
    assert int(result.false.sum()) == false


def test_the_forecast_target_looks_ahead_by_the_horizon(plant: Plant) -> None:
    target = drawn(plant, "......AA......").onset_target(parse_duration("3h"))
    letters = "".join({0.0: "0", 1.0: "1"}.get(v, "-") for v in target)
    assert letters == "000111--000---"


def test_the_target_of_one_hour_is_the_row_before(plant: Plant) -> None:
    target = drawn(plant, "....A.....").onset_target(parse_duration("1h"))
    assert "".join({0.0: "0", 1.0: "1"}.get(v, "-") for v in target) == "0001-0000-"


def test_a_threshold_keeps_its_budget_and_catches_what_it_can(plant: Plant) -> None:
    day = "." * 40 + "AA" + "." * 30
    examples = drawn(plant, day * 20)
    given = scores(("." * 10 + "3" + "." * 27 + "8." + ".." + "." * 30) * 20)
    threshold = threshold_for(examples, given, 0.1)
    assert 0.3 < threshold <= 0.8
    result = outcome(examples, given, threshold)
    assert result.recall == 1.0 and result.false.sum() == 0


def test_scores_without_skill_get_no_threshold(plant: Plant) -> None:
    examples = drawn(plant, "." * 400 + "A" + "." * 400)
    assert threshold_for(examples, np.zeros(len(examples)), 0.1) == float("inf")


def test_several_budgets_at_once_are_the_budgets_one_by_one(plant: Plant) -> None:
    examples = drawn(plant, ("." * 40 + "AA" + "." * 30) * 20)
    given = np.random.default_rng(4).random(len(examples))
    assert thresholds_for(examples, given, BUDGETS) == [
        threshold_for(examples, given, budget) for budget in BUDGETS
    ]
