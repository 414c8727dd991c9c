"""Drift: normal weeks stay within the bound, changed ones do not, whatever the unit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.alarms.drift import psi, reference_distribution

WEEK = 168


def wandering(rows: int, seed: int) -> np.ndarray:
    """Hourly values that depend on those before them, as in a plant."""
    steps = np.random.default_rng(seed).normal(size=rows)
    values = np.zeros(rows)
    for row in range(1, rows):
        values[row] = 0.95 * values[row - 1] + steps[row]
    return values


def test_other_weeks_of_the_same_plant_are_within_the_bound_and_shifted_ones_are_not() -> None:
    reference = reference_distribution(wandering(52 * WEEK, 1), WEEK)
    assert reference is not None
    others = wandering(52 * WEEK, 2).reshape(52, WEEK)
    assert np.mean([psi(reference, week) > reference.bound for week in others]) < 0.08
    assert np.mean([psi(reference, week + 10.0) > reference.bound for week in others]) > 0.9


def test_the_bound_is_at_least_the_value_of_the_literature() -> None:
    reference = reference_distribution(np.random.default_rng(0).normal(size=100 * WEEK), WEEK)
    assert reference is not None and reference.bound == pytest.approx(0.25)


@settings(deadline=None)
@given(st.integers(0, 100), st.floats(0.001, 1000.0), st.floats(-1000.0, 1000.0))
def test_the_psi_does_not_depend_on_the_unit(seed: int, factor: float, offset: float) -> None:
    values, week = wandering(6 * WEEK, seed), wandering(WEEK, seed + 1)
    plain, scaled = (
        reference_distribution(values, WEEK),
        reference_distribution(values * factor + offset, WEEK),
    )
    assert plain is not None and scaled is not None
    assert psi(scaled, week * factor + offset) == pytest.approx(psi(plain, week), abs=0.05)


@pytest.mark.parametrize("values", [np.full(500, np.nan), np.arange(10.0), np.empty(0)])
def test_too_few_values_give_no_reference(values: np.ndarray) -> None:
    assert reference_distribution(values, WEEK) is None


def test_a_constant_tag_and_missing_values() -> None:
    reference = reference_distribution(np.full(3 * WEEK, 5.0), WEEK)
    assert reference is not None
    unchanged, changed = np.full(WEEK, 5.0), np.full(WEEK, 4.0)
    assert psi(reference, unchanged) < reference.bound < psi(reference, changed)
    assert np.isnan(psi(reference, np.full(WEEK, np.nan)))
