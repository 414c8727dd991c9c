"""A simulated plant that runs live: computed an hour at a time, shown a step at a time.

The plant is computed in whole hours, as in an export, and its readings are shown when its clock
reaches them. A scenario is a fault of the same physical model that begins now: the current hour is
computed again from its start with the fault added. Randomness depends on seed and hour only and
everything else is causal, so the readings that were already shown stay the same.

The saved state is small: a base (the plant's state at an hour some days ago), the scenarios since
then, and the hour that the clock has reached. Everything else is computed from it after a restart.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alarmstack.core.clock import EPOCH
from alarmstack.core.errors import ServiceError
from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock, join
from alarmstack.core.plant import Plant
from alarmstack.core.whole_files import replacing
from alarmstack.preparation.interval_closer import CloserState, close, instant_of, open_at
from alarmstack.services.schemas.sensors import KEPT_READINGS
from alarmstack.simulator import SIMULATOR_VERSION
from alarmstack.simulator.dynamics import Motion, State
from alarmstack.simulator.events import Happening, happening, schedule
from alarmstack.simulator.historian import since, written
from alarmstack.simulator.parameters import Parameters, load_parameters

CALM = "normal"
KEPT_DAYS = 10
"""Days of closed intervals that a client can still get."""
HOURS_A_DAY = 24
KEPT_HOURS = KEPT_DAYS * HOURS_A_DAY
HOURS_A_BASE = HOURS_A_DAY
"""Plant hours between two stored bases, from one of which a restart computes the plant again."""
ENDLESS_HOURS = 1e300
"""JSON has no infinity: an event without an end is saved with this one."""
ROUNDING_STEPS = 1e-9
"""Share of a step by which the hour may be off, after many additions of fractions of an hour."""
HOUR = timedelta(hours=1)
Last = dict[str, tuple[float, int]]
TagReading = tuple[str, datetime, float]
"""Tag, instant, value."""


@dataclass(frozen=True)
class Base:
    """The plant at the start of an hour: motion, last recorded values, interval closer."""

    motion: State
    last: Last
    closer: CloserState


@dataclass(frozen=True)
class Snapshot:
    """The newest value of each instrument and setpoint at a plant time, and the ages in seconds.

    A key without a value yet is absent.
    """

    time: datetime
    values: Mapping[str, float]
    ages: Mapping[str, float]


@dataclass
class LivePlant:
    """The plant and its clock. The same seed, start and scenarios give the same plant."""

    plant: Plant
    seed: int
    begin: datetime
    scenario: str = CALM
    hours: float = 0.0
    events: list[Happening] = field(default_factory=list)
    requests: int = 0
    """How many scenarios were activated."""

    def __post_init__(self) -> None:
        self.parameters: Parameters = load_parameters(self.plant)
        self._motion = Motion(self.plant, self.parameters, self.seed)
        self._bases = deque([Base(State(), {}, open_at(self.plant, self.begin))])
        self._head = self._bases[0]
        self._blocks: deque[IntervalBlock] = deque(maxlen=KEPT_HOURS)
        self.readings: deque[Snapshot] = deque(maxlen=KEPT_READINGS)
        self._shown: deque[TagReading] = deque()
        """Readings that were shown since the oldest base, oldest first."""
        self._newest: dict[str, tuple[float, datetime]] = {}
        """Newest value of each tag, and its time."""
        self._next, self._hour_readings = self._compute_hour(self._head)
        self._hour_shown = 0
        """How many readings of the current hour were shown."""

    @property
    def now(self) -> datetime:
        """The plant's clock."""
        return since(self.begin, self.hours)

    @property
    def closed_hours(self) -> int:
        """Whole hours that the clock has passed."""
        return self._head.motion.hour

    @property
    def intervals(self) -> IntervalBlock | None:
        """Closed intervals, oldest first; None before the first."""
        return join(list(self._blocks)) if self._blocks else None

    @property
    def last_stride(self) -> datetime:
        """The last stride that the clock has reached: intervals that end there can be assessed."""
        return self.now - (self.now - EPOCH) % self.plant.time.stride

    def rolling(self, rows: int) -> IntervalBlock | None:
        """The newest intervals that end at the last stride, oldest first; None before the first.

        At a whole cadence these are the closed intervals. Others are computed from the readings by
        the same closer, on another phase of the grid, and are not kept.
        """
        until, base = self.last_stride, self._bases[0].closer
        phase = (until - EPOCH) % self.plant.time.cadence
        if not phase:
            closed = self.intervals
            return None if closed is None else closed.rows(len(closed) - rows, len(closed))
        opened = replace(
            open_at(self.plant, instant_of(base.begin), phase),
            last_time=base.last_time,
            last_value=base.last_value,
            segment=base.segment,
            empty_run=base.empty_run,
        )
        readings = pl.DataFrame(list(self._shown), schema=READING_SCHEMA, orient="row")
        block = close(self.plant, opened, readings, until)[1]
        return block.rows(len(block) - rows, len(block)) if len(block) else None

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest values; None before the first step."""
        return self.readings[-1] if self.readings else None

    def advance(self, hours: float) -> list[TagReading]:
        """Move the clock to `hours` since the start. Returns the new readings, oldest first."""
        shown: list[TagReading] = []
        step, stride = self.parameters.step / HOUR, self.plant.time.stride / HOUR
        while self.hours < hours:
            hour_end = self._head.motion.hour + 1
            until = min(hours, self._after_now(step), self._after_now(stride), hour_end)
            shown += self._show(until)
            if until >= hour_end:
                self._close_hour()
        return shown

    def _after_now(self, period: float) -> float:
        """The next whole multiple of a period, in hours since the start."""
        return float((np.floor(self.hours / period + ROUNDING_STEPS) + 1) * period)

    def activate(self, scenario: str) -> None:
        """Run a scenario from now; the one before ends.

        Raises ServiceError for a name that simulation.toml does not have.
        """
        scenarios = self.parameters.scenarios
        if scenario not in scenarios:
            names = ", ".join(scenarios)
            raise ServiceError(f"scenario {scenario!r} is unknown: use one of {names}")
        self.events = [
            replace(event, end=min(event.end, self.hours)) if event.end == inf else event
            for event in self.events
        ]
        if fault := scenarios[scenario].fault:
            self.events.append(self._endless(fault))
        self.scenario = scenario
        self.requests += 1
        self._next, self._hour_readings = self._compute_hour(self._head)

    def _endless(self, fault: str) -> Happening:
        """A fault that builds up from now and lasts until another scenario is activated."""
        event = next(f for f in self.parameters.faults if f.name == fault).model_copy(
            update={"precursor_share": 1.0}
        )
        random = np.random.default_rng([self.seed, self.requests])
        return replace(
            happening(event, True, self.hours, random, [i.tag for i in self.plant.modelled]),
            end=inf,
        )

    def _compute_hour(self, base: Base) -> tuple[Base, list[TagReading]]:
        """The hour after a base: the plant at its end, and its readings in time order."""
        motion, now, signals = self._motion.advance(base.motion, 1, self.events)
        last = dict(base.last)
        readings = written(
            self.plant, self.parameters, self.begin, now, signals, self.events, last, self.seed
        )
        return Base(motion, last, base.closer), readings.sort("time", "tag").rows()

    def _show(self, until: float) -> list[TagReading]:
        """Move the clock within the current hour. Returns the readings of that time."""
        self.hours, first = until, self._hour_shown
        now, readings = self.now, self._hour_readings
        while self._hour_shown < len(readings) and readings[self._hour_shown][1] < now:
            tag, time, value = readings[self._hour_shown]
            self._newest[tag] = (value, time)
            self._hour_shown += 1
        self.readings.append(self._take_snapshot())
        shown = readings[first : self._hour_shown]
        self._shown.extend(shown)
        return shown

    def _take_snapshot(self) -> Snapshot:
        """The newest values now, without stale ones."""
        now, values, ages = self.now, {}, {}
        signals = [*(i.tag for i in self.plant.modelled), *(c.sp for c in self.plant.controllers)]
        for tag in signals:
            if tag in self._newest:
                value, time = self._newest[tag]
                ages[tag.lower()] = (now - time).total_seconds()
                if now - time <= self.plant.stale_after[tag]:
                    values[tag.lower()] = value
        return Snapshot(now, values, ages)

    def _close_hour(self) -> None:
        """Close the intervals of the hour that ends now, and compute the next hour."""
        readings = pl.DataFrame(self._hour_readings, schema=READING_SCHEMA, orient="row")
        closer, block = close(self.plant, self._head.closer, readings, self.now)
        if len(block):
            self._blocks.extend(block.rows(row, row + 1) for row in range(len(block)))
        self._head = replace(self._next, closer=closer)
        if self._head.motion.hour % HOURS_A_BASE == 0:
            self._bases.append(self._head)
            while self._head.motion.hour - self._bases[1].motion.hour >= KEPT_HOURS:
                self._bases.popleft()
            oldest = instant_of(self._bases[0].closer.begin)
            while self._shown and self._shown[0][1] < oldest:
                self._shown.popleft()
        self._hour_shown = 0
        self._next, self._hour_readings = self._compute_hour(self._head)

    def save(self, path: Path) -> None:
        """Write what a restart needs: the old or the new file, never a partial one."""
        write_saved(path, self.saved())

    def saved(self) -> str:
        """What a restart needs, as JSON."""
        base = self._bases[0]
        closer = base.closer
        content = {
            "simulator": SIMULATOR_VERSION,
            "plant": self.plant.fingerprint,
            "seed": self.seed,
            "begin": self.begin.isoformat(),
            "hours": self.hours,
            "scenario": self.scenario,
            "requests": self.requests,
            "found": [_saved_event(event) for event in self.events],
            "motion": asdict(base.motion),
            "last": base.last,
            "closer": {
                "begin": str(closer.begin),
                "last_time": [str(time) for time in closer.last_time],
                "last_value": [
                    None if np.isnan(value) else float(value) for value in closer.last_value
                ],
                "segment": closer.segment,
                "empty_run": closer.empty_run,
            },
        }
        return json.dumps(content)

    @classmethod
    def load(cls, plant: Plant, path: Path) -> LivePlant | None:
        """The saved plant, at the hour that it had reached.

        None without a file, and for a file of another plant or simulator version.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if (content["simulator"], content["plant"]) != (SIMULATOR_VERSION, plant.fingerprint):
                return None
            return cls._restored(plant, content)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"{path} is damaged ({error}): delete it to start a new plant"
            ) from error

    @classmethod
    def _restored(cls, plant: Plant, content: dict[str, Any]) -> LivePlant:
        live = cls(
            plant, content["seed"], datetime.fromisoformat(content["begin"]), content["scenario"]
        )
        live.requests = content["requests"]
        live.events = [_restored_event(live.parameters, saved) for saved in content["found"]]
        motion, closer = content["motion"], content["closer"]
        base = Base(
            State(
                motion["hour"],
                motion["noise"],
                motion["restless"],
                {name: tuple(loop) for name, loop in motion["loops"].items()},
            ),
            {name: (value, age) for name, (value, age) in content["last"].items()},
            replace(
                open_at(plant, live.begin),
                begin=np.datetime64(closer["begin"], "us"),
                last_time=np.array(closer["last_time"], "datetime64[us]"),
                last_value=np.array(
                    [np.nan if value is None else value for value in closer["last_value"]]
                ),
                segment=closer["segment"],
                empty_run=closer["empty_run"],
            ),
        )
        live._bases, live._head, live.hours = deque([base]), base, float(base.motion.hour)
        live._next, live._hour_readings = live._compute_hour(base)
        live.advance(content["hours"])
        return live


def write_saved(path: Path, content: str) -> None:
    """Replace the saved plant: the old or the new file, never a partial one."""
    with replacing(path) as partial:
        partial.write_text(content, encoding="utf-8")


def past_events(plant: Plant, days: float, seed: int) -> list[Happening]:
    """The events of the first days of a plant with that seed, which end before these days do."""
    tags = [instrument.tag for instrument in plant.modelled]
    events = schedule(load_parameters(plant), days, np.random.default_rng(seed), tags)
    return [event for event in events if event.end < days * HOURS_A_DAY]


def _saved_event(event: Happening) -> dict[str, Any]:
    return asdict(event) | {"event": event.event.name, "end": min(event.end, ENDLESS_HOURS)}


def _restored_event(parameters: Parameters, saved: dict[str, Any]) -> Happening:
    kinds = {kind.name: kind for kind in (*parameters.faults, *parameters.others)}
    parts = {field.name: saved[field.name] for field in fields(Happening)}
    end = inf if saved["end"] >= ENDLESS_HOURS else saved["end"]
    return Happening(**parts | {"event": kinds[saved["event"]], "end": end})


__all__ = ["CALM", "KEPT_DAYS", "LivePlant", "Snapshot", "TagReading", "past_events", "write_saved"]
