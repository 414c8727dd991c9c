"""Plant data on the wire: a block goes out and comes back the same; what cannot be taken is
named.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alarmstack.core.errors import ObservationError
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import build
from alarmstack.services.schemas.observations import Observation, to_block, to_rows
from tests.blocks import block

START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(plant: Plant, hours: list[int]) -> list[Observation]:
    return [
        Observation(
            timestamp=START + timedelta(hours=h), **{i.key: i.normal[0] for i in plant.modelled}
        )
        for h in hours
    ]


@pytest.mark.parametrize("gap", [None, (30, 45)])
def test_features_of_a_block_survive_the_wire_bit_for_bit(
    plant: Plant, gap: tuple[int, int] | None
) -> None:
    sent = block(plant, 100, 5, gap)
    text = [row.model_dump_json() for row in to_rows(plant, sent)]
    got = to_block(plant, [Observation.model_validate_json(t) for t in text])
    assert np.array_equal(got.start, sent.start) and np.array_equal(got.segment, sent.segment)
    for group in ("point", "window"):
        assert np.array_equal(build(plant, got, group), build(plant, sent, group), equal_nan=True)


def test_a_hole_between_timestamps_becomes_missing_rows(plant: Plant) -> None:
    got = to_block(plant, rows(plant, [0, 1, 4]))
    assert len(got) == 5 and np.isnan(got.values[2:4]).all()


def test_undated_rows_follow_one_another_and_have_no_time_of_day(plant: Plant) -> None:
    got = to_block(plant, [Observation(**r.numbers) for r in rows(plant, [0, 1, 2])])
    assert len(got) == 3 and np.isnat(got.start).all()
    assert np.isnan(build(plant, got, "window")[:, :2]).all()


@pytest.mark.parametrize(
    ("hours", "message"),
    [([0, 0], "is not later than"), ([3, 2], "is not later than"), ([0, 5000], "at most 1000")],
)
def test_rows_out_of_order_or_too_far_apart_are_refused(
    plant: Plant, hours: list[int], message: str
) -> None:
    with pytest.raises(ObservationError, match=message):
        to_block(plant, rows(plant, hours))


def test_rows_off_the_cadence_unknown_keys_and_half_dated_rows_are_refused(plant: Plant) -> None:
    good = rows(plant, [0, 1])
    with pytest.raises(ObservationError, match="cadence 1h"):
        to_block(
            plant, [good[0], Observation(timestamp=START + timedelta(seconds=2), **good[1].numbers)]
        )
    with pytest.raises(ObservationError, match="unknown keys: xyz"):
        to_block(plant, [Observation(xyz=1.0)])
    with pytest.raises(ObservationError, match="no timestamp"):
        to_block(plant, [good[0], Observation(**good[1].numbers)])
