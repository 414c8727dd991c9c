"""The scenario `pressure_rise`: most rises are forecast before the limit is exceeded."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alarmstack.core.model_list import OPERATING, model_list
from alarmstack.core.plant import Plant
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.derived import any_rule
from alarmstack.services.inference import Shelf
from alarmstack.services.sensors.live import LivePlant

pytestmark = pytest.mark.slow
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
CALM, RISE, PLANTS, RISES = 48, 24, 8, 2
"""Hours before each rise, hours of each rise, plants, and rises of each plant."""
SHARE = 0.75
"""Least share of rises that the 3 h forecast must detect.

It is below the recall of all kinds of alarms (README), because there are few rises.
"""


def test_most_rises_of_pressure_are_forecast(shelf: Shelf, plant: Plant) -> None:
    bundles = {name: loaded.bundle for name, loaded in shelf.loaded.items()}
    forecaster = next(one for one in model_list(plant) if one.horizon == timedelta(hours=3))
    threshold = bundles[forecaster.name].thresholds[OPERATING]
    forecast_in_time = []
    for seed in range(21, 21 + PLANTS):
        live, begun, hours = LivePlant(plant, seed, BEGIN), [], 0
        for _ in range(RISES):
            live.advance(hours := hours + CALM)
            live.activate("pressure_rise")
            begun.append(np.datetime64(BEGIN.replace(tzinfo=None)) + np.timedelta64(hours, "h"))
            live.advance(hours := hours + RISE)
            live.activate("normal")
        block = live.intervals
        assert block is not None
        alarm = any_rule(plant, block)
        score = score_block(plant, block, bundles, alarm)[forecaster.column].to_numpy()
        for first in np.searchsorted(block.start, np.array(begun)).tolist():
            in_alarm = np.flatnonzero(alarm[first : first + RISE])
            assert len(in_alarm), (seed, first, "the scenario exceeds no limit")
            before_alarm = score[first : first + in_alarm[0]]
            forecast_in_time.append(bool((before_alarm >= threshold).any()))
    assert len(forecast_in_time) == PLANTS * RISES
    assert np.mean(forecast_in_time) >= SHARE, forecast_in_time
