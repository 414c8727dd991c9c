"""Reads whose result is the same for everybody until the stored past changes: each is made once, for any number of clients."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Key = tuple[Any, ...]


class SharedReads:
    """The last `most` answers by key. The key holds everything that the answer depends on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Key, asyncio.Future[Any]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._answers

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer that is kept for the key, or a new one.

        A client that asks while the answer is being made waits for the same answer. A failure is not kept.
        """
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = asyncio.ensure_future(make())
            known.add_done_callback(lambda done: self._forget_failed(key, done))
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        # One of several askers may go away; the others still wait.
        answer: T = await asyncio.shield(known)
        return answer

    def close(self) -> None:
        """Stop making answers."""
        for task in self._answers.values():
            task.cancel()
        self._answers.clear()

    def _forget_failed(self, key: Key, done: asyncio.Future[Any]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._answers.get(key) is done:
            del self._answers[key]


__all__ = ["Key", "SharedReads"]
