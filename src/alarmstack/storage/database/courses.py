"""Past intervals as columns of numbers, for charts and drift over thousands of intervals.

They are read by a separate blocking connection. The database extracts only the requested values
from the stored rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, select

from alarmstack.core.intervals import Floats, Mask
from alarmstack.storage.database.engine import plain_engine
from alarmstack.storage.database.outputs import join
from alarmstack.storage.database.plant_history import Past, newest_with_assessments
from alarmstack.storage.database.tables import PlantAssessed, PlantInterval, PlantVersions

Forecasts = list[tuple[str, int, float | None]]
"""Column, horizon in hours, threshold."""


@dataclass(frozen=True)
class Course:
    """Past intervals, oldest first. Missing numbers are NaN.

    `values` by key of the rows, `scores` by model column; `forecasts[versions[i]]`: the forecasters
    of interval i. `versions[i]` is -1 when the interval was not assessed.
    """

    starts: list[datetime]
    segment: npt.NDArray[np.int64]
    in_alarm: Mask
    versions: npt.NDArray[np.int64]
    values: Mapping[str, Floats]
    scores: Mapping[str, Floats]
    forecasts: Mapping[int, Forecasts]

    def __len__(self) -> int:
        return len(self.starts)


def read_course(
    url: str,
    plant: str,
    keys: Sequence[str],
    columns: Sequence[str],
    begin: datetime | None,
    end: datetime | None,
    most: int,
) -> Course:
    """The newest `most` intervals that start in [begin, end)."""
    values = [PlantInterval.row[key].as_float() for key in keys]
    scores = [PlantAssessed.outputs["scores", column].as_float() for column in columns]
    first = (
        PlantInterval.start,
        PlantInterval.row["segment"].as_integer(),
        PlantAssessed.in_alarm,
        PlantAssessed.versions_id,
    )
    selected = select(*first, *values, *scores)
    query = newest_with_assessments(selected, plant, begin, end, most)
    with _engine(url).connect() as connection:
        rows = connection.execute(query).all()[::-1]
        shared = connection.execute(select(PlantVersions.id, PlantVersions.versions)).tuples().all()
    columns_read = list(zip(*rows, strict=True)) or [()] * (len(first) + len(values) + len(scores))
    starts, segment, in_alarm, versions = columns_read[: len(first)]
    numbers = [_floats(column) for column in columns_read[len(first) :]]
    forecasts = {
        number: [tuple(forecast) for forecast in content["forecasts"]] for number, content in shared
    }
    return Course(
        list(starts),
        np.array([0 if number is None else number for number in segment], np.int64),
        np.array(in_alarm, dtype=bool),
        np.array([-1 if number is None else number for number in versions], np.int64),
        dict(zip(keys, numbers[: len(keys)], strict=True)),
        dict(zip(columns, numbers[len(keys) :], strict=True)),
        forecasts,
    )


def read_past(
    url: str, plant: str, keys: Sequence[str], end: datetime | None, most: int
) -> list[Past]:
    """The newest `most` intervals before `end`, oldest first, with the values of `keys`."""
    values = [PlantInterval.row[key].as_float() for key in keys]
    first = (
        PlantInterval.start,
        PlantAssessed.in_alarm,
        PlantAssessed.outputs,
        PlantAssessed.versions_id,
    )
    query = newest_with_assessments(select(*first, *values), plant, None, end, most)
    with _engine(url).connect() as connection:
        rows = connection.execute(query).all()[::-1]
        stored = connection.execute(select(PlantVersions.id, PlantVersions.versions)).tuples().all()
    shared = dict(stored)
    return [
        Past(
            start,
            dict(zip(keys, numbers, strict=True)),
            None if own is None else join(own, shared[number]),
            bool(in_alarm),
        )
        for start, in_alarm, own, number, *numbers in rows
    ]


def _floats(column: Iterable[Any]) -> Floats:
    return np.array([np.nan if number is None else number for number in column], float)


@cache
def _engine(url: str) -> Engine:
    """One engine for each database of a process."""
    return plain_engine(url)


__all__ = ["Course", "Forecasts", "read_course", "read_past"]
