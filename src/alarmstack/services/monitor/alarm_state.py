"""The alarm state of the plant now: the alarm engine evaluates every limit rule on each reading.

A rule on an instrument's own value, and a rule on a deviation from setpoint, are evaluated on each
reading. A rule on a value that is derived from several intervals (a rolling standard deviation) is
evaluated on the closed rows and the open row of the readings so far, through `derived.column` as
everywhere else. Operator-log periods are known late and do not count.

Every reading is evaluated once, in the order of the plant's clock. After a restart the stored
states are restored, then the readings that the feed still has are evaluated. Where it has none,
closed intervals are evaluated instead, and their alarms are marked as approximate. Pure: no I/O.
The monitor stores what `take_changes` returns.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from typing import NamedTuple

from alarmstack.alarms.limits import QUIET, LimitRule, LimitState, limit_title, rewound, step
from alarmstack.core.errors import ObservationError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.plant import Instrument, Limit, Plant
from alarmstack.preparation.derived import column, instrument_of, read_column
from alarmstack.services.monitor.open_interval import Measured, NewestRows
from alarmstack.services.schemas.gateway import (
    FeedStatus,
    LimitAlarm,
    LimitGap,
    PlantState,
    WarningState,
)
from alarmstack.services.schemas.observations import MOST_ROWS, Observation, Reading, to_block
from alarmstack.storage.database.limit_alarms import Episode
from alarmstack.storage.database.plant_history import Past
from alarmstack.storage.database.tables import Body

log = logging.getLogger(__name__)


class Warned(NamedTuple):
    """The warnings after the newest assessment. `reason`: why they are not known."""

    warnings: Sequence[WarningState]
    reason: str | None = None


class FeedReading(NamedTuple):
    """A reading of the feed, with the age of each value in seconds and the setpoints, by key."""

    reading: Reading
    ages: Mapping[str, float | None] = {}
    setpoints: Mapping[str, float | None] = {}


class Changes(NamedTuple):
    """What must be stored: episodes that began or ended, and the states of rules."""

    episodes: tuple[Episode, ...]
    states: dict[str, Body]


class _Sample(NamedTuple):
    """A value and when it was measured. `gap`: why there is no value (it is then NaN)."""

    value: float
    read_at: datetime
    gap: str | None = None


@dataclass
class _Watch:
    """One rule and its state. `peak` is on the scale of `Limit.height`."""

    rule: Limit
    engine: LimitRule
    instrument: Instrument
    title: str
    state: LimitState = QUIET
    value: float | None = None
    gap: str | None = None
    peak: float | None = None
    approximate: bool = False

    def evaluate(self, now: datetime, sample: _Sample, approximate: bool = False) -> LimitState:
        """Advance the rule by one value. Returns the state before it."""
        before, height = self.state, self.rule.height(sample.value)
        read_at = sample.read_at.timestamp()
        self.state = step(self.engine, before, now.timestamp(), height, read_at)
        self.value = None if isnan(sample.value) else sample.value
        self.gap = sample.gap
        if self.state.since is not None and self.state.since != before.since:
            self.peak, self.approximate = None, approximate
        if self.state.since is not None and not isnan(height):
            self.peak = height if self.peak is None else max(self.peak, height)
        return before


class AlarmState:
    """The limits of a plant.

    `add_reading` and `add_interval` process the feed, `view` returns the state for the screen.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._watches = [_watch(plant, rule) for rule in plant.labels.rules]
        columns = [read_column(plant, watch.rule.column) for watch in self._watches]
        derived = [source.signal for source in columns if source.kind not in ("own", "deviation")]
        self._rows = NewestRows(plant, max(plant.rows(plant.time.short_window), 1), derived)
        self._signals = {signal.lower(): signal for signal in plant.signals}
        self._measured: dict[str, Measured] = {}
        self._read: set[str] = set()
        """Signals that readings carry."""
        self._block: IntervalBlock | None = None
        self._episodes: dict[tuple[str, datetime], Episode] = {}
        self._unsaved: set[str] = set()
        self.plant_time: datetime | None = None
        """Time of the newest reading that was evaluated."""

    def restore(self, states: Mapping[str, Body]) -> dict[str, datetime]:
        """Restore stored states. Returns when the active alarms began, by rule.

        A rule whose limit was changed starts without a state.
        """
        for watch in self._watches:
            stored = states.get(watch.rule.name)
            if stored is None or stored["limit"] != watch.rule.limit:
                continue
            watch.state = LimitState(
                stored["active"], stored["since"], stored["back"], stored["at"]
            )
            watch.peak, watch.approximate = stored["peak"], stored["approximate"]
        evaluated = [watch.state.at for watch in self._watches if watch.state.at is not None]
        self.plant_time = _instant(max(evaluated)) if evaluated else None
        active = [watch for watch in self._watches if watch.state.active]
        return {watch.rule.name: _since(watch) for watch in active}

    def resume(self, past: Sequence[Past], readings: Sequence[FeedReading]) -> None:
        """Evaluate what was missed: closed intervals, then the readings that the feed still has.

        Both oldest first; `past` may begin long before.
        """
        dated = [reading for reading in readings if reading.reading.timestamp is not None]
        newest = dated[-1].reading.timestamp if dated else None
        if newest is not None:
            self._rewind(newest)
        first = dated[0].reading.timestamp if dated else None
        self._evaluate_past(past, first)
        for interval in past[-self._plant.rows(self._plant.time.short_window) - 1 :]:
            self.add_interval(Observation.model_validate(interval.row))
        for reading in dated:
            at = reading.reading.timestamp
            if at is not None and self.plant_time is not None and at < self.plant_time:
                self._note_values(reading, at)
            else:
                self.add_reading(reading)

    def add_interval(self, interval: Observation) -> None:
        """Add a closed interval: setpoints without readings, and a row for derived values."""
        if interval.timestamp is None:
            return
        end = interval.timestamp + self._plant.time.cadence
        for controller in self._plant.controllers:
            for signal in (controller.sp, controller.op):
                value = interval.numbers.get(signal.lower())
                older = self._measured.get(signal)
                if (
                    value is not None
                    and signal not in self._read
                    and (older is None or older.at < end)
                ):
                    self._measured[signal] = Measured(value, end)
        self._rows.add_interval(interval)
        self._save_all()

    def add_reading(self, reading: FeedReading) -> None:
        """Add a reading of the feed and evaluate the limits.

        A reading that arrives late changes nothing. A clock that was set back is followed.
        """
        now = reading.reading.timestamp
        if now is None:
            return
        self._rewind(now)
        if self.plant_time is not None and now < self.plant_time:
            return
        self.plant_time = now
        self._note_values(reading, now)
        for watch in self._watches:
            self._evaluate(watch, now, self._sample(watch, now))

    def _note_values(self, reading: FeedReading, now: datetime) -> None:
        """Keep the newest values, without an evaluation of the limits."""
        measured = dict(self._measured_of(reading, now))
        self._read.update(measured)
        self._measured.update(measured)
        self._rows.add_reading(now, measured)
        self._block = None

    def take_changes(self) -> Changes:
        """What must be stored since the last call. If storing fails, give it to `put_back`."""
        states = {
            watch.rule.name: _stored(watch)
            for watch in self._watches
            if watch.rule.name in self._unsaved
        }
        taken = Changes(tuple(self._episodes.values()), states)
        self._episodes, self._unsaved = {}, set()
        return taken

    def put_back(self, changes: Changes) -> None:
        """These changes could not be stored: return them again, unless there are newer ones."""
        for episode in changes.episodes:
            self._episodes.setdefault((episode.rule, episode.begin), episode)
        self._unsaved.update(changes.states)

    @property
    def changed(self) -> bool:
        """Whether something must be stored."""
        return bool(self._episodes or self._unsaved)

    def view(self, status: FeedStatus, warned: Warned) -> PlantState:
        """The one state that every view shows. It is unknown while the feed is not live."""
        reason = (status.feed_reason or status.feed) if status.feed != "live" else None
        if self.plant_time is None:
            reason = reason or "no reading yet"
        if reason is not None:
            return PlantState(
                plant_time=self.plant_time,
                known=False,
                reason=reason,
                in_alarm=False,
                since=None,
                limits=[],
                warnings=[],
                warnings_reason=reason,
            )
        limits = [_alarm(watch) for watch in self._watches if watch.state.active]
        return PlantState(
            plant_time=self.plant_time,
            known=True,
            reason=None,
            in_alarm=bool(limits),
            since=min((alarm.since for alarm in limits), default=None),
            limits=limits,
            pending=[_alarm(watch) for watch in self._watches if _pending(watch.state)],
            not_evaluated=[
                _gap(watch, watch.gap) for watch in self._watches if watch.gap is not None
            ],
            warnings=[_cleared(warning) if limits else warning for warning in warned.warnings],
            warnings_reason=warned.reason,
        )

    def _measured_of(self, reading: FeedReading, now: datetime) -> list[tuple[str, Measured]]:
        """Each signal of a reading with the time it was measured."""
        measured = []
        for key, value in {**reading.reading.numbers, **reading.setpoints}.items():
            if (signal := self._signals.get(key)) is not None:
                age = timedelta(seconds=max(reading.ages.get(key) or 0.0, 0.0))
                measured.append((signal, Measured(value, now - age)))
        return measured

    def _sample(self, watch: _Watch, now: datetime) -> _Sample:
        """The newest value of a rule's column."""
        source = read_column(self._plant, watch.rule.column)
        if source.kind == "own":
            return _in_range(watch, source.signal, self._newest(source.signal, now))
        if source.kind == "deviation":
            controller = next(one for one in self._plant.controllers if one.pv == source.signal)
            value, setpoint = self._newest(controller.pv, now), self._newest(controller.sp, now)
            gap = value.gap or setpoint.gap
            return _Sample(value.value - setpoint.value, max(value.read_at, setpoint.read_at), gap)
        try:
            self._block = self._block or self._rows.block(now)
        except ObservationError as error:
            return _Sample(nan, now, str(error))
        derived = float(column(self._plant, self._block, watch.rule.column)[-1])
        unknown = (
            f"{watch.rule.column} has no value yet: too few readings" if isnan(derived) else None
        )
        return _Sample(derived, now, unknown)

    def _newest(self, signal: str, now: datetime) -> _Sample:
        """The newest value of a signal that may still be used."""
        measured = self._measured.get(signal)
        if measured is None:
            return _Sample(nan, now, f"no reading of {signal} yet")
        too_old = now - measured.at > self._plant.stale_after[signal]
        if measured.value is None or too_old:
            last = _clock(self._plant, measured.at)
            gap = f"{signal} is missing or stale: its last reading is from {last}"
            return _Sample(nan, now, gap)
        return _Sample(measured.value, measured.at)

    def _evaluate(
        self, watch: _Watch, now: datetime, sample: _Sample, approximate: bool = False
    ) -> None:
        """Evaluate a rule, and note what must be stored."""
        before = watch.evaluate(now, sample, approximate)
        after = watch.state
        if before[:3] != after[:3]:
            self._unsaved.add(watch.rule.name)
        if after.active:
            if not before.active:
                self._put(_episode(watch, after, None))
        elif before.active:
            self._put(_episode(watch, before, now))

    def _save_all(self) -> None:
        """Mark every state, and the peaks of active alarms, as not stored yet."""
        self._unsaved.update(
            watch.rule.name for watch in self._watches if watch.state.at is not None
        )
        for watch in self._watches:
            if watch.state.active:
                self._put(_episode(watch, watch.state, None))

    def _put(self, episode: Episode) -> None:
        self._episodes[episode.rule, episode.begin] = episode

    def _evaluate_past(self, past: Sequence[Past], until: datetime | None) -> None:
        """Evaluate closed intervals that have no readings any more.

        Their alarms begin and end with an interval. An interval that was partly evaluated already
        is left out.
        """
        cadence = self._plant.time.cadence
        missed = self._missed(past, until)
        if not missed:
            return
        try:
            block = to_block(self._plant, [Observation.model_validate(one.row) for one in missed])
        except ObservationError as error:
            log.warning(
                "limits are not evaluated on the past before %s: %s",
                missed[-1].start.isoformat(),
                error,
            )
            return
        starts = [missed[0].start + row * cadence for row in range(len(block))]
        for watch in self._watches:
            values = column(self._plant, block, watch.rule.column).tolist()
            for start, value in zip(starts, values, strict=True):
                for instant in _instants(watch.engine, start, cadence):
                    # The end of a row is the start of the next one, whose value counts there.
                    if instant < start + cadence or start == starts[-1]:
                        self._evaluate(watch, instant, _Sample(value, instant), approximate=True)
        self.plant_time = starts[-1] + cadence

    def _missed(self, past: Sequence[Past], until: datetime | None) -> list[Past]:
        """Intervals after the newest evaluation that end by `until`, as many as fit a block."""
        cadence, since = self._plant.time.cadence, self.plant_time
        missed = [
            one
            for one in past
            if (since is None or one.start >= since)
            and (until is None or one.start + cadence <= until)
        ]
        return [one for one in missed if missed[-1].start - one.start < (MOST_ROWS - 1) * cadence]

    def _rewind(self, now: datetime) -> None:
        """Follow a clock that was set back by more than a cadence; less is a late reading."""
        if self.plant_time is None or now >= self.plant_time - self._plant.time.cadence:
            return
        log.warning(
            "the plant's clock went back from %s to %s",
            self.plant_time.isoformat(),
            now.isoformat(),
        )
        self.plant_time = now
        self._measured.clear()
        self._rows.clear()
        for watch in self._watches:
            watch.state = rewound(watch.state, now.timestamp())
            self._unsaved.add(watch.rule.name)


def _in_range(watch: _Watch, signal: str, sample: _Sample) -> _Sample:
    """The sample, or a gap for a value outside the instrument's range.

    A value that the instrument cannot measure must not end an alarm. One that exceeds the limit may
    begin an alarm.
    """
    low, high = watch.instrument.range
    exceeds_limit = watch.rule.height(sample.value) > watch.rule.level
    if sample.gap is not None or low <= sample.value <= high or exceeds_limit:
        return sample
    gap = f"{signal} is out of range: {sample.value:g} {watch.instrument.unit}"
    return _Sample(nan, sample.read_at, gap)


def _watch(plant: Plant, rule: Limit) -> _Watch:
    return _Watch(
        rule, LimitRule.of(plant, rule), instrument_of(plant, rule.column), limit_title(plant, rule)
    )


def _alarm(watch: _Watch) -> LimitAlarm:
    back = watch.state.back
    return LimitAlarm(
        rule=watch.rule.name,
        key=watch.instrument.key,
        tag=watch.instrument.tag,
        title=watch.title,
        limit=watch.rule.limit,
        unit=watch.rule.unit,
        value=watch.value,
        since=_since(watch),
        returning_since=None if back is None else _instant(back),
        approximate=watch.approximate,
    )


def _pending(state: LimitState) -> bool:
    return state.since is not None and not state.active


def _gap(watch: _Watch, reason: str) -> LimitGap:
    return LimitGap(
        rule=watch.rule.name, key=watch.instrument.key, title=watch.title, reason=reason
    )


def _cleared(warning: WarningState) -> WarningState:
    """A warning during an alarm: there is nothing left to forecast."""
    return warning.model_copy(update={"standing": False, "since": None, "text": None})


def _episode(watch: _Watch, state: LimitState, end: datetime | None) -> Episode:
    assert state.since is not None, "an active alarm has a beginning"
    return Episode(
        rule=watch.rule.name,
        key=watch.instrument.key,
        tag=watch.instrument.tag,
        title=watch.title,
        limit=watch.rule.limit,
        unit=watch.rule.unit,
        begin=_instant(state.since),
        end=end,
        peak=None if watch.peak is None else watch.rule.height(watch.peak),
        approximate=watch.approximate,
    )


def _stored(watch: _Watch) -> Body:
    kept = {"limit": watch.rule.limit, "peak": watch.peak, "approximate": watch.approximate}
    return watch.state._asdict() | kept


def _instants(rule: LimitRule, start: datetime, cadence: timedelta) -> list[datetime]:
    """When the value of an interval is evaluated: at its start, after the delays, at its end."""
    delay = min(timedelta(seconds=max(rule.on_delay, rule.off_delay)), cadence)
    return [start, start + delay, start + cadence]


def _since(watch: _Watch) -> datetime:
    assert watch.state.since is not None, "a limit that is exceeded has a beginning"
    return _instant(watch.state.since)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clock(plant: Plant, instant: datetime) -> str:
    return f"{instant.astimezone(plant.zone):%Y-%m-%d %H:%M}"


__all__ = ["AlarmState", "Changes", "FeedReading", "Warned"]
