"""Hours of a plant whose values and scores are around 0, or around what they have moved to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from alarmstack.alarms.comparison import AssessedInterval, VersionOutput
from alarmstack.core.plant import Plant

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = 168
MODEL = "forecast_3h"


def assessed_hours(
    plant: Plant,
    hours: int,
    moved: dict[str, float] | None = None,
    alarm: Sequence[int] = (),
    scores: Sequence[float] | None = None,
    challengers: Sequence[VersionOutput] | None = None,
) -> list[AssessedInterval]:
    """One interval for each hour. The champion is version 1 with threshold 0.5."""
    noise = np.random.default_rng(1).normal(size=(hours, len(plant.modelled)))
    offsets = moved or {}
    intervals = []
    for hour in range(hours):
        values = {
            instrument.key: float(noise[hour, place]) + offsets.get(instrument.key, 0.0)
            for place, instrument in enumerate(plant.modelled)
        }
        score = float(noise[hour, 0]) if scores is None else scores[hour]
        intervals.append(
            AssessedInterval(
                start=BEGIN + hour * HOUR,
                values=values,
                in_alarm=hour in alarm,
                scores={MODEL: score},
                champions={MODEL: VersionOutput(score, 0.5, "1")},
                challengers={} if challengers is None else {MODEL: challengers[hour]},
            )
        )
    return intervals
