"""The real services in a separate data folder, with the checks that faults need."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import httpx
from sqlalchemy import create_engine, text

from alarmstack.cli.demo import demo_services
from alarmstack.cli.supervisor import Service, Supervisor
from alarmstack.cli.users import demo_login
from alarmstack.core.folder import claimed
from alarmstack.core.plant import Plant, load_plant
from alarmstack.core.settings import Settings
from alarmstack.storage.database.engine import driven
from chaos.feed import Feed

T = TypeVar("T")
SPEED = 3600.0
"""Plant seconds per wall second: an hourly interval closes every second."""
CHECK_SECONDS = 0.2
ANSWERS_WITHIN = 3.0
"""Limit of wall seconds for one request."""
CATCHES_UP_WITHIN = 180.0
"""Limit of wall seconds until a new stack has assessed the history of its feed."""
LONGEST_RECOVERY = 60.0
"""Limit of wall seconds from the end of a fault until everything works again."""
MOST_LAG = 4
"""Largest lag of the newest assessment behind the plant clock, in cadences.

At this speed it is a few wall seconds.
"""


class ExpectationError(Exception):
    """A service did not react to a fault as expected."""


@dataclass
class Stack:
    """Three services under one supervisor: `sensors`, `inference` and `gateway`."""

    settings: Settings
    plant: Plant
    feed: Feed
    supervisor: Supervisor
    client: httpx.AsyncClient
    login: tuple[str, str]
    token: str = ""

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data

    def url(self, name: str) -> str:
        """Address of a service."""
        return f"http://127.0.0.1:{getattr(self.settings, f'{name}_port')}"

    async def get(self, name: str, path: str) -> httpx.Response | None:
        """The response of a service to GET; None if it does not answer in time."""
        headers = {"Authorization": f"Bearer {self.token}"} if name == "gateway" else {}
        try:
            return await self.client.get(f"{self.url(name)}{path}", headers=headers)
        except httpx.HTTPError:
            return None

    async def overview(self) -> dict[str, Any] | None:
        """The overview of the gateway; None if it gives none."""
        answer = await self.get("gateway", "/overview?n=1")
        if answer is not None and answer.status_code == 401:
            await self._log_in()
            answer = await self.get("gateway", "/overview?n=1")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    async def problems(self) -> list[str]:
        """The reasons why the system does not work; empty if it works."""
        reasons = []
        for name in ("sensors", "inference", "gateway"):
            answer = await self.get(name, "/ready")
            if answer is None:
                reasons.append(f"{name} does not answer")
            elif answer.status_code != 200:
                reasons.append(f"{name} is not ready: {_reasons(answer)}")
        return reasons or await self._lag()

    async def _lag(self) -> list[str]:
        overview = await self.overview()
        if overview is None:
            return ["the gateway gives no overview"]
        status = overview["status"]
        if status["feed"] != "live":
            return [f"feed {status['feed']}: {status['feed_reason']}"]
        if status["assessed_until"] is None:
            return ["no interval is assessed"]
        lag = datetime.fromisoformat(status["plant_time"]) - datetime.fromisoformat(
            status["assessed_until"]
        )
        return [f"assessments are {lag} behind"] if lag > MOST_LAG * self.plant.time.cadence else []

    async def reported(self, word: str, within: float) -> str:
        """Wait until a problem that contains `word` is reported; return it.

        Raises ExpectationError after `within` seconds.
        """
        return await self.until(
            lambda: self._problem_with(word), f"a reported problem with {word!r}", within
        )

    async def _problem_with(self, word: str) -> str | None:
        return next((one for one in await self.problems() if word.lower() in one.lower()), None)

    async def until(self, check: Callable[[], Awaitable[T | None]], title: str, within: float) -> T:
        """Repeat a check until its result is true; return the result.

        Raises ExpectationError with `title` after `within` seconds.
        """
        end = monotonic() + within
        while not (result := await check()):
            if monotonic() > end:
                raise ExpectationError(
                    f"not within {within:.0f} s: {title}; {'; '.join(await self.problems())}"
                )
            await asyncio.sleep(CHECK_SECONDS)
        return result

    async def recovered(
        self, since: float | None = None, within: float = LONGEST_RECOVERY
    ) -> float:
        """Wait until everything works and nothing is lost; return the seconds until it works.

        They count from `since`, a value of `monotonic`; the default is now. Raises ExpectationError
        after `within` seconds.
        """
        begin = monotonic() if since is None else since

        async def works() -> bool:
            return not await self.problems()

        await self.until(works, "recovery", within)
        seconds = monotonic() - begin
        await self.until(
            self._complete,
            f"every interval stored and assessed ({self.losses()})",
            LONGEST_RECOVERY,
        )
        return seconds

    async def _complete(self) -> bool:
        return not any(self.losses())

    def losses(self) -> tuple[int, int]:
        """Number of unassessed intervals, and number of missing intervals.

        The newest two stored intervals may be unassessed. An interval is missing if an earlier and
        a later one are stored.
        """
        engine = create_engine(driven(self.settings.database, service=False))
        try:
            with engine.connect() as connection:
                stored = self._times(
                    connection.execute(text("select start from plant_intervals order by start"))
                )
                assessed = set(
                    self._times(connection.execute(text("select start from plant_assessments")))
                )
        finally:
            engine.dispose()
        unassessed = [start for start in stored[:-2] if start not in assessed]
        cadences = round((stored[-1] - stored[0]) / self.plant.time.cadence) if stored else -1
        return len(unassessed), cadences + 1 - len(stored)

    @staticmethod
    def _times(rows: Any) -> list[datetime]:
        # SQLite returns text, Postgres a datetime.
        return [datetime.fromisoformat(time) if isinstance(time, str) else time for (time,) in rows]

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a service; return its process ID."""
        pid = self.supervisor.pid(name)
        os.kill(pid, number)
        return pid

    async def restarted(self, name: str, pid: int, within: float) -> float:
        """Wait until a new process has replaced `pid`; return the seconds."""
        begin = monotonic()

        async def replaced() -> bool:
            return self.supervisor.pid(name) != pid

        await self.until(replaced, f"{name} is restarted", within)
        return monotonic() - begin

    async def _log_in(self) -> None:
        name, password = self.login
        answer = await self.client.post(
            f"{self.url('gateway')}/auth/login",
            data={"username": name, "password": password},
            headers={"Origin": self.url("gateway")},
        )
        self.token = answer.raise_for_status().json()["access_token"]


def _reasons(answer: httpx.Response) -> str:
    body = answer.json()
    down = [
        f"{task['name']}: {task['reason']}"
        for task in body.get("tasks", [])
        if task["state"] != "running"
    ]
    return "; ".join(down) or str(body.get("reason") or body)[:200]


@asynccontextmanager
async def running(
    home: Path, data: Path, ports: list[int], logs: Path, database_url: str | None = None
) -> AsyncIterator[Stack]:
    """Run a stack with the models of `home` until the block ends. It has assessed its history."""
    registry = data / "mlflow.db"
    shutil.copy(home / "mlflow.db", registry)
    names = ("sensors_port", "inference_port", "gateway_port", "page_port")
    settings = Settings().model_copy(
        update={
            **dict(zip(names, ports, strict=False)),
            "data": data,
            "database_url": database_url,
            "tracking_uri": f"sqlite:///{registry}",
        }
    )
    feed = Feed(f"http://127.0.0.1:{settings.sensors_port}")
    supervisor = Supervisor(
        [_configured(service, settings, ports[-1]) for service in demo_services(settings)],
        logs,
        lambda line: None,
    )
    ready, stop = asyncio.Event(), asyncio.Event()
    async with (
        feed.served(ports[-1]),
        httpx.AsyncClient(timeout=ANSWERS_WITHIN, trust_env=False) as client,
    ):
        with claimed(data, "demo"):
            login = await asyncio.to_thread(demo_login, settings)
            run = asyncio.create_task(supervisor.run(ready.set, stop))
            try:
                await asyncio.wait(
                    {run, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED
                )
                stack = Stack(settings, load_plant(settings.plant), feed, supervisor, client, login)
                await stack._log_in()
                await stack.recovered(within=CATCHES_UP_WITHIN)
                yield stack
            finally:
                stop.set()
                feed.flow()
                await asyncio.wait({run}, timeout=60)


def _configured(service: Service, settings: Settings, feed_port: int) -> Service:
    """A service of the demo that uses the stack's folder and ports, and the proxy as its feed."""
    environment = {
        "ALARMSTACK_DATA_DIR": str(settings.data),
        "ALARMSTACK_SENSORS_PORT": str(settings.sensors_port),
        "ALARMSTACK_INFERENCE_PORT": str(settings.inference_port),
        "ALARMSTACK_GATEWAY_PORT": str(settings.gateway_port),
        "ALARMSTACK_PAGE_PORT": str(settings.page_port),
        "ALARMSTACK_SENSORS_URL": f"http://127.0.0.1:{feed_port}",
        "ALARMSTACK_SPEED": str(SPEED),
        "ALARMSTACK_FLUSH_READINGS": "true",
        "ALARMSTACK_RAW_URL": (settings.data / "raw").resolve().as_uri(),
        "MLFLOW_TRACKING_URI": settings.registry,
    }
    if settings.database_url is not None:
        environment["ALARMSTACK_DATABASE_URL"] = settings.database_url
    return replace(service, environment={**service.environment, **environment})


__all__ = ["LONGEST_RECOVERY", "ExpectationError", "Stack", "running"]
