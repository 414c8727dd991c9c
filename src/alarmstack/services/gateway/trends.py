"""Trends of the plant's past.

Series on one axis, reduced without losing peaks, with limits and the periods of alarms and
warnings. `draw` runs in the process of the reader and returns JSON, so that a long past does not
occupy the event loop.
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
"""Intervals in an answer without a beginning: two days of hours."""
SCORE_RANGES = {"probability": (0.0, 1.0), "anomaly": (-1.0, 1.0), "value": (-50.0, 50.0)}
"""The axis of a model's score, by kind of model."""
NORMALITY_RANGE = (0.0, 5.0)
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Track:
    """A series that can be drawn, and the keys of its numbers in a row: value, low, high.

    `keys` is None for a model, whose score is all three.
    """

    series: Series
    keys: tuple[str, str, str] | None = None
    limits: tuple[LimitLine, ...] = ()


class Wanted(NamedTuple):
    """A request: keys of tracks, intervals that start in [begin, end), the most points."""

    tags: tuple[str, ...]
    begin: datetime | None
    end: datetime | None
    points: int


class Axis(NamedTuple):
    """The time axis. `place[i]`: the point of interval i; -1 where it is off the cadence."""

    time: list[datetime]
    place: Places


def draw(url: str, plant: Plant, wanted: Wanted) -> bytes:
    """The answer as JSON. Reads the database at `url`."""
    known = tracks(plant)
    chosen = [known[tag] for tag in wanted.tags]
    cadence = plant.time.cadence
    lead = None if wanted.begin is None else wanted.begin - LEAD_IN * cadence
    keys = {key for track in chosen for key in track.keys or ()}
    columns = {track.series.key for track in chosen if track.keys is None}
    columns |= set(_forecasters(plant))
    most = (DEFAULT_ROWS if wanted.begin is None else LONGEST) + LEAD_IN
    course = read_course(url, plant.name, sorted(keys), sorted(columns), lead, wanted.end, most)
    first = len(course) - DEFAULT_ROWS if wanted.begin is None else _before(course, wanted.begin)
    return trends(plant, chosen, course, max(first, 0), wanted.points).model_dump_json().encode()


def tracks(plant: Plant) -> dict[str, Track]:
    """Every track by key: instruments, setpoints, outputs, and the models' columns."""
    drawn = [track for instrument in plant.modelled for track in _of_instrument(plant, instrument)]
    drawn += [_of_model(model) for model in model_list(plant) if model.kind != "classes"]
    return {track.series.key: track for track in drawn}


def trends(
    plant: Plant, chosen: Sequence[Track], course: Course, lead_in: int, points: int
) -> Trends:
    """The chosen series without the first `lead_in` intervals, which warm up the warnings."""
    axis = _axis(plant, course.starts[lead_in:], points)
    return Trends(
        time=axis.time,
        series=[_thinned(track, course, lead_in, axis) for track in chosen],
        limits=[line for track in chosen for line in track.limits],
        spans=_spans(plant, course, lead_in),
    )


def active(plant: Plant, course: Course, column: str) -> Mask:
    """Whether a forecaster's warning is active after each interval, as `monitor.warning` decides.

    Only a score at or above its threshold ends the idle state: intervals in between are skipped.
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
    """The threshold of each interval's forecaster; NaN where it had none."""
    by_version = {
        number: threshold
        for number, forecasts in course.forecasts.items()
        for name, _, threshold in forecasts
        if name == column and threshold is not None
    }
    return np.array([by_version.get(number, np.nan) for number in course.versions.tolist()], float)


def _cuts(plant: Plant, course: Course) -> Mask:
    """Whether a gap before an interval clears the warnings."""
    seconds = np.array([start.timestamp() for start in course.starts])
    gaps = np.diff(seconds, prepend=seconds[:1]) > plant.time.longest_gap.total_seconds()
    return np.asarray(gaps | (course.segment == -1))


def _of_instrument(plant: Plant, instrument: Instrument) -> list[Track]:
    key, unit = instrument.key, instrument.unit
    measured = _series(key, instrument.title, unit, "measured", instrument.range)
    limits = tuple(limits_of(plant, instrument))
    drawn = [Track(measured, (key, f"{key}_min", f"{key}_max"), limits)]
    controller = controller_of(plant, instrument)
    if controller is not None:
        sp, op = controller.sp.lower(), controller.op.lower()
        setpoint = _series(sp, f"{instrument.title}: setpoint", unit, "setpoint", instrument.range)
        output = _series(op, f"{instrument.title}: controller output", "%", "output", (0.0, 100.0))
        drawn += [Track(setpoint, (sp, sp, sp)), Track(output, (op, op, op))]
    return drawn


def _of_model(model: ModelEntry) -> Track:
    low_high = NORMALITY_RANGE if model.column == NORMALITY else SCORE_RANGES[model.kind]
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
    """One row for each cadence from the first to the last interval, several rows to a point.

    There are at most `points` points.
    """
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
    """One point for several intervals: mean, lowest low, highest high, without missing values."""
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
    usable = ~np.isnan(values) & (place >= 0)
    counts = np.bincount(place[usable], minlength=points)
    sums = np.bincount(place[usable], weights=values[usable], minlength=points)
    means: Floats = np.divide(sums, counts, out=np.full(points, np.nan), where=counts > 0)
    return means


def _extreme(
    pick: np.ufunc, values: Floats, extremes: Floats, place: Places, points: int
) -> Floats:
    """The lowest low or highest high of each point.

    Where no extreme is known, that of the values; NaN where no value is known.
    """
    of_values = _picked(pick, values, place, points)
    of_extremes = _picked(pick, extremes, place, points)
    picked = np.where(np.isnan(of_extremes), of_values, of_extremes)
    return np.where(np.isnan(of_values), np.nan, picked)


def _picked(pick: np.ufunc, values: Floats, place: Places, points: int) -> Floats:
    """The picked number of each point; NaN where it has no number."""
    picked, on_axis = np.full(points, np.nan), place >= 0
    pick.at(picked, place[on_axis], values[on_axis])
    return picked


def _listed(values: Floats) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _spans(plant: Plant, course: Course, lead_in: int) -> list[Span]:
    """Periods in alarm, and those with an active warning of a forecaster."""
    titles = {model.column: model.title for model in model_list(plant)}
    flags: dict[tuple[str, str], Mask] = {("alarm", "In alarm by a limit rule"): course.in_alarm}
    for column in _forecasters(plant):
        flags["warning", titles.get(column, column)] = active(plant, course, column)
    starts = course.starts[lead_in:]
    spans = []
    for (kind, title), on in flags.items():
        for begin, end in _runs(plant, starts, on[lead_in:]):
            bounds = _bounds(plant, kind, begin, end, starts[-1])
            spans.append(Span.model_validate({"kind": kind, "title": title} | bounds))
    return spans


def _bounds(
    plant: Plant, kind: str, begin: datetime, end: datetime, newest: datetime
) -> dict[str, datetime]:
    """The bounds of a period: an alarm lasts for its intervals.

    A warning is raised and cleared at the end of an interval.
    """
    if kind == "alarm":
        return {"begin": begin, "end": end}
    return {"begin": _end(plant, begin), "end": min(_end(plant, end), _end(plant, newest))}


def _runs(plant: Plant, starts: Sequence[datetime], on: Mask) -> list[tuple[datetime, datetime]]:
    """Begin and end of every run of true flags. A missing interval ends a run."""
    runs: list[tuple[datetime, datetime]] = []
    for row in np.flatnonzero(on).tolist():
        start = starts[row]
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], _end(plant, start))
        else:
            runs.append((start, _end(plant, start)))
    return runs


def _end(plant: Plant, start: datetime) -> datetime:
    return start + plant.time.cadence


__all__ = ["DEFAULT_ROWS", "LONGEST", "Track", "Wanted", "active", "draw", "tracks", "trends"]
