"""Small real services with the real API bodies: a feed and models that a test controls."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from alarmstack.core.errors import ObservationError
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import feature_names
from alarmstack.services.runtime.server import listen
from alarmstack.services.schemas.inference import (
    Assessment,
    AssessRequest,
    ExplainRequest,
    Explanation,
    Forecast,
    ForecastRequest,
    Importances,
    Inputs,
    ModelOutput,
    ModelRef,
    Models,
    ModelStatus,
    Prediction,
    PredictRequest,
    Problem,
    Ready,
    Reference,
    References,
    ReferenceValues,
    Shadowed,
)
from alarmstack.services.schemas.observations import Observation, Reading, to_block
from alarmstack.services.schemas.sensors import (
    Activation,
    FeedMeta,
    Intervals,
    Live,
    Readings,
    Scenario,
)

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(plant: Plant, start: datetime, **values: float | None) -> Observation:
    """A closed interval in normal operation, except for the values given."""
    normal = {instrument.key: sum(instrument.normal) / 2 for instrument in plant.modelled}
    highs = {f"{key}_max": value + 1.0 for key, value in normal.items()}
    lows = {f"{key}_min": value - 1.0 for key, value in normal.items()}
    setpoints = {one.sp.lower(): normal[one.pv.lower()] for one in plant.controllers}
    outputs = {one.op.lower(): 50.0 for one in plant.controllers}
    keys = normal | highs | lows | setpoints | outputs
    return Observation(timestamp=start, segment=0, **keys | values)


class Feed:
    """The sensor API: intervals and readings that a test adds and that are sent to listeners."""

    def __init__(self, plant: Plant, hours: int = 0) -> None:
        self.plant = plant
        self.intervals = [row(plant, BEGIN + n * HOUR) for n in range(hours)]
        self.rolling: list[Observation] = []
        self.extra: list[Any] = []
        """Rows, valid or not, that are sent before the intervals, unchanged."""
        self.readings: list[Live] = []
        self.scenario = "normal"
        self.connections = 0
        self.away = False
        self.lists_scenarios = True
        self._streams: set[asyncio.Queue[str | None]] = set()
        self.connected = asyncio.Event()

    @property
    def now(self) -> datetime:
        newest = self.intervals[-1].timestamp if self.intervals else None
        return BEGIN if newest is None else newest + HOUR

    def close_hour(self, sent: bool = True, **values: float | None) -> Observation:
        """Add an interval. With `sent=False` it is not sent to listeners."""
        interval = row(self.plant, self.now, **values)
        self.intervals.append(interval)
        if sent:
            self.send("interval", interval)
            self.send("reading", self.live())
        return interval

    def reach_stride(self, minutes: int, **values: float | None) -> Observation:
        """Add the intervals that end this many minutes after the last hour, and send the newest."""
        past = [
            row(self.plant, self.now + timedelta(minutes=minutes) - n * HOUR)
            for n in range(3, 1, -1)
        ]
        newest = row(self.plant, self.now + timedelta(minutes=minutes) - HOUR, **values)
        self.rolling = [*past, newest]
        self.send("rolling", newest)
        return newest

    def read(self, after: timedelta, sent: bool = True, **values: float | None) -> Live:
        """Add a reading some time after the last interval.

        Its values are those of normal operation, except for the values given.
        """
        normal: dict[str, float | None] = {
            instrument.key: sum(instrument.normal) / 2 for instrument in self.plant.modelled
        }
        setpoints = {one.sp.lower(): normal[one.pv.lower()] for one in self.plant.controllers}
        reading = Reading(timestamp=self.now + after, **normal | values)
        live = self.live().model_copy(update={"reading": reading, "setpoints": setpoints})
        self.readings.append(live)
        if sent:
            self.send("reading", live)
        return live

    def send(self, name: str, body: BaseModel) -> None:
        self.send_text(name, body.model_dump_json())

    def send_text(self, name: str, data: str) -> None:
        """Send an event with any data."""
        for stream in self._streams:
            stream.put_nowait(f"event: {name}\ndata: {data}\n\n")

    def hang_up(self) -> None:
        """End every stream, as a restart of the feed does."""
        for stream in self._streams:
            stream.put_nowait(None)
        self.connected.clear()

    def live(self) -> Live:
        values = {i.key: i.normal[0] for i in self.plant.modelled}
        return Live(
            reading=Reading(timestamp=self.now, **values),
            scenario=self.scenario,
            scenario_description="d",
            scenario_color="green",
        )

    def app(self) -> Starlette:
        routes = [
            Route("/sensors/meta", self._or_away(self._meta)),
            Route("/sensors/intervals", self._or_away(self._intervals)),
            Route("/sensors/rolling", self._or_away(self._rolling)),
            Route("/sensors/history", self._or_away(self._history)),
            Route("/sensors/stream", self._or_away(self._stream)),
            Route("/scenarios", self._or_away(self._scenarios)),
            Route("/scenarios/activate", self._or_away(self._activate), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _or_away(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return Response("bad gateway", 502) if self.away else await endpoint(request)

        return answer

    async def _meta(self, _: Request) -> Response:
        return json_response(
            FeedMeta(
                plant=self.plant.name,
                fingerprint=self.plant.fingerprint,
                simulated=True,
                simulator_version="1",
                timezone=self.plant.timezone,
                cadence_seconds=3600,
                step_seconds=60,
                speed=720,
                plant_time=self.now,
                sensors=[],
            )
        )

    async def _intervals(self, request: Request) -> Response:
        kept = self.intervals[-int(request.query_params["n"]) :]
        rows = [*self.extra, *(one.model_dump(mode="json") for one in kept)]
        # With NaN and Infinity, which JSON does not allow, but feeds of other vendors may send.
        return Response(
            json.dumps({"intervals": rows, "count": len(rows)}), media_type="application/json"
        )

    async def _rolling(self, request: Request) -> Response:
        kept = self.rolling[-int(request.query_params["n"]) :]
        return json_response(Intervals(intervals=kept, count=len(kept)))

    async def _history(self, request: Request) -> Response:
        kept = self.readings[-int(request.query_params["n"]) :]
        readings, setpoints = [one.reading for one in kept], [one.setpoints for one in kept]
        return json_response(
            Readings(
                readings=readings,
                count=len(kept),
                ages=[one.ages for one in kept],
                setpoints=setpoints,
            )
        )

    async def _scenarios(self, _: Request) -> Response:
        scenarios = [
            Scenario(name=name, description="d", color="red", active=name == self.scenario)
            for name in ("normal", "pressure_rise")
        ]
        return JSONResponse([scenario.model_dump() for scenario in scenarios])

    async def _activate(self, request: Request) -> Response:
        wanted = Activation.model_validate_json(await request.body())
        if wanted.name not in ("normal", "pressure_rise"):
            return refusal(404, f"scenario {wanted.name!r} is unknown")
        self.scenario = wanted.name
        self.send("scenario", self.live())
        return json_response(self.live())

    async def _stream(self, _: Request) -> Response:
        waiting: asyncio.Queue[str | None] = asyncio.Queue()

        async def events() -> AsyncIterator[str]:
            self._streams.add(waiting)
            self.connections += 1
            self.connected.set()
            try:
                yield f"event: reading\ndata: {self.live().model_dump_json()}\n\n"
                while (event := await waiting.get()) is not None:
                    yield event
            finally:
                self._streams.discard(waiting)

        return StreamingResponse(events(), media_type="text/event-stream")


class Models_:  # noqa: N801 - `Models` is a schema of the API
    """The inference API: every score is what `score` returns for the last row."""

    def __init__(self, plant: Plant, score: Callable[[Observation], float] = lambda _: 0.1) -> None:
        self.plant, self.score = plant, score
        self.away = False
        self.silent = False
        self.shadow: float | None = None
        self.version, self.fingerprint = "7", "code 1"
        self.answering = asyncio.Event()
        """While this is not set, no request is answered."""
        self.answering.set()
        self.asked = 0
        """Requests for an assessment."""
        self.refuses: set[datetime] = set()
        self.fails: set[datetime] = set()
        self.assessed: list[datetime] = []
        self.block_sizes: list[int] = []

    def app(self) -> Starlette:
        endpoints: dict[str, tuple[type[Any], Callable[[Any], BaseModel]]] = {
            "/predict": (PredictRequest, self._predict),
            "/forecast": (ForecastRequest, self._forecast),
            "/explain": (ExplainRequest, self._explain),
            "/assess": (AssessRequest, self._assess),
        }
        posts = [
            Route(path, self._endpoint(*how), methods=["POST"]) for path, how in endpoints.items()
        ]
        return Starlette(
            routes=[
                *posts,
                Route("/ready", self._ready),
                Route("/models", self._models),
                Route("/importance", self._importance),
                Route("/reference", self._reference),
            ]
        )

    def _endpoint(
        self, kind: type[Any], respond: Callable[[Any], BaseModel]
    ) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if self.away:
                return refusal(503, "no promoted version of plant_alarm_champion: promote one")
            try:
                self.asked += kind is AssessRequest
                body = kind.model_validate_json(await request.body())
                last = body.intervals[-1].timestamp if kind is AssessRequest else None
                await self.answering.wait()
                if last in self.fails:
                    return Response("Internal Server Error", 500)
                if last in self.refuses:
                    return refusal(422, "not this one")
                return json_response(respond(body))
            except (ValidationError, ObservationError, ValueError) as error:
                return refusal(422, str(error).splitlines()[0])

        return answer

    def _model(self, name: str = "plant_alarm_champion") -> ModelRef:
        return ModelRef(name=name, version="7")

    def _predict(self, request: PredictRequest) -> Prediction:
        unknown = set(request.features) - set(feature_names(self.plant, "point"))
        if unknown:
            raise ValueError(f"unknown features: {sorted(unknown)}")
        inputs = Inputs(
            given=len(request.features),
            of=98,
            text=f"{len(request.features)} of 98 inputs had a value.",
        )
        return Prediction(
            inputs=inputs,
            risk_score=0.97,
            alarm=1,
            threshold=0.5,
            missing=["te301020"],
            out_of_range=[],
            model=self._model(),
        )

    def _forecast(self, request: ForecastRequest) -> Forecast:
        horizons = {one.horizon: one for one in model_list(self.plant) if one.horizon}
        forecaster = horizons.get(request.ahead) if request.ahead else None
        if forecaster is None:
            raise ValueError(f"horizon {request.horizon}: use 1h, 3h or 6h")
        if len(request.recent_observations) < 12:
            raise ValueError(f"{len(request.recent_observations)} rows: at least 12")
        to_block(self.plant, request.recent_observations)
        last = request.recent_observations[-1]
        return Forecast(
            anomaly_probability=self.score(last),
            alarm=0,
            horizon=forecaster.horizon_text,
            horizon_hours=forecaster.horizon_hours,
            n_observations=len(request.recent_observations),
            in_alarm_now=False,
            threshold=0.5,
            known_at=last.timestamp + HOUR if last.timestamp else None,
            missing=[],
            out_of_range=[],
            stale=[],
            model=self._model(forecaster.name),
        )

    def _explain(self, request: ExplainRequest) -> Explanation:
        if request.recent_observations:
            to_block(self.plant, request.recent_observations)
        return Explanation(
            score=0.9,
            score_on_scale=2.0,
            base_value=2.0,
            scale="log-odds",
            method="m",
            contributions=[],
            model=self._model(),
        )

    def _assess(self, request: AssessRequest) -> Assessment:
        to_block(self.plant, request.intervals)
        last = request.intervals[-1]
        self.block_sizes.append(len(request.intervals))
        if last.timestamp is not None:
            self.assessed.append(last.timestamp)
        score = self.score(last)
        models = [
            ModelOutput(
                name=one.name,
                column=one.column,
                title=one.title,
                kind=one.kind,
                horizon=one.horizon_text,
                horizon_hours=one.horizon_hours,
                score=None if one.kind == "classes" else score,
                threshold=0.5,
                model=None if self.silent else self._model(one.name),
                reason="not promoted" if self.silent else None,
            )
            for one in model_list(self.plant)
        ]
        return Assessment(
            timestamp=last.timestamp,
            known_at=last.timestamp + HOUR if last.timestamp else None,
            n_intervals=len(request.intervals),
            in_alarm_now=(last.numbers.get("pdt31008_max") or 0.0) > 300.0,
            models=models,
            shadows=[]
            if self.shadow is None
            else [Shadowed(column="forecast_3h", version="8", score=self.shadow, threshold=0.5)],
            drivers=[],
            rules=[],
            quality=[],
        )

    def _statuses(self) -> list[ModelStatus]:
        status = "missing" if self.silent or self.away else "loaded"
        return [
            ModelStatus(
                name=one.name,
                column=one.column,
                title=one.title,
                kind=one.kind,
                horizon=one.horizon_text,
                horizon_hours=one.horizon_hours,
                version=None if status == "missing" else self.version,
                status=status,
                reason="not promoted" if status == "missing" else None,
            )
            for one in model_list(self.plant)
        ]

    async def _ready(self, _: Request) -> Response:
        ready = not (self.away or self.silent)
        body = Ready(
            ready=ready,
            registry="r",
            registry_reachable=True,
            reason=None,
            models=self._statuses(),
            fingerprint=self.fingerprint,
        )
        return json_response(body, 200 if ready else 503)

    async def _models(self, _: Request) -> Response:
        return json_response(Models(models=self._statuses()))

    async def _reference(self, _: Request) -> Response:
        if self.away:
            return refusal(503, "away")
        reference = ReferenceValues(edges=[1000.0], shares=[0.5, 0.5], bound=0.25)
        values = {i.key: reference for i in self.plant.modelled}
        models = [
            Reference(name=o.name, column=o.column, version="7", score=reference, values=values)
            for o in model_list(self.plant)
        ]
        return json_response(References(models=models))

    async def _importance(self, request: Request) -> Response:
        name = request.query_params["model"]
        if name not in {one.name for one in model_list(self.plant)}:
            return refusal(404, f"model {name!r} is unknown")
        return json_response(Importances(model=self._model(name), method="m", features=[]))


def json_response(body: BaseModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")


def refusal(status: int, detail: str) -> Response:
    problem = Problem(title="Refused", status=status, detail=detail)
    return Response(json.dumps(problem.model_dump()), status, media_type="application/problem+json")


class _Server(uvicorn.Server):
    """Signals its start, and stops at once instead of polling every 0.1 s."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up, self.stop = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self.stop.wait()

    async def shutdown(self, sockets: Any = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve the app on a free port, without its lifespan. Yields its URL."""
    socket = listen("127.0.0.1", 0)
    server = _Server(uvicorn.Config(app, log_config=None, lifespan="off", proxy_headers=False))
    task = asyncio.create_task(server.serve([socket]))
    await server.up.wait()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.stop.set()
        await task
