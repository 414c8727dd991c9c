"""A gateway with its environment: database, feed, models, a manual clock, and people who log in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.services.gateway import create_app
from alarmstack.services.gateway.credentials import hash_password
from alarmstack.services.gateway.state import State
from alarmstack.services.runtime.broadcast import Event, Listener
from alarmstack.storage.database import Database
from alarmstack.storage.database import accounts as stored
from tests.conftest import REPOSITORY
from tests.upstreams import Feed, Models_, serving

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
ORIGIN = "http://plant.test"


class ManualClock:
    """Wall time that a test advances."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 4, 12, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.time + timedelta(seconds=seconds), woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        for due, woken in self._sleepers:
            if due <= self.time:
                woken.set()
        self._sleepers = [(due, woken) for due, woken in self._sleepers if due > self.time]


async def settle() -> None:
    """Let all tasks run that do not wait for time."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class World:
    """The gateway and its environment, which a test reads and controls."""

    app: FastAPI
    settings: Settings
    feed: Feed
    models: Models_
    clock: ManualClock
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def state(self) -> State:
        state: State = self.app.state.gateway
        return state

    def browser(self) -> httpx.AsyncClient:
        """A new browser, which keeps cookies and sends its origin."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=ORIGIN,
            headers={"Origin": ORIGIN},
            follow_redirects=False,
        )
        self.clients.append(client)
        return client

    async def person(self, name: str, role: str = "operator") -> httpx.AsyncClient:
        """The browser of a person with an account, logged in."""
        async with self.state.database.begin() as session:
            await stored.add(session, name, PASSWORD_HASH, role, self.clock.now())
        browser = self.browser()
        answer = await log_in(browser, name)
        browser.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return browser


async def log_in(browser: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await browser.post("/auth/login", data={"username": name, "password": password})


async def next_event(listener: Listener, name: str, where: Any = lambda _: True) -> Event:
    """The next event of that name that matches; fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            for event in await listener.take():
                if event.name == name and where(event.data):
                    return event


@asynccontextmanager
async def world(
    plant: Plant,
    database_url: str,
    *,
    hours: int = 30,
    monitored: bool = False,
    feed: Feed | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """A gateway with this database. With `monitored`, the live loop runs."""
    feed, models, clock = (
        feed or Feed(plant, hours),
        options.pop("models", None) or Models_(plant),
        ManualClock(),
    )
    async with serving(feed.app()) as sensors_url, serving(models.app()) as inference_url:
        settings = Settings(
            plant=REPOSITORY / "plants/gas_treatment/plant.toml",
            database_url=database_url,
            sensors_url=options.pop("sensors_url", sensors_url),
            inference_url=options.pop("inference_url", inference_url),
            jwt_secret=SecretStr("0123456789abcdef0123456789abcdef"),
            page=options.pop("page", Path("/nowhere")),
            **options,
        )
        app = create_app(settings, clock=clock, monitored=monitored, page_port=5173)
        async with app.router.lifespan_context(app):
            environment = World(app, settings, feed, models, clock)
            yield environment
            for client in environment.clients:
                await client.aclose()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
