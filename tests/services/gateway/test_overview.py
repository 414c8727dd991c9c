"""The first answer for the dashboard: small, and with everything that it shows."""

import pytest
from benchmarks.pasts import fill, hours

from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant
from tests.upstreams import BEGIN
from tests.world import world

pytestmark = pytest.mark.anyio
MOST_BYTES = 100_000
REAL_BODY = 11_000
"""Bytes that an assessment of the simulated plant has at least."""


async def test_the_first_answer_is_at_most_100_kb(plant: Plant, database_url: str) -> None:
    stored = list(hours(plant, BEGIN, 48))
    assert len(stored[0].assessment.model_dump_json()) > REAL_BODY, (
        "as large as an assessment by real models"
    )
    async with world(plant, database_url) as w:
        await fill(w.state.database, plant, BEGIN, 48)
        anna = await w.person("anna", "viewer")
        answer = await anna.get("/overview", params={"n": 48})
        body = answer.json()
        assert len(answer.content) <= MOST_BYTES
        assert [one["timestamp"] for one in body["past"]] == [
            hour.row.model_dump(mode="json")["timestamp"] for hour in stored
        ]
        newest, shown = stored[-1], body["past"][-1]
        assert shown["values"] == {i.key: newest.row.numbers[i.key] for i in plant.modelled}
        assert shown["scores"] == {one.column: one.score for one in newest.assessment.models}
        assert shown["thresholds"] == {
            one.column: one.threshold for one in newest.assessment.models if one.score is not None
        }
        assert shown["in_alarm"] == newest.assessment.in_alarm_now
        assert shown["rules"] == [rule.name for rule in newest.assessment.rules if rule.met]
        assert [one["column"] for one in shown["warnings"]] == [
            one.column for one in model_list(plant) if one.horizon
        ]
        assert body["latest"]["assessment"] == newest.assessment.model_dump(mode="json")
        assert body["latest"]["warnings"] == shown["warnings"]


async def test_before_anything_is_assessed_there_is_nothing_newest(
    plant: Plant, database_url: str
) -> None:
    async with world(plant, database_url) as w:
        anna = await w.person("anna", "viewer")
        body = (await anna.get("/overview")).json()
        assert body["latest"] is None and body["past"] == []
