"""The alarm engine's second part: a value becomes a limit alarm that begins, holds and clears.

One pure function, `step`: the state of a limit and a new value in, the next state out. Values are heights: on their scale higher
is worse, so that high, low and absolute limits are one case (`plant.Limit.height`). An alarm begins when the limit has been
exceeded for the on-delay; it clears when the value has been back, by more than the deadband, for the off-delay. An unknown value
(NaN) neither raises nor clears: the on-delay goes on, the off-delay begins again. A value from the past changes nothing.

Labels (`labels.in_alarm`) are about whole closed intervals and know neither deadband nor delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import inf, isnan
from typing import NamedTuple

from alarmstack.core.plant import (
    DEADBAND_SHARE,
    OFF_DELAY_CADENCES,
    OTHER_DEADBAND_SHARE,
    Limit,
    Plant,
    spaced,
    write_duration,
)
from alarmstack.preparation.derived import instrument_of, read_column


@dataclass(frozen=True)
class LimitRule:
    """A limit on heights: exceeded above `level`, back at or below `level - deadband`. Delays in seconds."""

    level: float
    deadband: float = 0.0
    on_delay: float = 0.0
    off_delay: float = 0.0

    @classmethod
    def of(cls, plant: Plant, rule: Limit) -> LimitRule:
        """A label rule of plant.toml with its deadband and delays."""
        delays = rule.on_delay.total_seconds(), off_delay(plant, rule).total_seconds()
        return cls(rule.level, deadband(plant, rule), *delays)


class LimitState(NamedTuple):
    """Where a limit is. Times in seconds on the plant's clock.

    `since`: when the limit was exceeded, of an active alarm or of a running on-delay. `back`: when the value of an active alarm
    came back, while the off-delay runs. `at`: the newest value that was looked at.
    """

    active: bool = False
    since: float | None = None
    back: float | None = None
    at: float | None = None


QUIET = LimitState()


def step(
    rule: LimitRule, state: LimitState, now: float, height: float, read_at: float | None = None
) -> LimitState:
    """The state after a value that is known at `now`. `read_at`: when it was measured, where that was earlier.

    A change dates from `read_at`, but not from before the last look, which had seen another value.
    """
    if state.at is not None and now < state.at:
        return state
    if isnan(height):
        return state._replace(back=None, at=now)
    changed = min(
        max(now if read_at is None else read_at, -inf if state.at is None else state.at), now
    )
    if not state.active:
        if height <= rule.level:
            return LimitState(at=now)
        since = changed if state.since is None else state.since
        return LimitState(now - since >= rule.on_delay, since, None, now)
    if height > rule.level - rule.deadband:
        return LimitState(True, state.since, None, now)
    back = changed if state.back is None else state.back
    return (
        LimitState(at=now)
        if now - back >= rule.off_delay
        else LimitState(True, state.since, back, now)
    )


def rewound(state: LimitState, now: float) -> LimitState:
    """The state on a clock that was set back to `now`: an active alarm stays, running delays begin again."""
    since = min(state.since, now) if state.active and state.since is not None else None
    return LimitState(state.active, since, None, now)


def deadband(plant: Plant, rule: Limit) -> float:
    """How far a value must come back, in the rule's unit: its own deadband, or the usual share of the instrument's span."""
    if rule.deadband is not None:
        return rule.deadband
    low, high = instrument_of(plant, rule.column).range
    return DEADBAND_SHARE.get(rule.unit, OTHER_DEADBAND_SHARE) * (high - low)


def off_delay(plant: Plant, rule: Limit) -> timedelta:
    """How long a value must be back before its alarm clears: the rule's own off-delay, or the usual share of the cadence."""
    return plant.time.cadence * OFF_DELAY_CADENCES if rule.off_delay is None else rule.off_delay


def limit_title(plant: Plant, rule: Limit) -> str:
    """A limit in words, as alarm lists show it."""
    read = read_column(plant, rule.column)
    limit = f"{rule.limit:g} {rule.unit}".replace("-", "\N{MINUS SIGN}")
    if read.kind == "deviation" and not rule.low:
        controller = read.signal.removesuffix("_PV")
        return f"{controller} more than {limit} {'from' if rule.absolute else 'above'} its setpoint"
    within = spaced(write_duration(plant.time.short_window))
    what = {
        "deviation": " deviation from setpoint",
        "saturated": " saturation",
        "short_mean": f" mean over {within}",
        "short_std": f" standard deviation over {within}",
    }.get(read.kind, "")
    how = "below" if rule.low else "beyond \N{PLUS-MINUS SIGN}" if rule.absolute else "above"
    return f"{read.signal}{what} {how} {limit}".replace(
        "\N{PLUS-MINUS SIGN} ", "\N{PLUS-MINUS SIGN}"
    )


__all__ = [
    "QUIET",
    "LimitRule",
    "LimitState",
    "deadband",
    "limit_title",
    "off_delay",
    "rewound",
    "step",
]
