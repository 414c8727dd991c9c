"""Faults around the simulated plant: its clock continues, and failed writes are repeated."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from alarmstack.core.errors import ServiceError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.services.sensors.app import Player, create_app, start_player
from alarmstack.services.sensors.live import LivePlant
from alarmstack.storage.files import Store
from tests.home import alarmstack
from tests.object_store import free_ports

pytestmark = pytest.mark.anyio
SPEED = 3600.0


class Played:
    """A sensor API whose plant's clock the test moves."""

    def __init__(
        self, plant: Plant, folder: Path, unflushed: int = 200_000, keep_days: float = 90
    ) -> None:
        self.wall = 0.0
        live = LivePlant(plant, 8, datetime(2026, 3, 1, tzinfo=UTC))
        live.advance(30)
        saved, store = folder / "live" / "plant.json", Store.at(folder / "store")
        self.player = Player(live, SPEED, saved, store, lambda: self.wall, unflushed, keep_days)
        self.app = create_app(self.player)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app)
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(transport=transport, base_url="http://sensors") as client,
        ):
            yield client

    def stored(self) -> pl.DataFrame:
        store = self.player.flush
        assert store is not None
        return pl.concat([pl.read_parquet(store.get(name)) for name in store.names("live")])


async def becomes(true: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def reports(client: httpx.AsyncClient, task: str | None) -> str:
    """The reason that /ready gives for a task; waits for it. None: until every task runs."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.get("/ready")
            down = {
                one["name"]: one["reason"]
                for one in answer.json()["tasks"]
                if one["state"] != "running"
            }
            if (task is None and answer.status_code == 200) or task in down:
                return str(down.get(task))
            await asyncio.sleep(0.02)


def broken(folder: Path) -> Callable[[], None]:
    """Put a file where a folder is; returns how to undo that."""
    aside = folder.with_name(f"{folder.name}.aside")
    if folder.exists():
        folder.rename(aside)
    folder.write_text("a file where a folder should be")

    def undo() -> None:
        folder.unlink()
        if aside.exists():
            aside.rename(folder)

    return undo


async def test_the_clock_goes_on_while_the_store_cannot_be_written_and_no_reading_is_lost(
    plant: Plant, tmp_path: Path
) -> None:
    played = Played(plant, tmp_path)
    async with played.running() as client:
        played.wall = 2.0
        await becomes(lambda: played.player.unflushed == 0 and (tmp_path / "store/live").exists())
        undo = broken(tmp_path / "store/live")
        for played.wall in (4.0, 6.0):
            await becomes(lambda: played.player.live.hours >= 30 + played.wall)
            assert await reports(client, "readings")
        assert (await client.get("/health")).status_code == 200
        assert 'alarmstack_task_running{task="readings"} 0.0' in (await client.get("/metrics")).text
        undo()
        await reports(client, None)
        await becomes(lambda: played.player.unflushed == 0)
    whole = LivePlant(plant, 8, datetime(2026, 3, 1, tzinfo=UTC))
    whole.advance(30)
    expected = whole.advance(played.player.live.hours)
    kept = played.stored()
    assert kept.unique().height == kept.height == len(expected) and played.player.dropped == 0


async def test_readings_that_wait_are_bounded_and_dropped_ones_are_counted(
    plant: Plant, tmp_path: Path
) -> None:
    played = Played(plant, tmp_path, unflushed=20)
    async with played.running() as client:
        await reports(client, None)
        undo = broken(tmp_path / "store")
        played.wall = 5.0
        await reports(client, "readings")
        assert played.player.unflushed == 20 and played.player.dropped > 0
        metrics = (await client.get("/metrics")).text
        assert f"alarmstack_dropped_readings {played.player.dropped}.0" in metrics
        undo()


async def test_readings_in_the_store_are_kept_for_their_time_of_the_plant(
    plant: Plant, tmp_path: Path
) -> None:
    """Once a plant day what is too old goes, and no reading that is younger."""
    played = Played(plant, tmp_path, keep_days=2)
    player = played.player
    for hour in range(1, 5 * 24 + 1):
        played.wall = float(hour)
        player.tick()
        await player.flush_readings()
        await player.forget_readings()
    whole = LivePlant(plant, 8, datetime(2026, 3, 1, tzinfo=UTC))
    whole.advance(30)
    shown = pl.DataFrame(whole.advance(player.live.hours), schema=READING_SCHEMA, orient="row")
    kept, kept_from = played.stored(), player.live.now - timedelta(days=2)
    younger = pl.col("time") >= kept_from
    assert kept.filter(younger).height == shown.filter(younger).height > 0
    assert min(kept["time"].to_list()) > kept_from - timedelta(days=1, hours=2)


async def test_the_running_sensor_api_removes_readings_and_nothing_of_others(
    plant: Plant, tmp_path: Path
) -> None:
    """A file that began long ago stays while its readings may be younger: the next file tells."""
    played = Played(plant, tmp_path)
    store = played.player.flush
    assert store is not None
    old = [f"live/2025-0{month}-01T000000.parquet" for month in (1, 2)]
    for name in ("live/notes.txt", "live/2025.parquet", *old):
        store.put(name, b"as it was")
    async with played.running():
        played.wall = 2.0
        await becomes(lambda: store.find(old[0]) is None)
    assert [
        store.find(name) is not None for name in ("live/notes.txt", "live/2025.parquet", old[1])
    ] == [True] * 3


async def test_without_a_store_nothing_waits_for_one(plant: Plant) -> None:
    live = LivePlant(plant, 8, datetime(2026, 3, 1, tzinfo=UTC))
    player = Player(live, SPEED, None, None, lambda: 10.0)
    player._origin = (0.0, 0.0)
    player.tick()
    assert live.hours == 10 and player.unflushed == 0


async def test_the_clock_goes_on_while_its_state_cannot_be_written(
    plant: Plant, tmp_path: Path
) -> None:
    played = Played(plant, tmp_path)
    async with played.running() as client:
        await reports(client, None)
        undo = broken(tmp_path / "live")
        played.wall = 2.0
        assert "live" in await reports(client, "saving")
        assert (
            await client.post("/scenarios/activate", json={"name": "pressure_rise"})
        ).status_code == 200
        await becomes(lambda: played.player.live.hours >= 32)
        undo()
        await reports(client, None)
    restored = LivePlant.load(plant, tmp_path / "live/plant.json")
    assert restored is not None and restored.scenario == "pressure_rise"
    assert restored.hours == played.player.live.hours


async def test_a_clock_that_was_stopped_for_long_catches_up_in_parts(
    plant: Plant, tmp_path: Path
) -> None:
    played = Played(plant, tmp_path)
    played.wall = 100.0
    played.player.tick()
    assert played.player.live.hours == 42
    played.player.tick()
    assert played.player.live.hours == 54


NAMES = [
    "",
    "\u0000",
    "storm\nnormal",
    "../../etc/passwd",
    "🔥" * 50,
    "x" * 101,
    None,
    7,
    ["normal"],
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_scenario_of_any_name_gets_one_line(
    plant: Plant, tmp_path: Path, name: object
) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Played(plant, tmp_path).app), base_url="http://sensors"
    ) as client:
        answer = await client.post("/scenarios/activate", json={"name": name})
        assert answer.status_code in (404, 422) and "\n" not in answer.json()["detail"]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf"), 1e308])
async def test_a_speed_that_cannot_be_played_is_refused(plant: Plant, speed: float) -> None:
    with pytest.raises(ServiceError, match="cannot be used"):
        start_player(plant, speed=speed)


@pytest.mark.parametrize("words", [("--speed", "nan"), ("--seed", str(2**70))], ids=" ".join)
async def test_the_command_line_says_so_in_one_line(tmp_path: Path, words: tuple[str, str]) -> None:
    port = str(free_ports(1)[0])
    done = alarmstack(tmp_path, "serve", "sensors", "--port", port, *words, check=False)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "cannot be used" in done.stderr or "Invalid value" in done.stderr
