"""Scores at every stride, evaluated with a forecaster of known values."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from alarmstack.core.errors import PlantError
from alarmstack.core.plant import Plant
from alarmstack.evaluation.events import outcome
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names
from alarmstack.simulator import simulate
from alarmstack.training.rolling import Rolling, evaluate_stride, join, roll

QUARTER = timedelta(minutes=15)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Pressure:
    """A forecaster whose score is the pressure."""

    time = {"horizon": "3h"}  # noqa: RUF012 - replaces a Bundle in this test

    def __init__(self, plant: Plant) -> None:
        self._place = feature_names(plant, "window").index("pdt31008_max_last")

    def score(self, window: np.ndarray) -> np.ndarray:
        return np.nan_to_num(window[:, self._place]) / 400


def bundles(plant: Plant) -> dict[str, Any]:
    return {"pressure": cast(Any, Pressure(plant))}


@pytest.fixture(scope="module")
def rolled(plant: Plant) -> tuple[Rolling, Examples]:
    simulation = simulate(plant, start=BEGIN, days=60, seed=5)
    return roll(plant, simulation.readings, simulation.operator_log, bundles(plant), QUARTER)


def test_at_whole_hours_the_rolling_score_equals_the_hourly_one(
    plant: Plant, rolled: tuple[Rolling, Examples]
) -> None:
    rolling, hourly = rolled
    assert len(rolling) == 4 * len(hourly)
    assert np.array_equal(rolling.scores["pressure"][3::4], Pressure(plant).score(hourly.window))


def test_an_hourly_score_is_held_until_the_next_one(
    plant: Plant, rolled: tuple[Rolling, Examples]
) -> None:
    held, once = rolled[0].held["pressure"], Pressure(plant).score(rolled[1].window)
    assert np.isnan(held[:3]).all()
    assert np.array_equal(held[3:7], np.repeat(once[0], 4)) and np.array_equal(
        held[7:11], np.repeat(once[1], 4)
    )


def test_an_alarm_is_first_visible_within_the_hour_that_closes_in_alarm(
    rolled: tuple[Rolling, Examples],
) -> None:
    rolling, hourly = rolled
    assert len(hourly.onsets) > 10
    assert (rolling.onsets // 4 == hourly.onsets).all() and len(
        set((rolling.onsets % 4).tolist())
    ) > 1
    assert not rolling.quiet[rolling.onsets].any() and rolling.quiet[rolling.onsets - 1].all()


def test_an_hourly_score_gives_the_same_warnings_by_strides_as_by_hours(
    rolled: tuple[Rolling, Examples],
) -> None:
    """Except for onsets that the strides date within the hour before the warning."""
    rolling, hourly = rolled
    fine = outcome(rolling, rolling.held["pressure"], 0.7)
    whole = outcome(hourly, rolling.scores["pressure"][3::4], 0.7)
    both = ~np.isnan(fine.lead) & ~np.isnan(whole.lead)
    assert both.sum() > 3 and (np.isnan(fine.lead) == np.isnan(whole.lead)).mean() > 0.9
    assert ((whole.lead - fine.lead)[both] >= 0).all() and (
        (whole.lead - fine.lead)[both] < 1
    ).all()
    assert fine.days == pytest.approx(whole.days, rel=0.02)


def test_plants_are_joined_with_their_rows_in_place(rolled: tuple[Rolling, Examples]) -> None:
    rolling = rolled[0]
    both = join([rolling, rolling])
    assert both.onsets.tolist() == [*rolling.onsets, *(rolling.onsets + len(rolling))]
    assert both.segment[len(rolling)] > rolling.segment.max()


def test_the_table_compares_stride_and_cadence_at_the_same_budget(plant: Plant) -> None:
    rows = evaluate_stride(plant, bundles(plant), BEGIN, 90, [6], [5], timedelta(minutes=30))
    gain = {row.model: row for row in rows if row.metric == "recall_gain@0.5/day"}
    assert list(gain) == ["pressure", "pressure, threshold of the hourly grid"]
    assert all(row.baseline == "every 1h" for row in gain.values())
    false = [row for row in rows if row.metric == "false_alarms_per_day@0.5/day"]
    assert all(row.value is not None and row.baseline_value is not None for row in false)


def test_a_stride_that_does_not_divide_the_cadence_is_refused(plant: Plant) -> None:
    with pytest.raises(PlantError, match="25min"):
        evaluate_stride(plant, bundles(plant), BEGIN, 28, [1], [2], timedelta(minutes=25))
