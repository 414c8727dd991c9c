"""The simulated plant's motion: disturbances, loops and signals, in steps of a few minutes.

`Motion.advance` moves the plant on by whole hours and gives every signal at every step. Randomness is drawn afresh for each hour
from the seed and the hour's number, and everything else is state, so that a plant run hour by hour is the plant run at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter

from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.simulator.chance import MOTION, Draws
from alarmstack.simulator.events import HOUR, Happening, effect_on, setpoint_steps, stirred
from alarmstack.simulator.parameters import Loop, Parameters, Signal

BATCH = 24 * 32
"""Hours moved in one go, which only bounds memory."""


@dataclass(frozen=True)
class State:
    """Where the plant stands: the hour that comes next, the noises' last values, calm or restless, and the loops."""

    hour: int = 0
    noise: dict[str, float] = field(default_factory=dict)
    restless: dict[str, bool] = field(default_factory=dict)
    loops: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """A loop's PV deviation, its integral, and the disturbance it saw last."""


@dataclass(frozen=True)
class Motion:
    """A plant that can be moved on. Same seed, same plant."""

    plant: Plant
    parameters: Parameters
    seed: int

    def advance(
        self, state: State, hours: int, found: Sequence[Happening]
    ) -> tuple[State, Floats, dict[str, Floats]]:
        """Move on by `hours`: the new state, the steps' instants in hours [steps], and each signal [steps]."""
        parameters = self.parameters
        per_hour = round(HOUR / parameters.step.total_seconds())
        now = state.hour + np.arange(hours * per_hour) / per_hour
        draws = Draws(self.seed, MOTION, state.hour, hours, per_hour, self._names())
        restless, spells = self._restlessness(state, draws, per_hour, stirred(found, now))
        noise = dict(state.noise)
        disturbances = {
            name: self._coloured(noise, f"disturbance {name}", draws, d.memory.total_seconds())
            * (restless["*"] if d.gated else 1.0)
            for name, d in parameters.disturbances.items()
        }
        signals: dict[str, Floats] = {}
        loops = dict(state.loops)
        for name, signal in parameters.signals.items():
            away = self._away(noise, name, signal, draws, restless, disturbances) + effect_on(
                name, found, now
            )
            controller = next((c for c in self.plant.controllers if c.pv == name), None)
            if controller is None:
                signals[name] = signal.base + away
                continue
            loop = parameters.loops[controller.name]
            setpoint = loop.setpoint + setpoint_steps(controller.name, found, now)
            begin = loops.get(controller.name, (0.0, 0.0, float(away[0])))
            deviation, output, loops[controller.name] = _controlled(
                loop, away, setpoint, begin, 1 / per_hour
            )
            signals[controller.pv] = setpoint + deviation
            signals[controller.op] = output + loop.output_noise * draws.normal(f"output {name}")
            signals[controller.sp] = setpoint
        return State(state.hour + hours, noise, spells, loops), now, signals

    def _names(self) -> tuple[str, ...]:
        parts = [f"disturbance {n}" for n in self.parameters.disturbances]
        for name in self.parameters.signals:
            parts += [f"slow {name}", f"fast {name}", f"output {name}"]
        return (*parts, "spell *", *(f"spell {n}" for n in self.parameters.signals))

    def _away(
        self,
        noise: dict[str, float],
        name: str,
        signal: Signal,
        draws: Draws,
        restless: dict[str, Floats],
        shared: dict[str, Floats],
    ) -> Floats:
        """A signal's distance from its base, without events and control."""
        slow = self._coloured(noise, f"slow {name}", draws, signal.slow_memory.total_seconds())
        fast = self._coloured(noise, f"fast {name}", draws, signal.fast_memory.total_seconds())
        common = sum(
            (share * shared[which] for which, share in signal.shares.items()), np.zeros(len(slow))
        )
        return np.asarray(signal.slow * slow + signal.fast * fast * restless[name] + common)

    def _coloured(self, noise: dict[str, float], name: str, draws: Draws, memory: float) -> Floats:
        """First-order noise of standard deviation 1; its last value is kept in `noise`."""
        keep = float(np.exp(-self.parameters.step.total_seconds() / memory))
        push = np.sqrt(1 - keep**2) * draws.normal(name)
        last = noise.get(name, 0.0)
        values = np.asarray(lfilter([1.0], [1.0, -keep], push, zi=[keep * last])[0])
        noise[name] = float(values[-1])
        return values

    def _restlessness(
        self, state: State, draws: Draws, per_hour: int, events: Floats
    ) -> tuple[dict[str, Floats], dict[str, bool]]:
        """How loud fast noise is for the plant (`*`) and each signal; spells begin and end by chance, or with an event."""
        rest = self.parameters.restlessness
        leave, enter = (self.parameters.step / spell for spell in (rest.restless, rest.calm))
        loud, spells = {}, {}
        for name in ("*", *self.parameters.signals):
            chance = draws.uniform(f"spell {name}")
            on = state.restless.get(name, True)
            steps = np.empty(len(chance))
            for place, value in enumerate(chance.tolist()):
                on = value >= leave if on else value < enter
                steps[place] = on
            loud[name], spells[name] = steps, bool(on)
        whole = np.maximum(loud["*"], events)
        own = {
            name: rest.calm_noise
            + (1 - rest.calm_noise)
            * np.maximum(whole * (1 - rest.own_share), loud[name] * rest.own_share * 2)
            for name in self.parameters.signals
        }
        return {"*": rest.calm_noise + (1 - rest.calm_noise) * whole, **own}, spells


def _controlled(
    loop: Loop, away: Floats, setpoint: Floats, begin: tuple[float, float, float], step: float
) -> tuple[Floats, Floats, tuple[float, float, float]]:
    """A PI loop against a disturbance: the PV's deviation [steps], OP [steps], what the next call begins with. `step`: hours."""
    deviation, integral, last = begin
    rate = step / (loop.reset.total_seconds() / HOUR)
    moves = np.diff(setpoint, prepend=setpoint[0])
    out_deviation, out_output = [], []
    for pushed, moved in zip(away.tolist(), moves.tolist(), strict=True):
        action = loop.gain * deviation + integral
        deviation += pushed - last - loop.effect * action * step - moved
        integral += loop.gain * deviation * rate
        last = pushed
        out_deviation.append(deviation)
        out_output.append(loop.output + action)
    return np.array(out_deviation), np.array(out_output), (deviation, integral, last)


def jittered(parameters: Parameters, asset: str) -> Parameters:
    """Parameters of one plant of a fleet: bases and amplitudes differ a little from plant to plant, by the asset's name."""
    spread = parameters.asset_spread
    random = np.random.default_rng([ord(letter) for letter in asset])

    def varied(signal: Signal) -> Signal:
        base = signal.base + random.uniform(-1, 1) * signal.fast * spread
        return signal.model_copy(
            update={
                "base": base,
                "slow": signal.slow * random.uniform(1 - spread, 1 + spread),
                "fast": signal.fast * random.uniform(1 - spread, 1 + spread),
            }
        )

    return parameters.model_copy(
        update={"signals": {name: varied(s) for name, s in parameters.signals.items()}}
    )


__all__ = ["BATCH", "Motion", "State", "jittered"]
