"""One alarm state for every view: the stream, the overview and the list of events."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from alarmstack.core.plant import Plant
from tests.upstreams import BEGIN, HOUR, Feed, Models_
from tests.world import World, next_event, settle, world

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)
THREE = BEGIN + 3 * HOUR
IN_ALARM, QUIET = '"in_alarm":true', '"known":true,"reason":null,"in_alarm":false'


def has(*parts: str) -> object:
    return lambda data: all(part in data for part in parts)


async def events_of(
    w: World, ready: object = lambda _: True, name: str = "vera"
) -> list[dict[str, object]]:
    """The list of events once it is `ready`: a separate task of the monitor writes it."""
    anna = w.clients[0] if w.clients else await w.person(name, "viewer")
    async with asyncio.timeout(10):
        while True:
            answer = await anna.get("/events")
            assert answer.status_code == 200
            if ready(answer.json()["events"]):  # type: ignore[operator]
                events: list[dict[str, object]] = answer.json()["events"]
                return events
            await asyncio.sleep(0.01)


async def test_a_crossing_inside_the_hour_is_shown_everywhere_with_its_own_time(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=3, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment")
            w.feed.read(30 * MINUTE, pdt31008=240.0)
            await next_event(listener, "state", has(QUIET, "03:30:00"))
            w.feed.read(40 * MINUTE, pdt31008=337.0)
            streamed = json.loads((await next_event(listener, "state", has(IN_ALARM))).data)
        anna = await w.person("anna", "viewer")
        shown = (await anna.get("/overview")).json()["state"]
        assert streamed == shown and shown["since"] == "2026-03-01T03:40:00Z"
        assert [(one["title"], one["value"]) for one in shown["limits"]] == [
            ("PDT31008 above 300 mbar", 337.0)
        ]
        (event,) = await events_of(w, bool)
        assert (event["rule"], event["key"], event["begin"], event["end"]) == (
            "flooding",
            "pdt31008",
            "2026-03-01T03:40:00Z",
            None,
        )
        assert (await anna.get("/plant")).json()["limits"][0]["off_delay_seconds"] == 7200.0


async def test_an_alarm_ends_after_its_off_delay_and_the_list_of_events_shows_when(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url, hours=3, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment")
            for minute, value in ((10, 337.0), (15, 206.0), (30, 206.0)):
                w.feed.read(minute * MINUTE, pdt31008=value)
            back = json.loads((await next_event(listener, "state", has("03:30:00"))).data)
            assert (
                back["in_alarm"] and back["limits"][0]["returning_since"] == "2026-03-01T03:15:00Z"
            )
            w.feed.read(135 * MINUTE, pdt31008=206.0)
            await next_event(listener, "state", has(QUIET))
        (event,) = await events_of(w, lambda events: events and events[0]["end"])
        assert (event["begin"], event["end"], event["peak"]) == (
            "2026-03-01T03:10:00Z",
            "2026-03-01T05:15:00Z",
            337.0,
        )


async def test_a_restart_keeps_the_alarm_its_beginning_and_its_one_event(
    plant: Plant, database_url: str
) -> None:
    feed = Feed(plant, 3)
    async with world(plant, database_url, monitored=True, feed=feed) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment")
            feed.read(10 * MINUTE, pdt31008=337.0)
            await next_event(listener, "state", has(IN_ALARM))
        await events_of(w, bool, "paul")
    feed.connected.clear()
    feed.read(20 * MINUTE, sent=False, pdt31008=320.0)
    feed.read(25 * MINUTE, sent=False, pdt31008=206.0)
    async with world(plant, database_url, monitored=True, feed=feed) as w:
        with w.state.hub.listen() as listener:
            resumed = json.loads((await next_event(listener, "state", has('"known":true'))).data)
            assert resumed["since"] == "2026-03-01T03:10:00Z"
            assert resumed["limits"][0]["returning_since"] == "2026-03-01T03:25:00Z", (
                "read while nobody listened"
            )
            feed.read(145 * MINUTE, pdt31008=206.0)
            await next_event(listener, "state", has(QUIET))
        (event,) = await events_of(w, lambda events: events and events[0]["end"])
        assert event["peak"] == 337.0


async def test_a_crossing_while_the_gateway_was_down_is_found_in_the_readings_of_the_feed(
    plant: Plant, tmp_path: object
) -> None:
    feed = Feed(plant, 3)
    feed.read(-30 * MINUTE, sent=False, pdt31008=240.0)
    feed.read(-20 * MINUTE, sent=False, pdt31008=337.0)
    feed.read(-10 * MINUTE, sent=False, pdt31008=337.0)
    async with world(plant, f"sqlite:///{tmp_path}/a.db", monitored=True, feed=feed) as w:
        with w.state.hub.listen() as listener:
            resumed = json.loads((await next_event(listener, "state", has('"known":true'))).data)
        assert resumed["since"] == "2026-03-01T02:40:00Z"


async def test_without_a_live_feed_the_state_is_unknown(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment")
            w.feed.read(10 * MINUTE, pdt31008=337.0)
            await next_event(listener, "state", has(IN_ALARM))
            w.clock.advance(11)
            stale = json.loads((await next_event(listener, "state", has('"known":false'))).data)
            assert (
                "no reading for 11 s" in stale["reason"]
                and not stale["limits"]
                and not stale["warnings"]
            )
            w.feed.read(12 * MINUTE, pdt31008=337.0)
            again = json.loads((await next_event(listener, "state", has(IN_ALARM))).data)
            assert again["since"] == "2026-03-01T03:10:00Z"


async def test_an_alarm_is_shown_while_the_database_is_locked_and_stored_afterwards(
    plant: Plant, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with world(plant, url, hours=3, monitored=True, database_busy_seconds=0.1) as w:
        await w.person("anna", "viewer")
        with w.state.hub.listen() as listener:
            await w.state.monitor.caught_up.wait()
            with closing(sqlite3.connect(f"{tmp_path}/a.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                w.feed.read(10 * MINUTE, pdt31008=337.0)
                await next_event(listener, "state", has(IN_ALARM))
                await next_event(listener, "status", has("alarm journal", "database is locked"))
                other.execute("ROLLBACK")
            w.clock.advance(1)
            (event,) = await events_of(w, bool)
        assert event["begin"] == "2026-03-01T03:10:00Z"


async def test_a_value_out_of_the_instruments_range_ends_no_alarm(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True) as w:
        with w.state.hub.listen() as listener:
            await w.state.monitor.caught_up.wait()
            w.feed.read(5 * MINUTE, pdt31008=337.0)
            await next_event(listener, "state", has(IN_ALARM))
            for minute in range(6, 250, 4):
                w.feed.read(minute * MINUTE, pdt31008=-50.0)
            state = json.loads((await next_event(listener, "state", has("07:06:00"))).data)
        assert state["in_alarm"] and state["limits"][0]["value"] is None
        assert state["not_evaluated"][0]["reason"] == "PDT31008 is out of range: -50 mbar"


async def test_a_reconnected_feed_is_not_live_before_missed_readings_are_evaluated(
    plant: Plant, tmp_path: object
) -> None:
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True, database_busy_seconds=0.1
    ) as w:
        with w.state.hub.listen() as listener:
            await w.state.monitor.caught_up.wait()
            w.feed.hang_up()
            await next_event(listener, "state", has('"known":false'))
            w.feed.read(10 * MINUTE, sent=False, pdt31008=337.0)
            w.feed.close_hour(sent=False, pdt31008=320.0)
            with closing(sqlite3.connect(f"{tmp_path}/a.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await settle()
                w.clock.advance(1)
                locked = await next_event(listener, "status", has("database is locked"))
                assert '"feed":"down"' in locked.data
                assert not w.state.monitor.state().known
                other.execute("ROLLBACK")
            w.clock.advance(10)
            first = json.loads((await next_event(listener, "state", has('"known":true'))).data)
        assert first["in_alarm"], "the first known state includes what was missed"


async def test_warnings_of_forecasters_are_part_of_the_state_and_cleared_in_an_alarm(
    plant: Plant, tmp_path: object
) -> None:
    models = Models_(plant, lambda row: 0.55 if (row.numbers["pdt31008"] or 0.0) > 250 else 0.1)
    async with world(
        plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True, models=models
    ) as w:
        with w.state.hub.listen() as listener:
            await w.state.monitor.caught_up.wait()
            w.feed.close_hour(pdt31008=280.0)
            state = json.loads((await next_event(listener, "state", has('"standing":true'))).data)
            assert state["warnings"][0] | {"text": None} == {
                "column": "forecast_1h",
                "horizon": "1h",
                "horizon_hours": 1,
                "standing": True,
                "since": "2026-03-01T04:00:00Z",
                "score": 0.55,
                "threshold": 0.5,
                "text": None,
            }
            assert state["warnings"][0]["text"] == "Alarm possible within 1 h (55 %)"
            w.feed.read(5 * MINUTE, pdt31008=337.0)
            alarm = json.loads((await next_event(listener, "state", has(IN_ALARM))).data)
            assert not any(one["standing"] for one in alarm["warnings"])


async def test_events_are_given_in_pages_and_to_nobody_without_a_login(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=3, monitored=True) as w:
        anna = await w.person("anna", "viewer")
        with w.state.hub.listen() as listener:
            await next_event(listener, "assessment")
            for minute in (5, 155, 305, 455):
                w.feed.read(minute * MINUTE, pdt31008=320.0)
                w.feed.read((minute + 1) * MINUTE, pdt31008=206.0)
                w.feed.read((minute + 121) * MINUTE, pdt31008=206.0)
            await next_event(listener, "state", has(QUIET, "12:36:00"))
        await events_of(w, lambda events: len(events) == 4 and events[0]["end"])
        page = (await anna.get("/events", params={"page": 2, "size": 3})).json()
        assert page["total"] == 4 and [one["begin"] for one in page["events"]] == [
            "2026-03-01T03:05:00Z"
        ]
        assert (await w.browser().get("/events")).status_code == 401
