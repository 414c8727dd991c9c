"""A threshold follows its asset: as far as the asset's history is long, and as operators judge its warnings."""

import numpy as np
import pytest

from alarmstack.models.normality import HeldBack, Verdict, threshold_offset
from tests.models.normality.rigs import DAY, rig

NUISANCE, REAL = (False, True)


def history(days: int, louder: float) -> list[HeldBack]:
    """Scores of normal rows; one row in a hundred has surprise 2, and `louder` is added to all."""
    scores = -np.log10(np.random.default_rng(0).uniform(size=days * DAY)) + louder
    return [HeldBack(scores, np.zeros(days * DAY, np.int32))]


def test_without_history_and_verdicts_a_threshold_stays() -> None:
    assert threshold_offset(rig(), 3.0, []) == 0.0
    assert threshold_offset(rig(), float("inf"), history(3, 0.0)) == 0.0


def test_a_lively_asset_is_lifted_a_quiet_one_lowered_and_a_long_history_moves_it_further() -> None:
    usual = threshold_offset(rig(), 3.0, history(6, 0.0)) + 3.0
    short, long = (threshold_offset(rig(), usual, history(days, 0.5)) for days in (2, 12))
    assert 0 < short < long < 0.6
    assert threshold_offset(rig(), usual, history(12, -0.5)) < -0.1


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        ([(3.4, NUISANCE)], 0.4),
        ([(3.4, NUISANCE), (3.2, NUISANCE)], 0.4),
        ([(3.4, NUISANCE), (3.2, REAL)], 0.2),
        ([(3.4, REAL)], 0.0),
        ([(9.0, NUISANCE)], 1.0),
    ],
)
def test_nuisances_lift_a_threshold_and_real_ones_bound_it(
    said: list[tuple[float, bool]], offset: float
) -> None:
    verdicts = [Verdict(peak, real) for peak, real in said]
    assert threshold_offset(rig(), 3.0, [], verdicts) == pytest.approx(offset)


def test_nuisances_that_the_budget_allows_lift_nothing() -> None:
    quiet = [HeldBack(np.full(2 * DAY, -9.0), np.zeros(2 * DAY, np.int32))]
    two, three = (
        [Verdict(3.5, NUISANCE)] * 2,
        [Verdict(3.5, NUISANCE)] * 2 + [Verdict(3.1, NUISANCE)],
    )
    assert threshold_offset(rig(), 3.0, quiet, two) <= 0.0
    assert threshold_offset(rig(), 3.0, quiet, three) == pytest.approx(0.1)
