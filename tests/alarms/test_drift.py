"""Drift: usual days are usual, changed ones are not, whatever the unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmstack.alarms.drift import psi, reference_distribution

WEEK = 168


def wandering(rows: int, seed: int) -> np.ndarray:
    """Hours that are like their neighbours, as a plant's are."""
    steps = np.random.default_rng(seed).normal(size=rows)
    values = np.zeros(rows)
    for row in range(1, rows):
        values[row] = 0.95 * values[row - 1] + steps[row]
    return values


def test_other_weeks_of_the_same_plant_are_usual_and_a_shifted_one_is_not() -> None:
    known = reference_distribution(wandering(52 * WEEK, 1), WEEK)
    assert known is not None
    others = wandering(52 * WEEK, 2).reshape(52, WEEK)
    assert np.mean([psi(known, week) > known.bound for week in others]) < 0.08
    assert np.mean([psi(known, week + 10.0) > known.bound for week in others]) > 0.9


def test_a_bound_is_never_below_the_textbooks() -> None:
    known = reference_distribution(np.random.default_rng(0).normal(size=100 * WEEK), WEEK)
    assert known is not None and known.bound == pytest.approx(0.25)


@given(st.integers(0, 100), st.floats(0.001, 1000.0), st.floats(-1000.0, 1000.0))
def test_units_do_not_matter(seed: int, factor: float, offset: float) -> None:
    values, week = wandering(6 * WEEK, seed), wandering(WEEK, seed + 1)
    plain, scaled = (
        reference_distribution(values, WEEK),
        reference_distribution(values * factor + offset, WEEK),
    )
    assert plain is not None and scaled is not None
    assert psi(scaled, week * factor + offset) == pytest.approx(psi(plain, week), abs=0.05)


@pytest.mark.parametrize("values", [np.full(500, np.nan), np.arange(10.0), np.empty(0)])
def test_too_little_is_nothing_to_measure_against(values: np.ndarray) -> None:
    assert reference_distribution(values, WEEK) is None


def test_a_tag_that_always_said_the_same_and_missing_values() -> None:
    known = reference_distribution(np.full(3 * WEEK, 5.0), WEEK)
    assert known is not None and psi(known, np.full(WEEK, 5.0)) < known.bound < psi(
        known, np.full(WEEK, 4.0)
    )
    assert np.isnan(psi(known, np.full(WEEK, np.nan)))
