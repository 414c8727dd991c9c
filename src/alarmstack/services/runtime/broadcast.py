"""One source of events, any number of listeners: each listener has a bounded queue of its own.

A slow listener loses old events, never the newest event of each name, and delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fastapi.sse import ServerSentEvent

QUEUE = 64
"""Events that wait for one listener."""


class Event(NamedTuple):
    """A server-sent event: its name and its JSON."""

    name: str
    data: str

    def server_sent(self) -> ServerSentEvent:
        """The event as FastAPI's EventSourceResponse writes it to a stream."""
        return ServerSentEvent(event=self.name, raw_data=self.data)


class Listener:
    """The queue of one listener. `replayed`: events that it gets first."""

    def __init__(self, replayed: Iterable[Event] = ()) -> None:
        self._waiting = deque(replayed)
        self._woken = asyncio.Event()
        self.dropped = 0
        """Events that the listener lost because it was too slow."""
        self.closed = False

    def put(self, event: Event) -> None:
        """Add an event. A full queue keeps only the newest event of each name."""
        self._waiting.append(event)
        if len(self._waiting) > QUEUE:
            newest = _newest_of_each(self._waiting)
            self.dropped += len(self._waiting) - len(newest)
            self._waiting = deque(newest)
        self._woken.set()

    def close(self) -> None:
        """End the stream: no event follows."""
        self.closed = True
        self._woken.set()

    async def take(self) -> list[Event]:
        """All waiting events; waits until there is one. Empty once closed."""
        while not self._waiting and not self.closed:
            self._woken.clear()
            await self._woken.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Hub:
    """Where a service publishes events and its streams listen.

    With `replay` a new listener first gets the newest event of each name.
    """

    def __init__(self, *, replay: bool) -> None:
        self._replay = replay
        self._listeners: set[Listener] = set()
        self._newest: dict[str, Event] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, event: Event) -> None:
        """Give an event to every listener."""
        if self._replay:
            self._newest[event.name] = event
        for listener in self._listeners:
            listener.put(event)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """A queue that gets every event until the `with` block ends."""
        listener = Listener(self._newest.values())
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream: the service stops."""
        self._closed = True
        for listener in self._listeners:
            listener.close()


def _newest_of_each(events: deque[Event]) -> list[Event]:
    """The last event of each name, in the order they came."""
    last_place = {event.name: place for place, event in enumerate(events)}
    return [event for place, event in enumerate(events) if last_place[event.name] == place]


__all__ = ["QUEUE", "Event", "Hub", "Listener"]
