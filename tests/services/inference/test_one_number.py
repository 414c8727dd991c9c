"""One hour has one forecast: the monitor, `/infer/auto` and a window that the page sends give
the same number, to the bit.
"""

import asyncio

import numpy as np
import pytest
from fastapi import FastAPI

from alarmstack.core.plant import Plant
from tests.upstreams import BEGIN, HOUR, Feed, row, serving
from tests.world import world

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def restless(plant: Plant, hours: int, without: range) -> Feed:
    """A feed whose readings wander, and which never closed some of its hours."""
    feed, random = Feed(plant), np.random.default_rng(3)
    for hour in (one for one in range(hours) if one not in without):
        usual = {
            i.key: sum(i.normal) / 2 + random.normal() * (i.normal[1] - i.normal[0]) / 4
            for i in plant.modelled
        }
        spread = {
            f"{key}_{part}": value + way
            for key, value in usual.items()
            for part, way in (("max", 2.0), ("min", -2.0))
        }
        feed.intervals.append(row(plant, BEGIN + hour * HOUR, **usual, **spread))
    return feed


@pytest.mark.parametrize(
    "without",
    [range(0), range(95, 98), range(60, 85)],
    ids=["whole", "three hours missing", "a long gap"],
)
async def test_every_view_gives_the_same_number(
    service: FastAPI, plant: Plant, tmp_path: object, without: range
) -> None:
    feed = restless(plant, 100, without)
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
        for said in (one for one in latest.assessment.models if one.horizon_hours is not None):
            auto = (await anna.post("/infer/auto", params={"horizon": said.horizon_hours})).json()
            asked = {"horizon": said.horizon_hours, "recent_observations": rows}
            sent = (await anna.post("/infer/forecast", json=asked)).json()
            assert auto["anomaly_probability"] == sent["anomaly_probability"] == said.score
            assert auto["known_at"] == sent["known_at"] == "2026-03-05T04:00:00Z"
            assert auto["text"] == sent["text"] and "%" in auto["text"]
