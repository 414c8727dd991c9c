"""The live loop through a shift: services fail and return, a restart, nothing is lost."""

import asyncio
import json
from datetime import timedelta

import pytest

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.services.monitor import loop
from alarmstack.services.sensors.app import Player
from alarmstack.services.sensors.app import create_app as create_sensors
from alarmstack.services.sensors.live import LivePlant
from alarmstack.storage.database import plant_history
from tests.upstreams import BEGIN, HOUR, Feed, Models_, serving
from tests.waiting import eventually
from tests.world import World, next_event, world

pytestmark = pytest.mark.anyio


async def stored(w: World) -> tuple[int, int]:
    """The numbers of stored intervals and assessments."""
    async with w.state.database.begin() as session:
        past = await plant_history.past(session, w.state.plant.name, None, None, 10_000)
    return len(past), sum(one.outputs is not None for one in past)


def newest_is(hour: int) -> object:
    return lambda data: json.loads(data)["assessment"]["timestamp"].startswith(
        (BEGIN + hour * HOUR).isoformat()[:16]
    )


async def test_at_the_start_the_newest_is_assessed_first_then_all_others(
    plant: Plant, database_url: str
) -> None:
    hours = plant.lookback + 9
    async with world(plant, database_url, hours=hours, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        assert w.models.assessed == [BEGIN + hour * HOUR for hour in reversed(range(hours))]
        assert w.models.block_sizes[:9] == [plant.lookback] * 9 and w.models.block_sizes[-1] == 1
        assert await stored(w) == (hours, hours)


async def test_a_closed_hour_reaches_the_overview_with_its_warnings(
    plant: Plant, database_url: str
) -> None:
    models = Models_(plant, lambda row: 0.9 if (row.numbers["pdt31008"] or 0.0) > 250 else 0.1)
    async with world(plant, database_url, hours=3, monitored=True, models=models) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(2))
            w.feed.close_hour(pdt31008=280.0)
            event = json.loads((await next_event(listener, "assessment", newest_is(3))).data)
        assert [(one["column"], one["standing"]) for one in event["warnings"]] == [
            ("forecast_1h", True),
            ("forecast_3h", True),
            ("forecast_6h", True),
        ]
        assert event["warnings"][0]["since"] == "2026-03-01T04:00:00Z"
        anna = await w.person("anna")
        overview = (await anna.get("/overview", params={"n": 2})).json()
        assert [one["timestamp"] for one in overview["past"]] == [
            "2026-03-01T02:00:00Z",
            "2026-03-01T03:00:00Z",
        ]
        assert [one["warnings"][0]["standing"] for one in overview["past"]] == [False, True]
        assert [one["values"]["pdt31008"] for one in overview["past"]][-1] == 280.0
        assert overview["past"][-1]["scores"]["forecast_3h"] == 0.9
        assert overview["past"][-1]["thresholds"]["forecast_3h"] == 0.5
        assert overview["latest"] == event
        assert overview["status"]["feed"] == "live" and overview["status"]["inference"] == "ready"


async def test_between_two_hours_a_provisional_assessment_is_shown_and_not_stored(
    plant: Plant, database_url: str
) -> None:
    models = Models_(plant, lambda row: 0.9 if (row.numbers["pdt31008"] or 0.0) > 250 else 0.1)
    async with world(plant, database_url, hours=3, monitored=True, models=models) as w:
        anna = await w.person("anna")
        with w.state.hub.listen() as listener:
            await w.state.monitor.caught_up.wait()
            before = await stored(w)
            w.feed.reach_stride(15, pdt31008=280.0)
            first = json.loads((await next_event(listener, "provisional")).data)
            assert first["assessment"]["timestamp"] == "2026-03-01T02:15:00Z"
            assert [one["standing"] for one in first["warnings"]] == [True] * 3
            assert first["warnings"][0]["since"] == "2026-03-01T03:15:00Z"
            w.feed.reach_stride(30, pdt31008=200.0)
            held = json.loads(
                (await next_event(listener, "provisional", lambda data: "02:30:00" in data)).data
            )
            assert held["warnings"][0]["since"] == "2026-03-01T03:15:00Z", (
                "a provisional warning stays active for its shortest time too"
            )
            overview = (await anna.get("/overview")).json()
            assert overview["provisional"]["assessment"]["timestamp"] == "2026-03-01T02:30:00Z"
            assert overview["latest"]["assessment"]["timestamp"] == "2026-03-01T02:00:00Z"
            assert await stored(w) == before
            w.feed.close_hour()
            closed = json.loads((await next_event(listener, "assessment", newest_is(3))).data)
        assert not any(one["standing"] for one in closed["warnings"]), (
            "closed intervals alone decide"
        )
        assert (await anna.get("/overview")).json()["provisional"] is None


async def test_hours_that_were_not_sent_are_fetched(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url, hours=2, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(1))
            for _ in range(5):
                w.feed.close_hour(sent=False)
            w.feed.close_hour()
            await next_event(listener, "assessment", newest_is(7))
            await w.state.monitor.caught_up.wait()
        assert await stored(w) == (8, 8)


async def test_a_feed_that_disconnects_is_reported_and_its_missed_hours_are_fetched(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=2, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(1))
            w.feed.away = True
            w.feed.hang_up()
            lost = json.loads(
                (await next_event(listener, "status", lambda data: '"feed":"down"' in data)).data
            )
            assert lost["feed"] == "down" and "sensor API" in lost["feed_reason"]
            for _ in range(4):
                w.feed.close_hour()
            w.feed.away = False
            w.clock.advance(1)
            await next_event(listener, "assessment", newest_is(5))
            async with asyncio.timeout(10):
                while w.state.monitor.status().feed != "live":
                    await asyncio.sleep(0.01)
            await w.state.monitor.caught_up.wait()
        assert await stored(w) == (6, 6)
        assert len(w.models.assessed) == len(set(w.models.assessed)) == 6


async def test_assessments_wait_for_inference_and_none_is_lost(
    plant: Plant, database_url: str
) -> None:
    models = Models_(plant)
    models.away = True
    async with world(plant, database_url, hours=3, monitored=True, models=models) as w:
        with w.state.hub.listen() as listener:
            down = json.loads(
                (
                    await next_event(
                        listener,
                        "status",
                        lambda data: "promote" in data and '"feed":"live"' in data,
                    )
                ).data
            )
            assert down["inference"] == "down" and down["feed"] == "live"
            w.feed.close_hour()
            models.away = False
            w.clock.advance(1)
            await next_event(listener, "assessment", newest_is(3))
            await w.state.monitor.caught_up.wait()
            assert w.state.monitor.status().inference == "ready"
        assert await stored(w) == (4, 4)


async def test_a_backlog_does_not_prevent_that_drift_is_measured(
    plant: Plant, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "DRIFT_SECONDS", 0.1)
    models = Models_(plant)
    models.answering.clear()
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=3, monitored=True, models=models) as w:
        monitor = w.state.monitor

        async def drift_measured() -> bool:
            return monitor.drifted is not None

        await eventually(drift_measured)
        assert monitor.assessed == 0 and not monitor.caught_up.is_set()
        models.answering.set()


async def test_unavailable_models_are_counted(plant: Plant, tmp_path: object) -> None:
    models = Models_(plant)
    models.silent = True
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", hours=1, monitored=True, models=models
    ) as w:
        await w.state.monitor.caught_up.wait()
        status = w.state.monitor.status()
        assert (
            status.inference == "down"
            and f"{len(model_list(plant))} of {len(model_list(plant))}"
            in (status.inference_reason or "")
        )


async def test_a_feed_without_readings_is_stale(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=1, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "status", lambda data: '"live"' in data)
            await next_event(listener, "assessment")
            w.clock.advance(11)
            stale = json.loads(
                (await next_event(listener, "status", lambda data: '"stale"' in data)).data
            )
            assert "no reading for 11 s" in stale["feed_reason"]


async def test_after_a_restart_the_loop_resumes_with_its_warnings(
    plant: Plant, database_url: str
) -> None:
    feed = Feed(plant, 3)
    models = Models_(plant, lambda row: 0.9 if (row.numbers["pdt31008"] or 0.0) > 250 else 0.1)
    async with world(plant, database_url, monitored=True, feed=feed, models=models) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(2))
            feed.close_hour(pdt31008=280.0)
            await next_event(listener, "assessment", newest_is(3))
            await w.state.monitor.caught_up.wait()
    assessed_before = len(models.assessed)
    feed.connected.clear()
    feed.close_hour(pdt31008=260.0)
    async with world(plant, database_url, monitored=True, feed=feed, models=models) as w:
        with w.state.hub.listen() as listener:
            event = json.loads((await next_event(listener, "assessment", newest_is(4))).data)
        assert len(models.assessed) == assessed_before + 1
        assert event["warnings"][0] == {
            "column": "forecast_1h",
            "horizon": "1h",
            "horizon_hours": 1,
            "standing": True,
            "since": "2026-03-01T04:00:00Z",
            "score": 0.9,
            "threshold": 0.5,
            "text": "Alarm very likely within 1 h (90 %)",
        }
        assert await stored(w) == (5, 5)


async def test_a_corrected_hour_is_assessed_again_and_a_repeated_one_is_not(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=3, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(2))
            await w.state.monitor.caught_up.wait()
            w.feed.send("interval", w.feed.intervals[-1])
            corrected = w.feed.intervals[-1].model_copy(update={"pdt31008": 1.0})
            w.feed.intervals[-1] = corrected
            w.feed.send("interval", corrected)
            w.feed.close_hour()
            await next_event(listener, "assessment", newest_is(3))
            await w.state.monitor.caught_up.wait()
        assert w.models.assessed.count(BEGIN + 2 * HOUR) == 2
        assert await stored(w) == (4, 4)


async def test_the_real_sensor_api_works_as_a_feed(plant: Plant, tmp_path: object) -> None:
    wall = [0.0]
    live = LivePlant(plant, 8, BEGIN)
    live.advance(30)
    player = Player(live, 3600.0, None, None, lambda: wall[0])
    async with (
        serving(create_sensors(player)) as url,
        world(plant, f"sqlite:///{tmp_path}/a.db", monitored=True, sensors_url=url) as w,
    ):
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment", newest_is(29))
            wall[0] = 1.0
            player.tick()
            await next_event(listener, "assessment", newest_is(30))
        assert w.state.monitor.simulated and w.state.monitor.status().feed == "live"
        anna = await w.person("anna", "engineer")
        assert (await anna.post("/infer/auto")).json()["n_observations"] == 31, (
            "as much of the lookback as the monitor has"
        )
        (kept,) = (await anna.get("/history")).json()["entries"]
        rows = (await anna.get("/infer/window", params={"until": kept["plant_time"]})).json()
        assert kept["request"] == {"horizon": 1, "intervals": 31} and rows["count"] == 31
        switched = await anna.post("/scenarios/activate", json={"name": "pressure_rise"})
        assert switched.json()["scenario"] == "pressure_rise"


async def test_after_the_plant_clock_goes_back_later_intervals_are_hidden(
    plant: Plant, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=5, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
    async with world(plant, url, hours=3, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        newest = (await w.state.monitor.overview(10)).past[-1].timestamp
        assert newest == BEGIN + timedelta(hours=2)
