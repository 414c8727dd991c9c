"""Warnings: when a score raises a warning, and when the warning clears.

One pure function, `step`, maps a state and a score to the next state. A series of scores is a fold
over it, so that the warnings counted in an evaluation and those raised in a plant come from the
same code.

A warning is raised when the score has been at or above the threshold for the on-delay. It is
cleared when the score has been below the release level (threshold × hysteresis) for the off-delay,
but not before the minimum on-time. An unknown score (NaN) neither raises nor clears a warning. An
alarm replaces the warning and clears it.
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
    """When a score is a warning. Times in seconds.

    0 < hysteresis ≤ 1, for scores that are never negative.
    """

    threshold: float
    hysteresis: float = 1.0
    on_delay: float = 0.0
    off_delay: float = 0.0
    minimum_on: float = 0.0

    @classmethod
    def of(cls, plant: Plant, threshold: float) -> WarningRule:
        """The rule with the plant's delays and hysteresis."""
        warnings = plant.warnings
        return cls(
            threshold,
            warnings.hysteresis,
            warnings.on_delay.total_seconds(),
            warnings.off_delay.total_seconds(),
            warnings.minimum_on.total_seconds(),
        )


class State(NamedTuple):
    """The state of a warning. Times in seconds on the plant's clock.

    `since`: when the warning was raised. `turning`: since when the score has been on the other side
    of its level, while an on-delay or off-delay runs.
    """

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
        return _step_off(rule, state, now, score)
    return _step_on(rule, state, now, score)


def _step_off(rule: WarningRule, state: State, now: float, score: float) -> State:
    if score < rule.threshold:
        return IDLE
    turning = now if state.turning is None else state.turning
    if now - turning >= rule.on_delay:
        return State(True, now, None)
    return State(False, None, turning)


def _step_on(rule: WarningRule, state: State, now: float, score: float) -> State:
    if score >= rule.threshold * rule.hysteresis:
        return State(True, state.since, None)
    turning = now if state.turning is None else state.turning
    on_time = now - (state.since if state.since is not None else now)
    if now - turning >= rule.off_delay and on_time >= rule.minimum_on:
        return IDLE
    return State(True, state.since, turning)


def warning_active(
    rule: WarningRule,
    scores: Floats,
    cadence: float,
    in_alarm: Mask | None = None,
    segment: npt.NDArray[np.int32] | None = None,
) -> Mask:
    """Whether a warning is active after each row: bool [rows]. A new segment clears it.

    `cadence` is the time between two rows in seconds.
    """
    active = np.zeros(len(scores), bool)
    alarms = active.tolist() if in_alarm is None else in_alarm.tolist()
    segments = [0] * len(scores) if segment is None else segment.tolist()
    values, row, state = scores.tolist(), 0, IDLE
    # Only a score at or above the threshold changes the idle state, so all other rows are skipped.
    for high_row in np.flatnonzero(scores >= rule.threshold).tolist():
        row = max(row, high_row)
        while row < len(values) and (row == high_row or state is not IDLE):
            if segments[row] != segments[row - 1]:
                state = IDLE
            state = step(rule, state, (row + 1) * cadence, values[row], alarms[row])
            active[row] = state.on
            row += 1
    return active


def activations(active: Mask) -> npt.NDArray[np.intp]:
    """Rows in which a warning is raised: the rising edges of `warning_active`.

    >>> activations(np.array([False, True, True, False, True])).tolist()
    [1, 4]
    """
    before = np.concatenate(([False], active[:-1]))
    return np.flatnonzero(active & ~before)


__all__ = ["IDLE", "State", "WarningRule", "activations", "step", "warning_active"]
