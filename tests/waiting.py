"""Waiting for what a real component does in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest


def until(
    true: Callable[[], object],
    told: Callable[[], object],
    *,
    seconds: float = 60,
    every: float = 0.1,
    process: Popen[Any] | None = None,
) -> None:
    """Ask until the answer is true; fail with what `told` says after so many seconds, or as soon as the process has ended."""
    end = time.monotonic() + seconds
    while not true():
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}: {told()}")
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {told()}")
        time.sleep(every)


async def eventually(
    true: Callable[[], Awaitable[object]], *, seconds: float = 60, every: float = 0.02
) -> None:
    """The same for a test that shares its event loop with what it waits for."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(every)


def end_of(log: Path) -> str:
    """What a component wrote last."""
    return log.read_text(errors="replace")[-4000:]
