"""The sensor API (port 7500): readings, closed intervals and a stream of a simulated plant, and its scenarios.

Three tasks run under `Tasks.keep_running`: `plant clock` moves the plant, whether or not anyone reads, `saving` writes what a
restart needs, and `readings` writes the readings of closed intervals to the store. The clock waits for neither of the others. The
API listens on loopback: whoever may switch scenarios does so through the gateway.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Annotated

import polars as pl
from fastapi import FastAPI, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import Gauge

from alarmstack import __version__
from alarmstack.core.clock import EPOCH
from alarmstack.core.errors import ServiceError, StorageError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks, reason_of
from alarmstack.services.runtime.api_docs import serve_docs
from alarmstack.services.runtime.http import Hub, Meter, answers, serve_ready, speak_problems
from alarmstack.services.schemas.inference import Health
from alarmstack.services.schemas.observations import Reading, to_rows
from alarmstack.services.schemas.sensors import (
    KEPT_READINGS,
    Activation,
    FeedMeta,
    Intervals,
    Live,
    Readings,
    Scenario,
    Sensor,
)
from alarmstack.services.sensors.live import (
    KEPT_DAYS,
    LivePlant,
    Snapshot,
    Spoken,
    past_events,
    write_saved,
)
from alarmstack.simulator import SIMULATOR_VERSION
from alarmstack.storage.files import Store

SPEED = 720.0
"""Plant seconds in a wall second: an hour in 5 s."""
FASTEST = 36_000.0
"""The highest speed, which ALARMSTACK_SPEED has too: ten hours in a second."""
LARGEST_SEED = 2**63 - 1
"""Seeds are stored and passed on as 64-bit numbers."""
HISTORY_DAYS = KEPT_DAYS
CALM_DAYS = 2
"""Days before now in which nothing happened, so that what is asked for stands out."""
TICK = 0.2
"""Wall seconds between two looks at the clock."""
LONGEST_MOVE = 12.0
"""Plant hours that one look moves the plant by, so that a clock that was stopped does not hold up requests."""
UNFLUSHED_READINGS = 200_000
"""Readings that wait for a store that cannot be written, unless ALARMSTACK_UNFLUSHED_READINGS says otherwise."""
KEEP_READINGS_DAYS = 90.0
"""Plant days that readings stay in the store, unless ALARMSTACK_KEEP_READINGS_DAYS says otherwise."""
FORGET_EVERY = timedelta(days=1)
"""Plant time between two looks for readings in the store that are too old."""
READINGS_NAME = "live/%Y-%m-%dT%H%M%S.parquet"
"""A file of readings is named by the instant of its first one, in UTC."""
log = logging.getLogger(__name__)


class Player:
    """A live plant, the wall clock that drives it, and who listens. `flush`: where readings of closed hours are kept.

    At most `unflushed` readings wait in memory for a store that cannot be written; the oldest are dropped, and counted.
    """

    def __init__(
        self,
        live: LivePlant,
        speed: float,
        saved: Path | None,
        flush: Store | None,
        clock: Callable[[], float] = monotonic,
        unflushed: int = UNFLUSHED_READINGS,
        keep_days: float = KEEP_READINGS_DAYS,
    ) -> None:
        self.live, self.speed, self.saved, self.flush = live, speed, saved, flush
        self.hub: Hub[ServerSentEvent] = Hub()
        self._clock, self._kept = clock, timedelta(days=keep_days)
        self._forgotten_at: datetime | None = None
        """Plant time of the last look for readings that are too old."""
        self._origin = (clock(), live.hours)
        self._unflushed: deque[Spoken] = deque(maxlen=unflushed)
        self._closed = asyncio.Event()
        """Set when an interval was closed that is not in the store yet."""
        self._changed = asyncio.Event()
        """Set when there is something new to save."""
        self.dropped = 0
        """Readings that no store took and for which there was no room."""

    @property
    def unflushed(self) -> int:
        """Readings that wait for the store."""
        return len(self._unflushed)

    @property
    def due(self) -> float:
        """The hour that the plant's clock should show."""
        wall, hours = self._origin
        return hours + (self._clock() - wall) * self.speed / 3600

    def tick(self) -> None:
        """Bring the plant up to its clock, and tell the listeners."""
        live, closed, spoken = self.live, self.live.closed_hours, self.live.spoken_until
        self._collect(live.advance(min(self.due, live.hours + LONGEST_MOVE)))
        if live.snapshot is not None:
            self.hub.publish(ServerSentEvent(event="reading", data=self.now()))
        if live.closed_hours > closed:
            self._tell_closed(closed)
        if live.spoken_until > spoken:
            self._tell_rolling()

    def _tell_closed(self, closed: int) -> None:
        """Intervals that were closed since so many had been."""
        live = self.live
        if live.intervals is None:
            return
        fresh = live.intervals.rows(
            len(live.intervals) - (live.closed_hours - closed), len(live.intervals)
        )
        for row in to_rows(live.plant, fresh):
            self.hub.publish(ServerSentEvent(event="interval", data=row))
        self._closed.set()
        self._changed.set()

    def _collect(self, readings: Sequence[Spoken]) -> None:
        """Keep readings for the store, as many as there is room for."""
        if self.flush is None:
            return
        room = (self._unflushed.maxlen or 0) - len(self._unflushed)
        lost = max(len(readings) - room, 0)
        if lost and not self.dropped:
            log.error(
                "the store %s was away for too long: the oldest readings are dropped",
                self.flush.url,
            )
        self.dropped += lost
        self._unflushed.extend(readings)

    def _tell_rolling(self) -> None:
        """The interval that ends at a stride between two closed ones."""
        live = self.live
        between = (live.spoken_until - EPOCH) % live.plant.time.cadence
        newest = live.rolling(1) if between else None
        if newest is not None:
            self.hub.publish(ServerSentEvent(event="rolling", data=to_rows(live.plant, newest)[0]))

    async def keep_clock(self, task: Task) -> None:
        """Drive the plant until cancelled."""
        while True:
            self.tick()
            task.progress()
            await asyncio.sleep(TICK)

    async def keep_saved(self, task: Task) -> None:
        """Write what a restart needs whenever it has changed."""
        while self.saved is not None:
            await asyncio.to_thread(write_saved, self.saved, self.live.saved())
            task.progress()
            self._changed.clear()
            with task.waiting():
                await self._changed.wait()

    async def keep_flushed(self, task: Task) -> None:
        """Write the readings of closed intervals to the store."""
        while self.flush is not None:
            with task.waiting():
                await self._closed.wait()
            self._closed.clear()
            try:
                await self.flush_readings()
                await self.forget_readings()
            except BaseException:
                self._closed.set()
                raise
            task.progress()

    async def flush_readings(self) -> None:
        """Write the readings that wait. One that the store did not take waits on."""
        readings = list(self._unflushed)
        if self.flush is None or not readings:
            return
        dropped = self.dropped
        await asyncio.to_thread(_put, self.flush, readings)
        # What was dropped meanwhile was at the beginning of what is written now: it is not lost.
        saved = min(self.dropped - dropped, len(readings))
        self.dropped -= saved
        for _ in range(len(readings) - saved):
            self._unflushed.popleft()

    async def forget_readings(self) -> None:
        """Remove readings from the store that are older than they are kept, once a day of the plant."""
        now, last = self.live.now, self._forgotten_at
        if self.flush is None or (last is not None and now - last < FORGET_EVERY):
            return
        removed = await asyncio.to_thread(_forget, self.flush, now - self._kept)
        self._forgotten_at = now
        if removed:
            log.info("%d files of readings older than they are kept were removed", removed)

    async def run(self, tasks: Tasks) -> None:
        """Drive the plant until cancelled. No error of a task ends it or another one."""
        keep = tasks.keep_running
        async with asyncio.TaskGroup() as group:
            group.create_task(keep("plant clock", self.keep_clock))
            group.create_task(keep("saving", self.keep_saved))
            group.create_task(keep("readings", self.keep_flushed, restart_stalled=False))

    def end(self) -> None:
        """Write down what was reached, as far as that is possible."""
        try:
            if self.saved is not None:
                self.live.save(self.saved)
            if self.flush is not None and self._unflushed:
                _put(self.flush, list(self._unflushed))
        except (OSError, StorageError) as error:
            log.error("the plant could not be saved at its end: %s", reason_of(error))

    def switch(self, scenario: str) -> None:
        """Play another scenario from now on."""
        self.tick()
        self.live.activate(scenario)
        self.hub.publish(ServerSentEvent(event="scenario", data=self.now()))
        self._changed.set()

    def now(self) -> Live:
        """The newest reading and what is being played."""
        live = self.live
        view = live.parameters.scenarios[live.scenario]
        snapshot = live.snapshot or Snapshot(live.now, {}, {})
        return Live(
            reading=self.reading(snapshot),
            scenario=live.scenario,
            scenario_description=view.description,
            scenario_color=view.color,
            ages=self.ages(snapshot),
            setpoints=self.setpoints(snapshot),
        )

    def reading(self, snapshot: Snapshot) -> Reading:
        """A snapshot on the wire: every key, null where there is no value that may still be held."""
        return Reading(
            timestamp=snapshot.time,
            **{i.key: snapshot.values.get(i.key) for i in self.live.plant.modelled},
        )

    def ages(self, snapshot: Snapshot) -> dict[str, float | None]:
        """Seconds since each last reading, at the time of the snapshot."""
        return {i.key: snapshot.ages.get(i.key) for i in self.live.plant.modelled}

    def setpoints(self, snapshot: Snapshot) -> dict[str, float | None]:
        """The newest setpoint of each controller."""
        return {
            c.sp.lower(): snapshot.values.get(c.sp.lower()) for c in self.live.plant.controllers
        }


def _put(store: Store, readings: Sequence[Spoken]) -> None:
    """Write readings as a file that is named by the first of them: written again, it is replaced."""
    frame = pl.DataFrame(readings, schema=READING_SCHEMA, orient="row")
    file = io.BytesIO()
    frame.write_parquet(file)
    store.put(readings[0][1].strftime(READINGS_NAME), file.getvalue())


def _forget(store: Store, before: datetime) -> int:
    """Remove the files whose readings are all older than an instant: the next file begins before it too; how many."""
    begun = sorted((at, name) for name in store.names("live") if (at := _first_reading(name)))
    old = [name for (_, name), (following, _) in pairwise(begun) if following <= before]
    store.remove(old)
    return len(old)


def _first_reading(name: str) -> datetime | None:
    """The instant that a file of readings is named by; None of another file."""
    try:
        return datetime.strptime(name, READINGS_NAME).replace(tzinfo=UTC)
    except ValueError:
        return None


def start_player(
    plant: Plant,
    *,
    speed: float = SPEED,
    seed: int = 11,
    saved: Path | None = None,
    flush: Store | None = None,
    begin: datetime | None = None,
    unflushed: int = UNFLUSHED_READINGS,
    keep_days: float = KEEP_READINGS_DAYS,
) -> Player:
    """The plant that was saved, or a new one with some days of history behind it, ending now.

    Raises ServiceError for a speed or a seed that no plant can have, and for a saved plant that is damaged.
    """
    if not 0 < speed <= FASTEST:
        raise ServiceError(
            f"speed {speed:g} cannot be played: use a number above 0, up to {FASTEST:g}"
        )
    if not 0 <= seed <= LARGEST_SEED:
        raise ServiceError(
            f"seed {seed} cannot be used: use a whole number from 0 to {LARGEST_SEED}"
        )
    live = LivePlant.load(plant, saved) if saved is not None else None
    if live is None:
        now = (
            (begin or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        )
        live = LivePlant(
            plant,
            seed,
            now - timedelta(days=HISTORY_DAYS),
            found=past_events(plant, HISTORY_DAYS - CALM_DAYS, seed),
        )
        live.advance(HISTORY_DAYS * 24)
    return Player(live, speed, saved, flush, unflushed=unflushed, keep_days=keep_days)


def create_app(player: Player) -> FastAPI:
    """The sensor API over a player."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(player.run(tasks))
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        player.end()

    live, tasks = player.live, Tasks()
    app = FastAPI(
        title="alarmstack sensor API",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    serve_docs(app)
    speak_problems(app)
    meter = Meter()
    meter.watch(app)
    clock = Gauge(
        "alarmstack_plant_time_seconds", "The plant's clock, Unix seconds.", registry=meter.registry
    )
    clock.set_function(lambda: live.now.timestamp())
    closed = Gauge(
        "alarmstack_intervals_closed",
        "Closed intervals since the plant began.",
        registry=meter.registry,
    )
    closed.set_function(lambda: live.closed_hours)

    waiting = Gauge(
        "alarmstack_unflushed_readings",
        "Readings that wait for the store.",
        registry=meter.registry,
    )
    waiting.set_function(lambda: player.unflushed)
    dropped = Gauge(
        "alarmstack_dropped_readings",
        "Readings dropped because the store was away.",
        registry=meter.registry,
    )
    dropped.set_function(lambda: player.dropped)
    meter.watch_tasks(tasks)
    serve_ready(app, tasks)

    @app.get("/health")
    async def health() -> Health:
        """The process is alive."""
        return Health(version=__version__)

    @app.get("/sensors/live")
    async def newest() -> Live:
        """The newest value of each instrument."""
        return player.now()

    @app.get("/sensors/history")
    async def history(
        n: Annotated[int, Query(ge=1, le=KEPT_READINGS, description="How many, newest kept.")] = 60,
    ) -> Readings:
        """The last readings, one a step of the plant, oldest first."""
        kept = list(live.readings)[-n:]
        readings = [player.reading(snapshot) for snapshot in kept]
        ages = [player.ages(snapshot) for snapshot in kept]
        setpoints = [player.setpoints(snapshot) for snapshot in kept]
        return Readings(readings=readings, count=len(kept), ages=ages, setpoints=setpoints)

    @app.get("/sensors/intervals")
    async def intervals(
        n: Annotated[
            int, Query(ge=1, le=KEPT_DAYS * 24, description="How many, newest kept.")
        ] = 20,
    ) -> Intervals:
        """The last closed intervals at the plant's cadence, oldest first."""
        block = live.intervals
        rows = [] if block is None else to_rows(live.plant, block.rows(len(block) - n, len(block)))
        return Intervals(intervals=rows, count=len(rows))

    @app.get("/sensors/rolling")
    async def rolling(
        n: Annotated[
            int, Query(ge=1, le=KEPT_DAYS * 24, description="How many, newest kept.")
        ] = 20,
    ) -> Intervals:
        """The last intervals that end at the newest stride ([time] stride of plant.toml), each a cadence long, oldest first."""
        block = live.rolling(n)
        rows = [] if block is None else to_rows(live.plant, block)
        return Intervals(intervals=rows, count=len(rows))

    @app.get("/sensors/meta")
    async def meta() -> FeedMeta:
        """What plays here, and on which clock."""
        plant = live.plant
        return FeedMeta(
            plant=plant.name,
            fingerprint=plant.fingerprint,
            simulated=True,
            simulator_version=SIMULATOR_VERSION,
            timezone=plant.timezone,
            cadence_seconds=plant.time.cadence.total_seconds(),
            step_seconds=live.parameters.step.total_seconds(),
            speed=player.speed,
            plant_time=live.now,
            sensors=[
                Sensor(
                    key=i.key, tag=i.tag, title=i.title, unit=i.unit, process_unit=i.process_unit
                )
                for i in plant.modelled
            ],
        )

    @app.get("/sensors/stream", response_class=EventSourceResponse)
    async def stream() -> AsyncIterator[ServerSentEvent]:
        """Events as they happen: `reading` and `scenario` (Live); `interval` (closed), `rolling` (one that ends between two)."""
        yield ServerSentEvent(event="reading", data=player.now())
        async for event in player.hub.listen():
            yield event

    @app.get("/scenarios")
    async def scenarios() -> list[Scenario]:
        """What the plant can be asked to do."""
        return [
            Scenario(
                name=name,
                description=view.description,
                color=view.color,
                active=name == live.scenario,
            )
            for name, view in live.parameters.scenarios.items()
        ]

    @app.post("/scenarios/activate", responses=answers(400, 404, 422))
    async def activate(wanted: Activation) -> Live:
        """Play a scenario from now on. What was is not rewritten."""
        try:
            player.switch(wanted.name)
        except ServiceError as error:
            raise HTTPException(404, str(error)) from error
        return player.now()

    return app


__all__ = ["SPEED", "Player", "create_app", "start_player"]
