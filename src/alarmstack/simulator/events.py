"""Events of a simulated plant: faults, and events that only look like faults.

A fault with a precursor begins at its *physical onset*, with a small effect on several signals. At
the end of the precursor it breaks out. A fault without a precursor breaks out at once. The course
over time is the same for all signals. The size of the effect on each signal is in simulation.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.simulator.parameters import Event, Parameters, Rates

HOUR = 3600.0
SPREAD = (0.75, 1.3)
"""Range of the random factor for the size of an event."""
GUST_PERIODS = (1.3, 0.45)
"""Hours. Neither is a multiple of the other, so that gusts are irregular."""
GUST_THRESHOLD = 0.6
"""The part of the sum of two sines above this is a gust: one or two gusts in an hour."""
PRECURSOR_POWER = 0.7
"""Less than 1: a precursor rises fast at first and then more slowly."""
FADE_HOURS = 2
"""Time from the end of an event until its effect is gone."""
AFTER_END_HOURS = 3
"""An event has no effect later than this after its end."""
SHORTEST_RISE = 1e-9
"""Hours; avoids a division by zero for a rise of no length."""


@dataclass(frozen=True)
class Happening:
    """One event. Times are in hours since the beginning of the simulation.

    `size` scales the effects, `sign` is the direction of setpoint steps, `phase` that of swings.
    """

    event: Event
    fault: bool
    begin: float
    breakout: float
    top: float
    end: float
    has_precursor: bool
    size: float
    sign: float
    phase: float
    silent: str | None

    def course(self, hours: Floats) -> tuple[Floats, Floats]:
        """The height of the precursor and of the breakout at each instant, 0 … 1.

        Both fade within two hours after the end.
        """
        fade = np.clip(1 - (hours - self.end) / FADE_HOURS, 0, 1)
        early = np.zeros(len(hours))
        if self.has_precursor:
            early = _rise(hours, self.begin, self.breakout)
        late = _rise(hours, self.breakout, self.top)
        return early**PRECURSOR_POWER * (hours >= self.begin) * fade, late * fade


def _rise(hours: Floats, begin: float, end: float) -> Floats:
    return np.asarray(np.clip((hours - begin) / max(end - begin, SHORTEST_RISE), 0, 1))


def schedule(
    parameters: Parameters, days: float, random: np.random.Generator, signals: Sequence[str]
) -> list[Happening]:
    """All events of a plant in time order. Faults never overlap each other."""
    faults = _sequence(parameters.faults, True, parameters.fault_rate, days, random, signals)
    others = _sequence(parameters.others, False, parameters.other_rate, days, random, signals)
    return sorted([*faults, *others], key=lambda h: h.begin)


def happening(
    event: Event, fault: bool, begin: float, random: np.random.Generator, signals: Sequence[str]
) -> Happening:
    """An event of this kind that begins at an hour."""
    has_precursor = bool(random.random() < event.precursor_share)
    breakout = begin + (_between(event.precursor, random) if has_precursor else 0.0)
    top = breakout + _between(event.rise, random)
    end = top + _between(event.stay, random)
    touched = [e.signal for e in event.effects]
    silent = {"none": None, "one": str(random.choice(list(signals))), "all": "*"}[event.silence]
    return Happening(
        event,
        fault,
        begin,
        breakout,
        top,
        end,
        has_precursor,
        float(random.uniform(*SPREAD)) if touched else 1.0,
        float(random.choice([-1.0, 1.0])),
        float(random.uniform(0, 2 * np.pi)),
        silent,
    )


def effect_on(signal: str, happenings: Sequence[Happening], hours: Floats) -> Floats:
    """The sum of the effects of all events on a signal at each instant."""
    added = np.zeros(len(hours))
    for happened in happenings:
        for effect in happened.event.effects:
            if effect.signal == signal:
                near = slice(
                    *np.searchsorted(hours, [happened.begin, happened.end + AFTER_END_HOURS])
                )
                early, late = happened.course(hours[near])
                build_up, outbreak = effect.precursor * early * (1 - late), effect.height * late
                if effect.form == "swing":
                    build_up, outbreak = (
                        part * _swing(happened, hours[near]) for part in (build_up, outbreak)
                    )
                elif happened.fault:
                    outbreak = outbreak * _gusts(happened, hours[near])
                added[near] += happened.size * (build_up + outbreak)
    return added


def stirred(happenings: Sequence[Happening], hours: Floats) -> Floats:
    """1 while a fault has broken out and disturbs the plant; 0 during its precursor."""
    moving = np.zeros(len(hours))
    for happened in happenings:
        if happened.fault:
            moving[(hours >= happened.breakout) & (hours < happened.end)] = 1.0
    return moving


def setpoint_steps(controller: str, happenings: Sequence[Happening], hours: Floats) -> Floats:
    """The sum of setpoint steps at each instant. A step ends with its event."""
    moved = np.zeros(len(hours))
    for happened in happenings:
        if step := happened.event.setpoint.get(controller):
            moved[(hours >= happened.begin) & (hours < happened.end)] += happened.sign * step
    return moved


def _swing(happened: Happening, hours: Floats) -> Floats:
    period = (
        happened.event.swing_period.total_seconds() if happened.event.swing_period else HOUR
    ) / HOUR
    return np.asarray(np.sin(2 * np.pi * hours / period + happened.phase))


def _gusts(happened: Happening, hours: Floats) -> Floats:
    """Irregular pulses of 0 … 1, one or two in an hour, as in a flooding column."""
    beat = np.sin(2 * np.pi * hours / GUST_PERIODS[0] + happened.phase) + np.sin(
        2 * np.pi * hours / GUST_PERIODS[1] + 2 * happened.phase
    )
    return np.asarray(np.clip(beat - GUST_THRESHOLD, 0, 1))


def _sequence(
    events: Sequence[Event],
    fault: bool,
    rate: Rates,
    days: float,
    random: np.random.Generator,
    signals: Sequence[str],
) -> list[Happening]:
    weights = np.array([e.weight for e in events]) / sum(e.weight for e in events)
    pause, mean = rate.pause.total_seconds() / HOUR, rate.mean.total_seconds() / HOUR
    happenings: list[Happening] = []
    clock = pause + random.exponential(mean - pause)
    while clock < days * 24:
        event = events[int(random.choice(len(events), p=weights))]
        happenings.append(happening(event, fault, float(clock), random, signals))
        clock = happenings[-1].end + pause + random.exponential(mean - pause)
    return happenings


def _between(bounds: tuple[timedelta, timedelta], random: np.random.Generator) -> float:
    low, high = (bound.total_seconds() / HOUR for bound in bounds)
    return float(random.uniform(low, high))


__all__ = ["Happening", "effect_on", "happening", "schedule", "setpoint_steps", "stirred"]
