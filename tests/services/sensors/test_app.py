"""The sensor API as its clients see it, on a clock that the test advances."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from alarmstack.core.plant import Plant
from alarmstack.services.schemas.observations import Observation
from alarmstack.services.sensors.app import Player, create_app
from alarmstack.services.sensors.live import LivePlant
from alarmstack.storage.files import Store


class Clock:
    """Wall seconds that a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def player(plant: Plant, clock: Clock, tmp_path: Path) -> Player:
    live = LivePlant(plant, 8, datetime(2026, 3, 1, tzinfo=UTC))
    live.advance(30)
    return Player(live, 3600.0, tmp_path / "live.json", Store.at(tmp_path / "store"), clock)


@pytest.fixture
def client(player: Player) -> Iterator[TestClient]:
    # Without the lifespan: the test moves the clock itself.
    yield TestClient(create_app(player))


def test_live_gives_the_contract_s_keys_and_no_others(client: TestClient, plant: Plant) -> None:
    body = client.get("/sensors/live").json()
    assert set(body["reading"]) == {"timestamp", *(i.key for i in plant.modelled)}
    assert body["scenario"] == "normal" and body["scenario_color"] and body["scenario_description"]


def test_the_clock_runs_whether_or_not_anyone_reads(
    client: TestClient, player: Player, clock: Clock
) -> None:
    before = client.get("/sensors/meta").json()["plant_time"]
    clock.now = 5.0
    player.tick()
    after = client.get("/sensors/meta").json()["plant_time"]
    assert (
        datetime.fromisoformat(after) - datetime.fromisoformat(before)
        == 5 * player.live.plant.time.cadence
    )
    rows = client.get("/sensors/intervals?n=5").json()
    assert rows["count"] == 5
    assert [r["timestamp"] for r in rows["intervals"]] == sorted(
        r["timestamp"] for r in rows["intervals"]
    )
    assert {
        "pdt31008_max",
        "pdt31008_min",
        "pdt31008_count",
        "pdt31008_age",
        "lic31012_sp",
        "lic31012_op",
    } <= set(rows["intervals"][0])


@pytest.mark.anyio
async def test_between_two_hours_a_stride_is_published_and_its_intervals_can_be_fetched(
    plant: Plant, clock: Clock
) -> None:
    often = plant.model_copy(
        update={"time": plant.time.model_copy(update={"stride": timedelta(minutes=15)})}
    )
    live = LivePlant(often, 8, datetime(2026, 3, 1, tzinfo=UTC))
    live.advance(30)
    player = Player(live, 3600.0, None, None, clock)
    with player.hub.listen() as listener:
        for clock.now in (0.1, 0.3, 0.4, 0.55, 0.9, 1.05):
            player.tick()
        published = await listener.take()

    def starts(name: str) -> list[datetime | None]:
        rows = [event.data for event in published if event.name == name]
        return [Observation.model_validate_json(row).timestamp for row in rows]

    rolling, closed = starts("rolling"), starts("interval")
    five = datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert rolling == [five + timedelta(minutes=m) for m in (15, 30, 45)]
    assert closed == [five + timedelta(hours=1)]
    rows = TestClient(create_app(player)).get("/sensors/rolling?n=5").json()
    assert rows["count"] == 5 and rows["intervals"][-1]["timestamp"] == "2026-03-02T06:00:00Z"


def test_history_is_bounded(client: TestClient) -> None:
    assert client.get("/sensors/history?n=60").json()["count"] == 60
    answer = client.get("/sensors/history?n=601")
    assert (
        answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    )


def test_scenarios_are_switched_and_unknown_ones_named(client: TestClient) -> None:
    assert (
        client.post("/scenarios/activate", json={"name": "multi_alarm"}).json()["scenario"]
        == "multi_alarm"
    )
    assert [s["name"] for s in client.get("/scenarios").json() if s["active"]] == ["multi_alarm"]
    answer = client.post("/scenarios/activate", json={"name": "storm"})
    assert answer.status_code == 404 and "pressure_rise" in answer.json()["detail"]


@pytest.mark.anyio
async def test_readings_of_closed_hours_are_kept_in_the_store(player: Player, clock: Clock) -> None:
    clock.now = 3.0
    player.tick()
    await player.flush_readings()
    assert player.flush is not None
    names = player.flush.names("live")
    kept = pl.concat([pl.read_parquet(player.flush.get(name)) for name in names])
    assert kept.height > 0 and max(kept["time"].to_list()) < player.live.now


def test_metrics_count_requests_by_endpoint(client: TestClient) -> None:
    client.get("/sensors/live")
    text = client.get("/metrics").text
    assert (
        'alarmstack_requests_total{endpoint="/sensors/live",method="GET",status="200"} 1.0' in text
    )
    assert "alarmstack_plant_time_seconds" in text
