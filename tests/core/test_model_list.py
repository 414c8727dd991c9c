"""Which models a plant has, by what its plant.toml describes."""

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.models import recipes
from tests.conftest import REPOSITORY
from tests.model_names import FEATURE_MODELS, MODEL_NAMES

Content = dict[str, Any]


def described(change: Callable[[Content], object]) -> Plant:
    """The gas plant with a changed description."""
    content = tomllib.loads((REPOSITORY / "plants/gas_treatment/plant.toml").read_text("utf-8"))
    change(content)
    return Plant.model_validate(content)


def names(plant: Plant) -> list[str]:
    return [entry.name.removeprefix("plant_alarm_") for entry in model_list(plant)]


def without_labels(content: Content) -> None:
    del content["labels"], content["operator_log"]


def without_any_model(content: Content) -> None:
    without_labels(content)
    del content["normality"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda content: None, []),
        (lambda content: content.pop("deviation_target"), ["deviation_predictor"]),
        (lambda content: content["labels"].pop("transition"), ["regime_classifier"]),
        (lambda content: content["labels"].pop("rules"), []),
        (lambda content: content.pop("operator_log"), []),
        (lambda content: content.pop("normality"), ["normality"]),
        (lambda content: content.pop("screen"), []),
        (lambda content: content["time"].update(horizons=[]), list(MODEL_NAMES[6:9])),
        (
            lambda content: content["time"].update(horizons=["3h"]),
            ["forecaster_1h", "forecaster_6h"],
        ),
        (without_labels, list(FEATURE_MODELS)),
        (without_any_model, list(MODEL_NAMES)),
    ],
)
def test_a_plant_has_the_models_that_its_description_allows(
    change: Callable[[Content], object], missing: list[str]
) -> None:
    plant = described(change)
    assert names(plant) == [name for name in MODEL_NAMES if name not in missing]
    by_features = [name for name in names(plant) if name != "normality"]
    assert [one.name.removeprefix("plant_alarm_") for one in recipes(plant)] == by_features


def test_minute_horizons_are_three_forecasters_with_names_of_their_own() -> None:
    plant = described(
        lambda content: content.update(
            time={"cadence": "1min", "horizons": ["10min", "20min", "90min"]}
        )
    )
    forecasters = [entry for entry in model_list(plant) if entry.horizon is not None]
    assert [(one.name, one.column, one.label) for one in forecasters] == [
        ("plant_alarm_forecaster_10min", "forecast_10min", "Alarm within 10 min"),
        ("plant_alarm_forecaster_20min", "forecast_20min", "Alarm within 20 min"),
        ("plant_alarm_forecaster_90min", "forecast_90min", "Alarm within 90 min"),
    ]
    assert [one.horizon_text for one in forecasters] == ["10min", "20min", "90min"]
    assert [one.horizon_hours for one in forecasters] == [0.1667, 0.3333, 1.5]


def test_hours_of_whole_hours_are_whole_numbers(plant: Plant) -> None:
    hours = [entry.horizon_hours for entry in model_list(plant)]
    assert hours == [None] * 6 + [1, 3, 6, None]
    assert {type(value) for value in hours} == {int, type(None)}


def test_the_same_horizon_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"horizons contains '1h' twice: remove one"):
        described(lambda content: content["time"].update(horizons=["1h", "60min"]))
