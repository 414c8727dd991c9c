"""The inference API as its callers see it, over models trained on a simulated year."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.registry import Registry
from alarmstack.services.inference import Shelf, create_app
from alarmstack.services.schemas.observations import to_rows
from tests.blocks import block

pytestmark = pytest.mark.slow
TROUBLE = {
    "failure_frequency_48": 9,
    "pdt31008_max": 340.0,
    "lic31002_deviation": 20.5,
    "lt301031": 8.0,
}
START = datetime(2026, 5, 1, tzinfo=UTC)


def ordinary(plant: Plant) -> dict[str, float]:
    return {i.key: sum(i.normal) / 2 for i in plant.modelled}


def window(plant: Plant, rows: int = 12, **more: Any) -> list[dict[str, Any]]:
    return [ordinary(plant) | more for _ in range(rows)]


def intervals(plant: Plant, rows: int = 61) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in to_rows(plant, block(plant, rows, 3))]


def test_the_contracts_example_and_an_ordinary_plant(client: TestClient, plant: Plant) -> None:
    trouble = client.post("/predict", json={"features": TROUBLE}).json()
    assert trouble["risk_score"] >= 0.9 and trouble["alarm"] == 1
    calm = client.post("/predict", json={"features": ordinary(plant)}).json()
    assert calm["risk_score"] <= 0.2 and calm["alarm"] == 0
    assert calm["model"] == {"name": "plant_alarm_champion", "version": "1", "unpromoted": False}


def test_null_counts_as_missing_and_impossible_values_are_named(client: TestClient) -> None:
    given = client.post(
        "/predict", json={"features": TROUBLE | {"fq31050": None, "te301020": 900.0}}
    ).json()
    assert "fq31050" in given["missing"] and "te301020" not in given["missing"]
    assert given["out_of_range"] == ["te301020"]


def test_an_answer_states_first_how_many_inputs_it_had_and_none_is_refused(
    client: TestClient,
) -> None:
    answer = client.post("/predict", json={"features": TROUBLE | {"fq31050": None}})
    inputs = answer.json()["inputs"]
    assert answer.text.startswith('{"inputs":{"given":4,"of":')
    assert (
        inputs["text"]
        == f"4 of {inputs['of']} inputs had a value; the other {inputs['of'] - 4} count as missing."
    )
    for path in ("/predict", "/explain"):
        for features in ({}, {"lt301031": None, "fq31050": None}):
            refused = client.post(path, json={"features": features})
            assert refused.status_code == 422 and "no input has a value" in refused.json()["detail"]
    empty = client.post("/forecast", json={"horizon": 1, "recent_observations": [{}] * 12})
    assert empty.status_code == 422 and "no row has a value" in empty.json()["detail"]


EXTREMES = [
    1e308,
    -1e308,
    10**400,
    1e12,
    -1e12,
    5e-324,
    1.7976931348623157e308,
    2**63,
    True,
    "9" * 400,
    [],
    {},
]
DATES: list[object] = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:30:00Z",
]
DATES += [
    "1899-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    10**18,
    -(10**18),
]


def test_no_extreme_value_makes_an_error_of_ours(service: FastAPI, plant: Plant) -> None:
    client = TestClient(service, raise_server_exceptions=False)
    calm = ordinary(plant)
    bodies: list[tuple[str, Any]] = []
    for extreme in EXTREMES:
        every = dict.fromkeys(calm, extreme)
        rows = [calm] * 11
        for last in (
            every,
            calm | {"pdt31008_count": extreme},
            calm | {"pdt31008_age": extreme},
            calm | {"segment": extreme},
        ):
            bodies += [
                ("/forecast", {"horizon": 3, "recent_observations": [*rows, last]}),
                ("/assess", {"intervals": [*rows, last]}),
            ]
            bodies.append(("/explain", {"horizon": 1, "recent_observations": [*rows, last]}))
            bodies.append(("/explain", {"recent_observations": [*rows, last]}))
        bodies += [
            ("/predict", {"features": every}),
            ("/explain", {"features": every}),
            ("/predict", {"features": extreme}),
        ]
        bodies.append(("/forecast", {"horizon": extreme, "recent_observations": [calm] * 12}))
        bodies.append(("/recommend", {"failure_frequency_48": extreme, "risk_score": 0.5}))
    for date in DATES:
        row = calm | {"timestamp": date}
        bodies += [
            ("/assess", {"intervals": [row]}),
            ("/assess", {"intervals": [calm | {"timestamp": "2024-01-01T00:00:00Z"}, row]}),
        ]
        bodies.append(("/explain", {"recent_observations": [row]}))
    for path, body in bodies:
        answer = client.post(path, content=json.dumps(body))
        assert answer.status_code in (200, 422), (path, body, answer.text)
        if answer.status_code == 422:
            assert "\n" not in answer.json()["detail"] and len(answer.json()["detail"]) < 3000
    refused = [
        client.post("/assess", json={"intervals": [calm | {"timestamp": date}]}) for date in DATES
    ]
    assert {answer.status_code for answer in refused} == {422}


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b"", b"\x00", b"null", b'{"features": {"\\ud800": 1}}']
)
def test_no_body_makes_an_error_of_ours(service: FastAPI, body: bytes) -> None:
    client = TestClient(service, raise_server_exceptions=False)
    for path in ("/predict", "/forecast", "/explain", "/assess", "/recommend"):
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (path, answer.text)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"features": {"colour": 3}}', "colour"),
        ('{"features": {"lt301031": NaN}}', "lt301031"),
        ('{"features": {"lt301031": Infinity}}', "lt301031"),
        ('{"features": {"lt301031": "high"}}', "lt301031"),
        ('{"features": 3}', "features"),
        ("{", "JSON"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(client: TestClient, body: str, names: str) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert (
        answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    )
    assert names in answer.json()["detail"]


@pytest.mark.parametrize("horizon", [1, 3, 6])
def test_twelve_rows_of_nine_keys_are_enough_for_a_forecast(
    client: TestClient, plant: Plant, horizon: int
) -> None:
    answer = client.post(
        "/forecast", json={"horizon": horizon, "recent_observations": window(plant)}
    ).json()
    assert 0 <= answer["anomaly_probability"] <= 1 and answer["alarm"] in (0, 1)
    assert (answer["horizon_hours"], answer["n_observations"], answer["in_alarm_now"]) == (
        horizon,
        12,
        False,
    )
    assert "time_of_day_sin" in answer["missing"] and answer["known_at"] is None


def test_a_forecast_of_a_plant_in_alarm_says_so(client: TestClient, plant: Plant) -> None:
    rows = [*window(plant, 11), ordinary(plant) | {"pdt31008": 320.0, "pdt31008_max": 340.0}]
    assert (
        client.post("/forecast", json={"horizon": 3, "recent_observations": rows}).json()[
            "in_alarm_now"
        ]
        is True
    )


def test_a_column_that_begins_to_flood_is_seen_before_the_limit(
    client: TestClient, plant: Plant
) -> None:
    """Twelve rows of nine keys; in the last five, pressure drops and flows move together, all
    far from any limit.
    """
    signs = {
        "pdt31008": 12,
        "pdt31007": 9.8,
        "te301020": -4.2,
        "fq31050": 2.2,
        "fic31011_pv": 7.5,
        "pdt31001": 2.2,
    }
    calm = window(plant)
    rising = [
        {k: v + signs.get(k, 0) * max(n - 7, 0) / 4 for k, v in row.items()}
        for n, row in enumerate(calm)
    ]
    told = [
        client.post("/forecast", json={"horizon": 3, "recent_observations": rows}).json()
        for rows in (calm, rising)
    ]
    assert [t["alarm"] for t in told] == [0, 1] and not told[1]["in_alarm_now"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"horizon": 2}, "use one of 1h, 3h, 6h"),
        ({"rows": 11}, "at least 12"),
        ({"step": timedelta(seconds=2)}, "cadence 1h"),
        ({"step": -timedelta(hours=1)}, "oldest row first"),
        ({"extra": {"pdt9": 1.0}}, "pdt9"),
        ({"rows": 1001}, "1000"),
    ],
)
def test_windows_that_cannot_be_right_are_refused(
    client: TestClient, plant: Plant, change: dict[str, Any], says: str
) -> None:
    rows = window(plant, change.get("rows", 12), **change.get("extra", {}))
    if step := change.get("step"):
        rows = [row | {"timestamp": (START + n * step).isoformat()} for n, row in enumerate(rows)]
    answer = client.post(
        "/forecast", json={"horizon": change.get("horizon", 3), "recent_observations": rows}
    )
    assert answer.status_code == 422 and says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("frequency", "risk", "urgency"),
    [
        (6, 0.9, "high"),
        (5, 0.8, "high"),
        (4, 0.9, "medium"),
        (3, 0.1, "medium"),
        (0, 0.6, "medium"),
        (2, 0.59, "low"),
    ],
)
def test_recommendations_by_rung(
    client: TestClient, frequency: float, risk: float, urgency: str
) -> None:
    answer = client.post(
        "/recommend", json={"failure_frequency_48": frequency, "risk_score": risk}
    ).json()
    assert answer["urgency"] == urgency and answer["recommendation"]


def test_an_explanation_adds_up_to_the_score_it_explains(
    client: TestClient, shelf: Shelf, plant: Plant
) -> None:
    features = {"features": TROUBLE}
    asked: list[tuple[str, dict[str, Any], float]] = [
        (
            "plant_alarm_champion",
            features,
            client.post("/predict", json=features).json()["risk_score"],
        )
    ]
    for horizon in (1, 3, 6):
        body: dict[str, Any] = {"horizon": horizon, "recent_observations": intervals(plant)}
        name = f"plant_alarm_forecaster_{horizon}h"
        asked.append(
            (name, body, client.post("/forecast", json=body).json()["anomaly_probability"])
        )
    for name, body, score in asked:
        told = client.post("/explain", json=body).json()
        assert told["model"]["name"] == name and told["score"] == pytest.approx(score, abs=1e-9)
        total = told["base_value"] + sum(c["contribution"] for c in told["contributions"])
        assert total == pytest.approx(told["score_on_scale"], abs=1e-6)
        assert all(
            c["text"].endswith("missing") == (c["value"] is None) for c in told["contributions"]
        )
        raw = 1 / (1 + math.exp(-total)) if told["scale"] == "log-odds" else total
        calibration = shelf.model(name).bundle.calibration
        back = raw if calibration is None else float(calibration(np.array([raw]))[0])
        assert back == pytest.approx(score, abs=1e-4)


def test_an_explanation_of_both_or_neither_is_refused(client: TestClient) -> None:
    assert "either" in client.post("/explain", json={}).json()["detail"]


def test_all_models_answer_in_one_assessment(client: TestClient, plant: Plant) -> None:
    rows = intervals(plant)
    told = client.post("/assess", json={"intervals": rows}).json()
    assert [m["name"] for m in told["models"]] == [one.name for one in model_list(plant)] and all(
        m["model"] for m in told["models"]
    )
    assert {m["horizon_hours"] for m in told["models"]} == {None, 1, 3, 6}
    regime = next(m for m in told["models"] if m["kind"] == "classes")
    assert sum(regime["probabilities"].values()) == pytest.approx(1)
    assert told["drivers"] and all(d["contribution"] > 0 and d["text"] for d in told["drivers"])
    assert [q["key"] for q in told["quality"]] == [i.key for i in plant.modelled]
    assert datetime.fromisoformat(told["known_at"]) - datetime.fromisoformat(
        told["timestamp"]
    ) == timedelta(hours=1)


def test_a_tag_that_leaves_its_normal_behaviour_is_named(client: TestClient, plant: Plant) -> None:
    rows = intervals(plant)
    usual = client.post("/explain", json={"recent_observations": rows}).json()
    rows[-1] |= {"te301020": rows[-1]["te301020"] + 8.0}
    told = client.post("/explain", json={"recent_observations": rows}).json()
    assert told["model"]["name"] == "plant_alarm_normality"
    assert told["score"] > usual["score"]
    assert told["contributions"][0]["key"] == "te301020"
    assert re.fullmatch(r"Amine temperature: [\d.]+ °C", told["contributions"][0]["text"])
    assert told["base_value"] + sum(
        c["contribution"] for c in told["contributions"]
    ) == pytest.approx(told["score_on_scale"])
    assessed = client.post("/assess", json={"intervals": rows}).json()
    said = next(m for m in assessed["models"] if m["column"] == "normality")
    assert said["score"] == pytest.approx(told["score"]) and said["alarm"] == 1
    assert next(d for d in assessed["drivers"] if d["column"] == "normality")["key"] == "te301020"
    importances = client.get("/importance?model=plant_alarm_normality").json()["features"]
    assert sum(f["share"] for f in importances) == pytest.approx(1)
    assert {f["text"] for f in importances} == {
        i.title for i in plant.instruments if i.role == "monitored"
    }


def test_what_cannot_be_known_is_refused_and_not_called_normal(
    client: TestClient, plant: Plant
) -> None:
    answer = client.post("/explain", json={"recent_observations": intervals(plant, 2)})
    assert answer.status_code == 422 and "2 rows" in answer.json()["detail"]
    said = client.post("/assess", json={"intervals": intervals(plant, 2)}).json()
    normality = next(m for m in said["models"] if m["column"] == "normality")
    assert normality["score"] is None and normality["alarm"] is None
    assert not [d for d in said["drivers"] if d["column"] == "normality"]


def test_fewer_intervals_leave_features_missing_and_stale_sensors_are_named(
    client: TestClient, plant: Plant
) -> None:
    rows = intervals(plant, 20)
    for row in rows:
        row |= {
            "fq31050": None,
            "fq31050_max": None,
            "fq31050_min": None,
            "fq31050_age": 9 * 3600.0,
        }
    told = client.post("/assess", json={"intervals": rows}).json()
    assert all(m["missing"] for m in told["models"])
    assert {q["key"]: q["status"] for q in told["quality"]}["fq31050"] == "stale"


def test_importances_are_shares_and_unknown_models_are_named(client: TestClient) -> None:
    told = client.get("/importance").json()
    assert told["model"]["name"] == "plant_alarm_champion"
    assert sum(f["share"] for f in told["features"]) == pytest.approx(1)
    assert "Column D304 differential pressure, highest within 1 h" in [
        f["text"] for f in told["features"]
    ]
    assert client.get("/importance?model=oracle").status_code == 404


def test_models_tell_version_metrics_and_card(client: TestClient, plant: Plant) -> None:
    models = client.get("/models").json()["models"]
    assert [m["name"] for m in models] == [one.name for one in model_list(plant)]
    assert all(
        m["status"] in ("loaded", "unpromoted")
        and m["version"] == "1"
        and m["metrics"]
        and m["card"]
        for m in models
    )
    assert client.get("/ready").status_code == 200


def test_figures_of_scores_versions_and_missing_inputs(client: TestClient) -> None:
    client.post("/predict", json={"features": TROUBLE})
    text = client.get("/metrics").text
    for name in (
        "alarmstack_score_count",
        "alarmstack_missing_inputs_total",
        "alarmstack_model_version",
    ):
        assert f'{name}{{model="plant_alarm_champion"}}' in text
    assert 'endpoint="/predict",method="POST",status="200"' in text


def test_with_nothing_promoted_every_question_gets_the_reason(plant: Plant, tmp_path: Path) -> None:
    shelf = Shelf(plant, Registry(f"sqlite:///{tmp_path / 'mlflow.db'}"), tmp_path / "kept")
    shelf.refresh()
    client = TestClient(create_app(shelf))
    answers = [
        client.post("/predict", json={"features": TROUBLE}),
        client.post("/assess", json={"intervals": window(plant)}),
        client.post("/forecast", json={"horizon": 1, "recent_observations": window(plant)}),
        client.get("/ready"),
    ]
    assert [a.status_code for a in answers] == [503] * 4
    assert "alarmstack train" in answers[0].json()["detail"]
    assert client.get("/health").status_code == 200
