"""The motion of the simulated plant: disturbances, loops and signals, in steps of a few minutes.

`Motion.advance` moves the plant forward by whole hours and gives every signal at every step. Random
numbers are drawn for each hour from the seed and the number of the hour. Everything else is state,
so that a plant that is run hour by hour equals a plant that is run at once.
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
"""Hours that are calculated at once, which limits memory only."""
OWN_SPELL_WEIGHT = 2
"""A share of one half gives a signal's own spells the full noise."""


@dataclass(frozen=True)
class State:
    """State of the plant: the next hour, last values of the noises, calm or restless, the loops."""

    hour: int = 0
    noise: dict[str, float] = field(default_factory=dict)
    restless: dict[str, bool] = field(default_factory=dict)
    loops: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """For each loop the deviation of the PV, the integral, and the last disturbance."""


@dataclass(frozen=True)
class Motion:
    """A plant that can be moved forward. The same seed gives the same plant."""

    plant: Plant
    parameters: Parameters
    seed: int

    def advance(
        self, state: State, hours: int, happenings: Sequence[Happening]
    ) -> tuple[State, Floats, dict[str, Floats]]:
        """Move forward by `hours`: new state, instants of the steps in hours, signals [steps]."""
        parameters = self.parameters
        per_hour = round(HOUR / parameters.step.total_seconds())
        now = state.hour + np.arange(hours * per_hour) / per_hour
        draws = Draws(self.seed, MOTION, state.hour, hours, per_hour, self._names())
        restless, spells = self._restlessness(state, draws, per_hour, stirred(happenings, now))
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
                name, happenings, now
            )
            controller = next((c for c in self.plant.controllers if c.pv == name), None)
            if controller is None:
                signals[name] = signal.base + away
                continue
            loop = parameters.loops[controller.name]
            setpoint = loop.setpoint + setpoint_steps(controller.name, happenings, now)
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
        """Amplitude of fast noise for the plant (`*`) and each signal.

        Restless spells begin and end at random, or with an event.
        """
        rest = self.parameters.restlessness
        leave, enter = (self.parameters.step / spell for spell in (rest.restless, rest.calm))
        restless, spells = {}, {}
        for name in ("*", *self.parameters.signals):
            chance = draws.uniform(f"spell {name}")
            on = state.restless.get(name, True)
            steps = np.empty(len(chance))
            for place, value in enumerate(chance.tolist()):
                on = value >= leave if on else value < enter
                steps[place] = on
            restless[name], spells[name] = steps, bool(on)
        whole = np.maximum(restless["*"], events)
        amplitudes = {"*": rest.calm_noise + (1 - rest.calm_noise) * whole}
        for name in self.parameters.signals:
            shared = whole * (1 - rest.own_share)
            own = restless[name] * rest.own_share * OWN_SPELL_WEIGHT
            amplitudes[name] = rest.calm_noise + (1 - rest.calm_noise) * np.maximum(shared, own)
        return amplitudes, spells


def _controlled(
    loop: Loop, away: Floats, setpoint: Floats, begin: tuple[float, float, float], step: float
) -> tuple[Floats, Floats, tuple[float, float, float]]:
    """A PI loop with a disturbance: deviation of the PV, OP, and the state for the next call.

    The first two are [steps]; `step` is in hours.
    """
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
    """Parameters of one of several plants: the asset's name varies bases and amplitudes."""
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
