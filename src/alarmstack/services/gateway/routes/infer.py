"""Requests to the models. Each result is stored in the history of the user who asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel

from alarmstack.core.errors import UpstreamError
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant, duration_in_hours, parse_duration, write_duration
from alarmstack.services.gateway.access import Caller, Viewer
from alarmstack.services.gateway.problems import UPSTREAM, answers
from alarmstack.services.gateway.state import Gateway, State
from alarmstack.services.monitor.plan import MOST_PULLED
from alarmstack.services.schemas.gateway import (
    EntryType,
    StoredAssessment,
    StoredExplanation,
    StoredForecast,
    StoredPrediction,
)
from alarmstack.services.schemas.horizons import (
    RequestedHorizon,
    RequestedHours,
    requested_form,
    requested_horizon,
)
from alarmstack.services.schemas.inference import (
    Assessment,
    AssessRequest,
    ExplainRequest,
    Explanation,
    Forecast,
    ForecastRequest,
    Importances,
    ModelRef,
    Prediction,
    PredictRequest,
)
from alarmstack.services.schemas.instants import Instant
from alarmstack.services.schemas.observations import Observation
from alarmstack.services.schemas.sensors import Intervals
from alarmstack.storage.database import entries
from alarmstack.storage.database.tables import HistoryEntry

router = APIRouter(prefix="/infer", tags=["infer"])
ASKING = answers(400, 401, 403, 404, 413, 422, *UPSTREAM)
Answer = TypeVar("Answer", bound=BaseModel)


@router.post("/predict", summary="Risk of a set of features", responses=ASKING)
async def predict(state: Gateway, person: Viewer, request: PredictRequest) -> StoredPrediction:
    """Request a prediction from the champion and store it."""
    result = await state.inference.post(Prediction, "/predict", request)
    number = await _store(
        state, person, "predict", request, result, result.model, result.risk_score, result.alarm
    )
    return StoredPrediction(**dict(result), entry_id=number)


@router.post("/forecast", summary="Probability that an alarm begins", responses=ASKING)
async def forecast(state: Gateway, person: Viewer, request: ForecastRequest) -> StoredForecast:
    """Request a forecast and store it."""
    return await _forecast(state, person, "forecast", request)


@router.post("/auto", summary="Forecast from live data", responses=ASKING)
async def auto(
    state: Gateway,
    person: Viewer,
    horizon: Annotated[
        RequestedHorizon | None,
        Query(description="A duration, or whole hours. Default: the plant's first horizon."),
    ] = None,
    horizon_hours: Annotated[
        RequestedHours | None, Query(description="The horizon in hours, in place of `horizon`.")
    ] = None,
) -> StoredForecast:
    """Forecast from the closed intervals of the newest assessment, and store the result."""
    try:
        if requested_horizon(horizon, horizon_hours) is None:
            horizon = _first_horizon(state.plant)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    rows = await _window(state)
    named = {"horizon": horizon, "horizon_hours": horizon_hours}
    given = {name: value for name, value in named.items() if value is not None}
    request = ForecastRequest.model_construct(
        _fields_set={*given, "recent_observations"},
        horizon=horizon,
        horizon_hours=horizon_hours,
        recent_observations=rows,
    )
    # The rows are part of the plant's stored past: `GET /infer/window?until=` returns them.
    stored = AutoRequest.model_validate({**given, "intervals": len(rows)})
    return await _forecast(state, person, "auto", request, stored)


def _first_horizon(plant: Plant) -> int | str:
    """The plant's first horizon as a request writes it."""
    for entry in model_list(plant):
        if entry.horizon is not None:
            return requested_form(entry.horizon)
    raise HTTPException(404, f"{plant.name} has no forecaster")


@router.get("/window", summary="Rows of a forecast", responses=answers(401, 422, *UPSTREAM))
async def window(
    state: Gateway,
    _: Viewer,
    until: Annotated[
        Instant | None, Query(description="Rows of the forecast at that instant; default: now.")
    ] = None,
) -> Intervals:
    """The closed intervals of the newest assessment, oldest first. `/infer/auto` uses them."""
    rows = await _window(state) if until is None else await state.monitor.window(until)
    return Intervals(intervals=rows, count=len(rows))


@router.post("/explain", summary="Contributions to a score", responses=ASKING)
async def explain(state: Gateway, person: Viewer, request: ExplainRequest) -> StoredExplanation:
    """Contribution of each input to a score. The result is stored."""
    result = await state.inference.post(Explanation, "/explain", request)
    last_row = request.recent_observations[-1] if request.recent_observations else None
    number = await _store(
        state,
        person,
        "explain",
        request,
        result,
        result.model,
        result.score,
        plant_time=_end(state, last_row),
        horizon=request.ahead,
    )
    return StoredExplanation(**dict(result), entry_id=number)


@router.post("/assess", summary="All models at once", responses=ASKING)
async def assess(state: Gateway, person: Viewer, request: AssessRequest) -> StoredAssessment:
    """Outputs of all models for a block of closed intervals. The result is stored."""
    result = await state.inference.post(Assessment, "/assess", request)
    first = next((output for output in result.models if output.score is not None), None)
    model, score, alarm = (first.model, first.score, first.alarm) if first else (None, None, None)
    number = await _store(
        state, person, "assess", request, result, model, score, alarm, plant_time=result.known_at
    )
    return StoredAssessment(**dict(result), entry_id=number)


@router.get(
    "/importance",
    summary="Inputs that matter to a model",
    responses=answers(401, 404, 422, *UPSTREAM),
)
async def importance(
    state: Gateway,
    _: Viewer,
    model: Annotated[
        str | None, Query(max_length=200, description="Registry name; default: the first model.")
    ] = None,
) -> Importances:
    """Global importance of a model's features, largest first."""
    first = next((entry.name for entry in model_list(state.plant)), "")
    return await state.inference.get(Importances, "/importance", model=model or first)


async def _window(state: State) -> list[Observation]:
    """The rows of the monitor's newest assessment; before the first one, those of the feed.

    Raises UpstreamError while the feed is not live: old rows do not describe the present.
    """
    rows = await state.monitor.window()
    if not rows:
        count = min(state.plant.lookback, MOST_PULLED)
        pulled = await state.sensors.get(Intervals, "/sensors/intervals", n=count)
        return pulled.intervals
    status = state.monitor.status()
    if status.feed != "live":
        raise UpstreamError(
            503, f"the stored intervals do not describe the present: {status.feed_reason}"
        )
    return rows


class AutoRequest(BaseModel):
    """The stored request of a forecast from live data: the horizon, and how many intervals were
    used.
    """

    horizon: RequestedHorizon | None = None
    horizon_hours: RequestedHours | None = None
    intervals: int


async def _forecast(
    state: State,
    person: Caller,
    kind: EntryType,
    request: ForecastRequest,
    stored_request: BaseModel | None = None,
) -> StoredForecast:
    """Request a forecast, and store it with the request, or with `stored_request` in its place."""
    result = await state.inference.post(Forecast, "/forecast", request)
    number = await _store(
        state,
        person,
        kind,
        stored_request or request,
        result,
        result.model,
        result.anomaly_probability,
        result.alarm,
        plant_time=result.known_at,
        horizon=parse_duration(result.horizon),
    )
    return StoredForecast(**dict(result), entry_id=number)


async def _store(
    state: State,
    person: Caller,
    kind: EntryType,
    request: BaseModel,
    result: BaseModel,
    model: ModelRef | None,
    score: float | None,
    alarm: int | None = None,
    plant_time: datetime | None = None,
    horizon: timedelta | None = None,
) -> int:
    """Store a result with its request; the number of the entry."""
    hours = None if horizon is None else duration_in_hours(horizon)
    entry = HistoryEntry(
        user_id=person.user_id,
        type=kind,
        created_at=state.clock.now(),
        plant_time=plant_time,
        horizon=None if horizon is None else write_duration(horizon),
        horizon_hours=hours if isinstance(hours, int) else None,
        score=score,
        alarm=alarm,
        model=model.name if model else None,
        model_version=model.version if model else None,
        request=request.model_dump(mode="json", exclude_unset=True),
        response=result.model_dump(mode="json"),
    )
    async with state.database.begin() as session:
        return await entries.add(session, entry)


def _end(state: State, row: Observation | None) -> datetime | None:
    """The end of a row's interval: when the row is known."""
    return row.timestamp + state.plant.time.cadence if row and row.timestamp else None


__all__ = ["router"]
