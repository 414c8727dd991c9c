"""The parameters of a simulated plant, from the simulation.toml beside its plant.toml, frozen.

A signal is the sum of a base, a slow noise of its own, fast noise while the plant is restless, its
share of disturbances that several signals have in common, and the effects of events. Amplitudes are
in the unit of the signal.
"""

from __future__ import annotations

import tomllib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alarmstack.core.errors import PlantError
from alarmstack.core.plant import Duration, Plant


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Disturbance(_Part):
    """A first-order noise of standard deviation 1 that moves several signals at once."""

    memory: Duration
    gated: bool = False
    """Active only while the plant is restless."""


class Restlessness(_Part):
    """Durations of calm and restless spells. During a calm spell readings hardly change."""

    restless: Duration
    calm: Duration
    own_share: float = Field(ge=0, le=1)
    """Share of restlessness that is a signal's own and not the whole plant's."""
    calm_noise: float = Field(ge=0, le=1)
    """Share of the fast noise during a calm spell."""


class Scan(_Part):
    """Sampling of the historian: some samples are of all signals, others of one signal."""

    every: Duration
    shared: float = Field(ge=0, le=1)
    """Share of the samples that are of all signals."""


class Signal(_Part):
    """One measured signal."""

    base: float
    slow: float = 0.0
    slow_memory: Duration
    fast: float = 0.0
    fast_memory: Duration
    shares: dict[str, float] = {}
    deadband: float = Field(gt=0)
    """The historian stores a value when it has moved by more than this."""


class Loop(_Part):
    """A PI controller: OP = bias + gain · (PV − SP) + integral. OP moves the PV towards SP."""

    setpoint: float
    output: float
    gain: float
    reset: Duration
    effect: float
    """How far one per cent of OP moves the PV in an hour."""
    output_noise: float = 0.0
    output_deadband: float = Field(gt=0)


class Effect(_Part):
    """The effect of an event on a signal at the end of the precursor and at the greatest height.

    A `shift` builds up and stays; after the outbreak of a fault it comes in gusts. A `swing` is a
    sine during the whole event.
    """

    signal: str
    precursor: float = 0.0
    height: float = 0.0
    form: Literal["shift", "swing"] = "shift"


class Event(_Part):
    """A kind of fault, or of an event that only looks like a fault."""

    name: str
    weight: float = Field(gt=0)
    precursor_share: float = Field(ge=0, le=1)
    precursor: tuple[Duration, Duration]
    rise: tuple[Duration, Duration]
    stay: tuple[Duration, Duration]
    swing_period: Duration | None = None
    effects: tuple[Effect, ...] = ()
    setpoint: dict[str, float] = {}
    """Steps of setpoints, in a random direction."""
    logged: bool = False
    """Operators write it in their log."""
    silence: Literal["none", "one", "all"] = "none"
    """Instruments without readings: one (a stuck transmitter) or all (a gap of the historian)."""


class Rates(_Part):
    """Time from the end of an event to the next one, at least and on average."""

    pause: Duration
    mean: Duration


class Scenario(_Part):
    """A state that the live plant can be set to: a fault by name, or none; `color` in CSS form."""

    fault: str
    description: str
    color: str


class Parameters(_Part):
    """All parameters of a simulated plant."""

    version: str
    step: Duration
    asset_spread: float = Field(ge=0, le=0.5)
    late_log: tuple[Duration, Duration]
    restlessness: Restlessness
    scan: Scan
    disturbances: dict[str, Disturbance]
    signals: dict[str, Signal]
    loops: dict[str, Loop]
    fault_rate: Rates
    other_rate: Rates
    faults: tuple[Event, ...]
    others: tuple[Event, ...]
    scenarios: dict[str, Scenario]

    @model_validator(mode="after")
    def _names_are_known(self) -> Parameters:
        for name, signal in self.signals.items():
            for share in signal.shares:
                if share not in self.disturbances:
                    raise ValueError(
                        f"signals.{name}.shares: no disturbance {share!r}: "
                        f"use one of {', '.join(self.disturbances)}"
                    )
        for event in (*self.faults, *self.others):
            for effect in event.effects:
                if effect.signal not in self.signals:
                    raise ValueError(
                        f"event {event.name}: no signal {effect.signal!r}: "
                        f"use one of {', '.join(self.signals)}"
                    )
        for name, scenario in self.scenarios.items():
            if scenario.fault and scenario.fault not in {f.name for f in self.faults}:
                raise ValueError(f"scenarios.{name}: no fault {scenario.fault!r}")
        return self


def load_parameters(plant: Plant) -> Parameters:
    """The simulation.toml beside the plant. Raises PlantError that names the key."""
    path = plant.folder / "simulation.toml"
    try:
        parameters = Parameters.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise PlantError(f"{path}: no such file: a plant cannot be simulated without it") from None
    except tomllib.TOMLDecodeError as error:
        raise PlantError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise PlantError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    absent = [i.tag for i in plant.instruments if i.tag not in parameters.signals]
    if absent:
        raise PlantError(f"{path}: signals has no {', '.join(absent)}: add them")
    return parameters


__all__ = ["Effect", "Event", "Loop", "Parameters", "load_parameters"]
