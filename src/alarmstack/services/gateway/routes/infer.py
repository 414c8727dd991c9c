"""What-if questions to the models. Each answer is kept in the asker's history."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel

from alarmstack.core.errors import UpstreamError
from alarmstack.core.model_list import model_list
from alarmstack.services.gateway.access import Caller, Viewer
from alarmstack.services.gateway.instants import Moment
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
from alarmstack.services.schemas.observations import Observation
from alarmstack.services.schemas.sensors import Intervals
from alarmstack.storage.database import entries
from alarmstack.storage.database.tables import HistoryEntry

router = APIRouter(prefix="/infer", tags=["infer"])
ASKING = answers(400, 401, 403, 404, 413, 422, *UPSTREAM)
Answer = TypeVar("Answer", bound=BaseModel)


@router.post("/predict", summary="Risk of a set of features", responses=ASKING)
async def predict(state: Gateway, person: Viewer, asked: PredictRequest) -> StoredPrediction:
    """Ask the champion, and keep the answer."""
    said = await state.inference.post(Prediction, "/predict", asked)
    number = await _keep(
        state, person, "predict", asked, said, said.model, said.risk_score, said.alarm
    )
    return StoredPrediction(**dict(said), entry_id=number)


@router.post("/forecast", summary="Probability that an alarm begins", responses=ASKING)
async def forecast(state: Gateway, person: Viewer, asked: ForecastRequest) -> StoredForecast:
    """Ask a forecaster, and keep the answer."""
    return await _forecast(state, person, "forecast", asked)


@router.post("/auto", summary="Forecast from the feed", responses=ASKING)
async def auto(
    state: Gateway,
    person: Viewer,
    horizon: Annotated[int, Query(ge=1, le=1000, description="Hours.")] = 1,
) -> StoredForecast:
    """Forecast from the closed intervals that the monitor assesses the newest one with, and keep the answer."""
    rows = await _window(state)
    asked = ForecastRequest.model_construct(horizon=horizon, recent_observations=rows)
    # The rows themselves are part of the plant's past already: `GET /infer/window?until=` gives them again.
    return await _forecast(
        state, person, "auto", asked, Asked(horizon=horizon, intervals=len(rows))
    )


@router.get("/window", summary="What a forecast rests on", responses=answers(401, 422, *UPSTREAM))
async def window(
    state: Gateway,
    _: Viewer,
    until: Annotated[
        Moment | None, Query(description="Of the forecast of that instant; default: of now.")
    ] = None,
) -> Intervals:
    """The closed intervals that the monitor assesses the newest one with, oldest first: `/infer/auto` forecasts from them."""
    rows = await _window(state) if until is None else await state.monitor.window(until)
    return Intervals(intervals=rows, count=len(rows))


@router.post("/explain", summary="What made a score", responses=ASKING)
async def explain(state: Gateway, person: Viewer, asked: ExplainRequest) -> StoredExplanation:
    """Contribution of each input to a score, and keep the answer."""
    said = await state.inference.post(Explanation, "/explain", asked)
    last = asked.recent_observations[-1] if asked.recent_observations else None
    number = await _keep(
        state,
        person,
        "explain",
        asked,
        said,
        said.model,
        said.score,
        plant_time=_end(state, last),
        horizon=asked.horizon,
    )
    return StoredExplanation(**dict(said), entry_id=number)


@router.post("/assess", summary="All models at once", responses=ASKING)
async def assess(state: Gateway, person: Viewer, asked: AssessRequest) -> StoredAssessment:
    """Ask all models about a block of closed intervals, and keep the answer."""
    said = await state.inference.post(Assessment, "/assess", asked)
    champion = next((one for one in said.models if one.score is not None), None)
    model, score, alarm = (
        (champion.model, champion.score, champion.alarm) if champion else (None, None, None)
    )
    number = await _keep(
        state, person, "assess", asked, said, model, score, alarm, plant_time=said.known_at
    )
    return StoredAssessment(**dict(said), entry_id=number)


@router.get(
    "/importance", summary="What a model looks at", responses=answers(401, 404, 422, *UPSTREAM)
)
async def importance(
    state: Gateway,
    _: Viewer,
    model: Annotated[
        str | None, Query(max_length=200, description="Registry name; default: the champion.")
    ] = None,
) -> Importances:
    """Global importance of a model's features, largest first."""
    return await state.inference.get(
        Importances, "/importance", model=model or model_list(state.plant)[0].name
    )


async def _window(state: State) -> list[Observation]:
    """The rows that the monitor has its newest interval assessed with; before it has any, those that the feed has.

    Raises UpstreamError while the feed is not live: old rows tell nothing of now.
    """
    rows = await state.monitor.window()
    if not rows:
        return (
            await state.sensors.get(
                Intervals, "/sensors/intervals", n=min(state.plant.lookback, MOST_PULLED)
            )
        ).intervals
    status = state.monitor.status()
    if status.feed != "live":
        raise UpstreamError(503, f"the stored intervals tell nothing of now: {status.feed_reason}")
    return rows


class Asked(BaseModel):
    """What is kept of a forecast from the feed: how many of the plant's stored intervals it was made from."""

    horizon: int
    intervals: int


async def _forecast(
    state: State,
    person: Caller,
    kind: EntryType,
    asked: ForecastRequest,
    kept: BaseModel | None = None,
) -> StoredForecast:
    """Ask, and keep the answer with what was asked, or with `kept` in its place."""
    said = await state.inference.post(Forecast, "/forecast", asked)
    number = await _keep(
        state,
        person,
        kind,
        kept or asked,
        said,
        said.model,
        said.anomaly_probability,
        said.alarm,
        plant_time=said.known_at,
        horizon=said.horizon_hours,
    )
    return StoredForecast(**dict(said), entry_id=number)


async def _keep(
    state: State,
    person: Caller,
    kind: EntryType,
    asked: BaseModel,
    said: BaseModel,
    model: ModelRef | None,
    score: float | None,
    alarm: int | None = None,
    plant_time: datetime | None = None,
    horizon: int | None = None,
) -> int:
    entry = HistoryEntry(
        user_id=person.user_id,
        type=kind,
        created_at=state.clock.now(),
        plant_time=plant_time,
        horizon_hours=horizon,
        score=score,
        alarm=alarm,
        model=model.name if model else None,
        model_version=model.version if model else None,
        request=asked.model_dump(mode="json", exclude_unset=True),
        response=said.model_dump(mode="json"),
    )
    async with state.database.begin() as session:
        return await entries.add(session, entry)


def _end(state: State, row: Observation | None) -> datetime | None:
    """When a row was known: the end of its interval."""
    return row.timestamp + state.plant.time.cadence if row and row.timestamp else None


__all__ = ["router"]
