"""The supervisor of `make run`: starts the services, restarts a service that exits or hangs, stops
all.

Each service is a process with its own log file. Its standard input is a pipe from the supervisor.
When the supervisor ends, for whatever reason, the pipe closes and the service stops, which frees
its ports.
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
from pathlib import Path
from time import monotonic

import httpx
import psutil
import stamina

from alarmstack.core.errors import ServiceError
from alarmstack.core.tasks import Task, Tasks
from alarmstack.services.runtime.server import SUPERVISED

HEALTHY_WITHIN = 90.0
"""Seconds within which a service must become healthy after its start."""
STOPS_WITHIN = 8.0
"""Seconds that a service has to stop before it is killed."""
STEADY_AFTER = 60.0
"""A service that exits after this many seconds is restarted at once. If it exits sooner, each
restart waits longer than the one before.
"""
CHECK_SECONDS = 1.0
"""Seconds between two health checks of a running service."""
ANSWER_SECONDS = 2.0
"""Time-out of one health check."""
HUNG_AFTER = 7.0
"""Seconds without a healthy answer after which a service counts as hung. Including the last
time-out, it is restarted within ten seconds.
"""
START_CHECK_SECONDS = 0.2
"""Seconds between two health checks while a service starts."""
OLD_LOGS = 3
"""Full log files that are kept for each service."""
LOG_SECONDS = 10.0
"""Seconds between two checks of the sizes of the log files."""
LOG_BYTES = 10_000_000
"""Size at which a log file is full."""
SHOWN_COMMAND = 120
"""Characters of a command line that an error message shows."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    `ports`: the ports it listens on, with the setting of each. `health`: a URL that returns 200
    when the service is healthy.
    """

    name: str
    command: Sequence[str]
    ports: Mapping[int, str]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Supervisor:
    """Starts services in the given order. `say` receives one line for each event."""

    services: Sequence[Service]
    logs: Path
    say: Say = print
    log_bytes: int = LOG_BYTES
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tasks = Tasks(report=self.say)
        self.answered: dict[str, float] = {}
        """Monotonic time of the last healthy answer of each running service."""

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Start all services, call `ready` when they are healthy, keep them running until `stop`.

        Raises ServiceError if a port is in use or a service does not become healthy.
        """
        check_ports(self.services)
        self.logs.mkdir(parents=True, exist_ok=True)
        keepers = [asyncio.create_task(self._keep(service)) for service in self.services]
        keepers.append(asyncio.create_task(self.tasks.keep_running("logs", self._rotate_logs)))
        stopping = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(self._all_healthy())
        try:
            await asyncio.wait([stopping, starting], return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                starting.result()
                ready()
                await stopping
        finally:
            for task in (stopping, starting, *keepers):
                task.cancel()
            await self._stop_all()
            await asyncio.gather(*keepers, stopping, starting, return_exceptions=True)

    async def _all_healthy(self) -> None:
        # A service that is starting refuses connections, so a retry logs no warning.
        stamina.instrumentation.set_on_retry_hooks([])
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            for service in self.services:
                await self._wait_until_healthy(client, service)

    async def _wait_until_healthy(self, client: httpx.AsyncClient, service: Service) -> None:
        attempts = stamina.retry_context(
            on=httpx.HTTPError,
            attempts=None,
            timeout=HEALTHY_WITHIN,
            wait_initial=START_CHECK_SECONDS,
            wait_max=START_CHECK_SECONDS,
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
        """Keep a service running until the task is cancelled."""
        await self.tasks.keep_running(service.name, partial(self._once, service))

    async def _once(self, service: Service, task: Task) -> None:
        """Run a service until it exits or hangs, then raise ServiceError with the reason."""
        process = await self._start(service)
        begin = monotonic()
        ended, hung = asyncio.create_task(process.wait()), asyncio.create_task(self._hung(service))
        try:
            with task.waiting():
                await asyncio.wait({ended, hung}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                reason = f"ended with code {ended.result()}"
            else:
                reason = f"{hung.result()}, killed"
                process.kill()
            await ended
        finally:
            hung.cancel()
            ended.cancel()
        if monotonic() - begin > STEADY_AFTER:
            task.progress()
        raise ServiceError(f"{reason}: {self._last_line(service)}")

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

    async def _hung(self, service: Service) -> str:
        """Return the reason when a service that was just started counts as hung.

        Its first healthy answer must come within HEALTHY_WITHIN, each later one within HUNG_AFTER.
        """
        begin = monotonic()
        self.answered.pop(service.name, None)
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while True:
                if await _is_healthy(client, service):
                    self.answered[service.name] = monotonic()
                answered = self.answered.get(service.name)
                if answered is None and monotonic() - begin >= HEALTHY_WITHIN:
                    return f"not healthy within {HEALTHY_WITHIN:.0f} s after its start"
                if answered is not None and monotonic() - answered >= HUNG_AFTER:
                    return f"no answer for {HUNG_AFTER:.0f} s"
                await asyncio.sleep(CHECK_SECONDS)

    async def _rotate_logs(self, task: Task) -> None:
        """Rotate every log file that is full."""
        while True:
            for service in self.services:
                await asyncio.to_thread(rotate, self._log(service), self.log_bytes)
            task.progress()
            with task.waiting():
                await asyncio.sleep(LOG_SECONDS)

    async def _stop_all(self) -> None:
        """Stop the services, the last one first. Kill those that do not stop."""
        for service in reversed(self.services):
            process = self._running.get(service.name)
            if process is not None and process.returncode is None:
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
        """Process ID of a service."""
        return self._running[name].pid

    def _log(self, service: Service) -> Path:
        return self.logs / f"{service.name}.log"

    def _last_line(self, service: Service) -> str:
        text = self._log(service).read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines()
        return lines[-1] if lines else "no log output"


async def _is_healthy(client: httpx.AsyncClient, service: Service) -> bool:
    with suppress(httpx.HTTPError):
        return (await client.get(service.health)).status_code == httpx.codes.OK
    return False


def rotate(path: Path, most_bytes: int) -> None:
    """Copy a log file with more than `most_bytes` to `NAME.1` (older ones to `.2`, `.3`) and empty
    it.

    Its writer has the file open for appending and continues at its new end. A line that is written
    between the copy and the truncation is lost.
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
    """Raise ServiceError, which names port and process, if a port of a service is in use."""
    in_use = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    for service in services:
        for port, setting in service.ports.items():
            if port in in_use:
                raise ServiceError(
                    f"port {port} ({service.name}) is in use by {_process(in_use[port])}: "
                    f"end the process, or set {setting}"
                )


def _process(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        command = " ".join(psutil.Process(pid).cmdline())[:SHOWN_COMMAND]
        return f"process {pid} ({command})"
    except psutil.Error:
        return f"process {pid}"


def supervise(
    services: Sequence[Service],
    logs: Path,
    ready: Callable[[], None],
    say: Say = print,
    log_bytes: int = LOG_BYTES,
) -> None:
    """Run services until Ctrl-C or SIGTERM. Returns when all have stopped."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await Supervisor(services, logs, say, log_bytes).run(ready, stop)

    asyncio.run(main())


__all__ = ["Service", "Supervisor", "check_ports", "rotate", "supervise"]
