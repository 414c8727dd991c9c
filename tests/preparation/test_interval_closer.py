"""The interval closer: content of intervals, whatever the order and the cuts of the stream."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock, join
from alarmstack.core.plant import Plant
from alarmstack.preparation.interval_closer import close, close_intervals, open_at
from tests.blocks import BEGIN, readings

HOURS = 40
HOUR = timedelta(hours=1)


def table(*rows: tuple[str, float, float]) -> pl.DataFrame:
    """Readings from (tag, hours after BEGIN, value)."""
    return pl.DataFrame(
        {
            "tag": [r[0] for r in rows],
            "time": [BEGIN + r[1] * HOUR for r in rows],
            "value": [r[2] for r in rows],
        },
        schema=READING_SCHEMA,
    )


def same(a: IntervalBlock, b: IntervalBlock) -> bool:
    return all(
        getattr(a, n).tobytes() == getattr(b, n).tobytes()
        for n in ("start", "values", "count", "age", "segment")
    )


def test_median_extremes_count_and_age(plant: Plant) -> None:
    block = close_intervals(
        plant, table(("TE301020", 0.1, 100.0), ("TE301020", 0.5, 104.0), ("TE301020", 0.75, 101.0))
    )
    assert [block.statistic("TE301020", s)[0] for s in ("median", "min", "max")] == [
        101.0,
        100.0,
        104.0,
    ]
    place = plant.signals.index("TE301020")
    assert block.count[0, place] == 3
    assert block.age[0, place] == pytest.approx(900)


def test_a_reading_on_the_boundary_belongs_to_the_next_interval(plant: Plant) -> None:
    block = close_intervals(plant, table(("TE301020", 0.5, 1.0), ("TE301020", 1.0, 2.0)))
    assert block.statistic("TE301020").tolist() == [1.0, 2.0]


def test_another_phase_of_the_grid_closes_intervals_at_other_times(plant: Plant) -> None:
    arrived = table(("TE301020", 0.1, 100.0), ("TE301020", 0.5, 104.0), ("TE301020", 1.1, 101.0))
    block = close_intervals(plant, arrived, timedelta(minutes=15))
    assert block.start.tolist() == [
        (BEGIN + m * timedelta(minutes=1)).replace(tzinfo=None) for m in (-45, 15)
    ]
    assert block.statistic("TE301020", "max").tolist() == [100.0, 104.0]
    assert block.age[:, plant.signals.index("TE301020")] == pytest.approx([540, 540])


@pytest.mark.parametrize("minutes", [5, 45])
def test_the_phase_moves_the_grid_and_nothing_else(plant: Plant, minutes: int) -> None:
    """Readings that are later by the phase give the intervals of the base grid."""
    phase, arrived = timedelta(minutes=minutes), readings(plant, HOURS, seed=3, gap=(10, 30))
    later = arrived.with_columns(pl.col("time") + phase)
    base, moved = close_intervals(plant, arrived), close_intervals(plant, later, phase)
    assert (moved.start - base.start == np.timedelta64(phase)).all()
    assert all(
        getattr(base, n).tobytes() == getattr(moved, n).tobytes()
        for n in ("values", "count", "age", "segment")
    )


def test_a_value_is_held_until_it_is_stale(plant: Plant) -> None:
    stale = plant.stale_after["TE301020"] // HOUR
    block = close_intervals(
        plant, table(("TE301020", 0.0, 5.0), ("PDT31008", float(stale + 2), 200.0))
    )
    assert block.statistic("TE301020")[: stale + 2].tolist()[:stale] == [5.0] * stale
    assert np.isnan(block.statistic("TE301020")[stale:]).all()
    assert block.count[1, plant.signals.index("TE301020")] == 0


def test_a_long_gap_cuts_the_series(plant: Plant) -> None:
    block = close_intervals(plant, readings(plant, HOURS, seed=1, gap=(10, 30)))
    assert block.segment[9] == 0 and block.segment[-1] == 1
    assert (block.segment == -1).any()


def test_no_readings_is_an_error(plant: Plant) -> None:
    with pytest.raises(SourceError, match="no readings"):
        close_intervals(plant, table())


@given(seed=st.integers(0, 20), order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_of_arrival_does_not_matter(plant: Plant, seed: int, order: object) -> None:
    arrived = readings(plant, HOURS, seed)
    shuffled = list(range(len(arrived)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(close_intervals(plant, arrived[shuffled]), close_intervals(plant, arrived))


@given(seed=st.integers(0, 20), cuts=st.lists(st.integers(0, HOURS * 60), max_size=6))
@settings(max_examples=30, deadline=None)
def test_cutting_the_stream_anywhere_gives_the_same_intervals(
    plant: Plant, seed: int, cuts: list[int]
) -> None:
    arrived = readings(plant, HOURS, seed, gap=(12, 25))
    state, blocks, seen = open_at(plant, BEGIN), [], BEGIN
    for moment in [*(BEGIN + timedelta(minutes=m) for m in sorted(cuts)), BEGIN + HOURS * HOUR]:
        fresh = arrived.filter((pl.col("time") >= seen) & (pl.col("time") < moment))
        state, block = close(plant, state, fresh, moment)
        blocks.append(block)
        seen = moment
    assert state.late == 0
    assert same(join(blocks), close(plant, open_at(plant, BEGIN), arrived, BEGIN + HOURS * HOUR)[1])


@given(seed=st.integers(0, 20), hours=st.integers(1, HOURS))
@settings(max_examples=20, deadline=None)
def test_nothing_from_after_an_intervals_end_is_used(plant: Plant, seed: int, hours: int) -> None:
    arrived = readings(plant, HOURS, seed)
    end = BEGIN + hours * HOUR
    early = close(plant, open_at(plant, BEGIN), arrived.filter(pl.col("time") < end), end)[1]
    assert same(
        early, close(plant, open_at(plant, BEGIN), arrived, BEGIN + HOURS * HOUR)[1].rows(0, hours)
    )


def test_a_late_reading_is_counted_and_not_used(plant: Plant) -> None:
    state, first = close(plant, open_at(plant, BEGIN), table(("TE301020", 0.5, 1.0)), BEGIN + HOUR)
    state, second = close(plant, state, table(("TE301020", 0.6, 9.0)), BEGIN + 2 * HOUR)
    assert state.late == 1
    assert first.statistic("TE301020").tolist() == second.statistic("TE301020").tolist() == [1.0]
