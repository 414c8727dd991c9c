"""Trends over a long past: the same values as a plain fold, without blocking the event loop."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks.pasts import fill

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.trends import active
from alarmstack.services.monitor.warning import warnings
from alarmstack.storage.database import plant_history
from alarmstack.storage.database.courses import read_course
from tests.upstreams import BEGIN, HOUR
from tests.waiting import eventually
from tests.world import World, world

pytestmark = pytest.mark.anyio
FORECASTERS = ("forecast_1h", "forecast_3h", "forecast_6h")


async def test_warnings_of_a_course_are_those_of_the_monitor(
    plant: Plant, database_url: str
) -> None:
    """With crossed thresholds, alarms, gaps, and intervals without an assessment.

    Also with a model that has no threshold.
    """
    async with world(plant, database_url) as w:
        await fill(w.state.database, plant, BEGIN, 200, seed=4)
        await fill(w.state.database, plant, BEGIN + 230 * HOUR, 100, seed=5)
        async with w.state.database.begin() as session:
            for hour in (20, 21, 90):
                await plant_history.store(
                    session, plant.name, BEGIN + hour * HOUR, {"segment": -1}, BEGIN
                )
            silent = {
                "scores": {"forecast_1h": 0.9},
                "forecasts": [{"column": "forecast_1h", "horizon_hours": 1, "threshold": None}],
            }
            await plant_history.store_assessment(
                session, plant.name, BEGIN + 60 * HOUR, {}, silent, False, BEGIN
            )
            past = await plant_history.past(session, plant.name, None, None, 1000)
        course = read_course(w.settings.database, plant.name, [], FORECASTERS, None, None, 1000)
        folded = warnings(plant, past)
        assert course.starts == [one.start for one in past]
        for place, column in enumerate(FORECASTERS):
            expected = [states[place].standing for states in folded]
            assert active(plant, course, column).tolist() == expected
            assert 10 < sum(expected) < 290


async def test_a_plant_of_ten_minutes_is_drawn_at_its_own_cadence(
    plant: Plant, tmp_path: Path
) -> None:
    quick = plant.model_copy(
        update={"time": plant.time.model_copy(update={"cadence": timedelta(minutes=10)})}
    )
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        await fill(w.state.database, quick, BEGIN, 144)
        object.__setattr__(w.state, "plant", quick)
        anna = await w.person("anna")
        query: dict[str, Any] = {"tags": "pdt31008", "from": BEGIN.isoformat(), "points": 2000}
        body = (await anna.get("/trends", params=query)).json()
        assert len(body["time"]) == 144 and body["time"][0] == "2026-03-01T00:10:00Z"
        thinned = (await anna.get("/trends", params=query | {"points": 12})).json()
        assert len(thinned["time"]) == 12 and thinned["time"][-1] == "2026-03-02T00:00:00Z"


def reader() -> psutil.Process:
    """The process that reads the past: the newest one of those that the fork server has started."""
    processes = [
        one for one in psutil.Process().children(recursive=True) if one.ppid() != os.getpid()
    ]
    return max(processes, key=psutil.Process.create_time)


async def long_trends(w: World, count: int) -> list[int]:
    anna = await w.person("anna", "viewer")
    queries: list[dict[str, Any]] = [
        {"tags": "pdt31008,risk_score", "from": (BEGIN + n * HOUR).isoformat(), "points": 2000}
        for n in range(count)
    ]
    return [
        answer.status_code
        for answer in await asyncio.gather(*(anna.get("/trends", params=one) for one in queries))
    ]


async def test_the_monitor_goes_on_while_the_past_is_read(plant: Plant, tmp_path: Path) -> None:
    """While the reading process is stopped, intervals are stored, assessed and published."""
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        assert await long_trends(w, 1) == [200]
        held = reader()
        held.send_signal(signal.SIGSTOP)
        reading = asyncio.create_task(long_trends_again(w))
        try:
            assessed = w.state.monitor.assessed
            for _ in range(5):
                w.feed.close_hour()

            async def all_assessed() -> bool:
                return w.state.monitor.assessed >= assessed + 5

            await eventually(all_assessed)
            assert not reading.done()
        finally:
            held.send_signal(signal.SIGCONT)
        assert set(await reading) == {200}


async def long_trends_again(w: World) -> list[int]:
    bert = await w.person("bert", "viewer")
    queries = [{"tags": "pdt31008", "from": (BEGIN - n * HOUR).isoformat()} for n in range(1, 4)]
    return [
        answer.status_code
        for answer in await asyncio.gather(*(bert.get("/trends", params=one) for one in queries))
    ]


async def test_a_reader_that_is_killed_is_replaced(plant: Plant, tmp_path: Path) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        await fill(w.state.database, plant, BEGIN, 10)
        assert await long_trends(w, 1) == [200]
        reader().kill()
        assert await long_trends_again(w) == [200] * 3


async def test_one_read_serves_everybody_who_asks_for_the_same(
    plant: Plant, tmp_path: Path
) -> None:
    """Creating a folder twice fails: the read ran once."""
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        folder = str(tmp_path / "created")
        await asyncio.gather(*(w.state.reader.read(("same",), os.mkdir, folder) for _ in range(10)))
        await w.state.reader.read(("same",), os.mkdir, folder)
        for _ in range(2):
            with pytest.raises(FileExistsError):
                await w.state.reader.read(("other",), os.mkdir, folder)


async def test_an_account_beyond_its_allowance_is_refused_until_later_and_others_are_not(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", heavy_reads_per_minute=3, requests_per_minute=10
    ) as w:
        anna, bert = await w.person("anna"), await w.person("bert")
        query: dict[str, Any] = {"tags": "pdt31008"}
        answers = [await anna.get("/trends", params=query) for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "20"
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert (await bert.get("/trends", params=query)).status_code == 200
        w.clock.advance(20)
        assert (await anna.get("/trends", params=query)).status_code == 200
        assert [(await bert.get("/auth/me")).status_code for _ in range(14)].count(429) > 0
        w.clock.advance(60)
        assert (await bert.get("/auth/me")).status_code == 200
