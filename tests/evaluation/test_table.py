"""The table shows the known skill of constructed models."""

import numpy as np
import pytest

from alarmstack.core.plant import Plant, parse_duration
from alarmstack.evaluation.table import ScoredModel, TableRow, evaluate
from tests.training.stories import drawn

EVENT = "." * 60 + "AAA" + "." * 20
HORIZON = parse_duration("3h")


@pytest.fixture(scope="module")
def table(plant: Plant) -> dict[tuple[str, str], TableRow]:
    examples = drawn(plant, EVENT * 60)
    seeing, blind = np.zeros(len(examples)), np.zeros(len(examples))
    for onset in examples.onsets:
        seeing[onset - 3 : onset] = 0.9
    half = seeing.copy()
    for onset in examples.onsets[:30]:
        half[onset - 3 : onset] = 0.0
    target = examples.onset_target(HORIZON)
    thresholds = {0.5: 0.5, 0.01: 0.5}
    models = [ScoredModel("half", half, thresholds, target, HORIZON, True)]
    baselines = [
        ScoredModel("blind", blind, thresholds, target),
        ScoredModel("seeing", seeing, thresholds, target),
    ]
    precursor = np.arange(len(examples.onsets)) >= 30
    rows = evaluate("made up", examples, models, baselines, precursor, (0.5, 0.01))
    return {(r.metric, r.baseline or ""): r for r in rows} | {
        (r.metric, ""): r for r in rows if "gain" not in r.metric
    }


def test_recall_lead_and_the_best_baseline(table: dict[tuple[str, str], TableRow]) -> None:
    recall = table["event_recall@0.5/day", ""]
    assert (recall.value, recall.baseline, recall.baseline_value) == (0.5, "seeing", 1.0)
    assert recall.low is not None and recall.high is not None and recall.low < 0.5 < recall.high
    assert table["precursor_recall@0.5/day", ""].value == 1.0
    assert table["lead_median_h@0.5/day", ""].value == 3.0
    assert table["false_alarms_per_day@0.5/day", ""].value == 0.0


def test_a_gain_is_paired_and_has_a_sign(table: dict[tuple[str, str], TableRow]) -> None:
    over_blind = table["recall_gain@0.5/day", "blind"]
    over_seeing = table["recall_gain@0.5/day", "seeing"]
    assert over_blind.value == 0.5 and over_blind.low is not None and over_blind.low > 0
    assert over_seeing.value == -0.5 and over_seeing.high is not None and over_seeing.high < 0


def test_a_budget_that_cannot_be_measured_has_no_value(
    table: dict[tuple[str, str], TableRow],
) -> None:
    assert table["event_recall@0.01/day", ""].value is None


def test_row_metrics_are_compared_with_the_base_rate(
    table: dict[tuple[str, str], TableRow],
) -> None:
    brier = table["brier_skill", "base rate"].value
    precision = table["average_precision", "base rate"]
    assert brier is not None and 0 < brier < 1
    assert (
        precision.value is not None
        and precision.baseline_value is not None
        and precision.value > precision.baseline_value
    )
