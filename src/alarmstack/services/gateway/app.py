"""The gateway as one application: the API, the same API below /api for the page, and the page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError

from alarmstack import __version__
from alarmstack.core.errors import ServiceError
from alarmstack.core.plant import load_plant
from alarmstack.core.settings import Settings
from alarmstack.core.tasks import Tasks, reason_of
from alarmstack.services.gateway.measures import Measures
from alarmstack.services.gateway.metrics import metrics_router
from alarmstack.services.gateway.openapi import describe
from alarmstack.services.gateway.page import Compressed, Guarded, Page
from alarmstack.services.gateway.problems import install
from alarmstack.services.gateway.proxies import Proxied
from alarmstack.services.gateway.quota import Quota
from alarmstack.services.gateway.reader import Reader
from alarmstack.services.gateway.refusals import Refusals
from alarmstack.services.gateway.retention import Retention
from alarmstack.services.gateway.routes import ROUTERS
from alarmstack.services.gateway.routes.plant import OVERVIEWS
from alarmstack.services.gateway.shared_reads import SharedReads
from alarmstack.services.gateway.state import State
from alarmstack.services.gateway.throttle import Throttle
from alarmstack.services.monitor import Bounds, Clock, Monitor, SystemClock, Upstream
from alarmstack.services.runtime.api_docs import serve_docs
from alarmstack.services.runtime.bodies import limit_bodies
from alarmstack.services.runtime.broadcast import Hub
from alarmstack.services.runtime.metrics import Meter
from alarmstack.storage.database import Database, migrate

log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    page_port: int | None = None,
    monitored: bool = True,
) -> FastAPI:
    """The application. `page_port` serves browsers; `monitored=False` leaves out the live loop.

    Raises ServiceError without a JWT_SECRET, or with a database URL of an unknown kind.
    """
    if settings.jwt_secret is None:
        raise ServiceError(
            "JWT_SECRET is not set: set it to at least 32 random characters, "
            "for example the output of `openssl rand -hex 32`"
        )
    meter = Meter()
    state = _state(settings, settings.jwt_secret.get_secret_value(), meter, clock or SystemClock())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(migrate, settings.database)
        work = [state.tasks.keep_running("refused logins", state.refusals.keep_writing)]
        if monitored:
            work += [
                state.monitor.run(),
                state.tasks.keep_running("retention", state.retention.run),
            ]
        running = [asyncio.create_task(each) for each in work]
        if monitored:
            state.reader.start()
        yield
        await _end(state, running)

    app = FastAPI(
        title="alarmstack gateway",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name,
    )
    app.state.gateway = state
    install(app)
    for router in ROUTERS:
        app.include_router(router)
        app.include_router(router, prefix="/api", include_in_schema=False)
    serve_docs(app)
    app.include_router(metrics_router(meter, settings, page_port))
    app.mount(
        "/",
        Page(
            settings.page,
            [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)],
        ),
    )
    limit_bodies(app)
    meter.measure(app)
    if settings.proxies:
        app.add_middleware(Proxied, proxies=settings.proxies)
    app.add_middleware(Guarded)
    app.add_middleware(Compressed)
    describe(app)
    return app


def _state(settings: Settings, secret: str, meter: Meter, clock: Clock) -> State:
    plant, hub = load_plant(settings.plant), Hub(replay=True)
    database = Database(settings.database, settings.database_busy_seconds)
    tasks = Tasks(clock)
    sensors = Upstream("sensor API", settings.sensors_url, "alarmstack serve sensors")
    inference = Upstream("inference API", settings.inference_url, "alarmstack serve inference")
    ahead, behind = settings.feed_ahead_seconds, settings.feed_behind_seconds
    bounds = Bounds(timedelta(seconds=ahead), timedelta(seconds=behind))
    reader, most = Reader(), settings.quarantine_rows
    url = settings.database
    monitor = Monitor(
        plant, database, sensors, inference, hub, clock, tasks, bounds, most, reader, url
    )
    measures, refusals = Measures(meter.registry), Refusals(database, clock)
    retention = Retention(plant, database, settings, clock)
    monitor.on_assessed(retention.assessed)
    measures.watch(hub, monitor)
    meter.watch_tasks(tasks)
    return State(
        settings=settings,
        secret=secret,
        plant=plant,
        database=database,
        sensors=sensors,
        inference=inference,
        hub=hub,
        monitor=monitor,
        throttle=Throttle(clock),
        refusals=refusals,
        measures=measures,
        clock=clock,
        tasks=tasks,
        retention=retention,
        reader=reader,
        overviews=SharedReads(len(OVERVIEWS)),
        requests=Quota(settings.requests_per_minute),
        heavy_reads=Quota(settings.heavy_reads_per_minute),
    )


async def _write_refusals(state: State) -> None:
    """Write the refusals that were counted until now."""
    try:
        await state.refusals.write()
    except (SQLAlchemyError, OSError) as error:
        log.warning("the last refused logins were not written to the journal: %s", reason_of(error))


async def _end(state: State, running: Sequence[asyncio.Task[None]]) -> None:
    """Stop users of a part before the part itself."""
    for task in running:
        task.cancel()
    for task in running:
        with suppress(asyncio.CancelledError):
            await task
    await _write_refusals(state)
    state.hub.close()
    state.overviews.close()
    await state.reader.close()
    await state.sensors.close()
    await state.inference.close()
    await state.database.close()


def _name(route: APIRoute) -> str:
    """Operations have the names of their functions: the generated client is easier to read."""
    return route.name


__all__ = ["create_app"]
