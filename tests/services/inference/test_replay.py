"""A simulated month through the live path gives the offline scores of the same Bundles."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from alarmstack.core.intervals import join
from alarmstack.core.plant import Plant
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.interval_closer import close, close_intervals, open_at
from alarmstack.services.inference import Shelf
from alarmstack.services.schemas.observations import to_rows
from alarmstack.simulator import simulate

pytestmark = pytest.mark.slow
TOLERANCE = 1e-6


def test_replay_equals_offline(client: TestClient, shelf: Shelf, plant: Plant) -> None:
    readings = simulate(plant, start=datetime(2026, 6, 1, tzinfo=UTC), days=28, seed=31).readings
    batch = close_intervals(plant, readings)
    offline = score_block(
        plant, batch, {n: s.bundle for n, s in shelf.loaded.items()}, any_rule(plant, batch)
    )
    state, closed = open_at(plant, readings["time"].min()), []  # type: ignore[arg-type]
    for hour in range(len(batch)):
        begin = min(readings["time"].to_list()) + hour * timedelta(hours=1)
        begin = begin.replace(minute=0, second=0, microsecond=0)
        arrived = readings.filter(
            (pl.col("time") >= begin) & (pl.col("time") < begin + timedelta(hours=1))
        )
        state, block = close(plant, state, arrived, begin + timedelta(hours=1))
        closed.append(block)
        rows = [
            row.model_dump(mode="json") for row in to_rows(plant, join(closed[-plant.lookback :]))
        ]
        models = client.post("/assess", json={"intervals": rows}).json()["models"]
        live = {m["column"]: m["score"] for m in models if m["kind"] != "classes"}
        live |= {
            f"regime_{name}": p for m in models for name, p in (m["probabilities"] or {}).items()
        }
        row = offline.row(hour, named=True)
        for name, value in live.items():
            expected = np.nan if row[name] is None else row[name]
            assert np.isclose(
                np.nan if value is None else value, expected, atol=TOLERANCE, rtol=0, equal_nan=True
            ), (hour, name)
