"""What is kept for how long: assessments, deleted history, the journal; and its size on disk."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from benchmarks.pasts import fill
from sqlalchemy import func, select

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.retention import EVERY_SECONDS, STRETCH
from alarmstack.storage.database import journal, plant_history
from alarmstack.storage.database.tables import HistoryEntry, PlantBody
from tests.upstreams import BEGIN, HOUR
from tests.waiting import eventually
from tests.world import World, world

pytestmark = pytest.mark.anyio
EXAMPLE = {"features": {"pdt31008_max": 340.0}}
MOST_BYTES = 2000
"""An old interval of nine instruments, with its row and everything that is stored beside it."""


async def count(w: World, table: type) -> int:
    async with w.state.database.begin() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_old_assessments_are_compacted_and_look_the_same_on_trends(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, keep_assessments_days=1) as w:
        await fill(w.state.database, plant, BEGIN, 60)
        anna = await w.person("anna", "viewer")
        query = {"tags": "pdt31008,forecast_3h,risk_score", "from": BEGIN.isoformat()}
        before = (await anna.get("/trends", params=query)).json()
        overview = (await anna.get("/overview")).json()
        assert await w.state.retention.once() == 60 - 25
        assert await count(w, PlantBody) == 25
        assert (await anna.get("/trends", params=query)).json() == before
        assert (await anna.get("/overview")).json()["past"] == overview["past"]
        assert (await anna.get("/overview")).json()["latest"] == overview["latest"]
        async with w.state.database.begin() as session:
            assert not await plant_history.unassessed(session, plant.name, 1), (
                "nothing is assessed again"
            )
        assert await w.state.retention.once() == 0


async def test_a_compact_interval_takes_at_most_2_kb(
    plant: Plant, database_url: str, tmp_path: Path
) -> None:
    """Nine instruments, intervals of ten minutes: the size of the database for each interval.

    Of SQLite the size of the file, of Postgres that of the database.
    """
    cadence = timedelta(minutes=10)
    slow = plant.model_copy(update={"time": plant.time.model_copy(update={"cadence": cadence})})
    async with world(plant, database_url, keep_assessments_days=1) as w:
        empty = size(database_url, tmp_path)
        intervals = 500
        await fill(w.state.database, slow, BEGIN, intervals)
        full = size(database_url, tmp_path)
        kept = int(timedelta(days=1) / cadence) + 1
        assert await w.state.retention.once() == intervals - kept
        await give_back(w, database_url)
        compact = size(database_url, tmp_path)
        whole = (full - compact) / (intervals - kept)
        assert whole > 2 * MOST_BYTES, "what is removed is most of it"
        assert (compact - empty - kept * whole) / intervals <= MOST_BYTES


async def give_back(w: World, url: str) -> None:
    """Postgres keeps free pages for its own use; a rewrite shows how much is in use."""
    if url.startswith("sqlite"):
        while await free_pages(w):
            await w.state.retention.once()
        return
    async with await psycopg.AsyncConnection.connect(
        url.replace("+psycopg", ""), autocommit=True
    ) as connection:
        await connection.execute("VACUUM FULL")


async def free_pages(w: World) -> int:
    async with w.state.database.engine.connect() as connection:
        return int((await connection.exec_driver_sql("PRAGMA freelist_count")).scalar_one())


def size(url: str, folder: Path) -> int:
    if url.startswith("sqlite"):
        return sum(path.stat().st_size for path in folder.glob("alarmstack.db*"))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        answer = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert answer is not None
        return int(answer[0])


async def test_intervals_are_kept_for_their_own_time(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url, keep_assessments_days=0.5, keep_intervals_days=1) as w:
        await fill(w.state.database, plant, BEGIN, 60)
        await w.state.retention.once()
        async with w.state.database.begin() as session:
            starts = await plant_history.newest_starts(session, plant.name, 100)
        assert starts[0] == BEGIN + 35 * HOUR and len(starts) == 25


async def test_deleted_history_is_removed_for_good_and_the_journal_stays(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, keep_deleted_days=7) as w:
        anna = await w.person("anna")
        numbers = [
            (await anna.post("/infer/predict", json=EXAMPLE)).json()["entry_id"] for _ in range(3)
        ]
        await anna.delete(f"/history/{numbers[0]}")
        async with w.state.database.begin() as session:
            await journal.write(session, w.clock.now(), "kept")
        w.clock.advance(6 * 86_400)
        await anna.delete(f"/history/{numbers[1]}")
        await w.state.retention.once()
        assert await count(w, HistoryEntry) == 3, "what was deleted lately can be restored"
        w.clock.advance(2 * 86_400)
        await w.state.retention.once()
        async with w.state.database.begin() as session:
            assert (
                await session.scalars(select(HistoryEntry.id).order_by(HistoryEntry.id))
            ).all() == numbers[1:]
            assert [line.action for line in await journal.read(session)].count("kept") == 1


async def test_the_log_of_sqlite_is_shortened(plant: Plant, tmp_path: Path) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/alarmstack.db") as w:
        await fill(w.state.database, plant, BEGIN, 500)
        log = tmp_path / "alarmstack.db-wal"
        assert log.stat().st_size > 1_000_000
        await w.state.retention.once()
        assert log.stat().st_size == 0


async def closed_hours(w: World, count: int) -> None:
    """The feed closes so many hours, and all of them are assessed."""
    expected = w.state.monitor.assessed + count
    for _ in range(count):
        w.feed.close_hour()

    async def assessed() -> bool:
        return w.state.monitor.assessed == expected

    await eventually(assessed)


async def test_the_running_gateway_keeps_to_it_and_shows_the_task(
    plant: Plant, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/alarmstack.db"
    async with world(plant, url, hours=3, monitored=True, keep_assessments_days=1) as w:
        await w.state.monitor.caught_up.wait()
        assert "retention" in [one.name for one in w.state.tasks.statuses]
        await closed_hours(w, 40)

        async def removed() -> bool:
            # Again and again: the task may have begun to wait after the first time.
            w.clock.advance(EVERY_SECONDS)
            return await count(w, PlantBody) == 25

        await eventually(removed)
        assert w.state.retention.removed == 43 - 25


async def test_a_plant_whose_clock_runs_fast_keeps_no_more(plant: Plant, tmp_path: Path) -> None:
    """No wall time passes: half a plant day of new intervals makes a pass due."""
    url = f"sqlite:///{tmp_path}/alarmstack.db"
    async with world(plant, url, hours=3, monitored=True, keep_assessments_days=1) as w:
        await w.state.monitor.caught_up.wait()
        await closed_hours(w, 60)

        async def bounded() -> bool:
            return await count(w, PlantBody) < 25 + plant.rows(STRETCH)

        await eventually(bounded)
