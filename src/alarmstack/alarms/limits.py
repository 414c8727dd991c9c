"""Limit alarms: when a value raises an alarm, and when the alarm clears.

One pure function, `step`, maps the state of a limit and a new value to the next state. Values are
given as heights. On the scale of heights higher is worse, so that high, low and absolute limits are
one case (`plant.Limit.height`).

An alarm is raised when the limit has been exceeded for the on-delay. It is cleared when the value
has been back within the limit, by at least the deadband, for the off-delay. An unknown value (NaN)
neither raises nor clears an alarm: the on-delay continues, the off-delay starts again. A value that
is older than the newest one changes nothing.

Labels (`labels.in_alarm`) are defined on whole closed intervals, without deadband and delays.
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
    """A limit on heights: exceeded above `level`, back at or below `level - deadband`.

    Delays in seconds.
    """

    level: float
    deadband: float = 0.0
    on_delay: float = 0.0
    off_delay: float = 0.0

    @classmethod
    def of(cls, plant: Plant, rule: Limit) -> LimitRule:
        """A limit of plant.toml with its deadband and delays."""
        delays = rule.on_delay.total_seconds(), off_delay(plant, rule).total_seconds()
        return cls(rule.level, deadband(plant, rule), *delays)


class LimitState(NamedTuple):
    """The state of a limit. Times in seconds on the plant's clock.

    `since`: when the limit was exceeded, for an active alarm or a running on-delay. `back`: when
    the value of an active alarm came back within the limit, while the off-delay runs. `at`: the
    time of the newest value.
    """

    active: bool = False
    since: float | None = None
    back: float | None = None
    at: float | None = None


QUIET = LimitState()


def step(
    rule: LimitRule, state: LimitState, now: float, height: float, read_at: float | None = None
) -> LimitState:
    """The state after a value that is known at `now`.

    `read_at`: when it was measured, if earlier. A change is dated to `read_at`, but not to a time
    before the previous value.
    """
    if state.at is not None and now < state.at:
        return state
    if isnan(height):
        return state._replace(back=None, at=now)
    previous = -inf if state.at is None else state.at
    changed = min(max(now if read_at is None else read_at, previous), now)
    if not state.active:
        if height <= rule.level:
            return LimitState(at=now)
        since = changed if state.since is None else state.since
        return LimitState(now - since >= rule.on_delay, since, None, now)
    if height > rule.level - rule.deadband:
        return LimitState(True, state.since, None, now)
    back = changed if state.back is None else state.back
    if now - back >= rule.off_delay:
        return LimitState(at=now)
    return LimitState(True, state.since, back, now)


def rewound(state: LimitState, now: float) -> LimitState:
    """The state after the clock was set back to `now`.

    An active alarm stays active; running delays start again.
    """
    since = min(state.since, now) if state.active and state.since is not None else None
    return LimitState(state.active, since, None, now)


def deadband(plant: Plant, rule: Limit) -> float:
    """How far a value must come back within the limit, in the limit's unit.

    The limit's own deadband, or a default share of the instrument's span (`DEADBAND_SHARE`).
    """
    if rule.deadband is not None:
        return rule.deadband
    low, high = instrument_of(plant, rule.column).range
    return DEADBAND_SHARE.get(rule.unit, OTHER_DEADBAND_SHARE) * (high - low)


def off_delay(plant: Plant, rule: Limit) -> timedelta:
    """How long a value must be back before its alarm clears.

    The limit's own off-delay, or a default number of cadences (`OFF_DELAY_CADENCES`).
    """
    return plant.time.cadence * OFF_DELAY_CADENCES if rule.off_delay is None else rule.off_delay


def limit_title(plant: Plant, rule: Limit) -> str:
    """The text of a limit in alarm lists."""
    quantity = read_column(plant, rule.column)
    limit = f"{rule.limit:g} {rule.unit}".replace("-", "\N{MINUS SIGN}")
    if quantity.kind == "deviation" and not rule.low:
        controller = quantity.signal.removesuffix("_PV")
        return f"{controller} more than {limit} {'from' if rule.absolute else 'above'} its setpoint"
    within = spaced(write_duration(plant.time.short_window))
    statistic = {
        "deviation": " deviation from setpoint",
        "saturated": " saturation",
        "short_mean": f" mean over {within}",
        "short_std": f" standard deviation over {within}",
    }.get(quantity.kind, "")
    if rule.low:
        direction = "below "
    elif rule.absolute:
        direction = "beyond \N{PLUS-MINUS SIGN}"
    else:
        direction = "above "
    return f"{quantity.signal}{statistic} {direction}{limit}"


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
