"""Waiting for a real component, always with a time limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

LOG_CHARACTERS = 4000
"""Characters at the end of a log that a failure shows."""


def until(
    true: Callable[[], object],
    state: Callable[[], object],
    *,
    seconds: float = 60,
    every: float = 0.1,
    process: Popen[Any] | None = None,
) -> None:
    """Wait until `true` returns a true value.

    Fails with the `state` after this many seconds, or as soon as the process has ended.
    """
    end = time.monotonic() + seconds
    while not true():
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}: {state()}")
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {state()}")
        time.sleep(every)


async def eventually(
    true: Callable[[], Awaitable[object]], *, seconds: float = 60, every: float = 0.02
) -> None:
    """The same for a test that shares its event loop with the component."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(every)


def end_of(log: Path) -> str:
    """The last part of a log file."""
    return log.read_text(errors="replace")[-LOG_CHARACTERS:]
