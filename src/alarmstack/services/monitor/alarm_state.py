"""The alarm state of the plant now: every limit rule on the newest readings, folded by the alarm engine.

A rule on an instrument's own value, and a rule on a deviation from setpoint, follow each reading. A rule on what is derived of
several intervals (a rolling standard deviation) follows the closed rows and the open one that the readings so far make, through
`derived.column` as everywhere else. Operator-log periods are known late and do not count.

Every reading is looked at once, in the order of the plant's clock, so that a restart resumes where it was: the stored states come
back, readings that the feed still has are looked at first, and where it has none, closed intervals tell of the time (their alarms
are marked approximate). Pure: no I/O. The monitor stores what `take_changes` returns.
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
    """The warnings after the newest assessment; `reason`: why they are not known."""

    warnings: Sequence[WarningState]
    reason: str | None = None


class Heard(NamedTuple):
    """A reading as the feed told it: by key, the seconds since each instrument spoke, and the setpoints."""

    reading: Reading
    ages: Mapping[str, float | None] = {}
    setpoints: Mapping[str, float | None] = {}


class Changes(NamedTuple):
    """What is to be stored: episodes that began or ended, and the states of rules."""

    episodes: tuple[Episode, ...]
    states: dict[str, Body]


class _Look(NamedTuple):
    """A value at an instant. `read_at`: when it was measured; `gap`: why there is none (the value is then NaN)."""

    value: float
    read_at: datetime
    gap: str | None = None


@dataclass
class _Watch:
    """One rule and how far it has come. `peak` is a height."""

    rule: Limit
    engine: LimitRule
    instrument: Instrument
    title: str
    state: LimitState = QUIET
    value: float | None = None
    gap: str | None = None
    peak: float | None = None
    approximate: bool = False

    def look(self, now: datetime, look: _Look, approximate: bool = False) -> LimitState:
        """Take a value in; returns the state before it."""
        before, height = self.state, self.rule.height(look.value)
        read_at = look.read_at.timestamp()
        self.state = step(self.engine, before, now.timestamp(), height, read_at)
        self.value, self.gap = (None if isnan(look.value) else look.value), look.gap
        if self.state.since is not None and self.state.since != before.since:
            self.peak, self.approximate = None, approximate
        if self.state.since is not None and not isnan(height):
            self.peak = height if self.peak is None else max(self.peak, height)
        return before


class AlarmState:
    """Limits of a plant. `heard` and `closed` take the feed in, `view` says how the plant is."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._watches = [_watch(plant, rule) for rule in plant.labels.rules]
        columns = [read_column(plant, watch.rule.column) for watch in self._watches]
        derived = [one.signal for one in columns if one.kind not in ("own", "deviation")]
        self._rows = NewestRows(plant, max(plant.rows(plant.time.short_window), 1), derived)
        self._signals = {signal.lower(): signal for signal in plant.signals}
        self._measured: dict[str, Measured] = {}
        self._told: set[str] = set()
        self._block: IntervalBlock | None = None
        self._episodes: dict[tuple[str, datetime], Episode] = {}
        self._unsaved: set[str] = set()
        self.plant_time: datetime | None = None
        """The newest reading that was looked at."""

    def restore(self, states: Mapping[str, Body]) -> dict[str, datetime]:
        """Resume from stored states; returns when the active alarms began, by rule.

        A rule whose limit was changed begins anew.
        """
        for watch in self._watches:
            stored = states.get(watch.rule.name)
            if stored is None or stored["limit"] != watch.rule.limit:
                continue
            watch.state = LimitState(
                stored["active"], stored["since"], stored["back"], stored["at"]
            )
            watch.peak, watch.approximate = stored["peak"], stored["approximate"]
        looked = [watch.state.at for watch in self._watches if watch.state.at is not None]
        self.plant_time = _instant(max(looked)) if looked else None
        active = [watch for watch in self._watches if watch.state.active]
        return {watch.rule.name: _since(watch) for watch in active}

    def resume(self, past: Sequence[Past], readings: Sequence[Heard]) -> None:
        """Look at what was missed: closed intervals as far as the feed's own readings do not reach back, then those readings.

        Both oldest first; `past` may begin long before.
        """
        dated = [one for one in readings if one.reading.timestamp is not None]
        newest = dated[-1].reading.timestamp if dated else None
        if newest is not None:
            self._rewind(newest)
        first = dated[0].reading.timestamp if dated else None
        self._look_back(past, first)
        for interval in past[-self._plant.rows(self._plant.time.short_window) - 1 :]:
            self.closed(Observation.model_validate(interval.row))
        for heard in dated:
            at = heard.reading.timestamp
            if at is not None and self.plant_time is not None and at < self.plant_time:
                self._listen(heard, at)
            else:
                self.heard(heard)

    def closed(self, interval: Observation) -> None:
        """A closed interval: setpoints that no reading carries, and rows for what is derived."""
        if interval.timestamp is None:
            return
        end = interval.timestamp + self._plant.time.cadence
        for controller in self._plant.controllers:
            for signal in (controller.sp, controller.op):
                value = interval.numbers.get(signal.lower())
                older = self._measured.get(signal)
                if (
                    value is not None
                    and signal not in self._told
                    and (older is None or older.at < end)
                ):
                    self._measured[signal] = Measured(value, end)
        self._rows.closed(interval)
        self._save_all()

    def heard(self, heard: Heard) -> None:
        """A reading of the feed. One that comes late changes nothing; a clock that was set back is followed."""
        now = heard.reading.timestamp
        if now is None:
            return
        self._rewind(now)
        if self.plant_time is not None and now < self.plant_time:
            return
        self.plant_time = now
        self._listen(heard, now)
        for watch in self._watches:
            self._take(watch, now, self._look(watch, now))

    def _listen(self, heard: Heard, now: datetime) -> None:
        """Note the newest values, without looking at the limits."""
        measured = dict(self._measured_of(heard, now))
        self._told.update(measured)
        self._measured.update(measured)
        self._rows.heard(now, measured)
        self._block = None

    def take_changes(self) -> Changes:
        """What is to be stored since the last time; what could not be stored comes back by `put_back`."""
        states = {
            watch.rule.name: _stored(watch)
            for watch in self._watches
            if watch.rule.name in self._unsaved
        }
        taken = Changes(tuple(self._episodes.values()), states)
        self._episodes, self._unsaved = {}, set()
        return taken

    def put_back(self, changes: Changes) -> None:
        """These changes could not be stored: they are due again, unless there are newer ones."""
        for episode in changes.episodes:
            self._episodes.setdefault((episode.rule, episode.begin), episode)
        self._unsaved.update(changes.states)

    @property
    def changed(self) -> bool:
        """Whether there is something to be stored."""
        return bool(self._episodes or self._unsaved)

    def view(self, status: FeedStatus, warned: Warned) -> PlantState:
        """The one state that every view shows. While the feed is not live nothing is claimed."""
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
            since=min((one.since for one in limits), default=None),
            limits=limits,
            pending=[_alarm(watch) for watch in self._watches if _pending(watch.state)],
            not_evaluated=[
                _gap(watch, watch.gap) for watch in self._watches if watch.gap is not None
            ],
            warnings=[_given_way(one) if limits else one for one in warned.warnings],
            warnings_reason=warned.reason,
        )

    def _measured_of(self, heard: Heard, now: datetime) -> list[tuple[str, Measured]]:
        """Each signal of a reading with the time it was measured."""
        found = []
        for key, value in {**heard.reading.numbers, **heard.setpoints}.items():
            if (signal := self._signals.get(key)) is not None:
                age = timedelta(seconds=max(heard.ages.get(key) or 0.0, 0.0))
                found.append((signal, Measured(value, now - age)))
        return found

    def _look(self, watch: _Watch, now: datetime) -> _Look:
        """The newest value of a rule's column."""
        read = read_column(self._plant, watch.rule.column)
        if read.kind == "own":
            return _in_range(watch, read.signal, self._newest(read.signal, now))
        if read.kind == "deviation":
            controller = next(one for one in self._plant.controllers if one.pv == read.signal)
            value, setpoint = self._newest(controller.pv, now), self._newest(controller.sp, now)
            gap = value.gap or setpoint.gap
            return _Look(value.value - setpoint.value, max(value.read_at, setpoint.read_at), gap)
        try:
            self._block = self._block or self._rows.block(now)
        except ObservationError as error:
            return _Look(nan, now, str(error))
        derived = float(column(self._plant, self._block, watch.rule.column)[-1])
        unknown = (
            f"{watch.rule.column} has no value yet: too few readings" if isnan(derived) else None
        )
        return _Look(derived, now, unknown)

    def _newest(self, signal: str, now: datetime) -> _Look:
        """The newest value of a signal that may still be used."""
        measured = self._measured.get(signal)
        if measured is None:
            return _Look(nan, now, f"no reading of {signal} yet")
        too_old = now - measured.at > self._plant.stale_after[signal]
        if measured.value is None or too_old:
            return _Look(
                nan,
                now,
                f"{signal} is missing or stale: its last reading is from {_clock(self._plant, measured.at)}",
            )
        return _Look(measured.value, measured.at)

    def _take(self, watch: _Watch, now: datetime, look: _Look, approximate: bool = False) -> None:
        before = watch.look(now, look, approximate)
        after = watch.state
        if before[:3] != after[:3]:
            self._unsaved.add(watch.rule.name)
        if after.active:
            if not before.active:
                self._put(_episode(watch, after, None))
        elif before.active:
            self._put(_episode(watch, before, now))

    def _save_all(self) -> None:
        """Have every state stored, and the peaks of active alarms."""
        self._unsaved.update(
            watch.rule.name for watch in self._watches if watch.state.at is not None
        )
        for watch in self._watches:
            if watch.state.active:
                self._put(_episode(watch, watch.state, None))

    def _put(self, episode: Episode) -> None:
        self._episodes[episode.rule, episode.begin] = episode

    def _look_back(self, past: Sequence[Past], until: datetime | None) -> None:
        """Closed intervals that no reading is left of: their alarms begin and end with an interval.

        An interval that was partly looked at already is left out.
        """
        cadence = self._plant.time.cadence
        since = self.plant_time
        wanted = [
            one
            for one in past
            if (since is None or one.start >= since)
            and (until is None or one.start + cadence <= until)
        ]
        wanted = [one for one in wanted if wanted[-1].start - one.start < (MOST_ROWS - 1) * cadence]
        if not wanted:
            return
        try:
            block = to_block(self._plant, [Observation.model_validate(one.row) for one in wanted])
        except ObservationError as error:
            log.warning(
                "limits are not evaluated on the past before %s: %s",
                wanted[-1].start.isoformat(),
                error,
            )
            return
        starts = [wanted[0].start + row * cadence for row in range(len(block))]
        for watch in self._watches:
            values = column(self._plant, block, watch.rule.column).tolist()
            for start, value in zip(starts, values, strict=True):
                for instant in _instants(watch.engine, start, cadence):
                    # At its end a row gives way to the next one: one instant has one value.
                    if instant < start + cadence or start == starts[-1]:
                        self._take(watch, instant, _Look(value, instant), approximate=True)
        self.plant_time = starts[-1] + cadence

    def _rewind(self, now: datetime) -> None:
        """Follow a clock that was set back by more than a cadence; less is a reading that comes late."""
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


def _in_range(watch: _Watch, signal: str, look: _Look) -> _Look:
    """A value that the instrument cannot have ends no alarm; one that exceeds the limit may begin one."""
    low, high = watch.instrument.range
    if (
        look.gap is not None
        or low <= look.value <= high
        or watch.rule.height(look.value) > watch.rule.level
    ):
        return look
    return _Look(
        nan, look.read_at, f"{signal} is out of range: {look.value:g} {watch.instrument.unit}"
    )


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


def _given_way(warning: WarningState) -> WarningState:
    """In alarm there is nothing left to forecast."""
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
    """When an interval's value is looked at: at its beginning, after the rule's delays, at its end."""
    delay = min(timedelta(seconds=max(rule.on_delay, rule.off_delay)), cadence)
    return [start, start + delay, start + cadence]


def _since(watch: _Watch) -> datetime:
    assert watch.state.since is not None, "a limit that is exceeded has a beginning"
    return _instant(watch.state.since)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clock(plant: Plant, instant: datetime) -> str:
    return f"{instant.astimezone(plant.zone):%Y-%m-%d %H:%M}"


__all__ = ["AlarmState", "Changes", "Heard", "Warned"]
