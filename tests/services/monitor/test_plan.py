"""What the monitor fetches and sends: tables."""

from datetime import UTC, datetime, timedelta

import pytest

from alarmstack.core.plant import Plant
from alarmstack.services.monitor.plan import block, missing
from alarmstack.services.monitor.validation import Bounds, Validator
from alarmstack.services.monitor.warning import warnings
from alarmstack.storage.database.outputs import CHALLENGERS, CHAMPIONS, join, split
from alarmstack.storage.database.plant_history import Past

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

GAPS = [
    ("nothing stored yet", None, NOON, 240),
    ("the next one", NOON - HOUR, NOON, 0),
    ("the same again", NOON, NOON, 0),
    ("one was missed", NOON - 2 * HOUR, NOON, 1),
    ("more than the feed keeps", NOON - 9999 * HOUR, NOON, 240),
    ("the clock went back", NOON + HOUR, NOON, 240),
]


@pytest.mark.parametrize(
    ("what", "newest", "arrived", "wanted"), GAPS, ids=[gap[0] for gap in GAPS]
)
def test_missing_intervals_are_requested(
    what: str, newest: datetime | None, arrived: datetime, wanted: int
) -> None:
    assert missing(newest, arrived, HOUR) == wanted


def test_segments_are_sent_unless_their_numbers_decrease(plant: Plant) -> None:
    def sent(*rows: dict[str, object]) -> list[dict[str, object]]:
        dated = [
            {"timestamp": (NOON + hour * HOUR).isoformat(), **row} for hour, row in enumerate(rows)
        ]
        return [
            {key: value for key, value in row.items() if key != "timestamp"}
            for row in block(Validator(plant, Bounds(HOUR, HOUR)), dated, HOUR)
        ]

    rising: list[dict[str, object]] = [{"segment": 1}, {"segment": -1}, {"segment": 2}]
    assert sent(*rising) == rising
    assert sent({"segment": 5, "te301020": 1.0}, {"segment": 0, "te301020": 2.0}) == [
        {"te301020": 1.0},
        {"te301020": 2.0},
    ]


def test_rows_and_keys_of_another_plant_toml_are_not_sent(plant: Plant) -> None:
    noon = {"timestamp": NOON.isoformat(), "segment": 0, "te301020": 1.0}
    between = {**noon, "timestamp": (NOON + HOUR / 4).isoformat()}
    validator = Validator(plant, Bounds(HOUR, HOUR))
    assert block(validator, [between, {**noon, "retired": 1.0}], HOUR) == [noon]


def test_warnings_carry_their_horizon_as_a_duration_and_in_hours(plant: Plant) -> None:
    stored = [
        {"column": "forecast_10min", "horizon": "10min", "horizon_hours": 0.1667},
        {"column": "forecast_20min", "horizon": "20min", "horizon_hours": 0.3333},
        {"column": "forecast_2h", "horizon_hours": 2},
        {"column": "forecast_3h", "horizon_hours": 3},
    ]
    forecasts = [one | {"score": 0.9, "threshold": 0.5} for one in stored]
    scores = {str(one["column"]): 0.9 for one in stored}
    outputs = {
        "scores": scores,
        CHAMPIONS: {},
        "forecasts": forecasts,
        CHALLENGERS: {},
        "rules": [],
    }
    assert join(*split(outputs)) == outputs
    (shown,) = warnings(plant, [Past(NOON, {"segment": 0}, outputs)])
    assert [(one.horizon, one.horizon_hours, one.standing) for one in shown] == [
        ("10min", 0.1667, True),
        ("20min", 0.3333, True),
        ("2h", 2, True),
        ("3h", 3, True),
    ]
    assert [one.text for one in shown][:2] == [
        "Alarm very likely within 10 min (90 %)",
        "Alarm very likely within 20 min (90 %)",
    ]


def test_a_long_gap_clears_a_warning_and_a_short_one_keeps_it(plant: Plant) -> None:
    def past(hour: int, score: float | None) -> Past:
        forecasts = [
            {"column": "forecast_1h", "horizon_hours": 1, "score": score, "threshold": 0.5}
        ]
        return Past(
            NOON + hour * HOUR,
            {"segment": 0},
            {"scores": {}, "forecasts": forecasts} if score is not None else None,
        )

    def active(*hours: tuple[int, float | None]) -> list[bool]:
        return [states[0].standing for states in warnings(plant, [past(*hour) for hour in hours])]

    assert active((0, 0.9), (1, None), (2, 0.45)) == [True, True, True]
    assert active((0, 0.9), (6, 0.45)) == [True, True]
    assert active((0, 0.9), (7, 0.45)) == [True, False]
