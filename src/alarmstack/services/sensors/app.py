"""The sensor API (port 7500): readings, closed intervals and a stream of a simulated plant.

Three tasks run under `Tasks.keep_running`: `plant clock` moves the plant, whether or not a client
is connected, `saving` writes what a restart needs, and `readings` writes the readings of closed
intervals to the store. The clock does not wait for the other two. The API listens on loopback:
people switch scenarios through the gateway, which checks their role.
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
from starlette.types import Lifespan

from alarmstack import __version__
from alarmstack.core.clock import EPOCH
from alarmstack.core.errors import ServiceError, StorageError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks, reason_of
from alarmstack.services.runtime.api_docs import serve_docs
from alarmstack.services.runtime.bodies import limit_bodies
from alarmstack.services.runtime.broadcast import Event, Hub
from alarmstack.services.runtime.metrics import Meter
from alarmstack.services.runtime.problems import answers, handle_errors
from alarmstack.services.runtime.readiness import serve_ready
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
    KEPT_HOURS,
    LivePlant,
    Snapshot,
    TagReading,
    past_events,
    write_saved,
)
from alarmstack.simulator import SIMULATOR_VERSION
from alarmstack.storage.files import Store

SPEED = 720.0
"""Plant seconds in a wall second: an hour takes 5 s."""
FASTEST = 36_000.0
"""The highest speed, also of ALARMSTACK_SPEED: ten hours in a second."""
LARGEST_SEED = 2**63 - 1
"""Seeds are stored as 64-bit numbers."""
HISTORY_DAYS = KEPT_DAYS
CALM_DAYS = 2
"""Days before the start without events, so that a new scenario is easy to see."""
SECONDS_AN_HOUR = 3600
TICK = 0.2
"""Wall seconds between two steps of the clock."""
LONGEST_MOVE = 12.0
"""Plant hours that one step computes: after a pause of the process, requests are still answered."""
UNFLUSHED_READINGS = 200_000
"""Default of ALARMSTACK_UNFLUSHED_READINGS: readings that wait for a store that does not answer."""
KEEP_READINGS_DAYS = 90.0
"""Default of ALARMSTACK_KEEP_READINGS_DAYS: plant days that readings stay in the store."""
FORGET_EVERY = timedelta(days=1)
"""Plant time between two removals of old readings from the store."""
READINGS_NAME = "live/%Y-%m-%dT%H%M%S.parquet"
"""A file of readings has the time of its first one as its name, in UTC."""
log = logging.getLogger(__name__)


class Player:
    """A live plant, the wall clock that drives it, and its listeners.

    `flush` is the store for the readings of closed hours. At most `unflushed` readings wait in
    memory for a store that does not answer. Beyond that the oldest are dropped and counted.
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
        self.hub = Hub(replay=False)
        self._clock, self._kept = clock, timedelta(days=keep_days)
        self._forgotten_at: datetime | None = None
        """Plant time of the last removal of old readings."""
        self._origin = (clock(), live.hours)
        self._unflushed: deque[TagReading] = deque(maxlen=unflushed)
        self._closed = asyncio.Event()
        """Set while readings of a closed interval are not in the store."""
        self._changed = asyncio.Event()
        """Set while a restart would need more than is saved."""
        self.dropped = 0
        """Readings that were not stored and did not fit into memory."""

    @property
    def unflushed(self) -> int:
        """Readings that wait for the store."""
        return len(self._unflushed)

    @property
    def due(self) -> float:
        """The hour that the plant's clock should show."""
        wall, hours = self._origin
        return hours + (self._clock() - wall) * self.speed / SECONDS_AN_HOUR

    def tick(self) -> None:
        """Move the plant to its clock, and publish what happened."""
        live, closed, stride = self.live, self.live.closed_hours, self.live.last_stride
        self._collect(live.advance(min(self.due, live.hours + LONGEST_MOVE)))
        if live.snapshot is not None:
            self.hub.publish(Event("reading", self.now().model_dump_json()))
        if live.closed_hours > closed:
            self._publish_closed(closed)
        if live.last_stride > stride:
            self._publish_rolling()

    def _publish_closed(self, closed: int) -> None:
        """Publish the intervals after the first `closed` ones."""
        live = self.live
        if live.intervals is None:
            return
        count = len(live.intervals)
        new = live.intervals.rows(count - (live.closed_hours - closed), count)
        for row in to_rows(live.plant, new):
            self.hub.publish(Event("interval", row.model_dump_json()))
        self._closed.set()
        self._changed.set()

    def _collect(self, readings: Sequence[TagReading]) -> None:
        """Keep readings for the store, as many as fit."""
        if self.flush is None:
            return
        room = (self._unflushed.maxlen or 0) - len(self._unflushed)
        lost = max(len(readings) - room, 0)
        if lost and not self.dropped:
            log.error(
                "the store %s did not answer for too long: the oldest readings are dropped",
                self.flush.url,
            )
        self.dropped += lost
        self._unflushed.extend(readings)

    def _publish_rolling(self) -> None:
        """Publish the interval that ends at a stride between two closed ones."""
        live = self.live
        between = (live.last_stride - EPOCH) % live.plant.time.cadence
        newest = live.rolling(1) if between else None
        if newest is not None:
            row = to_rows(live.plant, newest)[0]
            self.hub.publish(Event("rolling", row.model_dump_json()))

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
        """Write the waiting readings. Those that could not be written continue to wait."""
        readings = list(self._unflushed)
        if self.flush is None or not readings:
            return
        dropped = self.dropped
        await asyncio.to_thread(_put, self.flush, readings)
        # Readings that were dropped during the write are the first of those just written: not lost.
        saved = min(self.dropped - dropped, len(readings))
        self.dropped -= saved
        for _ in range(len(readings) - saved):
            self._unflushed.popleft()

    async def forget_readings(self) -> None:
        """Remove readings that are too old from the store, once in a plant day."""
        now, last = self.live.now, self._forgotten_at
        if self.flush is None or (last is not None and now - last < FORGET_EVERY):
            return
        removed = await asyncio.to_thread(_forget, self.flush, now - self._kept)
        self._forgotten_at = now
        if removed:
            log.info("%d files of readings were removed because of their age", removed)

    async def run(self, tasks: Tasks) -> None:
        """Run all tasks until cancelled. An error of one task ends neither it nor another one."""
        keep = tasks.keep_running
        async with asyncio.TaskGroup() as group:
            group.create_task(keep("plant clock", self.keep_clock))
            group.create_task(keep("saving", self.keep_saved))
            group.create_task(keep("readings", self.keep_flushed, restart_stalled=False))

    def end(self) -> None:
        """Save the plant and write the waiting readings, as far as possible."""
        try:
            if self.saved is not None:
                self.live.save(self.saved)
            if self.flush is not None and self._unflushed:
                _put(self.flush, list(self._unflushed))
        except (OSError, StorageError) as error:
            log.error("the plant could not be saved at shutdown: %s", reason_of(error))

    def switch(self, scenario: str) -> None:
        """Run another scenario from now."""
        self.tick()
        self.live.activate(scenario)
        self.hub.publish(Event("scenario", self.now().model_dump_json()))
        self._changed.set()

    def now(self) -> Live:
        """The newest reading and the active scenario."""
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
        """A snapshot as a body: every key; null for a missing or stale value."""
        return Reading(
            timestamp=snapshot.time,
            **{tag.key: snapshot.values.get(tag.key) for tag in self.live.plant.modelled},
        )

    def ages(self, snapshot: Snapshot) -> dict[str, float | None]:
        """Seconds since the last reading of each instrument, at the time of the snapshot."""
        return {tag.key: snapshot.ages.get(tag.key) for tag in self.live.plant.modelled}

    def setpoints(self, snapshot: Snapshot) -> dict[str, float | None]:
        """The newest setpoint of each controller."""
        keys = [controller.sp.lower() for controller in self.live.plant.controllers]
        return {key: snapshot.values.get(key) for key in keys}


def _put(store: Store, readings: Sequence[TagReading]) -> None:
    """Write readings to a file named by the first one: a second write replaces the file."""
    frame = pl.DataFrame(readings, schema=READING_SCHEMA, orient="row")
    file = io.BytesIO()
    frame.write_parquet(file)
    store.put(readings[0][1].strftime(READINGS_NAME), file.getvalue())


def _forget(store: Store, before: datetime) -> int:
    """Remove the files that are older than an instant. Returns how many.

    The readings of a file end where the next file begins.
    """
    starts = [(_first_reading(name), name) for name in store.names("live")]
    dated = sorted((start, name) for start, name in starts if start is not None)
    old = [name for (_, name), (next_start, _) in pairwise(dated) if next_start <= before]
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
    """The saved plant, or a new one with some days of history that end now.

    Raises ServiceError for a speed or a seed out of range, and for a damaged saved plant.
    """
    if not 0 < speed <= FASTEST:
        raise ServiceError(
            f"speed {speed:g} cannot be used: use a number above 0, up to {FASTEST:g}"
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
            events=past_events(plant, HISTORY_DAYS - CALM_DAYS, seed),
        )
        live.advance(KEPT_HOURS)
    return Player(live, speed, saved, flush, unflushed=unflushed, keep_days=keep_days)


def create_app(player: Player) -> FastAPI:
    """The sensor API over a player."""
    tasks = Tasks()
    app = FastAPI(
        title="alarmstack sensor API",
        version=__version__,
        lifespan=_lifespan(player, tasks),
        docs_url=None,
        redoc_url=None,
    )
    serve_docs(app)
    handle_errors(app)
    limit_bodies(app)
    meter = Meter()
    meter.watch(app)
    _add_metrics(meter, player)
    meter.watch_tasks(tasks)
    serve_ready(app, tasks)
    _serve_health(app)
    _serve_readings(app, player)
    _serve_intervals(app, player)
    _serve_feed(app, player)
    _serve_scenarios(app, player)
    return app


def _lifespan(player: Player, tasks: Tasks) -> Lifespan[FastAPI]:
    """While the app runs, the player's tasks run. At the end the plant is saved."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(player.run(tasks))
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        player.end()

    return lifespan


def _add_metrics(meter: Meter, player: Player) -> None:
    """The plant's clock, and the readings that wait for the store or were dropped."""
    live = player.live
    gauges: dict[str, tuple[str, Callable[[], float]]] = {
        "alarmstack_plant_time_seconds": (
            "The plant's clock, Unix seconds.",
            lambda: live.now.timestamp(),
        ),
        "alarmstack_intervals_closed": (
            "Closed intervals since the plant began.",
            lambda: live.closed_hours,
        ),
        "alarmstack_unflushed_readings": (
            "Readings that wait for the store.",
            lambda: player.unflushed,
        ),
        "alarmstack_dropped_readings": (
            "Readings dropped because the store did not answer.",
            lambda: player.dropped,
        ),
    }
    for name, (description, value) in gauges.items():
        Gauge(name, description, registry=meter.registry).set_function(value)


def _serve_health(app: FastAPI) -> None:
    @app.get("/health")
    async def health() -> Health:
        """The process is running."""
        return Health(version=__version__)


def _serve_readings(app: FastAPI, player: Player) -> None:
    """The newest reading and the last ones."""

    @app.get("/sensors/live")
    async def newest() -> Live:
        """The newest value of each instrument."""
        return player.now()

    @app.get("/sensors/history")
    async def history(
        n: Annotated[
            int, Query(ge=1, le=KEPT_READINGS, description="How many of the newest.")
        ] = 60,
    ) -> Readings:
        """The last readings, one for each step of the plant, oldest first."""
        kept = list(player.live.readings)[-n:]
        readings = [player.reading(snapshot) for snapshot in kept]
        ages = [player.ages(snapshot) for snapshot in kept]
        setpoints = [player.setpoints(snapshot) for snapshot in kept]
        return Readings(readings=readings, count=len(kept), ages=ages, setpoints=setpoints)


def _serve_intervals(app: FastAPI, player: Player) -> None:
    """The closed intervals, and those that end at a stride."""
    live = player.live

    @app.get("/sensors/intervals")
    async def intervals(
        n: Annotated[int, Query(ge=1, le=KEPT_HOURS, description="How many of the newest.")] = 20,
    ) -> Intervals:
        """The last closed intervals at the plant's cadence, oldest first."""
        block = live.intervals
        rows = [] if block is None else to_rows(live.plant, block.rows(len(block) - n, len(block)))
        return Intervals(intervals=rows, count=len(rows))

    @app.get("/sensors/rolling")
    async def rolling(
        n: Annotated[int, Query(ge=1, le=KEPT_HOURS, description="How many of the newest.")] = 20,
    ) -> Intervals:
        """The last intervals of one cadence, oldest first. The newest ends at the last stride.

        The stride is `[time] stride` of plant.toml.
        """
        block = live.rolling(n)
        rows = [] if block is None else to_rows(live.plant, block)
        return Intervals(intervals=rows, count=len(rows))


def _serve_feed(app: FastAPI, player: Player) -> None:
    """The description of the feed, and its events."""

    @app.get("/sensors/meta")
    async def meta() -> FeedMeta:
        """The plant and its clock."""
        live, plant = player.live, player.live.plant
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
                Sensor.model_validate(instrument, from_attributes=True)
                for instrument in plant.modelled
            ],
        )

    @app.get("/sensors/stream", response_class=EventSourceResponse)
    async def stream() -> AsyncIterator[ServerSentEvent]:
        """Events as they happen.

        `reading` and `scenario` carry Live. `interval` carries a closed interval, `rolling` one
        that ends between two closed ones.
        """
        with player.hub.listen() as listener:
            yield ServerSentEvent(event="reading", data=player.now())
            while True:
                for event in await listener.take():
                    yield event.server_sent()


def _serve_scenarios(app: FastAPI, player: Player) -> None:
    """The scenarios of the plant, and a change of scenario."""
    live = player.live

    @app.get("/scenarios")
    async def scenarios() -> list[Scenario]:
        """The scenarios that the plant can run."""
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
        """Run a scenario from now. Earlier readings do not change."""
        try:
            player.switch(wanted.name)
        except ServiceError as error:
            raise HTTPException(404, str(error)) from error
        return player.now()


__all__ = ["SPEED", "Player", "create_app", "start_player"]
