"""Trends out of the plant's past: series on one axis, thinned without losing peaks, with limits and spans of alarm and warning.

`draw` runs in the reader's process and gives JSON, so that a long past costs the event loop nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alarmstack.alarms import IDLE, WarningRule, step
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.model_list import NORMALITY, ModelEntry, model_list
from alarmstack.core.plant import Instrument, Plant
from alarmstack.services.gateway.plant_view import controller_of, limits_of
from alarmstack.services.monitor import LEAD_IN
from alarmstack.services.schemas.gateway import LimitLine, Series, Span, Trends
from alarmstack.storage.database.courses import Course, read_course

LONGEST = 20_000
"""Intervals in one answer: more than two years of hours."""
DEFAULT_ROWS = 48
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Track:
    """Something that can be drawn: how it is called, and where its numbers are.

    `keys` of a row: value, low, high; none of a model, whose score is all three.
    """

    series: Series
    keys: tuple[str, str, str] | None = None
    limits: tuple[LimitLine, ...] = ()


class Wanted(NamedTuple):
    """What is asked for: keys of tracks, intervals that start in [begin, end), at most so many points."""

    tags: tuple[str, ...]
    begin: datetime | None
    end: datetime | None
    points: int


class Axis(NamedTuple):
    """The time axis: `place[i]` is the point that interval i belongs to, -1 where it is off the cadence."""

    time: list[datetime]
    place: Places


def draw(url: str, plant: Plant, wanted: Wanted) -> bytes:
    """The answer as JSON. Reads the database at `url`."""
    known = tracks(plant)
    chosen = [known[tag] for tag in wanted.tags]
    cadence = plant.time.cadence
    lead = None if wanted.begin is None else wanted.begin - LEAD_IN * cadence
    course = read_course(
        url,
        plant.name,
        sorted({key for track in chosen for key in track.keys or ()}),
        sorted(
            {track.series.key for track in chosen if track.keys is None} | set(_forecasters(plant))
        ),
        lead,
        wanted.end,
        (DEFAULT_ROWS if wanted.begin is None else LONGEST) + LEAD_IN,
    )
    first = len(course) - DEFAULT_ROWS if wanted.begin is None else _before(course, wanted.begin)
    return trends(plant, chosen, course, max(first, 0), wanted.points).model_dump_json().encode()


def tracks(plant: Plant) -> dict[str, Track]:
    """Everything that can be drawn, by key: instruments, setpoints, outputs, and the models' columns."""
    drawn = [track for instrument in plant.modelled for track in _of_instrument(plant, instrument)]
    drawn += [_of_model(model) for model in model_list(plant) if model.kind != "classes"]
    return {track.series.key: track for track in drawn}


def trends(
    plant: Plant, chosen: Sequence[Track], course: Course, lead_in: int, points: int
) -> Trends:
    """The chosen series over the intervals after the first `lead_in` ones, which only warm up the warnings."""
    axis = _axis(plant, course.starts[lead_in:], points)
    return Trends(
        time=axis.time,
        series=[_thinned(track, course, lead_in, axis) for track in chosen],
        limits=[line for track in chosen for line in track.limits],
        spans=_spans(plant, course, lead_in),
    )


def active(plant: Plant, course: Course, column: str) -> Mask:
    """Whether a forecaster's warning is active after each interval: the same fold as `monitor.warning.warnings`.

    Only a score at or above its threshold ends idleness, so that the fold goes from one such interval to the next.
    """
    thresholds, cut = _thresholds(course, column), _cuts(plant, course)
    scores = np.where(np.isnan(thresholds), np.nan, course.scores[column])
    known_at = [(start + plant.time.cadence).timestamp() for start in course.starts]
    on, row, state = np.zeros(len(course), bool), 0, IDLE
    rules: dict[float, WarningRule] = {}
    for high in np.flatnonzero((scores >= thresholds) & ~course.in_alarm).tolist():
        row = max(row, high)
        while row < len(course) and (row == high or state is not IDLE):
            threshold = 1.0 if np.isnan(thresholds[row]) else float(thresholds[row])
            rule = rules.setdefault(threshold, WarningRule.of(plant, threshold))
            state = IDLE if cut[row] else state
            state = step(rule, state, known_at[row], float(scores[row]), bool(course.in_alarm[row]))
            on[row] = state.on
            row += 1
    return on


def _thresholds(course: Course, column: str) -> Floats:
    """The threshold of each interval's forecaster; NaN where it had none or did not exist."""
    known = {
        number: threshold
        for number, forecasts in course.forecasts.items()
        for name, _, threshold in forecasts
        if name == column and threshold is not None
    }
    return np.array([known.get(number, np.nan) for number in course.versions.tolist()], float)


def _cuts(plant: Plant, course: Course) -> Mask:
    """Whether a gap lies before an interval that nothing may be carried over."""
    seconds = np.array([start.timestamp() for start in course.starts])
    gaps = np.diff(seconds, prepend=seconds[:1]) > plant.time.longest_gap.total_seconds()
    return np.asarray(gaps | (course.segment == -1))


def _of_instrument(plant: Plant, instrument: Instrument) -> list[Track]:
    key, unit = instrument.key, instrument.unit
    measured = _series(key, instrument.title, unit, "measured", instrument.range)
    found = [
        Track(measured, (key, f"{key}_min", f"{key}_max"), tuple(limits_of(plant, instrument)))
    ]
    controller = controller_of(plant, instrument)
    if controller is not None:
        sp, op = controller.sp.lower(), controller.op.lower()
        setpoint = _series(sp, f"{instrument.title}: setpoint", unit, "setpoint", instrument.range)
        output = _series(op, f"{instrument.title}: controller output", "%", "output", (0.0, 100.0))
        found += [Track(setpoint, (sp, sp, sp)), Track(output, (op, op, op))]
    return found


def _of_model(model: ModelEntry) -> Track:
    low_high = {"probability": (0.0, 1.0), "anomaly": (-1.0, 1.0), "value": (-50.0, 50.0)}[
        model.kind
    ]
    if model.column == NORMALITY:
        low_high = (0.0, 5.0)
    return Track(_series(model.column, model.title, model.unit or "1", "predicted", low_high))


def _series(key: str, title: str, unit: str, kind: str, low_high: tuple[float, float]) -> Series:
    return Series.model_validate(
        {
            "key": key,
            "title": title,
            "unit": unit,
            "kind": kind,
            "range": low_high,
            "value": [],
            "low": [],
            "high": [],
        }
    )


def _forecasters(plant: Plant) -> list[str]:
    return [model.column for model in model_list(plant) if model.horizon]


def _before(course: Course, begin: datetime) -> int:
    return sum(start < begin for start in course.starts)


def _axis(plant: Plant, starts: Sequence[datetime], points: int) -> Axis:
    """One row a cadence from the first to the last interval, so many rows to a point that there are at most `points`."""
    if not starts:
        return Axis([], np.zeros(0, np.int64))
    cadence, first = plant.time.cadence, starts[0]
    rows = (starts[-1] - first) // cadence + 1
    step = max(-(-rows // points), 1)
    count = -(-rows // step)
    row_and_rest = [divmod(start - first, cadence) for start in starts]
    place = np.array([-1 if rest else row // step for row, rest in row_and_rest], np.int64)
    return Axis([first + min((point + 1) * step, rows) * cadence for point in range(count)], place)


def _thinned(track: Track, course: Course, lead_in: int, axis: Axis) -> Series:
    """One point for several intervals: mean of the values, lowest low, highest high; what is missing is left out."""
    if track.keys is None:
        scores = course.scores[track.series.key]
        value, low, high = scores, scores, scores
    else:
        value, low, high = (course.values[key] for key in track.keys)
    points = len(axis.time)
    value, low, high = value[lead_in:], low[lead_in:], high[lead_in:]
    lowest = _extreme(np.fmin, value, low, axis.place, points)
    highest = _extreme(np.fmax, value, high, axis.place, points)
    return track.series.model_copy(
        update={
            "value": _listed(_mean(value, axis.place, points)),
            "low": _listed(lowest),
            "high": _listed(highest),
        }
    )


def _mean(values: Floats, place: Places, points: int) -> Floats:
    known = ~np.isnan(values) & (place >= 0)
    counts = np.bincount(place[known], minlength=points)
    sums = np.bincount(place[known], weights=values[known], minlength=points)
    means: Floats = np.divide(sums, counts, out=np.full(points, np.nan), where=counts > 0)
    return means


def _extreme(
    pick: np.ufunc, values: Floats, extremes: Floats, place: Places, points: int
) -> Floats:
    """The lowest low or highest high of each point; of the values where no extreme is known; NaN where no value is known."""
    of_values, of_extremes = (
        _picked(pick, numbers, place, points) for numbers in (values, extremes)
    )
    found = np.where(np.isnan(of_extremes), of_values, of_extremes)
    return np.where(np.isnan(of_values), np.nan, found)


def _picked(pick: np.ufunc, values: Floats, place: Places, points: int) -> Floats:
    found, known = np.full(points, np.nan), place >= 0
    pick.at(found, place[known], values[known])
    return found


def _listed(values: Floats) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _spans(plant: Plant, course: Course, lead_in: int) -> list[Span]:
    """Stretches in alarm, and those in which a forecaster's warning was active."""
    titles = {model.column: model.title for model in model_list(plant)}
    flags: dict[tuple[str, str], Mask] = {("alarm", "In alarm by a limit rule"): course.in_alarm}
    for column in _forecasters(plant):
        flags["warning", titles.get(column, column)] = active(plant, course, column)
    starts = course.starts[lead_in:]
    return [
        Span.model_validate(
            {"kind": kind, "title": title} | _bounds(plant, kind, begin, end, starts[-1])
        )
        for (kind, title), on in flags.items()
        for begin, end in _stretches(plant, starts, on[lead_in:])
    ]


def _bounds(
    plant: Plant, kind: str, begin: datetime, end: datetime, newest: datetime
) -> dict[str, datetime]:
    """An alarm is in its intervals. A warning begins and ends when it is raised and cleared: at the end of an interval."""
    if kind == "alarm":
        return {"begin": begin, "end": end}
    return {"begin": _end(plant, begin), "end": min(_end(plant, end), _end(plant, newest))}


def _stretches(
    plant: Plant, starts: Sequence[datetime], on: Mask
) -> list[tuple[datetime, datetime]]:
    """Begin and end of every run of true flags. An interval that is in alarm is so from its start to its end; a hole ends a run."""
    found: list[tuple[datetime, datetime]] = []
    for start in (starts[row] for row in np.flatnonzero(on).tolist()):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], _end(plant, start))
        else:
            found.append((start, _end(plant, start)))
    return found


def _end(plant: Plant, start: datetime) -> datetime:
    return start + plant.time.cadence


__all__ = ["DEFAULT_ROWS", "LONGEST", "Track", "Wanted", "active", "draw", "tracks", "trends"]
