"""One source of events, any number of listeners. A slow listener loses old events, never the newest, and slows nobody down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

QUEUE = 64
"""Events that wait for one listener."""


class Event(NamedTuple):
    """A server-sent event: its name and its JSON."""

    name: str
    data: str


class Listener:
    """One browser's queue."""

    def __init__(self, known: list[Event]) -> None:
        self._waiting = deque(known)
        self._woken = asyncio.Event()
        self._woken.set()
        self.dropped = 0
        self.closed = False

    def put(self, event: Event) -> None:
        """Add an event; a full queue keeps only the newest event of each name."""
        self._waiting.append(event)
        if len(self._waiting) > QUEUE:
            newest = _newest_of_each(self._waiting)
            self.dropped += len(self._waiting) - len(newest)
            self._waiting = deque(newest)
        self._woken.set()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._woken.set()

    async def take(self) -> list[Event]:
        """All waiting events; waits for one. Empty once closed."""
        while not self._waiting and not self.closed:
            self._woken.clear()
            await self._woken.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Hub:
    """Where the monitor publishes and the streams listen. A new listener first hears the newest event of each name."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._known: dict[str, Event] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, event: Event) -> None:
        """Pass an event on to everybody."""
        self._known[event.name] = event
        for listener in self._listeners:
            listener.put(event)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """A queue of one's own, for as long as the `with` lasts."""
        listener = Listener(list(self._known.values()))
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream; the service is going down."""
        self._closed = True
        for listener in self._listeners:
            listener.close()


def _newest_of_each(events: deque[Event]) -> list[Event]:
    """The last event of each name, in the order they came."""
    newest = {event.name: place for place, event in enumerate(events)}
    return [event for place, event in enumerate(events) if newest[event.name] == place]


__all__ = ["QUEUE", "Event", "Hub", "Listener"]
