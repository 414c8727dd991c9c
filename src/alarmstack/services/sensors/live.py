"""A simulated plant that goes on: an hour at a time is moved, a step at a time is shown.

The plant is moved by whole hours, as in an export, and its readings are shown as its clock reaches them. A scenario is a fault of
the same physical model that begins now: the current hour is moved again from its beginning with the fault added, and since
randomness depends on seed and hour alone and everything else is causal, what was shown before now comes out the same.

All that is remembered is small: a base (the plant's state at an hour some days ago), what was asked of it since, and the hour it
has reached. Everything else follows, so that a restart goes on where it stood.
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
from alarmstack.preparation.interval_closer import CloserState, close, instant_of, open_at
from alarmstack.services.schemas.sensors import KEPT_READINGS
from alarmstack.simulator import SIMULATOR_VERSION
from alarmstack.simulator.dynamics import Motion, State
from alarmstack.simulator.events import Happening, happening, schedule
from alarmstack.simulator.historian import since, written
from alarmstack.simulator.parameters import Parameters, load_parameters

CALM = "normal"
KEPT_DAYS = 10
"""Days of closed intervals that a reader can still get."""
Last = dict[str, tuple[float, int]]
Spoken = tuple[str, datetime, float]
"""Tag, instant, value."""


@dataclass(frozen=True)
class Base:
    """The plant at the beginning of an hour: its motion, what its historian wrote last, and the interval closer."""

    motion: State
    last: Last
    closer: CloserState


@dataclass(frozen=True)
class Snapshot:
    """The newest value of each instrument and setpoint, at an instant of the plant's clock; ages in seconds. None yet: absent."""

    time: datetime
    values: Mapping[str, float]
    ages: Mapping[str, float]


@dataclass
class LivePlant:
    """The plant and its clock. Same seed, same beginning, same requests: same plant."""

    plant: Plant
    seed: int
    begin: datetime
    scenario: str = CALM
    hours: float = 0.0
    found: list[Happening] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        self.parameters: Parameters = load_parameters(self.plant)
        self._motion = Motion(self.plant, self.parameters, self.seed)
        self._bases = deque([Base(State(), {}, open_at(self.plant, self.begin))])
        self._head = self._bases[0]
        self._blocks: deque[IntervalBlock] = deque(maxlen=KEPT_DAYS * 24)
        self.readings: deque[Snapshot] = deque(maxlen=KEPT_READINGS)
        self._heard: deque[Spoken] = deque()
        """What was shown since the oldest base, oldest first."""
        self._known: dict[str, tuple[float, datetime]] = {}
        self._shown = 0
        self._next, self._coming = self._move(self._head)

    @property
    def now(self) -> datetime:
        """The plant's clock."""
        return since(self.begin, self.hours)

    @property
    def closed_hours(self) -> int:
        """Whole hours behind the clock."""
        return self._head.motion.hour

    @property
    def intervals(self) -> IntervalBlock | None:
        """Closed intervals, oldest first; None before the first."""
        return join(list(self._blocks)) if self._blocks else None

    @property
    def spoken_until(self) -> datetime:
        """The last stride that the clock has reached: models may speak of the intervals that end there."""
        return self.now - (self.now - EPOCH) % self.plant.time.stride

    def rolling(self, rows: int) -> IntervalBlock | None:
        """The newest intervals that end at the last stride, oldest first: at a whole cadence the closed ones.

        None before the first. They are closed from the readings by the same closer, on another phase of the grid, and not kept.
        """
        until, base = self.spoken_until, self._bases[0].closer
        phase = (until - EPOCH) % self.plant.time.cadence
        if not phase:
            return (
                None
                if self.intervals is None
                else self.intervals.rows(len(self.intervals) - rows, len(self.intervals))
            )
        opened = replace(
            open_at(self.plant, instant_of(base.begin), phase),
            last_time=base.last_time,
            last_value=base.last_value,
            segment=base.segment,
            empty_run=base.empty_run,
        )
        heard = pl.DataFrame(list(self._heard), schema=READING_SCHEMA, orient="row")
        block = close(self.plant, opened, heard, until)[1]
        return block.rows(len(block) - rows, len(block)) if len(block) else None

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest values; None before the first step."""
        return self.readings[-1] if self.readings else None

    def advance(self, hours: float) -> list[Spoken]:
        """Move the clock to `hours` since the beginning; the readings of that time, oldest first."""
        shown: list[Spoken] = []
        while self.hours < hours:
            step, stride = (
                one / timedelta(hours=1) for one in (self.parameters.step, self.plant.time.stride)
            )
            hour_end = self._head.motion.hour + 1
            until = min(
                hours,
                *((np.floor(self.hours / part + 1e-9) + 1) * part for part in (step, stride)),
                hour_end,
            )
            shown += self._show(until)
            if until >= hour_end:
                self._close_hour()
        return shown

    def activate(self, scenario: str) -> None:
        """Play a scenario from now on; the one before fades. Raises ServiceError for a name that simulation.toml does not have."""
        known = self.parameters.scenarios
        if scenario not in known:
            raise ServiceError(f"scenario {scenario!r} is unknown: use one of {', '.join(known)}")
        self.found = [
            replace(one, end=min(one.end, self.hours)) if one.end == inf else one
            for one in self.found
        ]
        if fault := known[scenario].fault:
            self.found.append(self._endless(fault))
        self.scenario = scenario
        self.requests += 1
        self._next, self._coming = self._move(self._head)

    def _endless(self, fault: str) -> Happening:
        """A fault that builds up from now and stands until it is taken back."""
        event = next(f for f in self.parameters.faults if f.name == fault).model_copy(
            update={"precursor_share": 1.0}
        )
        random = np.random.default_rng([self.seed, self.requests])
        return replace(
            happening(event, True, self.hours, random, [i.tag for i in self.plant.modelled]),
            end=inf,
        )

    def _move(self, base: Base) -> tuple[Base, list[Spoken]]:
        """The hour after a base: the plant at its end, and its readings in time order."""
        motion, now, signals = self._motion.advance(base.motion, 1, self.found)
        last = dict(base.last)
        readings = written(
            self.plant, self.parameters, self.begin, now, signals, self.found, last, self.seed
        )
        return Base(motion, last, base.closer), readings.sort("time", "tag").rows()

    def _show(self, until: float) -> list[Spoken]:
        """Let the clock run on inside the current hour."""
        self.hours, first = until, self._shown
        now = self.now
        while self._shown < len(self._coming) and self._coming[self._shown][1] < now:
            tag, time, value = self._coming[self._shown]
            self._known[tag] = (value, time)
            self._shown += 1
        self.readings.append(self._look())
        self._heard.extend(self._coming[first : self._shown])
        return self._coming[first : self._shown]

    def _look(self) -> Snapshot:
        now, kept = self.now, self.plant.stale_after
        shown = [*(i.tag for i in self.plant.modelled), *(c.sp for c in self.plant.controllers)]
        ages = {
            tag.lower(): (now - self._known[tag][1]).total_seconds()
            for tag in shown
            if tag in self._known
        }
        fresh = [tag for tag in shown if ages.get(tag.lower(), inf) <= kept[tag].total_seconds()]
        return Snapshot(now, {tag.lower(): self._known[tag][0] for tag in fresh}, ages)

    def _close_hour(self) -> None:
        readings = pl.DataFrame(self._coming, schema=READING_SCHEMA, orient="row")
        closer, block = close(self.plant, self._head.closer, readings, self.now)
        if len(block):
            self._blocks.extend(block.rows(row, row + 1) for row in range(len(block)))
        self._head = replace(self._next, closer=closer)
        if self._head.motion.hour % 24 == 0:
            self._bases.append(self._head)
            while self._head.motion.hour - self._bases[1].motion.hour >= KEPT_DAYS * 24:
                self._bases.popleft()
            oldest = instant_of(self._bases[0].closer.begin)
            while self._heard and self._heard[0][1] < oldest:
                self._heard.popleft()
        self._shown = 0
        self._next, self._coming = self._move(self._head)

    def save(self, path: Path) -> None:
        """Write what a restart needs: the old file or the new, never half."""
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
            "found": [
                asdict(one) | {"event": one.event.name, "end": min(one.end, 1e300)}
                for one in self.found
            ],
            "motion": asdict(base.motion),
            "last": base.last,
            "closer": {
                "begin": str(closer.begin),
                "last_time": [str(t) for t in closer.last_time],
                "last_value": [None if np.isnan(v) else float(v) for v in closer.last_value],
                "segment": closer.segment,
                "empty_run": closer.empty_run,
            },
        }
        return json.dumps(content)

    @classmethod
    def load(cls, plant: Plant, path: Path) -> LivePlant | None:
        """The plant that was saved, at the hour it had reached; None where nothing was, or another plant or simulator."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if (content["simulator"], content["plant"]) != (SIMULATOR_VERSION, plant.fingerprint):
                return None
            return cls._restored(plant, content)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"{path} is damaged ({error}): delete it, and the plant begins anew"
            ) from error

    @classmethod
    def _restored(cls, plant: Plant, content: dict[str, Any]) -> LivePlant:
        live = cls(
            plant, content["seed"], datetime.fromisoformat(content["begin"]), content["scenario"]
        )
        live.requests = content["requests"]
        live.found = [_happening(live.parameters, one) for one in content["found"]]
        motion, closer = content["motion"], content["closer"]
        base = Base(
            State(
                motion["hour"],
                motion["noise"],
                motion["restless"],
                {k: tuple(v) for k, v in motion["loops"].items()},
            ),
            {name: (value, age) for name, (value, age) in content["last"].items()},
            replace(
                open_at(plant, live.begin),
                begin=np.datetime64(closer["begin"], "us"),
                last_time=np.array(closer["last_time"], "datetime64[us]"),
                last_value=np.array([np.nan if v is None else v for v in closer["last_value"]]),
                segment=closer["segment"],
                empty_run=closer["empty_run"],
            ),
        )
        live._bases, live._head, live.hours = deque([base]), base, float(base.motion.hour)
        live._next, live._coming = live._move(base)
        live.advance(content["hours"])
        return live


def write_saved(path: Path, content: str) -> None:
    """Replace the saved plant: the old file or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)


def past_events(plant: Plant, days: float, seed: int) -> list[Happening]:
    """What a plant of that seed went through in its first days, over by their end."""
    found = schedule(
        load_parameters(plant), days, np.random.default_rng(seed), [i.tag for i in plant.modelled]
    )
    return [one for one in found if one.end < days * 24]


def _happening(parameters: Parameters, one: dict[str, Any]) -> Happening:
    event = next(e for e in (*parameters.faults, *parameters.others) if e.name == one["event"])
    known = {f.name: one[f.name] for f in fields(Happening)}
    return Happening(**known | {"event": event, "end": inf if one["end"] >= 1e300 else one["end"]})


__all__ = ["CALM", "KEPT_DAYS", "LivePlant", "Snapshot", "Spoken", "past_events", "write_saved"]
