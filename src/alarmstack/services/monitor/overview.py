"""What the dashboard shows of the plant's past: the newest assessment whole, the intervals up to it as charts draw them."""

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
from alarmstack.storage.database.plant_history import Past
from alarmstack.storage.database.tables import Body


class Seen(NamedTuple):
    """The newest assessed interval, and the last ones up to it, oldest first."""

    latest: PlantAssessment | None
    past: list[IntervalSummary]


async def overview(
    session: AsyncSession, plant: Plant, until: datetime | None, intervals: int
) -> Seen:
    """The newest assessed intervals that start before `until`."""
    past = await plant_history.scored(session, plant.name, None, until, intervals + LEAD_IN)
    folded = list(zip(past, warnings(plant, past), strict=True))
    shown = [(one, active) for one, active in folded if one.said is not None][-intervals:]
    starts = [one.start for one, _ in shown]
    rows = await plant_history.rows(session, plant.name, starts)
    bodies = await plant_history.bodies(session, plant.name, starts[-1:])
    past_summaries = [summary(plant, one, rows[one.start], active) for one, active in shown]
    return Seen(_whole(starts, rows, bodies, shown), past_summaries)


def summary(plant: Plant, interval: Past, row: Body, active: list[WarningState]) -> IntervalSummary:
    """One interval as charts draw it."""
    told = interval.said or {}
    return IntervalSummary(
        timestamp=interval.start,
        values={instrument.key: row.get(instrument.key) for instrument in plant.modelled},
        scores=told.get("scores", {}),
        thresholds={
            column: threshold for column, (_, threshold, _) in told.get("spoken", {}).items()
        },
        in_alarm=interval.in_alarm,
        rules=told.get("rules", []),
        warnings=active,
    )


def _whole(
    starts: Sequence[datetime],
    rows: dict[datetime, Body],
    bodies: dict[datetime, Body],
    shown: Sequence[tuple[Past, list[WarningState]]],
) -> PlantAssessment | None:
    """The newest interval with everything that was said of it."""
    if not starts or not bodies.get(starts[-1]):
        return None
    return PlantAssessment(
        interval=Observation.model_validate(rows[starts[-1]]),
        assessment=Assessment.model_validate(bodies[starts[-1]]),
        warnings=shown[-1][1],
    )


__all__ = ["Seen", "overview", "summary"]
