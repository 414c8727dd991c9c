"""The numbers of a simulated plant, read from the simulation.toml beside its plant.toml and frozen.

A signal is its base plus a slow wandering of its own, fast noise while the plant is restless, its share of disturbances that
several signals have in common, and what faults do to it. Amplitudes are in the signal's unit.
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
    """Something that moves several signals at once: a first-order noise of standard deviation 1."""

    memory: Duration
    gated: bool = False
    """Only while the plant is restless."""


class Restlessness(_Part):
    """The plant is calm or restless, in spells; while calm, readings hardly change and the historian writes little."""

    restless: Duration
    calm: Duration
    own_share: float = Field(ge=0, le=1)
    """Share of a signal's spells that are its own and not the whole plant's."""
    calm_noise: float = Field(ge=0, le=1)
    """Fast noise left while calm."""


class Scan(_Part):
    """How the historian looks at the plant: now and then, at some moments at all signals and at others at one of them."""

    every: Duration
    shared: float = Field(ge=0, le=1)
    """Share of the looks that take in all signals."""


class Signal(_Part):
    """One measured signal."""

    base: float
    slow: float = 0.0
    slow_memory: Duration
    fast: float = 0.0
    fast_memory: Duration
    shares: dict[str, float] = {}
    deadband: float = Field(gt=0)
    """The historian writes a value when it has moved by more than this."""


class Loop(_Part):
    """A PI controller: OP = bias + gain · (PV − SP) + integral; its OP moves the PV back towards SP."""

    setpoint: float
    output: float
    gain: float
    reset: Duration
    effect: float
    """How far one per cent of OP moves the PV in an hour."""
    output_noise: float = 0.0
    output_deadband: float = Field(gt=0)


class Effect(_Part):
    """What an event does to a signal: by the end of its precursor, and at its height.

    A `shift` builds up and stands; in the outbreak it comes in gusts. A `swing` oscillates all along.
    """

    signal: str
    precursor: float = 0.0
    height: float = 0.0
    form: Literal["shift", "swing"] = "shift"


class Event(_Part):
    """A kind of fault, or of something that looks like one and is none."""

    name: str
    weight: float = Field(gt=0)
    precursor_share: float = Field(ge=0, le=1)
    precursor: tuple[Duration, Duration]
    rise: tuple[Duration, Duration]
    stay: tuple[Duration, Duration]
    swing_period: Duration | None = None
    effects: tuple[Effect, ...] = ()
    setpoint: dict[str, float] = {}
    """Steps of setpoints, either way."""
    logged: bool = False
    """Operators write it down."""
    silence: Literal["none", "one", "all"] = "none"
    """Which instruments the historian gets nothing from: a stuck transmitter, a gap of the whole historian."""


class Rates(_Part):
    """How long it takes from the end of an event to the next one, at least and on average."""

    pause: Duration
    mean: Duration


class Scenario(_Part):
    """What the live plant can be asked to do: a fault by name, or none; `color` as CSS writes it."""

    fault: str
    description: str
    color: str


class Parameters(_Part):
    """All numbers of a simulated plant."""

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
                        f"signals.{name}.shares: no disturbance {share!r}: use one of {', '.join(self.disturbances)}"
                    )
        for event in (*self.faults, *self.others):
            for effect in event.effects:
                if effect.signal not in self.signals:
                    raise ValueError(
                        f"event {event.name}: no signal {effect.signal!r}: use one of {', '.join(self.signals)}"
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
        raise PlantError(f"{path}: no such file: a plant without one cannot be simulated") from None
    except tomllib.TOMLDecodeError as error:
        raise PlantError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise PlantError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    absent = [i.tag for i in plant.instruments if i.tag not in parameters.signals]
    if absent:
        raise PlantError(f"{path}: signals lacks {', '.join(absent)}: add them")
    return parameters


__all__ = ["Effect", "Event", "Loop", "Parameters", "load_parameters"]
