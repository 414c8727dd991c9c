"""The inference API (port 7502): requests to the promoted models. See docs/architecture.md."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import FastAPI, HTTPException, Query
from prometheus_client import Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Lifespan

from alarmstack import __version__
from alarmstack.core.errors import (
    AlarmstackError,
    FeatureError,
    NoModelError,
    NotPromotedError,
    ObservationError,
)
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks
from alarmstack.services.inference import answers as outputs
from alarmstack.services.inference.shelf import Shelf
from alarmstack.services.runtime.api_docs import serve_docs
from alarmstack.services.runtime.bodies import Plain, body_of, limit_bodies, parsed
from alarmstack.services.runtime.metrics import Meter
from alarmstack.services.runtime.problems import TITLES, answers, handle_errors, problem
from alarmstack.services.runtime.readiness import task_states
from alarmstack.services.schemas.horizons import requested_form
from alarmstack.services.schemas.inference import (
    Assessment,
    AssessRequest,
    ExplainRequest,
    Explanation,
    Forecast,
    ForecastRequest,
    Health,
    Importances,
    Models,
    Prediction,
    PredictRequest,
    Ready,
    Recommendation,
    RecommendRequest,
    References,
)
from alarmstack.services.schemas.observations import Observation, preset_rows

REFRESH_SECONDS = 5.0
"""Wall seconds between two checks of the registry."""
BINS = tuple(i / 10 for i in range(1, 11))
"""Bucket bounds of scores."""
WITHOUT_MODEL = answers(400, 404, 413, 422, 503)
"""Errors of a request to a model that the plant may not have, or that may not be available."""


class ScoreMeter:
    """Prometheus metrics of the models: scores, versions, missing inputs."""

    def __init__(self, meter: Meter, shelf: Shelf) -> None:
        self._shelf = shelf
        scores = Histogram(
            "alarmstack_score", "Scores given.", ("model",), buckets=BINS, registry=meter.registry
        )
        missing = Counter(
            "alarmstack_missing_inputs",
            "Missing model inputs, by model.",
            ("model",),
            registry=meter.registry,
        )
        self._version = Gauge(
            "alarmstack_model_version",
            "Version in use; 0: none.",
            ("model",),
            registry=meter.registry,
        )
        self._reachable = Gauge(
            "alarmstack_registry_reachable", "1: the registry answers.", registry=meter.registry
        )
        self._reachable.set_function(lambda: float(shelf.unreachable is None))
        names = [entry.name for entry in shelf.entries]
        # Looked up once: finding a metric by its labels takes as long as a score.
        self._by_model = {name: (scores.labels(name), missing.labels(name)) for name in names}
        for name in names:
            self._version.labels(name).set_function(partial(self._number, name))

    def note(self, model: str, score: float | None, missing: int) -> None:
        """Count one score."""
        scores, without = self._by_model[model]
        if score is not None:
            scores.observe(score)
        without.inc(missing)

    def _number(self, name: str) -> float:
        loaded = self._shelf.loaded.get(name)
        return float(loaded.version) if loaded else 0.0


def create_app(
    shelf: Shelf, refresh_seconds: float = REFRESH_SECONDS, tasks: Tasks | None = None
) -> FastAPI:
    """The inference API of a shelf of models."""
    tasks = tasks or Tasks()
    app = FastAPI(
        title="alarmstack inference API",
        version=__version__,
        lifespan=_lifespan(shelf, tasks, refresh_seconds),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    serve_docs(app)
    meter = Meter()
    scores = ScoreMeter(meter, shelf)
    _serve_predictions(app, shelf, scores)
    handle_errors(app)
    limit_bodies(app)
    _handle_own_errors(app)
    meter.watch(app)
    _serve_state(app, shelf, tasks)
    _serve_forecasts(app, shelf, scores)
    _serve_recommendations(app)
    _serve_explanations(app, shelf)
    _serve_assessments(app, shelf, scores)
    _give_examples(app, shelf.plant)
    return app


def _lifespan(shelf: Shelf, tasks: Tasks, refresh_seconds: float) -> Lifespan[FastAPI]:
    """While the app runs, a task checks the registry."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(shelf.begin)
        # In a thread, which cannot be cancelled: a stalled check of the registry is reported, and
        # the loaded models stay in use.
        reload = partial(_keep_up, shelf, refresh_seconds)
        task = asyncio.create_task(tasks.keep_running("models", reload, restart_stalled=False))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan


def _serve_predictions(app: FastAPI, shelf: Shelf, scores: ScoreMeter) -> None:
    """The most frequent request: matched before all other routes, and its body is parsed and
    validated in one pass.
    """

    async def predict(request: Request) -> Response:
        """Risk of alarm now from one row of features, or any subset of them."""
        body = parsed(PredictRequest, await request.body())
        answer = outputs.predict(shelf, body.features)
        scores.note(shelf.predictor, answer.risk_score, len(answer.missing))
        return Response(answer.model_dump_json(), media_type="application/json")

    route = Plain(
        "/predict",
        predict,
        methods=["POST"],
        response_model=Prediction,
        responses=WITHOUT_MODEL,
        openapi_extra=body_of(PredictRequest),
    )
    app.router.routes.insert(0, route)


def _serve_state(app: FastAPI, shelf: Shelf, tasks: Tasks) -> None:
    """Whether the service is ready, its models, and their reference distributions."""

    @app.get("/health")
    async def health() -> Health:
        """The process is running."""
        return Health(version=__version__)

    @app.get(
        "/ready",
        responses={
            503: {"model": Ready, "description": "A promoted model or a task is not available"}
        },
    )
    async def ready(response: Response) -> Ready:
        """Which models are loaded, and from where.

        503 while a promoted model is not available or a long-running task is not running.
        """
        readiness = shelf.ready(task_states(tasks))
        response.status_code = 200 if readiness.ready else 503
        return readiness

    @app.get("/models")
    async def models() -> Models:
        """Every model of the plant: version, alias, status, metrics, thresholds, card."""
        return Models(models=shelf.statuses())

    @app.get("/reference")
    async def reference() -> References:
        """Reference distributions of the training data, against which drift is measured."""
        return outputs.references(shelf)


def _serve_forecasts(app: FastAPI, shelf: Shelf, scores: ScoreMeter) -> None:
    @app.post("/forecast", responses=WITHOUT_MODEL)
    def forecast(body: ForecastRequest) -> Forecast:
        """Probability that an alarm begins within the horizon after the last of the rows."""
        assert body.ahead is not None, "the body requires a horizon"
        answer = outputs.forecast(shelf.plant, shelf, body.ahead, body.recent_observations)
        scores.note(answer.model.name, answer.anomaly_probability, len(answer.missing))
        return answer


def _serve_recommendations(app: FastAPI) -> None:
    @app.post("/recommend", responses=answers(400, 413, 422))
    async def recommend(body: RecommendRequest) -> Recommendation:
        """What to do about a risk, and how urgently."""
        return outputs.recommend(body.failure_frequency_48, body.risk_score)


def _serve_explanations(app: FastAPI, shelf: Shelf) -> None:
    """The contributions to one score, and the importance of a model's inputs."""
    plant, names = shelf.plant, [entry.name for entry in shelf.entries]
    default_model = shelf.predictor or next(iter(names), "")

    @app.post("/explain", responses=WITHOUT_MODEL)
    def explain(body: ExplainRequest) -> Explanation:
        """Contribution of each input to a score."""
        features, rows, horizon = body.features, body.recent_observations, body.ahead
        if features is not None and rows is None and horizon is None:
            return outputs.explain_features(plant, outputs.predictor(shelf), features)
        if features is None and rows is not None:
            if horizon is None:
                return outputs.explain_normality(plant, shelf, rows)
            return outputs.explain_window(plant, shelf, horizon, rows)
        raise ObservationError(
            "give either features, or recent_observations with a horizon (a forecaster) or "
            "without one (normality)"
        )

    @app.get("/importance", responses=answers(404, 422, 503))
    def importance(
        model: str = Query(default=default_model, max_length=200, description="Registry name."),
    ) -> Importances:
        """Importance of each input of a model."""
        if model not in names:
            raise HTTPException(404, f"model {model!r} is unknown: use one of {', '.join(names)}")
        return outputs.importances(plant, shelf.model(model))


def _serve_assessments(app: FastAPI, shelf: Shelf, scores: ScoreMeter) -> None:
    @app.post("/assess", responses=answers(400, 413, 422, 503))
    def assess(body: AssessRequest) -> Assessment:
        """Outputs of all models for the last of the intervals."""
        answer = _assess(shelf, body.intervals)
        for output in answer.models:
            if output.model is not None:
                score = output.score if output.kind == "probability" else None
                scores.note(output.name, score, len(output.missing))
        return answer


def _give_examples(app: FastAPI, plant: Plant) -> None:
    """Add the plant's presets to the OpenAPI document, as examples of bodies."""
    schema = app.openapi()
    features = {
        p.name: {"summary": p.title, "value": {"features": p.features}}
        for p in plant.screen.predict_presets
    }
    windows = {p.name: (p.title, _window(plant, p.name)) for p in plant.screen.forecast_presets}
    horizons = [entry.horizon for entry in model_list(plant) if entry.horizon is not None]
    forecasts = {
        name: {
            "summary": title,
            "value": {"horizon": requested_form(horizons[0]), "recent_observations": rows},
        }
        for name, (title, rows) in windows.items()
        if horizons
    }
    blocks = {
        name: {"summary": title, "value": {"intervals": rows}}
        for name, (title, rows) in windows.items()
    }
    given = {
        "/predict": features,
        "/forecast": forecasts,
        "/explain": features | forecasts,
        "/assess": blocks,
    }
    for path, examples in given.items():
        schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"] = (
            examples
        )


def _window(plant: Plant, preset: str) -> list[dict[str, Any]]:
    """The rows of a forecast preset, as they are written in a body."""
    rows = preset_rows(plant, preset)
    return [row.model_dump(exclude={"timestamp", "segment"}) for row in rows]


def _assess(shelf: Shelf, rows: list[Observation]) -> Assessment:
    if not shelf.loaded:
        raise NotPromotedError(shelf.nothing)
    if shelf.loading:
        raise NotPromotedError("the models are still being loaded: try again in a few seconds")
    return outputs.assess(shelf.plant, shelf, rows)


def _handle_own_errors(app: FastAPI) -> None:
    @app.exception_handler(AlarmstackError)
    async def _own(request: Request, error: AlarmstackError) -> JSONResponse:
        if isinstance(error, NoModelError):
            status = 404
        else:
            status = 422 if isinstance(error, FeatureError | ObservationError) else 503
        return problem(status, TITLES[status], str(error))


async def _keep_up(shelf: Shelf, seconds: float, task: Task) -> None:
    """Check the registry at intervals, in a thread, so that requests do not wait for it."""
    settled = False
    while True:
        await asyncio.to_thread(shelf.refresh, task.progress)
        task.progress()
        if not settled:
            # Models and libraries stay in memory: the garbage collector need not visit them.
            gc.collect()
            gc.freeze()
            settled = True
        with task.waiting():
            await asyncio.sleep(seconds)


__all__ = ["REFRESH_SECONDS", "create_app"]
