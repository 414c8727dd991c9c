"""Real faults: a locked database file, a stopped Postgres, a full disk, invalid rows.

The monitor reports each one, resumes automatically, and loses or duplicates no interval.
"""

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from alarmstack.core.plant import Plant
from alarmstack.storage.database import plant_history
from tests.components import missing
from tests.databases import Postgres, find
from tests.upstreams import BEGIN, HOUR, Models_, row
from tests.waiting import eventually
from tests.world import World, world

pytestmark = pytest.mark.anyio


async def becomes(true: Callable[[], object], w: World, seconds: float = 60) -> None:
    """Let wall time and the world's clock pass until something is true."""
    async with asyncio.timeout(seconds):
        while not true():
            w.clock.advance(0.5)
            await asyncio.sleep(0.01)


async def assessed(w: World) -> list[tuple[Any, bool]]:
    """Every stored interval's hour, and whether it is assessed."""
    async with w.state.database.begin() as session:
        past = await plant_history.past(session, w.state.plant.name, None, None, 10_000)
    return [((one.start - BEGIN) / HOUR, one.outputs is not None) for one in past]


async def all_assessed(w: World, hours: int) -> None:
    """Wait until the newest interval is assessed, then see that each is there once."""
    end = BEGIN + hours * HOUR
    status = w.state.monitor.status
    await becomes(lambda: status().assessed_until == end and not status().unassessed, w)
    await w.state.monitor.caught_up.wait()
    assert await assessed(w) == [(hour, True) for hour in range(hours)]


async def recovers(w: World, hours: int) -> None:
    """All is assessed, and every task runs while the feed sends readings."""
    await all_assessed(w, hours)
    seconds = count(1)

    def every_task_runs() -> bool:
        w.feed.read(timedelta(seconds=next(seconds)))
        return not w.state.tasks.down

    await becomes(every_task_runs, w)
    assert (await w.browser().get("/ready")).status_code == 200


def down(w: World) -> dict[str, str | None]:
    """Tasks that are not running, and why, as the status shows them."""
    return {one.name: one.reason for one in w.state.monitor.status().down}


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Another connection holds the write lock of an SQLite file."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as holder:

        async def begun() -> bool:
            # Without waiting: the writer that holds the lock needs this event loop to finish.
            with suppress(sqlite3.OperationalError):
                holder.execute("BEGIN IMMEDIATE")
            return holder.in_transaction

        await eventually(begun)
        yield
        holder.execute("ROLLBACK")


async def test_a_locked_database_is_reported_and_nothing_is_lost(
    plant: Plant, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    url = f"sqlite:///{path}"
    async with world(plant, url, hours=3, monitored=True, database_busy_seconds=0.05) as w:
        await all_assessed(w, 3)
        async with locked(path):
            w.feed.close_hour()
            await becomes(lambda: "feed" in down(w), w)
            assert down(w)["feed"] == "database is locked"
            assert w.state.monitor.status().assessed_until == BEGIN + 3 * HOUR
            ready = await w.browser().get("/api/ready")
            assert ready.status_code == 503 and "database is locked" in ready.text
            assert (await w.browser().get("/health")).status_code == 200
            w.feed.close_hour()
        await recovers(w, 5)


@pytest.mark.slow
async def test_a_lock_that_lasts_longer_than_a_writer_waits(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with world(plant, f"sqlite:///{path}", hours=3, monitored=True) as w:
        await all_assessed(w, 3)
        async with locked(path):
            w.feed.close_hour()
            async with asyncio.timeout(14):
                while "feed" not in down(w):
                    await asyncio.sleep(0.1)
            assert down(w)["feed"] == "database is locked"
        await recovers(w, 4)


async def test_a_lock_while_an_assessment_is_stored(plant: Plant, tmp_path: Path) -> None:
    path, models = tmp_path / "a.db", Models_(plant)
    async with world(
        plant,
        f"sqlite:///{path}",
        hours=3,
        monitored=True,
        models=models,
        database_busy_seconds=0.05,
    ) as w:
        await all_assessed(w, 3)
        models.answering.clear()
        w.feed.close_hour()
        await becomes(lambda: models.asked == 4, w)
        async with locked(path):
            models.answering.set()
            await becomes(lambda: "assessments" in down(w), w)
        await recovers(w, 4)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that this test alone may stop."""
    if find("initdb") is None:
        missing("Postgres", "`make system-deps`")
    with TemporaryDirectory(prefix="alarmstack-postgres-") as folder:
        server = Postgres(Path(folder) / "server")
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def test_a_stopped_postgres_is_reported_and_nothing_is_lost(
    plant: Plant, own_postgres: Postgres
) -> None:
    async with world(plant, own_postgres.new(), hours=3, monitored=True) as w:
        await all_assessed(w, 3)
        await asyncio.to_thread(own_postgres.stop)
        w.feed.close_hour()
        try:
            await becomes(lambda: "feed" in down(w), w)
            w.feed.close_hour()
        finally:
            await asyncio.to_thread(own_postgres.resume)
        await recovers(w, 5)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A folder on a file system of its own."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "test", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        missing("a file system that a test may fill", f"root ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def moved_on(w: World, end: object) -> bool:
    """Whether something was assessed since, or cannot be."""
    return bool(w.state.tasks.down) or w.state.monitor.status().assessed_until != end


async def test_a_full_disk_is_reported_and_nothing_is_lost_once_there_is_room(
    plant: Plant, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 4096) as disk:
        async with world(plant, f"sqlite:///{disk}/a.db", hours=3, monitored=True) as w:
            await all_assessed(w, 3)
            fill(disk / "ballast")
            status, hours = w.state.monitor.status, 3
            while not w.state.tasks.down:
                end, hours = status().assessed_until, hours + 1
                w.feed.close_hour()
                await becomes(partial(moved_on, w, end), w)
            assert "database or disk is full" in down(w).values(), down(w)
            w.feed.close_hour()
            (disk / "ballast").unlink()
            await recovers(w, hours + 1)


BAD: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    (
        "before the year 1",
        lambda r: r | {"timestamp": "0001-01-01T00:00:00+14:00"},
        "outside the years 1900 to 9000",
    ),
    (
        "after the year 9999",
        lambda r: r | {"timestamp": "9999-12-31T23:00:00-14:00"},
        "outside the years 1900 to 9000",
    ),
    (
        "off the grid",
        lambda r: r | {"timestamp": "2026-03-01T02:17:00Z"},
        "off the grid: intervals start every 1h",
    ),
    (
        "a year ahead",
        lambda r: r | {"timestamp": "2027-03-01T02:00:00Z"},
        "more than 24h ahead of the plant's clock",
    ),
    ("long ago", lambda r: r | {"timestamp": "1971-03-01T02:00:00Z"}, "behind the plant's clock"),
    ("no offset", lambda r: r | {"timestamp": "2026-03-01T02:00:00"}, "timestamp"),
    ("no timestamp", lambda r: {key: r[key] for key in r if key != "timestamp"}, "no timestamp"),
    (
        "unknown key",
        lambda r: r | {"tag_of_another_plant": 1.0},
        "1 unknown keys: tag_of_another_plant",
    ),
    ("infinite", lambda r: r | {"pdt31008": float("inf")}, "pdt31008"),
    ("not a number", lambda r: r | {"pdt31008": float("nan")}, "pdt31008"),
    ("a text", lambda r: r | {"pdt31008": "\x00 high"}, "pdt31008"),
    ("not a row", lambda r: [r], "not a row"),
]


@pytest.mark.parametrize(("what", "change", "reason"), BAD, ids=[one[0] for one in BAD])
async def test_an_invalid_row_among_valid_ones_is_quarantined_and_the_others_are_assessed(
    plant: Plant, database_url: str, what: str, change: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    async with world(plant, database_url, monitored=True) as w:
        w.feed.extra = [change(row(plant, BEGIN + 2 * HOUR).model_dump(mode="json"))]
        await all_assessed(w, 30)
        status = w.state.monitor.status()
        assert status.quarantined == 1 and reason in (status.quarantine_reason or "")
        anna = await w.person("anna", "viewer")
        shown = (await anna.get("/feed/quarantine")).json()
        assert shown["total"] == 1 and reason in shown["rows"][0]["reason"]


async def test_an_invalid_row_on_the_stream_is_replaced_by_the_valid_one(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=3, monitored=True) as w:
        await all_assessed(w, 3)
        good = w.feed.close_hour(sent=False)
        w.feed.send_text("interval", good.model_copy(update={"unknown": 1.0}).model_dump_json())
        w.feed.send_text("interval", "<html>Bad gateway</html>")
        w.feed.send_text("reading", '{"reading": {"timestamp": "0001-01-01T00:00:00+14:00"}}')
        await becomes(lambda: w.state.monitor.quarantined == 3, w)
        assert not w.state.tasks.down
        w.feed.close_hour()
        await all_assessed(w, 5)


async def test_an_invalid_row_in_every_answer_is_counted_once(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=3, monitored=True) as w:
        w.feed.extra = [row(plant, BEGIN, other=1.0).model_dump(mode="json")]
        for hours in (3, 5, 7):
            await all_assessed(w, hours)
            w.feed.close_hour(sent=False)
            w.feed.close_hour()
        assert w.state.monitor.quarantined == 1
        anna = await w.person("anna", "viewer")
        assert (await anna.get("/feed/quarantine")).json()["rows"][0]["times"] >= 3


async def test_only_the_newest_invalid_rows_are_kept(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url, hours=3, monitored=True, quarantine_rows=4) as w:
        w.feed.extra = [
            row(plant, BEGIN + hour * HOUR, other=1.0).model_dump(mode="json") for hour in range(9)
        ]
        await all_assessed(w, 3)
        assert w.state.monitor.quarantined >= 9, "a new connection sends them again"
        anna = await w.person("anna", "viewer")
        page = (await anna.get("/feed/quarantine", params={"size": 3, "page": 2})).json()
        assert page["total"] == 4 and len(page["rows"]) == 1


async def test_the_bounds_are_settings(plant: Plant, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=9, monitored=True, feed_behind_seconds=3 * 3600.0) as w:
        await becomes(lambda: w.state.monitor.quarantined >= 6, w)
    url = f"sqlite:///{tmp_path}/b.db"
    async with world(plant, url, hours=3, monitored=True, feed_ahead_seconds=3600.0) as w:
        await all_assessed(w, 3)
        w.feed.send("interval", row(plant, BEGIN + 20 * HOUR))
        await becomes(lambda: w.state.monitor.quarantined == 1, w)


async def test_a_feed_whose_clock_does_not_run_is_stale_and_not_ready(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True) as w:
        await all_assessed(w, 3)
        await becomes(lambda: w.state.tasks.down, w)
        for _ in range(20):
            w.feed.send("reading", w.feed.live())
            w.clock.advance(1)
            await asyncio.sleep(0.01)
        assert w.state.monitor.status().feed == "stale", "the same reading again is no sign of life"
        answer = await w.browser().get("/ready")
        assert answer.status_code == 503 and '"feed"' in answer.text
        w.feed.close_hour()
        await recovers(w, 4)


async def test_a_row_that_is_corrected_while_it_is_assessed_keeps_the_new_score(
    plant: Plant, database_url: str
) -> None:
    models = Models_(plant, lambda one: (one.numbers["pdt31008"] or 0.0) / 1000)
    async with world(plant, database_url, hours=3, monitored=True, models=models) as w:
        await all_assessed(w, 3)
        models.answering.clear()
        w.feed.close_hour(pdt31008=100.0)
        await becomes(lambda: models.asked == 4, w)
        stored = w.state.monitor.stored
        w.feed.intervals[-1] = w.feed.intervals[-1].model_copy(update={"pdt31008": 900.0})
        w.feed.send("interval", w.feed.intervals[-1])
        await becomes(lambda: w.state.monitor.stored > stored, w)
        models.answering.set()
        await all_assessed(w, 4)
        async with w.state.database.begin() as session:
            (newest,) = await plant_history.past(session, plant.name, None, None, 1)
        assert newest.outputs is not None and set(newest.outputs["scores"].values()) <= {0.9, None}


async def test_intervals_whose_window_has_a_corrected_row_are_assessed_again(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=9, monitored=True) as w:
        await all_assessed(w, 9)
        before = len(w.models.assessed)
        w.feed.intervals[5] = w.feed.intervals[5].model_copy(update={"pdt31008": 1.0})
        w.feed.send("interval", w.feed.intervals[5])
        await becomes(lambda: len(w.models.assessed) == before + 4, w)
        await all_assessed(w, 9)
        again = [(start - BEGIN) / HOUR for start in w.models.assessed[before:]]
        assert again == [8, 7, 6, 5]


async def test_a_correction_reaches_as_far_as_the_windows_with_the_row(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        async with w.state.database.begin() as session:
            for hour in range(6):
                start, body = BEGIN + hour * HOUR, {"pdt31008": 1.0}
                await plant_history.store(session, plant.name, start, body, start)
                await plant_history.store_assessment(
                    session, plant.name, start, {}, {}, False, start
                )
        async with w.state.database.begin() as session:
            await plant_history.store(
                session, plant.name, BEGIN + HOUR, {"pdt31008": 2.0}, BEGIN, 2 * HOUR
            )
        assert [hour for hour, done in await assessed(w) if not done] == [1, 2, 3]


@pytest.mark.parametrize("change", ["version", "fingerprint"])
async def test_refused_intervals_are_shown_and_tried_again_when_the_models_or_the_code_change(
    plant: Plant, database_url: str, change: str
) -> None:
    models = Models_(plant)
    models.refuses = {BEGIN + HOUR}
    async with world(plant, database_url, hours=3, monitored=True, models=models) as w:
        await becomes(lambda: w.state.monitor.status().refused, w)
        await w.state.monitor.caught_up.wait()
        status = w.state.monitor.status()
        assert (status.refused, status.unassessed) == (1, 0) and "not this one" in (
            status.refused_reason or ""
        )
        models.refuses = set()
        setattr(models, change, "8")
        await becomes(lambda: not w.state.monitor.status().refused, w)
        await becomes(lambda: len(models.assessed) == 3, w)
        await all_assessed(w, 3)


async def test_inference_that_refuses_every_new_interval_is_a_task_that_is_down(
    plant: Plant, tmp_path: Path
) -> None:
    models = Models_(plant)
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=3, monitored=True, models=models) as w:
        await all_assessed(w, 3)
        models.refuses = {BEGIN + hour * HOUR for hour in range(3, 6)}
        for _ in range(3):
            w.feed.close_hour()
        await becomes(lambda: w.state.tasks.down, w)
        anna = await w.person("anna", "viewer")
        ready = await anna.get("/ready")
        assert ready.status_code == 503 and "refuses the newest intervals" in ready.text
        (down,) = w.state.monitor.status().down
        assert down.name == "assessments" and "not this one" in (down.reason or "")
        w.feed.close_hour()
        await becomes(lambda: not w.state.tasks.down, w)


async def test_a_feed_of_invalid_readings_is_not_live_and_a_new_connection_changes_nothing(
    plant: Plant, tmp_path: Path
) -> None:
    """The value in the readings exceeds its limit, and they have one unknown key."""
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=3, monitored=True) as w:
        await all_assessed(w, 3)
        known, connections = [], w.feed.connections
        for _ in range(120):
            w.feed.send("interval", w.feed.close_hour(sent=False))
            live = w.feed.live().model_dump(mode="json")
            live["reading"] |= {"pdt31008": 337.0, "new_tag": 1.0}
            w.feed.send_text("reading", json.dumps(live))
            w.clock.advance(0.5)
            await asyncio.sleep(0.02)
            known.append(w.state.monitor.state().known)
        assert w.feed.connections > connections, "the stalled feed was connected again"
        stale_from = known.index(False, known.index(True) if True in known else 0)
        assert not any(known[stale_from:])
        assert "new_tag" in (w.state.monitor.status().feed_reason or "")
        w.feed.close_hour()
        await becomes(lambda: w.state.monitor.state().known, w)


async def test_an_interval_that_inference_fails_on_does_not_delay_the_others(
    plant: Plant, tmp_path: Path
) -> None:
    models = Models_(plant)
    models.fails = {BEGIN + 2 * HOUR}
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True, models=models
    ) as w:
        await becomes(lambda: len(models.assessed) >= 2, w)
        assert sorted(models.assessed) == [BEGIN, BEGIN + HOUR]
        await becomes(lambda: w.state.tasks.down, w)
        w.feed.reach_stride(30)
        await becomes(lambda: w.state.monitor.provisional, w)
        await becomes(lambda: w.state.monitor.drifted, w)
        models.fails = set()
        await recovers(w, 3)


async def test_a_stalled_upstream_does_not_stop_the_status(plant: Plant, tmp_path: Path) -> None:
    models = Models_(plant)
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True, models=models
    ) as w:
        await all_assessed(w, 3)
        models.answering.clear()
        w.feed.close_hour()
        await becomes(lambda: models.asked == 4, w)
        await becomes(lambda: w.state.monitor.status().feed == "stale", w)
        await becomes(lambda: "assessments" in down(w), w)
        assert w.state.monitor.status().unassessed == 1
        models.answering.set()
        await becomes(lambda: w.state.monitor.status().assessed_until == BEGIN + 4 * HOUR, w)


async def test_a_request_during_a_lock_gets_one_line(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with world(plant, f"sqlite:///{path}", database_busy_seconds=0.05) as w:
        anna = await w.person("anna", "engineer")
        async with locked(path):
            answer = await anna.post("/drift/recalibrated", json={"key": "pdt31008"})
        assert (
            answer.status_code == 503
            and answer.json()["detail"] == "the database does not answer: database is locked"
        )


@pytest.mark.parametrize(
    "year", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1899-12-31T23:59:59Z"]
)
async def test_an_instant_outside_every_calendar_is_refused_in_one_line(
    plant: Plant, database_url: str, year: str
) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna", "engineer")
        answer = await anna.post("/drift/recalibrated", json={"key": "pdt31008", "at": year})
        assert answer.status_code == 422
        assert "outside the years 1900 to 9000" in answer.json()["detail"]
        window = [row(plant, BEGIN + hour * HOUR).model_dump(mode="json") for hour in range(12)]
        window[0]["timestamp"] = year
        body = {"horizon": 1, "recent_observations": window}
        assert (await anna.post("/infer/forecast", json=body)).status_code == 422


def test_a_connection_is_given_up_before_a_service_closes_it() -> None:
    """A request on a connection that is being closed gets no answer.

    Idle connections are therefore closed in less than half of the server's time.
    """
    from uvicorn import Config

    from alarmstack.services.monitor.upstream import LIMITS

    closed_after = Config("app").timeout_keep_alive
    assert LIMITS.keepalive_expiry is not None and LIMITS.keepalive_expiry <= closed_after / 2


async def test_another_cadence_goes_through_the_same_checks(plant: Plant) -> None:
    from alarmstack.core.errors import ObservationError
    from alarmstack.services.monitor.validation import Bounds, Validator

    validator = Validator(plant, Bounds(timedelta(days=1), timedelta(days=10)))
    ten = timedelta(minutes=10)
    on = row(plant, BEGIN + 3 * ten).model_dump(mode="json")
    assert validator.interval(on, BEGIN, ten).timestamp == BEGIN + 3 * ten
    with pytest.raises(ObservationError, match="every 10min"):
        validator.interval(on | {"timestamp": (BEGIN + ten / 2).isoformat()}, BEGIN, ten)
