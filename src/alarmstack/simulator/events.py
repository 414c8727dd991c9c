"""What happens on a simulated plant: faults with and without a precursor, and things that only look like faults.

A fault with a precursor begins to act at its *physical onset*, small and on several signals at once; at the end of the precursor it
breaks out. One without breaks out at once. Its course is the same for all signals; how much each one moves is the event's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.simulator.parameters import Event, Parameters, Rates

HOUR = 3600.0
SPREAD = (0.75, 1.3)
"""Events of a kind differ in size by this factor."""


@dataclass(frozen=True)
class Happening:
    """One event. Times in hours since the beginning; `size` scales its effects, `sign` turns setpoint steps, `phase` its swings."""

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
        """How far the precursor and the breakout have come at each instant: 0 … 1. Both fade within two hours after the end."""
        fade = np.clip(1 - (hours - self.end) / 2, 0, 1)
        early = (
            np.clip((hours - self.begin) / max(self.breakout - self.begin, 1e-9), 0, 1)
            if self.has_precursor
            else hours * 0.0
        )
        late = np.clip((hours - self.breakout) / max(self.top - self.breakout, 1e-9), 0, 1)
        return early**PRECURSOR_POWER * (hours >= self.begin) * fade, late * fade


GUST_PERIODS = (1.3, 0.45)
"""Hours; no multiple of one another, so that gusts come unevenly."""
PRECURSOR_POWER = 0.7
"""A precursor rises fast at first and then more slowly (less than 1)."""


def schedule(
    parameters: Parameters, days: float, random: np.random.Generator, signals: Sequence[str]
) -> list[Happening]:
    """All events of a plant, in time order; faults never overlap one another."""
    faults = _row_of(parameters.faults, True, parameters.fault_rate, days, random, signals)
    others = _row_of(parameters.others, False, parameters.other_rate, days, random, signals)
    return sorted([*faults, *others], key=lambda h: h.begin)


def happening(
    event: Event, fault: bool, begin: float, random: np.random.Generator, signals: Sequence[str]
) -> Happening:
    """An event of a kind that begins at an hour."""
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


def effect_on(signal: str, found: Sequence[Happening], hours: Floats) -> Floats:
    """What all events together add to a signal at each instant."""
    added = np.zeros(len(hours))
    for one in found:
        for effect in one.event.effects:
            if effect.signal == signal:
                near = slice(*np.searchsorted(hours, [one.begin, one.end + 3]))
                early, late = one.course(hours[near])
                build_up, outbreak = effect.precursor * early * (1 - late), effect.height * late
                if effect.form == "swing":
                    build_up, outbreak = (
                        part * _swing(one, hours[near]) for part in (build_up, outbreak)
                    )
                elif one.fault:
                    outbreak = outbreak * _gusts(one, hours[near])
                added[near] += one.size * (build_up + outbreak)
    return added


def stirred(found: Sequence[Happening], hours: Floats) -> Floats:
    """1 while a fault that has broken out stirs the plant; a precursor works in silence."""
    moving = np.zeros(len(hours))
    for one in found:
        if one.fault:
            moving[(hours >= one.breakout) & (hours < one.end)] = 1.0
    return moving


def setpoint_steps(controller: str, found: Sequence[Happening], hours: Floats) -> Floats:
    """How far setpoint changes have moved a setpoint at each instant; each is taken back at its end."""
    moved = np.zeros(len(hours))
    for one in found:
        if step := one.event.setpoint.get(controller):
            moved[(hours >= one.begin) & (hours < one.end)] += one.sign * step
    return moved


def _swing(one: Happening, hours: Floats) -> Floats:
    period = (one.event.swing_period.total_seconds() if one.event.swing_period else HOUR) / HOUR
    return np.asarray(np.sin(2 * np.pi * hours / period + one.phase))


def _gusts(one: Happening, hours: Floats) -> Floats:
    """Pulses of 0 … 1, uneven, one or two an hour: a flooding column surges, it does not stand."""
    beat = np.sin(2 * np.pi * hours / GUST_PERIODS[0] + one.phase) + np.sin(
        2 * np.pi * hours / GUST_PERIODS[1] + 2 * one.phase
    )
    return np.asarray(np.clip(beat - 0.6, 0, 1))


def _row_of(
    events: Sequence[Event],
    fault: bool,
    rate: Rates,
    days: float,
    random: np.random.Generator,
    signals: Sequence[str],
) -> list[Happening]:
    weights = np.array([e.weight for e in events]) / sum(e.weight for e in events)
    pause, mean = rate.pause.total_seconds() / HOUR, rate.mean.total_seconds() / HOUR
    found: list[Happening] = []
    clock = pause + random.exponential(mean - pause)
    while clock < days * 24:
        event = events[int(random.choice(len(events), p=weights))]
        found.append(happening(event, fault, float(clock), random, signals))
        clock = found[-1].end + pause + random.exponential(mean - pause)
    return found


def _between(bounds: tuple[object, object], random: np.random.Generator) -> float:
    low, high = (b.total_seconds() / HOUR for b in bounds)  # type: ignore[attr-defined]
    return float(random.uniform(low, high))


__all__ = ["Happening", "effect_on", "happening", "schedule", "setpoint_steps", "stirred"]
