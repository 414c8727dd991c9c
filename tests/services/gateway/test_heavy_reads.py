"""Drift and comparison read weeks of the past in another process, once for all clients."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.shared_reads import SharedReads
from alarmstack.storage.database import plant_history
from alarmstack.storage.database.courses import read_past
from alarmstack.storage.database.tables import PlantAssessed
from tests.services.gateway.test_trends import reader
from tests.upstreams import Models_
from tests.waiting import eventually
from tests.world import World, world

pytestmark = pytest.mark.anyio
HEAVY = ("/drift", "/comparison")


@asynccontextmanager
async def held() -> AsyncIterator[None]:
    """Stop the process that reads the past until the end of the block."""
    process = reader()
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def closed_hours(w: World, count: int) -> None:
    """The feed closes so many hours, and all of them are assessed."""
    expected = w.state.monitor.assessed + count
    for _ in range(count):
        w.feed.close_hour()

    async def assessed() -> bool:
        return w.state.monitor.assessed >= expected

    await eventually(assessed)


async def answered(asking: asyncio.Task[httpx.Response]) -> httpx.Response:
    async with asyncio.timeout(60):
        return await asking


async def test_the_monitor_goes_on_while_drift_is_read_and_one_read_serves_everybody(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=30, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        anna, bert = await w.person("anna", "viewer"), await w.person("bert", "viewer")
        before = {path: (await anna.get(path)).json() for path in HEAVY}
        async with held():
            for path in HEAVY:
                again = await answered(asyncio.create_task(bert.get(path)))
                assert again.json() == before[path], "what was read once is not read again"
            await closed_hours(w, 1)
            asking = [asyncio.create_task(one.get(path)) for path in HEAVY for one in (anna, bert)]
            await closed_hours(w, 5)
            assert not any(one.done() for one in asking), "a new interval has it read again"
        answers = [await answered(one) for one in asking]
        assert {one.status_code for one in answers} == {200}
        assert answers[0].json()["rows"] > before["/drift"]["rows"]


async def test_drift_and_comparison_count_as_heavy_reads_of_the_account(
    plant: Plant, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=3, monitored=True, heavy_reads_per_minute=3) as w:
        await w.state.monitor.caught_up.wait()
        eva, bert = await w.person("eva", "engineer"), await w.person("bert", "viewer")
        report = {"key": "te301020"}
        statuses = [(await eva.get(path)).status_code for path in HEAVY]
        statuses += [
            (await eva.post("/drift/recalibrated", json=report)).status_code for _ in range(2)
        ]
        assert statuses == [200, 200, 200, 429]
        assert (await eva.get("/drift")).headers["retry-after"] == "20"
        assert (await bert.get("/drift")).status_code == 200


async def test_what_is_read_beside_the_loop_is_what_the_monitor_stored(
    plant: Plant, database_url: str
) -> None:
    """The requested values and all outputs, also of intervals without an assessment."""
    models = Models_(plant)
    models.shadow = 0.25
    async with world(plant, database_url, hours=20, monitored=True, models=models) as w:
        await w.state.monitor.caught_up.wait()
        async with w.state.database.begin() as session:
            newest = (await plant_history.newest_starts(session, plant.name, 1))[0]
            later = newest + plant.time.cadence
            await plant_history.store(session, plant.name, later, {"pdt31008": None}, later)
            whole = await plant_history.past(session, plant.name, None, None, 100)
            until = await plant_history.past(session, plant.name, None, later, 5)
        key = "pdt31008"
        read = read_past(w.settings.database, plant.name, [key], None, 100)
        assert [(one.start, one.row, one.outputs, one.in_alarm) for one in read] == [
            (one.start, {key: one.row[key]}, one.outputs, one.in_alarm) for one in whole
        ]
        assert read[-1].outputs is None and (read[-2].outputs or {})["shadows"]
        some = read_past(w.settings.database, plant.name, [], later, 5)
        assert [(one.start, one.row) for one in some] == [(one.start, {}) for one in until]


async def test_an_overview_is_read_once_for_everybody_until_the_next_interval(
    plant: Plant, tmp_path: Path
) -> None:
    """The assessments are removed from the database: the kept answer still has them."""
    path = tmp_path / "a.db"
    async with world(plant, f"sqlite:///{path}", hours=30, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        anna = await w.person("anna", "viewer")
        first = (await anna.get("/overview")).json()["past"]
        async with w.state.database.begin() as session:
            await session.execute(delete(PlantAssessed))
        assert (await anna.get("/overview", params={"n": 5})).json()["past"] == first[-5:]
        await closed_hours(w, 1)
        newest = (await anna.get("/overview")).json()["past"][-1]["timestamp"]
        assert newest > first[-1]["timestamp"]


async def test_what_could_not_be_made_is_made_again() -> None:
    kept = SharedReads(2)
    outcomes = iter([OSError("away"), "here"])

    async def make() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return str(outcome)

    with pytest.raises(OSError, match="away"):
        await kept.get(("one",), make)
    assert [await kept.get(("one",), make) for _ in range(2)] == ["here", "here"]
