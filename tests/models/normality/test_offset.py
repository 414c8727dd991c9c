"""The correction of an asset's threshold by its history and by operators' verdicts."""

import numpy as np
import pytest

from alarmstack.models.normality import HeldBack, Verdict, threshold_offset
from tests.models.normality.rigs import DAY, rig

NUISANCE, REAL = (False, True)


def history(days: int, added: float) -> list[HeldBack]:
    """Scores of normal rows; one row in a hundred has surprise 2, and `added` is added to all."""
    scores = -np.log10(np.random.default_rng(0).uniform(size=days * DAY)) + added
    return [HeldBack(scores, np.zeros(days * DAY, np.int32))]


def test_without_history_and_verdicts_the_threshold_does_not_change() -> None:
    assert threshold_offset(rig(), 3.0, []) == 0.0
    assert threshold_offset(rig(), float("inf"), history(3, 0.0)) == 0.0


def test_the_offset_follows_the_history_and_a_longer_history_has_more_weight() -> None:
    own = threshold_offset(rig(), 3.0, history(6, 0.0)) + 3.0
    short, long = (threshold_offset(rig(), own, history(days, 0.5)) for days in (2, 12))
    assert 0 < short < long < 0.6
    assert threshold_offset(rig(), own, history(12, -0.5)) < -0.1


@pytest.mark.parametrize(
    ("judged", "offset"),
    [
        ([(3.4, NUISANCE)], 0.4),
        ([(3.4, NUISANCE), (3.2, NUISANCE)], 0.4),
        ([(3.4, NUISANCE), (3.2, REAL)], 0.2),
        ([(3.4, REAL)], 0.0),
        ([(9.0, NUISANCE)], 1.0),
    ],
)
def test_nuisances_raise_the_threshold_and_real_warnings_limit_it(
    judged: list[tuple[float, bool]], offset: float
) -> None:
    verdicts = [Verdict(peak, real) for peak, real in judged]
    assert threshold_offset(rig(), 3.0, [], verdicts) == pytest.approx(offset)


def test_nuisances_within_the_budget_change_nothing() -> None:
    quiet = [HeldBack(np.full(2 * DAY, -9.0), np.zeros(2 * DAY, np.int32))]
    two = [Verdict(3.5, NUISANCE)] * 2
    three = [*two, Verdict(3.1, NUISANCE)]
    assert threshold_offset(rig(), 3.0, quiet, two) <= 0.0
    assert threshold_offset(rig(), 3.0, quiet, three) == pytest.approx(0.1)
