"""What a scenario promises whoever looks on: most rises of pressure are foreseen before the
limit is broken.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.derived import any_rule
from alarmstack.services.inference import Shelf
from alarmstack.services.sensors.live import LivePlant
from alarmstack.training.train import OPERATING

pytestmark = pytest.mark.slow
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
CALM, RISE, PLANTS, RISES = 48, 24, 8, 2
"""Hours before each rise, hours of each; plants, and rises of each."""
SHARE = 0.75
"""Rises to be foreseen by the 3 h forecast: less than its recall of all kinds of alarms
(README), as these are few.
"""


def test_most_rises_of_pressure_are_foreseen(shelf: Shelf, plant: Plant) -> None:
    bundles = {name: loaded.bundle for name, loaded in shelf.loaded.items()}
    forecaster = next(one for one in model_list(plant) if one.horizon == timedelta(hours=3))
    threshold = bundles[forecaster.name].thresholds[OPERATING]
    foreseen = []
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
            broken = np.flatnonzero(alarm[first : first + RISE])
            assert len(broken), (seed, first, "the scenario breaks no limit")
            foreseen.append(bool((score[first : first + broken[0]] >= threshold).any()))
    assert len(foreseen) == PLANTS * RISES
    assert np.mean(foreseen) >= SHARE, foreseen
