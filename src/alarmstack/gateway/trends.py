"""Trends out of the plant's past: series on one axis, thinned without losing peaks, with limits and spans of alarm and warning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alarmstack.db.plant_history import Past
from alarmstack.expected import NORMALITY, Expected, expected
from alarmstack.gateway.plant_view import controller_of, limits_of
from alarmstack.monitor.warning import warnings
from alarmstack.plant import Instrument, Plant
from alarmstack.wire.screen import LimitLine, Series, Span, Trends

Value = float | None
Point = tuple[Value, Value, Value]
"""Value, low, high."""
NOTHING: Point = (None, None, None)


@dataclass(frozen=True)
class Track:
    """Something that can be drawn: how it is called, and how a point of it is read out of an interval."""

    series: Series
    read: Callable[[Past], Point]
    limits: tuple[LimitLine, ...] = ()


def tracks(plant: Plant) -> dict[str, Track]:
    """Everything that can be drawn, by key: instruments, setpoints, outputs, and the models' columns."""
    drawn = [track for instrument in plant.modelled for track in _of_instrument(plant, instrument)]
    drawn += [_of_model(model) for model in expected(plant) if model.kind != "classes"]
    return {track.series.key: track for track in drawn}


def trends(plant: Plant, chosen: Sequence[Track], past: Sequence[Past], lead_in: int, points: int) -> Trends:
    """The chosen series over the intervals after the first `lead_in` ones, which only warm up the warnings."""
    spans = _spans(plant, past, lead_in)
    grid = _grid(plant, past[lead_in:])
    step = max(-(-len(grid) // points), 1)
    stretches = [grid[at : at + step] for at in range(0, len(grid), step)]
    return Trends(
        time=[_end(plant, stretch[-1][0]) for stretch in stretches],
        series=[_thin(track, stretches) for track in chosen],
        limits=[line for track in chosen for line in track.limits],
        spans=spans,
    )


def thin(points: Sequence[Point]) -> Point:
    """One point for several: mean of the values, lowest low, highest high; what is missing is left out.

    >>> thin([(1.0, 0.5, 1.5), (3.0, 2.0, 9.0), (None, None, None)])
    (2.0, 0.5, 9.0)
    """
    values = [value for value, _, _ in points if value is not None]
    if not values:
        return NOTHING
    lows = [low for _, low, _ in points if low is not None] or values
    highs = [high for _, _, high in points if high is not None] or values
    return sum(values) / len(values), min(lows), max(highs)


def _of_instrument(plant: Plant, instrument: Instrument) -> list[Track]:
    key, unit = instrument.key, instrument.unit
    measured = _series(key, instrument.title, unit, "measured", instrument.range)
    found = [
        Track(
            measured,
            lambda one: (_number(one, key), _number(one, f"{key}_min"), _number(one, f"{key}_max")),
            tuple(limits_of(plant, instrument)),
        )
    ]
    controller = controller_of(plant, instrument)
    if controller is not None:
        sp, op = controller.sp.lower(), controller.op.lower()
        setpoint = _series(sp, f"{instrument.title}: setpoint", unit, "setpoint", instrument.range)
        output = _series(op, f"{instrument.title}: controller output", "%", "output", (0.0, 100.0))
        found += [Track(setpoint, lambda one: (_number(one, sp),) * 3), Track(output, lambda one: (_number(one, op),) * 3)]
    return found


def _of_model(model: Expected) -> Track:
    low_high = {"probability": (0.0, 1.0), "anomaly": (-1.0, 1.0), "value": (-50.0, 50.0)}[model.kind]
    if model.column == NORMALITY:
        low_high = (0.0, 5.0)
    series = _series(model.column, model.title, model.unit or "1", "predicted", low_high)
    return Track(series, lambda one: ((one.said or {}).get("scores", {}).get(model.column),) * 3)


def _series(key: str, title: str, unit: str, kind: str, low_high: tuple[float, float]) -> Series:
    return Series.model_validate(
        {"key": key, "title": title, "unit": unit, "kind": kind, "range": low_high, "value": [], "low": [], "high": []}
    )


def _number(one: Past, key: str) -> Value:
    value = one.row.get(key)
    return None if value is None else float(value)


def _grid(plant: Plant, past: Sequence[Past]) -> list[tuple[datetime, Past | None]]:
    """One row a cadence from the first to the last interval; a hole is a row without an interval."""
    if not past:
        return []
    known = {one.start: one for one in past}
    rows = (past[-1].start - past[0].start) // plant.time.cadence + 1
    starts = (past[0].start + number * plant.time.cadence for number in range(rows))
    return [(start, known.get(start)) for start in starts]


def _thin(track: Track, stretches: Sequence[Sequence[tuple[datetime, Past | None]]]) -> Series:
    points = [thin([track.read(one) if one else NOTHING for _, one in stretch]) for stretch in stretches]
    value, low, high = (list(part) for part in zip(*points, strict=True)) if points else ([], [], [])
    return track.series.model_copy(update={"value": value, "low": low, "high": high})


def _spans(plant: Plant, past: Sequence[Past], lead_in: int) -> list[Span]:
    """Stretches in alarm, and those a forecaster's warning stood in."""
    titles = {model.column: model.title for model in expected(plant)}
    flags: dict[tuple[str, str], list[bool]] = {("alarm", "In alarm by a limit rule"): [one.in_alarm for one in past]}
    folded = warnings(plant, past)
    for column in [state.column for state in folded[-1]] if folded else []:
        on = [any(state.column == column and state.standing for state in states) for states in folded]
        flags["warning", titles.get(column, column)] = on
    return [
        Span.model_validate({"kind": kind, "title": title} | _bounds(plant, kind, begin, end, past[-1].start))
        for (kind, title), on in flags.items()
        for begin, end in _stretches(plant, past[lead_in:], on[lead_in:])
    ]


def _bounds(plant: Plant, kind: str, begin: datetime, end: datetime, newest: datetime) -> dict[str, datetime]:
    """An alarm is in its intervals. A warning begins and ends when it is given and taken back: at the end of an interval."""
    if kind == "alarm":
        return {"begin": begin, "end": end}
    return {"begin": _end(plant, begin), "end": min(_end(plant, end), _end(plant, newest))}


def _stretches(plant: Plant, past: Sequence[Past], on: Sequence[bool]) -> list[tuple[datetime, datetime]]:
    """Begin and end of every run of true flags. An interval that is in alarm is so from its start to its end; a hole ends a run."""
    found: list[tuple[datetime, datetime]] = []
    for one, flag in zip(past, on, strict=True):
        if flag and found and found[-1][1] == one.start:
            found[-1] = (found[-1][0], _end(plant, one.start))
        elif flag:
            found.append((one.start, _end(plant, one.start)))
    return found


def _end(plant: Plant, start: datetime) -> datetime:
    return start + plant.time.cadence


__all__ = ["Track", "thin", "tracks", "trends"]
