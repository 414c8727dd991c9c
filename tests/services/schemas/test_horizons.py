"""Horizons in API bodies: a duration and the same in hours; requests in either form."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from alarmstack.services.schemas.gateway import Entry, PlantModel, WarningState
from alarmstack.services.schemas.inference import ForecastRequest, ModelOutput, ModelStatus

ABOUT: dict[str, Any] = {"name": "n", "column": "c", "title": "t", "kind": "probability"}
ENTRY: dict[str, Any] = {
    "id": 1,
    "type": "forecast",
    "created_at": datetime(2026, 5, 1, tzinfo=UTC),
    "plant_time": None,
    "score": 0.1,
    "alarm": 0,
    "model": "m",
    "model_version": "1",
    "deleted": False,
    "request": {},
    "response": {},
}
BODIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (ModelOutput, ABOUT),
    (ModelStatus, ABOUT | {"status": "loaded"}),
    (PlantModel, ABOUT | {"label": "l", "unit": None}),
    (WarningState, {"column": "c", "standing": False, "since": None}),
    (Entry, ENTRY),
]
MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize(("kind", "content"), BODIES, ids=[kind.__name__ for kind, _ in BODIES])
@pytest.mark.parametrize(
    ("given", "horizon", "hours"),
    [
        ({"horizon_hours": 3}, "3h", 3),
        ({"horizon": "3h"}, "3h", 3),
        ({"horizon": "10min"}, "10min", 0.1667),
        ({"horizon_hours": 0.1667}, "10min", 0.1667),
        ({"horizon": None, "horizon_hours": 6}, "6h", 6),
    ],
)
def test_a_body_has_both_forms_whichever_was_stored(
    kind: type[BaseModel],
    content: dict[str, Any],
    given: dict[str, Any],
    horizon: str,
    hours: float,
) -> None:
    body = kind.model_validate(content | given).model_dump(mode="json")
    assert (body["horizon"], body["horizon_hours"]) == (horizon, hours)
    assert isinstance(body["horizon_hours"], type(hours))


@pytest.mark.parametrize(
    ("given", "ahead"),
    [
        ({"horizon": 1}, timedelta(hours=1)),
        ({"horizon": "1"}, timedelta(hours=1)),
        ({"horizon": "1h"}, timedelta(hours=1)),
        ({"horizon": "60min"}, timedelta(hours=1)),
        ({"horizon": "10min"}, MINUTES),
        ({"horizon_hours": 0.1667}, MINUTES),
        ({"horizon_hours": 1 / 6}, MINUTES),
        ({"horizon": "10min", "horizon_hours": 0.1667}, MINUTES),
        ({"horizon": 3, "horizon_hours": 3.0}, timedelta(hours=3)),
    ],
)
def test_a_request_names_its_horizon_in_either_form(given: Any, ahead: timedelta) -> None:
    request = ForecastRequest.model_validate(given | {"recent_observations": [{"x": 1.0}]})
    assert request.ahead == ahead


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "horizon is missing"),
        ({"horizon": None}, "horizon is missing"),
        ({"horizon": 1, "horizon_hours": 2}, "differ: give one of them"),
        ({"horizon": "soon"}, "'soon' is not a duration"),
        ({"horizon": 1.5}, "a whole number of hours"),
        ({"horizon": 0}, "longer than 0"),
        ({"horizon": "99999d"}, "too long"),
        ({"horizon_hours": 0}, "greater than 0"),
    ],
)
def test_a_horizon_that_is_none_is_refused_with_the_reason(given: Any, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ForecastRequest.model_validate(given | {"recent_observations": [{"x": 1.0}]})


def test_the_request_of_the_contracts_is_passed_on_as_it_came() -> None:
    given = {"horizon": 1, "recent_observations": [{"te301020": 107.0}]}
    request = ForecastRequest.model_validate(given)
    assert request.model_dump(mode="json", exclude_unset=True) == given
