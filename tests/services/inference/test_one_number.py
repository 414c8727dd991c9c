"""An hour has one forecast: the monitor, `/infer/auto` and a window from the screen give exactly
the same number.
"""

import asyncio

import numpy as np
import pytest
from fastapi import FastAPI

from alarmstack.core.plant import Plant
from tests.upstreams import BEGIN, HOUR, Feed, row, serving
from tests.world import world

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def varying_feed(plant: Plant, hours: int, without: range) -> Feed:
    """A feed with random readings, in which some hours are missing."""
    feed, random = Feed(plant), np.random.default_rng(3)
    for hour in (one for one in range(hours) if one not in without):
        values = {
            i.key: sum(i.normal) / 2 + random.normal() * (i.normal[1] - i.normal[0]) / 4
            for i in plant.modelled
        }
        extremes = {
            f"{key}_{part}": value + distance
            for key, value in values.items()
            for part, distance in (("max", 2.0), ("min", -2.0))
        }
        feed.intervals.append(row(plant, BEGIN + hour * HOUR, **values, **extremes))
    return feed


@pytest.mark.parametrize(
    "without",
    [range(0), range(95, 98), range(60, 85)],
    ids=["whole", "three hours missing", "a long gap"],
)
async def test_every_view_gives_the_same_number(
    service: FastAPI, plant: Plant, tmp_path: object, without: range
) -> None:
    feed = varying_feed(plant, 100, without)
    async with (
        serving(service) as url,
        world(
            plant, f"sqlite:///{tmp_path}/a.db", monitored=True, feed=feed, inference_url=url
        ) as w,
    ):
        async with asyncio.timeout(60):
            while (
                w.state.monitor.latest is None
                or w.state.monitor.latest.assessment.n_intervals < plant.lookback
            ):
                await asyncio.sleep(0.02)
        latest = w.state.monitor.latest
        assert latest.interval.timestamp == BEGIN + 99 * HOUR
        anna = await w.person("anna")
        rows = (await anna.get("/infer/window")).json()["intervals"]
        assert len(rows) == plant.lookback == latest.assessment.n_intervals
        for output in latest.assessment.models:
            if output.horizon_hours is None:
                continue
            horizon = output.horizon_hours
            auto = (await anna.post("/infer/auto", params={"horizon": horizon})).json()
            body = {"horizon": horizon, "recent_observations": rows}
            sent = (await anna.post("/infer/forecast", json=body)).json()
            assert auto["anomaly_probability"] == sent["anomaly_probability"] == output.score
            assert auto["known_at"] == sent["known_at"] == "2026-03-05T04:00:00Z"
            assert auto["text"] == sent["text"] and "%" in auto["text"]
