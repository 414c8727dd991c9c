"""The supervisor of `make run`: starts the services, waits until they are healthy, restarts one that dies, stops them all.

Each service is a process of its own with a log file of its own. It holds the reading end of a pipe from the supervisor: when the
supervisor is gone, however it went, the pipe closes and the service stops by itself, so that no port stays taken.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx
import psutil

from alarmstack.errors import ServiceError
from alarmstack.service import SUPERVISED

HEALTHY_WITHIN = 90.0
STOPS_WITHIN = 8.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_AFTER = 60.0
"""A service that has run this long is started at once when it dies; one that dies sooner waits longer each time. All in seconds."""
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
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Start all, call `ready` when all are healthy, keep them running until `stop`.

        Raises ServiceError where a port is taken, and where a service does not become healthy.
        """
        check_ports(self.services)
        self.logs.mkdir(parents=True, exist_ok=True)
        keepers = [asyncio.create_task(self._keep(service)) for service in self.services]
        asked = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(self._all_healthy())
        try:
            await asyncio.wait([asked, starting], return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                starting.result()
                ready()
                await asked
        finally:
            self._stopping = True
            for task in (asked, starting):
                task.cancel()
            await self._stop_all()
            await asyncio.gather(*keepers, asked, starting, return_exceptions=True)

    async def _all_healthy(self) -> None:
        async with httpx.AsyncClient(timeout=2) as client:
            for service in self.services:
                await self._healthy(client, service)

    async def _healthy(self, client: httpx.AsyncClient, service: Service) -> None:
        end = monotonic() + HEALTHY_WITHIN
        while monotonic() < end:
            with suppress(httpx.HTTPError):
                if (await client.get(service.health)).status_code == 200:
                    return
            await asyncio.sleep(0.2)
        log = f"{self._last_line(service)} (see {self._log(service)})"
        raise ServiceError(f"{service.name} did not become healthy within {HEALTHY_WITHIN:.0f} s: {log}")

    async def _keep(self, service: Service) -> None:
        """Start a service again and again until told to stop."""
        pause = FIRST_PAUSE
        while not self._stopping:
            begin = monotonic()
            code = await self._once(service)
            if self._stopping:
                return
            pause = FIRST_PAUSE if monotonic() - begin > STEADY_AFTER else min(pause * 2, LONGEST_PAUSE)
            self.say(f"{service.name} ended with code {code}: {self._last_line(service)}; starting it again in {pause:.0f} s")
            await asyncio.sleep(pause)

    async def _once(self, service: Service) -> int:
        with self._log(service).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *service.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **service.environment, SUPERVISED: "1"},
                start_new_session=True,
            )
        self._running[service.name] = process
        if self._stopping:
            process.terminate()
        return await process.wait()

    async def _stop_all(self) -> None:
        """The last started first; who does not go is made to."""
        for service in reversed(self.services):
            if (process := self._running.get(service.name)) is not None and process.returncode is None:
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
        lines = self._log(service).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no word"


def check_ports(services: Sequence[Service]) -> None:
    """Raise ServiceError that says which port is taken by whom."""
    taken = {c.laddr.port: c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr}
    for service in services:
        for port, setting in service.ports.items():
            if port in taken:
                raise ServiceError(f"port {port} ({service.name}) is taken by {_who(taken[port])}: end it, or set {setting}")


def _who(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return f"process {pid}"


def supervise(services: Sequence[Service], logs: Path, ready: Callable[[], None], say: Say = print) -> None:
    """Run services until Ctrl-C or SIGTERM; returns when all have stopped."""

    async def main() -> None:
        stop = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        await Supervisor(services, logs, say).run(ready, stop)

    asyncio.run(main())


__all__ = ["Service", "Supervisor", "check_ports", "supervise"]
