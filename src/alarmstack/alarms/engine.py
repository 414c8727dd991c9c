"""The alarm engine's first part: a score becomes a warning that begins, stands and ends.

One pure function, `step`; a series is a fold over it, so that counting warnings in a test and raising them in a plant are the same
code. A warning begins when the score has stood at or above the threshold for the on-delay. It ends when the score has stood below
the release level (threshold × hysteresis) for the off-delay, and not before the minimum on time. An unknown score (NaN) neither
begins nor ends anything. An alarm that is already there takes the warning's place and clears it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Plant


@dataclass(frozen=True)
class WarningRule:
    """When a score is a warning. Times in seconds; 0 < hysteresis ≤ 1 for scores that are never negative."""

    threshold: float
    hysteresis: float = 1.0
    on_delay: float = 0.0
    off_delay: float = 0.0
    minimum_on: float = 0.0

    @classmethod
    def of(cls, plant: Plant, threshold: float) -> WarningRule:
        """The plant's delays around a threshold."""
        warnings = plant.warnings
        return cls(
            threshold,
            warnings.hysteresis,
            warnings.on_delay.total_seconds(),
            warnings.off_delay.total_seconds(),
            warnings.minimum_on.total_seconds(),
        )


class State(NamedTuple):
    """Where a warning stands: `since` when it began, `turning` since when the score asks for the other state."""

    on: bool
    since: float | None
    turning: float | None


IDLE = State(False, None, None)


def step(
    rule: WarningRule, state: State, now: float, score: float, in_alarm: bool = False
) -> State:
    """The state after a score that became known at `now` (seconds on the plant's clock)."""
    if in_alarm:
        return IDLE
    if isnan(score):
        return state if state.on else IDLE
    if not state.on:
        if score < rule.threshold:
            return IDLE
        turning = now if state.turning is None else state.turning
        return (
            State(True, now, None)
            if now - turning >= rule.on_delay
            else State(False, None, turning)
        )
    if score >= rule.threshold * rule.hysteresis:
        return State(True, state.since, None)
    turning = now if state.turning is None else state.turning
    stood = now - (state.since if state.since is not None else now)
    ends = now - turning >= rule.off_delay and stood >= rule.minimum_on
    return IDLE if ends else State(True, state.since, turning)


def standing(
    rule: WarningRule,
    scores: Floats,
    cadence: float,
    in_alarm: Mask | None = None,
    segment: npt.NDArray[np.int32] | None = None,
) -> Mask:
    """Whether a warning stands after each row: bool [rows]. A cut between segments clears it."""
    on = np.zeros(len(scores), bool)
    alarm = on.tolist() if in_alarm is None else in_alarm.tolist()
    part = [0] * len(scores) if segment is None else segment.tolist()
    values, row, state = scores.tolist(), 0, IDLE
    # Only a score at or above the threshold ends idleness: the fold goes from one such row to the next.
    for loud in np.flatnonzero(scores >= rule.threshold).tolist():
        row = max(row, loud)
        while row < len(values) and (row == loud or state is not IDLE):
            if part[row] != part[row - 1]:
                state = IDLE
            state = step(rule, state, (row + 1) * cadence, values[row], alarm[row])
            on[row] = state.on
            row += 1
    return on


def activations(on: Mask) -> npt.NDArray[np.intp]:
    """Rows where a warning begins: rising edges of `standing`."""
    before = np.concatenate(([False], on[:-1]))
    return np.flatnonzero(on & ~before)


__all__ = ["IDLE", "State", "WarningRule", "activations", "standing", "step"]
