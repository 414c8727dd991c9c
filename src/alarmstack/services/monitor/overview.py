"""The plant's past on the dashboard: the newest assessment, and earlier intervals for charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.plant import Plant
from alarmstack.services.monitor.warning import LEAD_IN, warnings
from alarmstack.services.schemas.gateway import IntervalSummary, PlantAssessment, WarningState
from alarmstack.services.schemas.inference import Assessment
from alarmstack.services.schemas.observations import Observation
from alarmstack.storage.database import plant_history
from alarmstack.storage.database.outputs import CHAMPIONS
from alarmstack.storage.database.plant_history import Past
from alarmstack.storage.database.tables import Body


class RecentAssessments(NamedTuple):
    """The newest assessed interval in full; the last ones up to it as summaries, oldest first."""

    latest: PlantAssessment | None
    past: list[IntervalSummary]


async def overview(
    session: AsyncSession, plant: Plant, until: datetime | None, intervals: int
) -> RecentAssessments:
    """The newest assessed intervals that start before `until`."""
    past = await plant_history.scored(session, plant.name, None, until, intervals + LEAD_IN)
    folded = list(zip(past, warnings(plant, past), strict=True))
    assessed = [(interval, active) for interval, active in folded if interval.outputs is not None]
    shown = assessed[-intervals:]
    starts = [interval.start for interval, _ in shown]
    rows = await plant_history.rows(session, plant.name, starts)
    bodies = await plant_history.bodies(session, plant.name, starts[-1:])
    summaries = [
        summary(plant, interval, rows[interval.start], active) for interval, active in shown
    ]
    return RecentAssessments(_latest(starts, rows, bodies, shown), summaries)


def summary(plant: Plant, interval: Past, row: Body, active: list[WarningState]) -> IntervalSummary:
    """One interval as charts draw it."""
    assessment = interval.outputs or {}
    outputs = assessment.get(CHAMPIONS, {})
    return IntervalSummary(
        timestamp=interval.start,
        values={instrument.key: row.get(instrument.key) for instrument in plant.modelled},
        scores=assessment.get("scores", {}),
        thresholds={column: threshold for column, (_, threshold, _) in outputs.items()},
        in_alarm=interval.in_alarm,
        rules=assessment.get("rules", []),
        warnings=active,
    )


def _latest(
    starts: Sequence[datetime],
    rows: dict[datetime, Body],
    bodies: dict[datetime, Body],
    shown: Sequence[tuple[Past, list[WarningState]]],
) -> PlantAssessment | None:
    """The newest interval with its whole assessment."""
    if not starts or not bodies.get(starts[-1]):
        return None
    return PlantAssessment(
        interval=Observation.model_validate(rows[starts[-1]]),
        assessment=Assessment.model_validate(bodies[starts[-1]]),
        warnings=shown[-1][1],
    )


__all__ = ["RecentAssessments", "overview", "summary"]
