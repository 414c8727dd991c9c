"""Heavy reads of the plant's past, in a separate process: the event loop does not wait for them.

The process has one connection to the database, which it only reads, and a lower priority than the
services: while both cores are busy, assessments come first. The first heavy read starts it. One
read runs at a time. Its answer is kept until the plant's past changes, so that many viewers of one
chart cause one read.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

from alarmstack.core.errors import ServiceError
from alarmstack.services.gateway.shared_reads import Key, SharedReads

NICENESS = 10
"""Half of the way to the lowest priority."""
LOADED = ["alarmstack.services.gateway.trends", "alarmstack.services.monitor.heavy_reads"]
"""Modules that the process has imported before it starts."""
KEPT = 64
"""Answers that are kept in memory."""
MOST_WAITING = 20
"""Reads that may wait. Further ones are refused."""
T = TypeVar("T")


class BusyError(ServiceError):
    """Too many heavy reads are waiting."""


class Reader:
    """Runs functions of plain arguments in its process, and keeps their answers by key."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._kept = SharedReads(KEPT)
        self._waiting = 0

    def start(self) -> None:
        """Start the process before it is needed."""
        self._started().submit(os.getpid)

    async def read(
        self, key: Key, work: Callable[..., T], *arguments: Any, refusable: bool = True
    ) -> T:
        """`work(*arguments)`, or the answer that is kept for the key.

        A second request for the same key waits for the same answer. Raises BusyError where too many
        reads are waiting. `refusable=False` is for reads of the monitor: they have few keys, so
        that few can wait.
        """
        if refusable and key not in self._kept and self._waiting >= MOST_WAITING:
            raise BusyError(
                f"{self._waiting} reads of the past are waiting: try again in a few seconds"
            )
        return await self._kept.get(key, partial(self._run, work, arguments))

    async def close(self) -> None:
        """End the process."""
        self._kept.close()
        self._end()

    async def _run(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self._waiting += 1
        try:
            async with self._turn:
                return await self._in_process(work, arguments)
        finally:
            self._waiting -= 1

    async def _in_process(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        """Run in the process. One that was killed (out of memory) is replaced once."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._started(), work, *arguments)
        except BrokenProcessPool:
            self._end()
            return await loop.run_in_executor(self._started(), work, *arguments)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # This process has threads and open connections, which must not be forked.
            context = get_context("forkserver")
            context.set_forkserver_preload(LOADED)
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        return self._pool

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """In the new process: low priority, no Ctrl-C, and an end when the gateway ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


__all__ = ["BusyError", "Reader"]
