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


def normal_values(plant: Plant) -> dict[str, float]:
    return {i.key: sum(i.normal) / 2 for i in plant.modelled}


def window(plant: Plant, rows: int = 12, **more: Any) -> list[dict[str, Any]]:
    return [normal_values(plant) | more for _ in range(rows)]


def intervals(plant: Plant, rows: int = 61) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in to_rows(plant, block(plant, rows, 3))]


def test_the_example_of_the_mission_and_a_normal_plant(client: TestClient, plant: Plant) -> None:
    trouble = client.post("/predict", json={"features": TROUBLE}).json()
    assert trouble["risk_score"] >= 0.9 and trouble["alarm"] == 1
    calm = client.post("/predict", json={"features": normal_values(plant)}).json()
    assert calm["risk_score"] <= 0.2 and calm["alarm"] == 0
    assert calm["model"] == {"name": "plant_alarm_champion", "version": "1", "unpromoted": False}


def test_null_counts_as_missing_and_impossible_values_are_named(client: TestClient) -> None:
    answer = client.post(
        "/predict", json={"features": TROUBLE | {"fq31050": None, "te301020": 900.0}}
    ).json()
    assert "fq31050" in answer["missing"] and "te301020" not in answer["missing"]
    assert answer["out_of_range"] == ["te301020"]


def test_a_response_begins_with_the_number_of_inputs_and_no_input_is_refused(
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


def test_no_extreme_value_causes_a_server_error(service: FastAPI, plant: Plant) -> None:
    client = TestClient(service, raise_server_exceptions=False)
    calm = normal_values(plant)
    bodies: list[tuple[str, Any]] = []
    for extreme in EXTREMES:
        all_extreme = dict.fromkeys(calm, extreme)
        rows = [calm] * 11
        for last in (
            all_extreme,
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
            ("/predict", {"features": all_extreme}),
            ("/explain", {"features": all_extreme}),
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
def test_no_body_causes_a_server_error(service: FastAPI, body: bytes) -> None:
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
def test_an_invalid_body_is_refused_and_the_field_is_named(
    client: TestClient, body: str, names: str
) -> None:
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


def test_a_forecast_states_that_the_plant_is_in_alarm(client: TestClient, plant: Plant) -> None:
    rows = [*window(plant, 11), normal_values(plant) | {"pdt31008": 320.0, "pdt31008_max": 340.0}]
    assert (
        client.post("/forecast", json={"horizon": 3, "recent_observations": rows}).json()[
            "in_alarm_now"
        ]
        is True
    )


def test_the_start_of_flooding_in_a_column_is_forecast_before_the_limit_is_exceeded(
    client: TestClient, plant: Plant
) -> None:
    """Twelve rows of nine keys. In the last five, differential pressures and flows change
    together, all far from any limit.
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
    forecasts = [
        client.post("/forecast", json={"horizon": 3, "recent_observations": rows}).json()
        for rows in (calm, rising)
    ]
    assert [forecast["alarm"] for forecast in forecasts] == [0, 1]
    assert not forecasts[1]["in_alarm_now"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"horizon": 2}, "use one of 1h, 3h, 6h"),
        ({"rows": 11}, "at least 12"),
        ({"step": timedelta(seconds=2)}, "cadence 1h"),
        ({"step": -timedelta(hours=1)}, "oldest row first"),
        ({"extra": {"pdt9": 1.0}}, "pdt9"),
        ({"rows": 1001}, "1000"),
    ],
)
def test_invalid_windows_are_refused(
    client: TestClient, plant: Plant, change: dict[str, Any], reason: str
) -> None:
    rows = window(plant, change.get("rows", 12), **change.get("extra", {}))
    if step := change.get("step"):
        rows = [row | {"timestamp": (START + n * step).isoformat()} for n, row in enumerate(rows)]
    answer = client.post(
        "/forecast", json={"horizon": change.get("horizon", 3), "recent_observations": rows}
    )
    assert answer.status_code == 422 and reason in answer.json()["detail"]


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
def test_urgency_of_recommendations(
    client: TestClient, frequency: float, risk: float, urgency: str
) -> None:
    answer = client.post(
        "/recommend", json={"failure_frequency_48": frequency, "risk_score": risk}
    ).json()
    assert answer["urgency"] == urgency and answer["recommendation"]


def test_the_contributions_of_an_explanation_add_up_to_the_score(
    client: TestClient, shelf: Shelf, plant: Plant
) -> None:
    features = {"features": TROUBLE}
    requests: list[tuple[str, dict[str, Any], float]] = [
        (
            "plant_alarm_champion",
            features,
            client.post("/predict", json=features).json()["risk_score"],
        )
    ]
    for horizon in (1, 3, 6):
        body: dict[str, Any] = {"horizon": horizon, "recent_observations": intervals(plant)}
        name = f"plant_alarm_forecaster_{horizon}h"
        forecast = client.post("/forecast", json=body).json()
        requests.append((name, body, forecast["anomaly_probability"]))
    for name, body, score in requests:
        explained = client.post("/explain", json=body).json()
        assert explained["model"]["name"] == name
        assert explained["score"] == pytest.approx(score, abs=1e-9)
        contributions = explained["contributions"]
        total = explained["base_value"] + sum(c["contribution"] for c in contributions)
        assert total == pytest.approx(explained["score_on_scale"], abs=1e-6)
        assert all(c["text"].endswith("missing") == (c["value"] is None) for c in contributions)
        raw = 1 / (1 + math.exp(-total)) if explained["scale"] == "log-odds" else total
        calibration = shelf.model(name).bundle.calibration
        calibrated = raw if calibration is None else float(calibration(np.array([raw]))[0])
        assert calibrated == pytest.approx(score, abs=1e-4)


def test_an_explanation_without_features_and_observations_is_refused(client: TestClient) -> None:
    assert "either" in client.post("/explain", json={}).json()["detail"]


def test_an_assessment_contains_the_output_of_every_model(client: TestClient, plant: Plant) -> None:
    rows = intervals(plant)
    assessed = client.post("/assess", json={"intervals": rows}).json()
    models, drivers = assessed["models"], assessed["drivers"]
    assert [m["name"] for m in models] == [entry.name for entry in model_list(plant)]
    assert all(m["model"] for m in models)
    assert {m["horizon_hours"] for m in models} == {None, 1, 3, 6}
    regime = next(m for m in models if m["kind"] == "classes")
    assert sum(regime["probabilities"].values()) == pytest.approx(1)
    assert drivers and all(d["contribution"] > 0 and d["text"] for d in drivers)
    assert [q["key"] for q in assessed["quality"]] == [i.key for i in plant.modelled]
    known_at, start = (datetime.fromisoformat(assessed[key]) for key in ("known_at", "timestamp"))
    assert known_at - start == timedelta(hours=1)


def test_a_tag_that_leaves_its_normal_behaviour_is_named(client: TestClient, plant: Plant) -> None:
    rows = intervals(plant)
    before = client.post("/explain", json={"recent_observations": rows}).json()
    rows[-1] |= {"te301020": rows[-1]["te301020"] + 8.0}
    explained = client.post("/explain", json={"recent_observations": rows}).json()
    contributions = explained["contributions"]
    assert explained["model"]["name"] == "plant_alarm_normality"
    assert explained["score"] > before["score"]
    assert contributions[0]["key"] == "te301020"
    assert re.fullmatch(r"Amine temperature: [\d.]+ °C", contributions[0]["text"])
    total = explained["base_value"] + sum(c["contribution"] for c in contributions)
    assert total == pytest.approx(explained["score_on_scale"])
    assessed = client.post("/assess", json={"intervals": rows}).json()
    output = next(m for m in assessed["models"] if m["column"] == "normality")
    assert output["score"] == pytest.approx(explained["score"]) and output["alarm"] == 1
    assert next(d for d in assessed["drivers"] if d["column"] == "normality")["key"] == "te301020"
    importances = client.get("/importance?model=plant_alarm_normality").json()["features"]
    assert sum(f["share"] for f in importances) == pytest.approx(1)
    assert {f["text"] for f in importances} == {
        i.title for i in plant.instruments if i.role == "monitored"
    }


def test_too_few_rows_give_no_normality_score(client: TestClient, plant: Plant) -> None:
    answer = client.post("/explain", json={"recent_observations": intervals(plant, 2)})
    assert answer.status_code == 422 and "2 rows" in answer.json()["detail"]
    assessed = client.post("/assess", json={"intervals": intervals(plant, 2)}).json()
    normality = next(m for m in assessed["models"] if m["column"] == "normality")
    assert normality["score"] is None and normality["alarm"] is None
    assert not [d for d in assessed["drivers"] if d["column"] == "normality"]


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
    assessed = client.post("/assess", json={"intervals": rows}).json()
    assert all(m["missing"] for m in assessed["models"])
    assert {q["key"]: q["status"] for q in assessed["quality"]}["fq31050"] == "stale"


def test_importances_are_shares_and_unknown_models_are_named(client: TestClient) -> None:
    importances = client.get("/importance").json()
    features = importances["features"]
    assert importances["model"]["name"] == "plant_alarm_champion"
    assert sum(f["share"] for f in features) == pytest.approx(1)
    assert "Column D304 differential pressure, highest within 1 h" in [f["text"] for f in features]
    assert client.get("/importance?model=oracle").status_code == 404


def test_models_have_version_metrics_and_card(client: TestClient, plant: Plant) -> None:
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


def test_metrics_of_scores_versions_and_missing_inputs(client: TestClient) -> None:
    client.post("/predict", json={"features": TROUBLE})
    text = client.get("/metrics").text
    for name in (
        "alarmstack_score_count",
        "alarmstack_missing_inputs_total",
        "alarmstack_model_version",
    ):
        assert f'{name}{{model="plant_alarm_champion"}}' in text
    assert 'endpoint="/predict",method="POST",status="200"' in text


def test_without_a_promoted_model_requests_are_refused_with_the_reason(
    plant: Plant, tmp_path: Path
) -> None:
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
