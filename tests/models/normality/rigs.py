"""A rig of three pressures that follow one flow, with rows of one minute."""

from datetime import timedelta

import numpy as np

from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.plant import Plant

DAY = 24 * 60


def rig() -> Plant:
    def instrument(tag: str, role: str) -> dict[str, object]:
        defaults: dict[str, object] = {
            "range": (-1000.0, 1000.0),
            "normal": (-50.0, 50.0),
            "stale_after": "5min",
        }
        return {
            "tag": tag,
            "title": tag,
            "process_unit": "rig",
            "unit": "bar",
            "role": role,
        } | defaults

    return Plant.model_validate(
        {
            "name": "rig",
            "title": "Rig",
            "timezone": "UTC",
            "registry_prefix": "rig",
            "time": {"cadence": "1min"},
            "units": [{"key": "rig", "title": "Rig"}],
            "instruments": [instrument(tag, "monitored") for tag in ("P1", "P2", "P3")]
            + [instrument("F", "input")],
            "warnings": {
                "false_alarms_per_day": 1.0,
                "on_delay": "0min",
                "off_delay": "5min",
                "minimum_on": "0min",
                "hysteresis": 1.0,
            },
        }
    )


def normal_block(rows: int, seed: int) -> IntervalBlock:
    """Pressures that follow a random flow, each with its own noise."""
    random = np.random.default_rng(seed)
    flow = np.zeros(rows)
    for row in range(1, rows):
        flow[row] = 0.98 * flow[row - 1] + random.normal()
    tags = flow[:, None] * np.array([1.0, 0.5, -0.7]) + random.normal(size=(rows, 3))
    values = np.repeat(np.concatenate((tags, flow[:, None]), axis=1)[:, :, None], 3, axis=2)
    return IntervalBlock(
        start=np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "m"),
        cadence=timedelta(minutes=1),
        signals=("P1", "P2", "P3", "F"),
        values=values,
        count=np.ones((rows, 4), np.int32),
        age=np.zeros((rows, 4)),
        segment=np.zeros(rows, np.int32),
    )
