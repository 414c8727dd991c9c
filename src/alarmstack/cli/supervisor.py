"""The supervisor of `make run`: starts the services, waits until they are healthy, restarts one that dies or hangs, stops them all.

Each service is a process of its own with a log file of its own. It holds the reading end of a pipe from the supervisor: when the
supervisor is gone, however it went, the pipe closes and the service stops by itself, so that no port stays taken.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from time import monotonic

import httpx
import psutil
import stamina

from alarmstack.core.errors import ServiceError
from alarmstack.core.tasks import Task, Tasks
from alarmstack.services.runtime.server import SUPERVISED

HEALTHY_WITHIN = 90.0
STARTING_LOOK_SECONDS = 0.2
"""How often the health of a service that is starting is asked for."""
STOPS_WITHIN = 8.0
STEADY_AFTER = 60.0
"""A service that has run this long is started at once when it dies; one that dies sooner waits longer each time. All in seconds."""
LOOK_SECONDS = 1.0
"""How often the health of a running service is asked for."""
ANSWER_SECONDS = 2.0
"""How long one answer may take."""
HUNG_AFTER = 7.0
"""Seconds without a healthy answer after which a service that was healthy counts as hung. With the last question that was asked in
vain it is restarted within ten seconds."""
OLD_LOGS = 3
"""Full log files that are kept beside the one that is written."""
LOG_SECONDS = 10.0
"""How often the sizes of the log files are checked."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """A process to keep running: `ports` it listens on and the setting of each, `health` the URL that answers 200 once it works."""

    name: str
    command: Sequence[str]
    ports: Mapping[int, str]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Supervisor:
    """Runs services in their order. `say` gets one line for everything worth telling."""

    services: Sequence[Service]
    logs: Path
    say: Say = print
    log_bytes: int = 10_000_000
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tasks = Tasks(report=self.say)
        self.answered: dict[str, float] = {}
        """When each running service last gave a healthy answer, by the monotonic clock."""

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Start all, call `ready` when all are healthy, keep them running until `stop`.

        Raises ServiceError where a port is taken, and where a service does not become healthy.
        """
        check_ports(self.services)
        self.logs.mkdir(parents=True, exist_ok=True)
        keepers = [asyncio.create_task(self._keep(service)) for service in self.services]
        keepers.append(asyncio.create_task(self.tasks.keep_running("logs", self._rotate_logs)))
        asked = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(self._all_healthy())
        try:
            await asyncio.wait([asked, starting], return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                starting.result()
                ready()
                await asked
        finally:
            for task in (asked, starting, *keepers):
                task.cancel()
            await self._stop_all()
            await asyncio.gather(*keepers, asked, starting, return_exceptions=True)

    async def _all_healthy(self) -> None:
        # A service that is starting refuses connections: this is no reason for a warning.
        stamina.instrumentation.set_on_retry_hooks([])
        async with httpx.AsyncClient(timeout=2) as client:
            for service in self.services:
                await self._healthy(client, service)

    async def _healthy(self, client: httpx.AsyncClient, service: Service) -> None:
        attempts = stamina.retry_context(
            on=httpx.HTTPError,
            attempts=None,
            timeout=HEALTHY_WITHIN,
            wait_initial=STARTING_LOOK_SECONDS,
            wait_max=STARTING_LOOK_SECONDS,
            wait_jitter=0,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    (await client.get(service.health)).raise_for_status()
        except httpx.HTTPError as error:
            log = f"{self._last_line(service)} (see {self._log(service)})"
            raise ServiceError(
                f"{service.name} did not become healthy within {HEALTHY_WITHIN:.0f} s: {log}"
            ) from error

    async def _keep(self, service: Service) -> None:
        """Keep a service running until this is cancelled."""
        await self.tasks.keep_running(service.name, partial(self._once, service))

    async def _once(self, service: Service, task: Task) -> None:
        """Run a service once. Raises ServiceError when it has ended, by itself or because it hung."""
        process = await self._start(service)
        begin = monotonic()
        ended, hung = asyncio.create_task(process.wait()), asyncio.create_task(self._hung(service))
        try:
            with task.waiting():
                await asyncio.wait({ended, hung}, return_when=asyncio.FIRST_COMPLETED)
            how = (
                f"ended with code {ended.result()}"
                if ended.done()
                else f"no answer for {HUNG_AFTER:.0f} s, killed"
            )
            if not ended.done():
                process.kill()
            await ended
        finally:
            hung.cancel()
            ended.cancel()
        if monotonic() - begin > STEADY_AFTER:
            task.progress()
        raise ServiceError(f"{how}: {self._last_line(service)}")

    async def _start(self, service: Service) -> asyncio.subprocess.Process:
        with self._log(service).open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *service.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={**os.environ, **service.environment, SUPERVISED: "1"},
                start_new_session=True,
            )
        self._running[service.name] = process
        return process

    async def _hung(self, service: Service) -> None:
        """Return once a service that was healthy has given no healthy answer for too long."""
        self.answered.pop(service.name, None)
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while monotonic() - self.answered.get(service.name, inf) < HUNG_AFTER:
                with suppress(httpx.HTTPError):
                    if (await client.get(service.health)).status_code == 200:
                        self.answered[service.name] = monotonic()
                await asyncio.sleep(LOOK_SECONDS)

    async def _rotate_logs(self, task: Task) -> None:
        """Move a log file that is full aside, and begin it anew."""
        while True:
            for service in self.services:
                await asyncio.to_thread(rotate, self._log(service), self.log_bytes)
            task.progress()
            with task.waiting():
                await asyncio.sleep(LOG_SECONDS)

    async def _stop_all(self) -> None:
        """The last started first; who does not go is made to."""
        for service in reversed(self.services):
            if (
                process := self._running.get(service.name)
            ) is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
        for process in self._running.values():
            try:
                await asyncio.wait_for(process.wait(), STOPS_WITHIN)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def pid(self, name: str) -> int:
        """Process number of a service."""
        return self._running[name].pid

    def _log(self, service: Service) -> Path:
        return self.logs / f"{service.name}.log"

    def _last_line(self, service: Service) -> str:
        lines = (
            self._log(service).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        )
        return lines[-1] if lines else "no log output"


def rotate(path: Path, most_bytes: int) -> None:
    """Copy a log file with more than `most_bytes` to `NAME.1` (older ones to `.2`, `.3`), and empty it.

    Its writer has it open for appending and goes on at the new end. A line written between copy and emptying is lost.
    """
    if not path.exists() or path.stat().st_size <= most_bytes:
        return
    old = [path.with_name(f"{path.name}.{number}") for number in range(1, OLD_LOGS + 1)]
    for newer, older in reversed(list(pairwise(old))):
        if newer.exists():
            newer.replace(older)
    shutil.copyfile(path, old[0])
    os.truncate(path, 0)


def check_ports(services: Sequence[Service]) -> None:
    """Raise ServiceError that says which port is taken by whom."""
    taken = {
        c.laddr.port: c.pid
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr
    }
    for service in services:
        for port, setting in service.ports.items():
            if port in taken:
                raise ServiceError(
                    f"port {port} ({service.name}) is taken by {_who(taken[port])}: end it, or set {setting}"
                )


def _who(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return f"process {pid}"


def supervise(
    services: Sequence[Service],
    logs: Path,
    ready: Callable[[], None],
    say: Say = print,
    log_bytes: int = 10_000_000,
) -> None:
    """Run services until Ctrl-C or SIGTERM; returns when all have stopped."""

    async def main() -> None:
        stop = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        await Supervisor(services, logs, say, log_bytes).run(ready, stop)

    asyncio.run(main())


__all__ = ["Service", "Supervisor", "check_ports", "rotate", "supervise"]
