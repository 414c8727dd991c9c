"""The plant on the screen: description, trends, scenarios, page; and access to the metrics."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import feature_names
from alarmstack.services.gateway.page import HEADERS
from alarmstack.storage.database import journal, plant_history
from tests.upstreams import BEGIN, HOUR, Models_, row
from tests.world import ORIGIN, World, world

pytestmark = pytest.mark.anyio


async def past_of(w: World, plant: Plant, hours: int, without: tuple[int, ...] = ()) -> None:
    """A past in which pdt31008 climbs by 1 an hour, and an alarm lasts from hour 10 to 12."""
    async with w.state.database.begin() as session:
        for hour in range(hours):
            if hour in without:
                continue
            start = BEGIN + hour * HOUR
            numbers = row(
                plant, start, pdt31008=float(hour), pdt31008_max=hour + 5.0, pdt31008_min=hour - 5.0
            )
            await plant_history.store(
                session, plant.name, start, numbers.model_dump(mode="json"), start
            )
            score = 0.9 if 7 <= hour < 10 else 0.1
            forecasts = [
                {"column": "forecast_3h", "horizon_hours": 3, "score": score, "threshold": 0.5}
            ]
            outputs = {"scores": {"forecast_3h": score}, "forecasts": forecasts}
            await plant_history.store_assessment(
                session, plant.name, start, {}, outputs, 10 <= hour < 12, start
            )


async def test_a_trend_shows_values_peaks_limits_alarms_and_warnings(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        await past_of(w, plant, 20)
        anna = await w.person("anna", "viewer")
        query = {
            "tags": "pdt31008,lic31002_sp,lic31002_op,forecast_3h",
            "from": "2026-03-01T05:00:00Z",
            "to": "2026-03-01T15:00:00Z",
        }
        body = (await anna.get("/trends", params=query)).json()
        assert (
            body["time"][0] == "2026-03-01T06:00:00Z" and body["time"][-1] == "2026-03-01T15:00:00Z"
        )
        pressure, setpoint, output, forecast = body["series"]
        assert pressure["value"] == [float(hour) for hour in range(5, 15)]
        assert (pressure["low"][0], pressure["high"][0], pressure["unit"], pressure["kind"]) == (
            0.0,
            10.0,
            "mbar",
            "measured",
        )
        assert [setpoint["kind"], output["kind"], forecast["kind"]] == [
            "setpoint",
            "output",
            "predicted",
        ]
        assert forecast["value"][2:5] == [0.9, 0.9, 0.9]
        assert body["limits"] == [{"key": "pdt31008", "value": 300.0, "title": "flooding"}]
        spans = {span["kind"]: (span["begin"], span["end"]) for span in body["spans"]}
        assert spans["alarm"] == ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z")
        assert spans["warning"] == ("2026-03-01T08:00:00Z", "2026-03-01T11:00:00Z")


async def test_a_reduced_trend_keeps_its_peaks(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        await past_of(w, plant, 20)
        anna = await w.person("anna")
        query: dict[str, Any] = {"tags": "pdt31008", "from": BEGIN.isoformat(), "points": 4}
        series = (await anna.get("/trends", params=query)).json()["series"][0]
        assert series["value"] == [2.0, 7.0, 12.0, 17.0]
        assert series["high"] == [9.0, 14.0, 19.0, 24.0] and series["low"] == [-5.0, 0.0, 5.0, 10.0]


async def test_a_gap_in_the_past_is_a_gap_in_the_trend(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        await past_of(w, plant, 6, without=(2, 3))
        anna = await w.person("anna")
        body = (await anna.get("/trends", params={"tags": "pdt31008"})).json()
        assert body["series"][0]["value"] == [0.0, 1.0, None, None, 4.0, 5.0]


async def test_trends_without_a_past_and_of_unknown_tags(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        empty = (await anna.get("/trends", params={"tags": "te301020"})).json()
        assert empty["time"] == [] and empty["spans"] == []
        unknown = await anna.get("/trends", params={"tags": "te301020,colour"})
        assert (
            unknown.status_code == 422
            and "colour" in unknown.json()["detail"]
            and "risk_score" in unknown.json()["detail"]
        )
        backwards = {
            "tags": "te301020",
            "from": "2026-03-02T00:00:00Z",
            "to": "2026-03-01T00:00:00Z",
        }
        assert (await anna.get("/trends", params=backwards)).status_code == 422


async def test_the_screen_gets_the_whole_description_of_the_plant(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        view = (await (await w.person("anna", "viewer")).get("/plant")).json()
        assert [tag["key"] for tag in view["tags"]] == [i.key for i in plant.modelled]
        level = next(tag for tag in view["tags"] if tag["key"] == "lic31002_pv")
        assert (level["setpoint"], level["output"]) == ("lic31002_sp", "lic31002_op")
        assert [(m["name"], m["column"], m["label"], m["title"]) for m in view["models"]] == [
            (one.name, one.column, one.label, one.title) for one in model_list(plant)
        ]
        forecasters = [m for m in view["models"] if m["horizon"]]
        assert [(m["horizon"], m["horizon_hours"], m["label"]) for m in forecasters] == [
            (f"{hours}h", hours, f"Alarm within {hours} h") for hours in (1, 3, 6)
        ]
        assert view["horizons"] == ["1h", "3h", "6h"]
        assert view["horizons_hours"] == [1, 3, 6] and view["window_rows"] == 12
        high = next(preset for preset in view["predict_presets"] if preset["name"] == "high_risk")
        assert high["features"] == {
            "failure_frequency_48": 9,
            "pdt31008_max": 340.0,
            "lic31002_deviation": 20.5,
            "lt301031": 8.0,
        }
        assert {field["feature"] for field in view["predict_fields"]} <= set(
            feature_names(plant, "point")
        )
        rows = {preset["name"]: preset["rows"] for preset in view["forecast_presets"]}
        assert set(rows) == {"normal", "escalating_pressure", "level_swing"}
        assert all(
            len(window) == 12 and all(set(r) >= {i.key for i in plant.modelled} for r in window)
            for window in rows.values()
        )
        assert (
            rows["escalating_pressure"][-1]["pdt31008"]
            > rows["escalating_pressure"][0]["pdt31008"] + 40
        )


async def test_scenarios_are_for_engineers(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        for role, status in (("viewer", 403), ("operator", 403), ("engineer", 200), ("admin", 200)):
            person = await w.person(role, role)
            assert (await person.get("/scenarios")).json()[0]["name"] == "normal"
            assert (
                await person.post("/scenarios/activate", json={"name": "pressure_rise"})
            ).status_code == status, role
        unknown = await person.post("/scenarios/activate", json={"name": "earthquake"})
        assert unknown.status_code == 404 and "earthquake" in unknown.json()["detail"]
        assert w.feed.scenario == "pressure_rise"


async def test_importance_is_that_of_one_model(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        assert (await anna.get("/infer/importance")).json()["model"][
            "name"
        ] == "plant_alarm_champion"
        assert (await anna.get("/infer/importance", params={"model": "nobody"})).status_code == 404


async def test_nothing_about_the_plant_is_public(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        document = w.app.openapi()
        public = {
            "/auth/signin",
            "/auth/register",
            "/auth/login",
            "/auth/refresh",
            "/auth/logout",
            "/health",
            "/ready",
        }
        nobody = w.browser()
        for path, operations in document["paths"].items():
            for method in operations:
                if path not in public:
                    answer = await nobody.request(
                        method, path.replace("{number}", "1"), params={"tags": "x"}, json={}
                    )
                    assert (
                        answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
                    ), path


async def test_the_page_and_its_headers(plant: Plant, tmp_path: Path) -> None:
    page = tmp_path / "dist"
    async with world(plant, f"sqlite:///{tmp_path}/a.db", page=page) as w:
        visitor = w.browser()
        missing = await visitor.get("/")
        assert missing.status_code == 503 and "make run" in missing.text
        (page / "assets").mkdir(parents=True)
        (page / "index.html").write_text("<!doctype html>")
        (page / "assets/app-1a2b.js").write_text("export {}")
        index, script = await visitor.get("/"), await visitor.get("/assets/app-1a2b.js")
        assert index.text == "<!doctype html>" and index.headers["cache-control"] == "no-cache"
        assert "immutable" in script.headers["cache-control"]
        assert (await visitor.get("/assets/gone.js")).status_code == 404
        assert (await visitor.get("/..%2f..%2fetc/passwd")).status_code == 404
        health = await visitor.get("/health")
        assert health.headers["cache-control"] == "no-store"
        for answer in (
            index,
            script,
            missing,
            health,
            await visitor.get("/api/none"),
            await visitor.get("/auth/me"),
        ):
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert "access-control-allow-origin" not in answer.headers
        assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_metrics_are_for_processes_on_this_computer_and_for_clients_with_the_token(
    plant: Plant, tmp_path: object
) -> None:
    token = "metrics-0123456789-abcdefghijklmnopq"
    async with world(plant, f"sqlite:///{tmp_path}/a.db", metrics_token=token) as w:

        async def status(address: str, port: int = 7501, **headers: Any) -> int:
            transport = httpx.ASGITransport(w.app, client=(address, 5))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"{ORIGIN}:{port}", headers=headers
            ) as client:
                return (await client.get("/metrics")).status_code

        forwarded: dict[str, Any] = {"x-forwarded-for": "10.1.2.3"}
        navigated: dict[str, Any] = {"sec-fetch-mode": "navigate"}
        assert await status("127.0.0.1") == 200
        assert await status("10.1.2.3") == 404
        assert await status("10.1.2.3", authorization=f"Bearer {token}") == 200
        assert await status("10.1.2.3", authorization="Bearer wrong") == 404
        assert await status("127.0.0.1", **forwarded) == 404
        assert await status("127.0.0.1", **navigated) == 404
        assert await status("127.0.0.1", port=5173) == 404


async def test_drift_a_recalibration_and_who_may_report_it(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url, hours=60, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        anna, eva = await w.person("anna", "operator"), await w.person("eva", "engineer")
        report = (await anna.get("/drift")).json()
        assert [one["key"] for one in report["tags"]] == [i.key for i in plant.modelled]
        assert [one["title"] for one in report["models"]] == [one.name for one in model_list(plant)]
        assert {one["state"] for one in report["tags"]} == {"drifted"} and report["retrain"]
        recalibration = {"key": "te301020", "at": "2026-03-01T00:00:00Z", "note": "new element"}
        assert (await anna.post("/drift/recalibrated", json=recalibration)).status_code == 403
        assert (
            await eva.post("/drift/recalibrated", json=recalibration | {"key": "colour"})
        ).status_code == 422
        after = (await eva.post("/drift/recalibrated", json=recalibration)).json()
        state = next(one for one in after["tags"] if one["key"] == "te301020")
        assert state["state"] == "learning" and state["recalibrated_at"] == "2026-03-01T00:00:00Z"
        async with w.state.database.begin() as session:
            line = (await journal.of(session, "recalibrated"))[0]
        assert (line.user, line.reason, line.value["key"]) == ("eva", "new element", "te301020")
        figures = generate_latest(w.state.measures.registry).decode()
        assert (
            'alarmstack_drift_psi{key="pdt31008",kind="tag"}' in figures
            and "alarmstack_retrain_proposed 1.0" in figures
        )
        w.models.away = True
        assert (await anna.get("/drift")).status_code in (502, 503)


async def test_a_challenger_is_compared_on_the_rows_it_scored(
    plant: Plant, database_url: str
) -> None:
    models = Models_(plant)
    models.shadow = 0.25
    async with world(plant, database_url, hours=20, monitored=True, models=models) as w:
        await w.state.monitor.caught_up.wait()
        anna = await w.person("anna", "viewer")
        contest = (await anna.get("/comparison")).json()["contests"][0]
        assert (
            contest["challenger"]["version"] == "8" and contest["challenger"]["mean_score"] == 0.25
        )
        assert contest["champion"]["version"] == "7" and contest["rows"] == 20


async def test_without_a_challenger_there_is_no_comparison(plant: Plant, tmp_path: Path) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", hours=5, monitored=True) as w:
        await w.state.monitor.caught_up.wait()
        assert (await (await w.person("anna", "viewer")).get("/comparison")).json() == {
            "contests": []
        }
