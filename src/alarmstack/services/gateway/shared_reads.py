"""Reads whose result is the same for every client until the stored past changes: each runs once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Key = tuple[Any, ...]


class SharedReads:
    """The last `most` answers by key. A key contains everything that its answer depends on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Key, asyncio.Future[Any]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._answers

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer that is kept for the key, or a new one.

        A second request waits for the answer of the first. A failure is not kept.
        """
        pending = self._answers.get(key)
        if pending is None:
            pending = self._answers[key] = asyncio.ensure_future(make())
            pending.add_done_callback(lambda done: self._forget_failed(key, done))
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        # A client may disconnect while others wait for the same answer.
        answer: T = await asyncio.shield(pending)
        return answer

    def close(self) -> None:
        """Cancel the reads in progress."""
        for task in self._answers.values():
            task.cancel()
        self._answers.clear()

    def _forget_failed(self, key: Key, done: asyncio.Future[Any]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._answers.get(key) is done:
            del self._answers[key]


__all__ = ["Key", "SharedReads"]
