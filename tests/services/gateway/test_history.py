"""A person's own results: stored, filtered, exported, deleted, restored; never another person's."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from benchmarks import csv_export

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.sheet import cell
from alarmstack.storage.database import accounts
from alarmstack.storage.database import entries as stored_entries
from alarmstack.storage.database.tables import HistoryEntry
from tests.world import world

pytestmark = pytest.mark.anyio
EXAMPLE = {
    "failure_frequency_48": 9,
    "pdt31008_max": 340.0,
    "lic31002_deviation": 20.5,
    "lt301031": 8.0,
}


async def test_results_are_stored_and_listed(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url, hours=30) as w:
        anna = await w.person("anna", "viewer")
        view = (await anna.get("/plant")).json()
        rows = view["forecast_presets"][0]["rows"]
        answers = [
            await anna.post("/infer/predict", json={"features": EXAMPLE}),
            await anna.post("/infer/forecast", json={"horizon": 3, "recent_observations": rows}),
            await anna.post("/infer/explain", json={"horizon": 1, "recent_observations": rows}),
            await anna.post("/infer/assess", json={"intervals": rows}),
            await anna.post("/infer/auto"),
        ]
        assert [answer.status_code for answer in answers] == [200] * 5, [
            answer.text for answer in answers
        ]
        entries = (await anna.get("/history")).json()["entries"]
        assert [entry["id"] for entry in entries] == [
            answer.json()["entry_id"] for answer in reversed(answers)
        ]
        assert [entry["type"] for entry in entries] == [
            "auto",
            "assess",
            "explain",
            "forecast",
            "predict",
        ]
        auto, predicted = entries[0], entries[-1]
        assert [(entry["horizon"], entry["horizon_hours"]) for entry in entries] == [
            ("1h", 1),
            (None, None),
            ("1h", 1),
            ("3h", 3),
            (None, None),
        ]
        assert auto["plant_time"] == "2026-03-02T06:00:00Z"
        assert auto["request"] == {"horizon": 1, "intervals": 30}
        assert auto["model"] == "plant_alarm_forecaster_1h" and auto["model_version"] == "7"
        assert (
            predicted["request"] == {"features": EXAMPLE}
            and predicted["score"] == 0.97
            and predicted["alarm"] == 1
        )
        assert predicted["response"]["missing"] == ["te301020"]
        assert predicted["created_at"] == "2026-05-04T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "stored"),
    [
        ({"horizon": 3}, {"horizon": 3}),
        ({"horizon": "3h"}, {"horizon": "3h"}),
        ({"horizon_hours": 3}, {"horizon_hours": 3.0}),
    ],
)
async def test_a_forecast_of_live_data_names_its_horizon_in_either_form(
    plant: Plant, tmp_path: Path, query: dict[str, Any], stored: dict[str, object]
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        answer = await anna.post("/infer/auto", params=query)
        assert (answer.json()["horizon"], answer.json()["horizon_hours"]) == ("3h", 3)
        (entry,) = (await anna.get("/history")).json()["entries"]
        assert entry["horizon"] == "3h" and entry["request"] == stored | {"intervals": 30}
        both = await anna.post("/infer/auto", params={"horizon": 1, "horizon_hours": 3})
        assert both.status_code == 422 and "differ" in both.json()["detail"]
        soon = await anna.post("/infer/auto", params={"horizon": "soon"})
        assert soon.status_code == 422 and "'soon' is not a duration" in soon.json()["detail"]


async def test_entries_of_minutes_and_of_an_earlier_release_have_both_forms(
    plant: Plant, tmp_path: Path
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        made = {"type": "forecast", "created_at": w.clock.now(), "request": {}, "response": {}}
        horizons = ({"horizon": "10min", "horizon_hours": None}, {"horizon_hours": 3})
        async with w.state.database.begin() as session:
            user = await accounts.find(session, "anna")
            assert user is not None
            for horizon in horizons:
                entry = HistoryEntry(user_id=user.id, **made, **horizon)
                await stored_entries.add(session, entry)
        shown = (await anna.get("/history")).json()["entries"]
        assert [(entry["horizon"], entry["horizon_hours"]) for entry in shown] == [
            ("3h", 3),
            ("10min", 0.1667),
        ]


async def test_filters_and_pages(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna")
        for _ in range(5):
            await anna.post("/infer/predict", json={"features": EXAMPLE})
            w.clock.advance(60)
        await anna.post("/infer/auto", params={"horizon": 6})

        async def ids(**query: Any) -> list[int]:
            answer = await anna.get("/history", params=query)
            assert answer.status_code == 200, answer.text
            return [entry["id"] for entry in answer.json()["entries"]]

        newest_first = await ids()
        assert newest_first == sorted(newest_first, reverse=True) and len(newest_first) == 6
        assert await ids(type="auto") == newest_first[:1]
        assert await ids(page=2, size=4) == newest_first[4:]
        assert await ids(page=9) == []
        assert await ids(since="2026-05-04T12:03:00Z") == newest_first[:3]
        assert await ids(until="2026-05-04T14:03:00+02:00") == newest_first[3:]
        assert (await anna.get("/history", params={"size": 4})).json()["total"] == 6
        assert (
            await anna.get("/history", params={"since": "2026-05-04T12:03:00"})
        ).status_code == 422


async def test_deleting_hides_and_restoring_brings_back(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna")
        number = (await anna.post("/infer/predict", json={"features": EXAMPLE})).json()["entry_id"]
        assert (await anna.delete(f"/history/{number}")).json()["deleted"] is True
        assert (await anna.get("/history")).json()["total"] == 0
        assert [
            one["id"]
            for one in (await anna.get("/history", params={"deleted": True})).json()["entries"]
        ] == [number]
        assert (await anna.post(f"/history/{number}/restore")).json()["deleted"] is False
        assert (await anna.get("/history")).json()["total"] == 1


async def test_nobody_sees_or_deletes_anothers_entries(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna, admin = await w.person("anna"), await w.person("root", "admin")
        number = (await anna.post("/infer/predict", json={"features": EXAMPLE})).json()["entry_id"]
        assert (await admin.get("/history")).json()["total"] == 0
        assert (await admin.delete(f"/history/{number}")).status_code == 404
        assert (await admin.post(f"/history/{number}/restore")).status_code == 404
        assert (await anna.get("/history")).json()["total"] == 1


async def test_csv_has_every_entry_and_opens_safely(plant: Plant, database_url: str) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna")
        for _ in range(3):
            await anna.post("/infer/predict", json={"features": EXAMPLE})
        answer = await anna.get("/history", params={"size": 1}, headers={"Accept": "text/csv"})
        assert answer.headers["content-type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        assert len(lines) == 3 and lines[0]["score"] == "0.97" and lines[0]["type"] == "predict"


async def test_a_long_export_needs_little_memory() -> None:
    """A real process: 10,000 entries with windows took 850 MB when they were read together."""
    row = await csv_export.run(10_000)
    assert row["entries"] == 10_000 and row["met"], row


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(0)"])
def test_a_cell_that_would_run_does_not(text: str) -> None:
    assert str(cell(text)).startswith("'")
    assert cell(-1.5) == -1.5


async def test_a_refusal_of_the_models_is_passed_on_and_not_kept(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        refused = await anna.post("/infer/predict", json={"features": {"colour": 1.0}})
        assert refused.status_code == 422 and "colour" in refused.json()["detail"]
        w.models.away = True
        unavailable = await anna.post("/infer/predict", json={"features": EXAMPLE})
        assert unavailable.status_code == 503 and "promote" in unavailable.json()["detail"]
        w.feed.away = True
        lost = await anna.post("/infer/auto")
        assert lost.status_code == 502 and "sensor API" in lost.json()["detail"]
        assert (await anna.get("/history")).json()["total"] == 0


async def test_an_unreachable_service_is_named_with_the_command_that_starts_it(
    plant: Plant, tmp_path: object
) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db", inference_url="http://127.0.0.1:9") as w:
        answer = await (await w.person("anna")).get("/models")
        assert answer.status_code == 503 and "alarmstack serve inference" in answer.json()["detail"]


async def test_too_large_a_body_is_refused(plant: Plant, tmp_path: object) -> None:
    async with world(plant, f"sqlite:///{tmp_path}/a.db") as w:
        anna = await w.person("anna")
        answer = await anna.post(
            "/infer/predict", content=b'{"features": {"' + b"x" * 5_000_000 + b'": 1}}'
        )
        assert (
            answer.status_code == 413
            and answer.headers["content-type"] == "application/problem+json"
        )
