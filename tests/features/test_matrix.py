"""Features are causal to the bit and equal in chunks, and missing values stay missing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.errors import FeatureError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import GROUPS, Group, build, feature_names, source_of
from alarmstack.preparation.derived import any_rule
from tests.blocks import block

HOURS = 150


@pytest.fixture(
    scope="module",
    params=[None, (60, 63), (80, 95)],
    ids=["whole", "short gap", "cut by a long gap"],
)
def history(plant: Plant, request: pytest.FixtureRequest) -> IntervalBlock:
    return block(plant, HOURS, seed=3, gap=request.param)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("group", GROUPS)
def test_names_are_unique_and_match_the_matrix(
    plant: Plant, history: IntervalBlock, group: Group
) -> None:
    names = feature_names(plant, group)
    assert len(set(names)) == len(names) == build(plant, history, group).shape[1]


def test_the_names_of_the_api_example_exist(plant: Plant) -> None:
    assert {"failure_frequency_48", "pdt31008_max", "lic31002_deviation", "lt301031"} <= set(
        feature_names(plant, "point")
    )


@pytest.mark.parametrize("group", GROUPS)
@given(end=st.integers(1, HOURS))
@settings(max_examples=30, deadline=None)
def test_later_rows_change_no_bit(
    plant: Plant, history: IntervalBlock, group: Group, end: int
) -> None:
    assert same(build(plant, history.rows(0, end), group), build(plant, history, group)[:end])


@pytest.mark.parametrize("group", GROUPS)
@given(cut=st.integers(0, HOURS - 1))
@settings(max_examples=30, deadline=None)
def test_a_chunk_with_lookback_gives_the_same_bits(
    plant: Plant, history: IntervalBlock, group: Group, cut: int
) -> None:
    begin = max(cut - plant.lookback, 0)
    chunk = build(plant, history.rows(begin, HOURS), group)
    assert same(chunk[cut - begin :], build(plant, history, group)[cut:])


@pytest.mark.parametrize("group", GROUPS)
def test_a_missing_instrument_affects_only_its_own_features(
    plant: Plant, history: IntervalBlock, group: Group
) -> None:
    lost = plant.modelled[0]
    values = history.values.copy()
    values[:, plant.signals.index(lost.tag)] = np.nan
    whole, without = (
        build(plant, history, group),
        build(plant, replace(history, values=values), group),
    )
    for place, name in enumerate(feature_names(plant, group)):
        if source_of(plant, name) == lost.key:
            assert np.isnan(without[:, place]).all(), name
        elif lost.tag not in {rule.column.split("_")[0] for rule in plant.labels.rules}:
            assert same(without[:, place], whole[:, place]), name


def test_failure_frequency_counts_the_rows_before(plant: Plant, history: IntervalBlock) -> None:
    values = history.values.copy()
    values[:, plant.signals.index("PDT31008")] = 200.0
    values[:, plant.signals.index("LIC31002_PV")] = 70.0
    values[:, plant.signals.index("LIC31002_SP")] = 70.0
    values[:, plant.signals.index("LT301031")] = 45.0
    values[[10, 11, 40], plant.signals.index("PDT31008"), 2] = 340.0
    quiet = replace(history, values=values, segment=np.zeros(HOURS, np.int32))
    assert np.flatnonzero(any_rule(plant, quiet)).tolist() == [10, 11, 40]
    place = feature_names(plant, "point").index("failure_frequency_48")
    count = build(plant, quiet, "point")[:, place]
    assert np.isnan(count[0])
    expected = {1: 0, 10: 0, 11: 1, 12: 2, 41: 3, 58: 3, 59: 2, 60: 1, 88: 1, 89: 0}
    assert {row: count[row] for row in expected} == expected


def test_trend_and_hours_to_the_limit_of_a_straight_rise(
    plant: Plant, history: IntervalBlock
) -> None:
    values = history.values.copy()
    values[:, plant.signals.index("PDT31008")] = (200.0 + 2.0 * np.arange(HOURS))[:, None]
    rising = replace(history, values=values, segment=np.zeros(HOURS, np.int32))
    row = dict(zip(feature_names(plant, "window"), build(plant, rising, "window")[40], strict=True))
    assert row["pdt31008_trend"] == pytest.approx(2.0)
    assert row["flooding_margin"] == pytest.approx(20.0)
    assert row["flooding_hours_to_limit"] == pytest.approx(10.0)


def test_the_input_is_not_changed(plant: Plant, history: IntervalBlock) -> None:
    before = history.values.copy()
    build(plant, history, "window")
    assert same(history.values, before)


def test_the_error_for_an_unknown_group_names_it(plant: Plant, history: IntervalBlock) -> None:
    with pytest.raises(FeatureError, match="'weekly' is unknown: use one of point, window"):
        build(plant, history, "weekly")  # type: ignore[arg-type]
