"""The real services in a data folder of their own, and what a fault needs to know about them."""

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
"""Plant seconds in a wall second: an hourly interval closes every second."""
LOOK_SECONDS = 0.2
ANSWERS_WITHIN = 3.0
CATCHES_UP_WITHIN = 180.0
"""Wall seconds that a new stack may take until the days of history that its feed has
are assessed.
"""
LONGEST_RECOVERY = 60.0
"""Wall seconds after the end of a fault within which everything must work again."""
BEHIND = 4
"""Cadences that the newest assessment may be behind the plant clock: a few seconds at
this speed.
"""


class NotHeldError(Exception):
    """A service did not do what it promises."""


@dataclass
class Stack:
    """Three services under one supervisor. `gateway`, `sensors`, `inference` are their
    addresses.
    """

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
        """Ask a service; None where it does not answer in time."""
        headers = {"Authorization": f"Bearer {self.token}"} if name == "gateway" else {}
        try:
            return await self.client.get(f"{self.url(name)}{path}", headers=headers)
        except httpx.HTTPError:
            return None

    async def overview(self) -> dict[str, Any] | None:
        """What the screen shows first; None where the gateway does not answer."""
        answer = await self.get("gateway", "/overview?n=1")
        if answer is not None and answer.status_code == 401:
            await self._log_in()
            answer = await self.get("gateway", "/overview?n=1")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    async def problems(self) -> list[str]:
        """Why this is not a working system; empty where it is."""
        found = []
        for name in ("sensors", "inference", "gateway"):
            answer = await self.get(name, "/ready")
            if answer is None:
                found.append(f"{name} does not answer")
            elif answer.status_code != 200:
                found.append(f"{name} is not ready: {_reasons(answer)}")
        return found or await self._behind()

    async def _behind(self) -> list[str]:
        overview = await self.overview()
        if overview is None:
            return ["the gateway gives no overview"]
        status = overview["status"]
        if status["feed"] != "live":
            return [f"feed {status['feed']}: {status['feed_reason']}"]
        if status["assessed_until"] is None:
            return ["nothing is assessed"]
        late = datetime.fromisoformat(status["plant_time"]) - datetime.fromisoformat(
            status["assessed_until"]
        )
        return [f"assessments are {late} behind"] if late > BEHIND * self.plant.time.cadence else []

    async def seen(self, word: str, within: float) -> str:
        """Wait until a problem that contains `word` is reported. Raises NotHeldError after so many
        seconds.
        """
        return await self.until(
            lambda: self._problem_with(word), f"a reported problem with {word!r}", within
        )

    async def _problem_with(self, word: str) -> str | None:
        return next((one for one in await self.problems() if word.lower() in one.lower()), None)

    async def until(self, what: Callable[[], Awaitable[T | None]], title: str, within: float) -> T:
        """Wait for a true answer. Raises NotHeldError after so many seconds."""
        end = monotonic() + within
        while not (answer := await what()):
            if monotonic() > end:
                raise NotHeldError(
                    f"not within {within:.0f} s: {title}; {'; '.join(await self.problems())}"
                )
            await asyncio.sleep(LOOK_SECONDS)
        return answer

    async def recovered(
        self, since: float | None = None, within: float = LONGEST_RECOVERY
    ) -> float:
        """Seconds from `since` (now) until everything works and nothing was lost. Raises
        NotHeldError where it takes too long.
        """
        begin = monotonic() if since is None else since

        async def works() -> bool:
            return not await self.problems()

        await self.until(works, "recovery", within)
        taken = monotonic() - begin
        await self.until(
            self._whole, f"every interval stored and assessed ({self.holes()})", LONGEST_RECOVERY
        )
        return taken

    async def _whole(self) -> bool:
        return not any(self.holes())

    def holes(self) -> tuple[int, int]:
        """How much was lost: stored intervals without an assessment, but for the newest two, and
        intervals that are not stored though earlier and later ones are.
        """
        engine = create_engine(driven(self.settings.database, service=False))
        try:
            with engine.connect() as connection:
                stored = self._instants(
                    connection.execute(text("select start from plant_intervals order by start"))
                )
                assessed = set(
                    self._instants(connection.execute(text("select start from plant_assessments")))
                )
        finally:
            engine.dispose()
        unassessed = [start for start in stored[:-2] if start not in assessed]
        cadences = round((stored[-1] - stored[0]) / self.plant.time.cadence) if stored else -1
        return len(unassessed), cadences + 1 - len(stored)

    @staticmethod
    def _instants(rows: Any) -> list[datetime]:
        return [datetime.fromisoformat(one) if isinstance(one, str) else one for (one,) in rows]

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a service; its process number."""
        pid = self.supervisor.pid(name)
        os.kill(pid, number)
        return pid

    async def restarted(self, name: str, pid: int, within: float) -> float:
        """Seconds until another process has taken the place of `pid`."""
        begin = monotonic()

        async def other() -> bool:
            return self.supervisor.pid(name) != pid

        await self.until(other, f"{name} is started again", within)
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
        f"{one['name']}: {one['reason']}"
        for one in body.get("tasks", [])
        if one["state"] != "running"
    ]
    return "; ".join(down) or str(body.get("reason") or body)[:200]


@asynccontextmanager
async def running(
    home: Path, data: Path, ports: list[int], logs: Path, database_url: str | None = None
) -> AsyncIterator[Stack]:
    """A stack with the models of `home`; it has caught up with its feed."""
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
        [_placed(one, settings, ports[-1]) for one in demo_services(settings)],
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


def _placed(service: Service, settings: Settings, feed_port: int) -> Service:
    """A service of the demo, with the gateway's feed behind the proxy and everything in the stack's
    own folder.
    """
    more = {
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
        more["ALARMSTACK_DATABASE_URL"] = settings.database_url
    return replace(service, environment={**service.environment, **more})


__all__ = ["LONGEST_RECOVERY", "NotHeldError", "Stack", "running"]
