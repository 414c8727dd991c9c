"""The sensor API (port 7500): readings, closed intervals and a stream of a simulated plant, and its scenarios.

The plant's clock runs in a task of the process, whether or not anyone reads. It listens on loopback: whoever may switch scenarios
does so through the gateway.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated

import polars as pl
from fastapi import FastAPI, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import Gauge

from alarmstack import __version__
from alarmstack.api_docs import serve_docs
from alarmstack.errors import ServiceError
from alarmstack.intervals import READING_SCHEMA
from alarmstack.plant import Plant
from alarmstack.sensors.live import EPOCH, KEPT_DAYS, LivePlant, Snapshot, Spoken, past_events
from alarmstack.service import Hub, Meter, answers, speak_problems
from alarmstack.simulator import SIMULATOR_VERSION
from alarmstack.storage import Store
from alarmstack.wire.observations import Reading, to_rows
from alarmstack.wire.scoring import Health
from alarmstack.wire.sensing import KEPT_READINGS, Activation, FeedMeta, Intervals, Live, Readings, Scenario, Sensor

SPEED = 720.0
"""Plant seconds in a wall second: an hour in 5 s."""
HISTORY_DAYS = KEPT_DAYS
CALM_DAYS = 2
"""Days before now in which nothing happened, so that what is asked for stands out."""
TICK = 0.2
"""Wall seconds between two looks at the clock."""
log = logging.getLogger(__name__)


class Player:
    """A live plant, the wall clock that drives it, and who listens. `flush`: where readings of closed hours are kept."""

    def __init__(
        self, live: LivePlant, speed: float, saved: Path | None, flush: Store | None, clock: Callable[[], float] = monotonic
    ) -> None:
        self.live, self.speed, self.saved, self.flush = live, speed, saved, flush
        self.hub: Hub[ServerSentEvent] = Hub()
        self._clock = clock
        self._origin = (clock(), live.hours)
        self._unflushed: list[Spoken] = []

    @property
    def due(self) -> float:
        """The hour that the plant's clock should show."""
        wall, hours = self._origin
        return hours + (self._clock() - wall) * self.speed / 3600

    def tick(self) -> None:
        """Bring the plant up to its clock, and tell the listeners."""
        live, closed, spoken = self.live, self.live.closed_hours, self.live.spoken_until
        self._unflushed += live.advance(self.due)
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
        fresh = live.intervals.rows(len(live.intervals) - (live.closed_hours - closed), len(live.intervals))
        for row in to_rows(live.plant, fresh):
            self.hub.publish(ServerSentEvent(event="interval", data=row))
        self.keep()

    def _tell_rolling(self) -> None:
        """The interval that ends at a stride between two closed ones."""
        live = self.live
        between = (live.spoken_until - EPOCH) % live.plant.time.cadence
        newest = live.rolling(1) if between else None
        if newest is not None:
            self.hub.publish(ServerSentEvent(event="rolling", data=to_rows(live.plant, newest)[0]))

    def keep(self) -> None:
        """Write down what a restart needs, and the readings of closed hours."""
        if self.saved is not None:
            self.live.save(self.saved)
        if self.flush is not None and self._unflushed:
            frame = pl.DataFrame(self._unflushed, schema=READING_SCHEMA, orient="row")
            file = io.BytesIO()
            frame.write_parquet(file)
            self.flush.put(f"live/{self._unflushed[0][1]:%Y-%m-%dT%H%M%S}.parquet", file.getvalue())
            self._unflushed = []

    def switch(self, scenario: str) -> None:
        """Play another scenario from now on."""
        self.tick()
        self.live.activate(scenario)
        self.hub.publish(ServerSentEvent(event="scenario", data=self.now()))
        if self.saved is not None:
            self.live.save(self.saved)

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
        return Reading(timestamp=snapshot.time, **{i.key: snapshot.values.get(i.key) for i in self.live.plant.modelled})

    def ages(self, snapshot: Snapshot) -> dict[str, float | None]:
        """Seconds since each last reading, at the time of the snapshot."""
        return {i.key: snapshot.ages.get(i.key) for i in self.live.plant.modelled}

    def setpoints(self, snapshot: Snapshot) -> dict[str, float | None]:
        """The newest setpoint of each controller."""
        return {c.sp.lower(): snapshot.values.get(c.sp.lower()) for c in self.live.plant.controllers}

    async def run(self) -> None:
        """Drive the plant until cancelled; what was reached is written down."""
        try:
            while True:
                self.tick()
                await asyncio.sleep(TICK)
        finally:
            if self.saved is not None:
                self.live.save(self.saved)


def start_player(
    plant: Plant,
    *,
    speed: float = SPEED,
    seed: int = 11,
    saved: Path | None = None,
    flush: Store | None = None,
    begin: datetime | None = None,
) -> Player:
    """The plant that was saved, or a new one with some days of history behind it, ending now."""
    live = LivePlant.load(plant, saved) if saved is not None else None
    if live is None:
        now = (begin or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        live = LivePlant(plant, seed, now - timedelta(days=HISTORY_DAYS), found=past_events(plant, HISTORY_DAYS - CALM_DAYS, seed))
        live.advance(HISTORY_DAYS * 24)
    return Player(live, speed, saved, flush)


def create_app(player: Player) -> FastAPI:
    """The sensor API over a player."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(player.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    live = player.live
    app = FastAPI(title="alarmstack sensor API", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    serve_docs(app)
    speak_problems(app)
    meter = Meter()
    meter.watch(app)
    clock = Gauge("alarmstack_plant_time_seconds", "The plant's clock, Unix seconds.", registry=meter.registry)
    clock.set_function(lambda: live.now.timestamp())
    closed = Gauge("alarmstack_intervals_closed", "Closed intervals since the plant began.", registry=meter.registry)
    closed.set_function(lambda: live.closed_hours)

    @app.get("/health")
    async def health() -> Health:
        """The process is alive."""
        return Health(version=__version__)

    @app.get("/sensors/live")
    async def newest() -> Live:
        """The newest value of each instrument."""
        return player.now()

    @app.get("/sensors/history")
    async def history(n: Annotated[int, Query(ge=1, le=KEPT_READINGS, description="How many, newest kept.")] = 60) -> Readings:
        """The last readings, one a step of the plant, oldest first."""
        kept = list(live.readings)[-n:]
        readings = [player.reading(snapshot) for snapshot in kept]
        ages = [player.ages(snapshot) for snapshot in kept]
        setpoints = [player.setpoints(snapshot) for snapshot in kept]
        return Readings(readings=readings, count=len(kept), ages=ages, setpoints=setpoints)

    @app.get("/sensors/intervals")
    async def intervals(n: Annotated[int, Query(ge=1, le=KEPT_DAYS * 24, description="How many, newest kept.")] = 20) -> Intervals:
        """The last closed intervals at the plant's cadence, oldest first."""
        block = live.intervals
        rows = [] if block is None else to_rows(live.plant, block.rows(len(block) - n, len(block)))
        return Intervals(intervals=rows, count=len(rows))

    @app.get("/sensors/rolling")
    async def rolling(n: Annotated[int, Query(ge=1, le=KEPT_DAYS * 24, description="How many, newest kept.")] = 20) -> Intervals:
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
            sensors=[Sensor(key=i.key, tag=i.tag, title=i.title, unit=i.unit, process_unit=i.process_unit) for i in plant.modelled],
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
            Scenario(name=name, description=view.description, color=view.color, active=name == live.scenario)
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
