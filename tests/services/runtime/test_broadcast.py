"""Events for many listeners: a slow one delays nobody and keeps the newest event of each name."""

import asyncio

import pytest

from alarmstack.services.runtime.broadcast import QUEUE, Event, Hub

pytestmark = pytest.mark.anyio


async def test_every_listener_gets_every_event_in_order() -> None:
    hub = Hub(replay=False)
    events = [Event("reading", "1"), Event("interval", "2"), Event("reading", "3")]
    with hub.listen() as one, hub.listen() as other:
        assert len(hub) == 2
        for event in events:
            hub.publish(event)
        assert await one.take() == events
        assert await other.take() == events
    assert len(hub) == 0


async def test_a_listener_waits_for_the_next_event() -> None:
    hub = Hub(replay=False)
    with hub.listen() as listener:
        waiting = asyncio.create_task(listener.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.publish(Event("reading", "1"))
        async with asyncio.timeout(10):
            assert await waiting == [Event("reading", "1")]


async def test_a_new_listener_gets_the_newest_event_of_each_name_where_the_hub_replays() -> None:
    hub = Hub(replay=True)
    for event in (Event("status", "old"), Event("reading", "1"), Event("status", "new")):
        hub.publish(event)
    with hub.listen() as listener:
        assert sorted(await listener.take()) == [Event("reading", "1"), Event("status", "new")]


async def test_a_new_listener_gets_no_earlier_event_where_the_hub_does_not_replay() -> None:
    hub = Hub(replay=False)
    hub.publish(Event("reading", "1"))
    with hub.listen() as listener:
        hub.publish(Event("reading", "2"))
        assert await listener.take() == [Event("reading", "2")]


async def test_a_slow_listener_keeps_the_newest_of_each_name_and_delays_nobody() -> None:
    hub = Hub(replay=False)
    with hub.listen() as slow, hub.listen() as fast:
        hub.publish(Event("assessment", "noon"))
        for number in range(QUEUE):
            hub.publish(Event("reading", str(number)))
            if number == 0:
                assert await fast.take() == [Event("assessment", "noon"), Event("reading", "0")]
        assert await slow.take() == [
            Event("assessment", "noon"),
            Event("reading", str(QUEUE - 1)),
        ]
        assert slow.dropped == QUEUE - 1
        assert len(await fast.take()) == QUEUE - 1 and fast.dropped == 0


async def test_closing_the_hub_ends_present_and_later_streams() -> None:
    hub = Hub(replay=True)
    with hub.listen() as present:
        waiting = asyncio.create_task(present.take())
        await asyncio.sleep(0)
        hub.close()
        async with asyncio.timeout(10):
            assert await waiting == []
        with hub.listen() as later:
            assert later.closed and await later.take() == []
