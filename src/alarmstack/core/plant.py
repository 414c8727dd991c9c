"""The plant as plant.toml describes it: what is measured, what is normal, what counts as an alarm.

A *tag* names one instrument. A *controller* adds an output (OP) and a setpoint (SP) to its process
value (PV). Every column of readings is a *signal*: an instrument, an OP or an SP. A *row* covers
one cadence. All durations stay durations here; `Plant.rows` gives the number of rows.
"""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from functools import cached_property
from math import pi, sin
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from alarmstack.core.checksum import fingerprint
from alarmstack.core.errors import PlantError
from alarmstack.core.units import ABSOLUTE, ALLOWED_UNITS, GAUGE, PRESSURE, TEMPERATURE, quantity_of

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Allowed beginnings of registry names, which are also names of folders."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
LONGEST_DURATION = timedelta(days=3660)
"""Ten years: no window, delay or horizon is longer, and instants stay within the calendar."""
SHORTEST_CADENCE = timedelta(seconds=1)
LONGEST_WINDOW = 100_000
"""Cadences that a window, gap or horizon may span: all these rows are held in memory."""
LONGEST_BLOCK = 1000
"""Rows that one assessment may span."""
AVERAGE_REACH = 14
"""Lengths of an exponential average after which an old value has no weight: e^-14 is 1e-6."""
LONGEST_NAME, LONGEST_TEXT = 100, 1_000
"""Characters. Names become parts of file names, which may have 255 bytes."""


def parse_duration(text: object) -> timedelta:
    """A duration written as `30s`, `5min`, `1h` or `2d`.

    Raises ValueError when the text is not a duration, or is longer than ten years.

    >>> parse_duration("12h")
    datetime.timedelta(seconds=43200)
    """
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{_shortened(text)} is not a duration. Use for example 30s, 5min, 1h.")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST_DURATION.total_seconds():
        raise ValueError(f"{_shortened(text)} is too long: at most {LONGEST_DURATION.days}d")
    return timedelta(seconds=seconds)


def _shortened(value: object) -> str:
    """A value for a message, shortened."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}…"


def write_duration(duration: timedelta) -> str:
    """The shortest whole form of a duration, as plant.toml writes it.

    >>> write_duration(timedelta(hours=3))
    '3h'
    >>> write_duration(timedelta(days=400, seconds=1))
    '34560001s'
    """
    seconds = duration.total_seconds()
    for unit in ("h", "min"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


HOUR_DIGITS = 4
"""Digits of hours that are not whole: enough for every duration of whole seconds."""


def duration_in_hours(duration: timedelta) -> int | float:
    """A duration in hours: a whole number where it is one.

    >>> duration_in_hours(timedelta(hours=3)), duration_in_hours(timedelta(minutes=10))
    (3, 0.1667)
    """
    hours = duration / timedelta(hours=1)
    return int(hours) if hours.is_integer() else round(hours, HOUR_DIGITS)


def spaced(written: str) -> str:
    """A written duration with a blank between number and unit.

    >>> spaced("13h")
    '13 h'
    """
    return re.sub(r"(?<=\d)(?=[a-z])", " ", written)


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration, when_used="json")
]


_NAME = re.compile(r"[^\W_][^/\\{}]*")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None or not text.isprintable() or len(text) > LONGEST_NAME:
        raise ValueError(
            f"{_shortened(text)} is not a name: begin with a letter or digit, "
            f"use no / \\ {{ }} and at most {LONGEST_NAME} characters"
        )
    return text


Name = Annotated[str, AfterValidator(_name)]
"""A name from which file, column and model names are made."""
Place = Annotated[int, Field(ge=0, lt=16_384)]
"""A column of a sheet (A = 0). Excel sheets have at most 16,384."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=LONGEST_TEXT
    )


Numbers = TypeVar("Numbers", float, npt.NDArray[np.float64])

OFF_DELAY_CADENCES = 2.0
"""Default off-delay of a limit alarm in cadences: 2 h for hourly rows, 2 min for 1-minute rows.
A value that swings slowly around its limit is then one alarm: in 20 h of the simulated
pressure rise, half a cadence gives 8 to 12 alarms, one cadence 5 to 7, two cadences 1 or 2.
"""
_SHARES = {TEMPERATURE: 0.01, PRESSURE: 0.02, GAUGE: 0.02, ABSOLUTE: 0.02}
DEADBAND_SHARE = {
    unit: _SHARES[quantity_of(unit)] for unit in ALLOWED_UNITS if quantity_of(unit) in _SHARES
}
"""Default deadbands as a share of the span, by unit: temperature 1 %, pressure 2 % (initial
values that EEMUA 191 suggests).
"""
OTHER_DEADBAND_SHARE = 0.05
"""The same for level, flow and all other quantities."""


class Unit(_Part):
    """A process unit: the equipment that instruments belong to."""

    key: Name
    title: str


class Instrument(_Part):
    """One transmitter. All values are in `unit`.

    `range`: the values that it can show; `normal`: the values of normal operation; `resolution`:
    the step between two values.
    """

    tag: Name
    title: str
    process_unit: str
    unit: str
    range: tuple[float, float]
    normal: tuple[float, float]
    stale_after: Duration
    role: Literal["monitored", "input", "ambient", "dead"] = "monitored"
    resolution: float | None = Field(default=None, gt=0)
    saturated_above: float | None = None

    @property
    def key(self) -> str:
        """The tag as the API writes it."""
        return self.tag.lower()

    @model_validator(mode="after")
    def _limits_inside_range(self) -> Instrument:
        low, high = self.range
        if self.unit not in ALLOWED_UNITS:
            raise ValueError(
                f"{self.tag}: unit {self.unit!r} is unknown: use one of {', '.join(ALLOWED_UNITS)}"
            )
        if not low < high:
            raise ValueError(
                f"{self.tag}: range [{low}, {high}] is empty: write the lower end first"
            )
        limits = {"normal": self.normal} | (
            {"saturated_above": (self.saturated_above,)} if self.saturated_above else {}
        )
        for name, values in limits.items():
            for value in values:
                if value is not None and not low <= value <= high:
                    raise ValueError(
                        f"{self.tag}: {name} {value} is outside the range [{low}, {high}] "
                        f"{self.unit}: "
                        "correct the limit or widen the range"
                    )
        return self


class Controller(_Part):
    """A control loop. Its PV is the instrument `<name>_PV`."""

    name: Name
    setpoint_stale_after: Duration
    deviation_max: bool = False

    @property
    def pv(self) -> str:
        """Signal of the process value."""
        return f"{self.name}_PV"

    @property
    def op(self) -> str:
        """Signal of the controller's output."""
        return f"{self.name}_OP"

    @property
    def sp(self) -> str:
        """Signal of the setpoint."""
        return f"{self.name}_SP"

    @property
    def deviation(self) -> str:
        """Column of PV − SP."""
        return f"{self.name}_deviation"


class Limit(_Part):
    """A limit rule: in alarm while `column` (or its absolute value) is above or below a limit.

    The other keys apply to the alarm on the screen, which is evaluated on readings as they arrive.
    It is raised when the limit has been exceeded for `on_delay`. It is cleared when the value has
    been back by more than `deadband` (in `unit`) for `off_delay`. The defaults of deadband and
    off-delay are `DEADBAND_SHARE` and `OFF_DELAY_CADENCES`. Labels are defined on closed intervals
    and use none of these keys.
    """

    name: str
    column: str
    above: float | None = None
    below: float | None = None
    unit: str
    absolute: bool = False
    deadband: float | None = Field(default=None, ge=0)
    on_delay: Duration = timedelta(0)
    off_delay: Duration | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Limit:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"rule {self.name!r} needs one limit: write `above` or `below`")
        if self.absolute and self.below is not None:
            raise ValueError(
                f"rule {self.name!r}: `absolute` needs `above`: remove it or write `above`"
            )
        return self

    @property
    def low(self) -> bool:
        """Whether it is a low limit."""
        return self.below is not None

    @property
    def limit(self) -> float:
        """The limit, in `unit`."""
        value = self.below if self.above is None else self.above
        assert value is not None, "the validator ensures it"
        return value

    @property
    def level(self) -> float:
        """The limit on the scale of `height`."""
        return -self.limit if self.low else self.limit

    def height(self, values: Numbers) -> Numbers:
        """Values on a scale on which higher is worse: the limit is exceeded above `level`."""
        return -values if self.low else abs(values) if self.absolute else values


class Transition(_Part):
    """Regime 1: not in alarm, but one of `columns` above its `quantile`."""

    columns: tuple[str, ...] = ()
    quantile: float = Field(default=0.9, gt=0, lt=1)


class Labels(_Part):
    """Definition of an alarm on this plant."""

    rules: tuple[Limit, ...] = ()
    transition: Transition = Transition()


CADENCES = {
    "window": 12,
    "quiet_gap": 3,
    "longest_useful_lead": 6,
    "longest_gap": 6,
    "statistics_window": 13,
    "frequency_window": 48,
    "short_window": 3,
}
"""Durations that a plant.toml may leave out, in cadences."""
HORIZON_CADENCES = (1, 3, 6)


class Time(_Part):
    """The durations of the plant. All except the cadence have a default, counted in cadences.

    `stride`: how often the models give an output. When it is shorter than the cadence, they also
    give outputs between two closed intervals, for intervals of one cadence that end at that
    instant.
    """

    cadence: Duration
    stride: Duration
    window: Duration
    horizons: tuple[Duration, ...] = Field(max_length=24)
    quiet_gap: Duration
    longest_useful_lead: Duration
    longest_gap: Duration
    statistics_window: Duration
    frequency_window: Duration
    short_window: Duration

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, content: dict[str, object]) -> dict[str, object]:
        try:
            cadence = parse_duration(content.get("cadence"))
        except ValueError:
            return content
        if not SHORTEST_CADENCE <= cadence <= LONGEST_DURATION / max(CADENCES.values()):
            raise ValueError(
                f"time.cadence = {write_duration(cadence)!r} is not between "
                f"{write_duration(SHORTEST_CADENCE)} and "
                f"{LONGEST_DURATION.days // max(CADENCES.values())}d: "
                "write the time between two rows of data, for example '1h'"
            )
        defaults: dict[str, object] = {
            name: write_duration(cadences * cadence) for name, cadences in CADENCES.items()
        }
        defaults["stride"] = write_duration(cadence)
        defaults["horizons"] = [write_duration(n * cadence) for n in HORIZON_CADENCES]
        return defaults | content

    @property
    def farthest_horizon(self) -> timedelta:
        """How far ahead labels look: the farthest horizon, else the longest useful lead."""
        return max(self.horizons, default=self.longest_useful_lead)

    @model_validator(mode="after")
    def _horizons_differ(self) -> Time:
        durations = [write_duration(horizon) for horizon in self.horizons]
        for duration in durations:
            if durations.count(duration) > 1:
                raise ValueError(f"time.horizons contains {duration!r} twice: remove one")
        return self

    @model_validator(mode="after")
    def _multiples_of_cadence(self) -> Time:
        if self.stride <= timedelta(0) or self.cadence % self.stride:
            raise ValueError(
                f"time.stride = {write_duration(self.stride)!r} does not divide the cadence "
                f"{write_duration(self.cadence)!r}: choose a part of it, for example "
                f"{write_duration(self.cadence / 4)!r}, or remove the key"
            )
        for name in (key for key in type(self).model_fields if key != "stride"):
            value = getattr(self, name)
            for duration in value if isinstance(value, tuple) else (value,):
                key = f"time.{name} = {write_duration(duration)!r}"
                if duration > LONGEST_WINDOW * self.cadence:
                    raise ValueError(
                        f"{key} spans more than {LONGEST_WINDOW:,} cadences of "
                        f"{write_duration(self.cadence)!r}: shorten it"
                    )
                if duration <= timedelta(0) or duration % self.cadence:
                    raise ValueError(
                        f"{key} is not a multiple of the cadence "
                        f"{write_duration(self.cadence)!r}: choose a whole number of cadences"
                    )
        return self


class Training(_Part):
    """How models are trained.

    `phases`: the number of grids, moved by equal parts of a cadence, on which forecasters are
    trained. The rows of one hour share its weight, so that each hour counts once. Model selection,
    thresholds and metrics use the base grid.
    """

    phases: int = Field(default=1, ge=1, le=60)


class Derived(_Part):
    """Signals that have short rolling statistics in the cleaned dataset."""

    short_statistics: tuple[str, ...] = ()


class Warnings(_Part):
    """How scores become warnings: the budget, and the delays of the alarm engine.

    `time_in_warning`, a share of normal time, replaces the number of false alarms on plants that
    are evaluated by time.
    """

    false_alarms_per_day: float = Field(gt=0)
    time_in_warning: float | None = Field(default=None, gt=0, lt=1)
    on_delay: Duration
    off_delay: Duration
    minimum_on: Duration
    hysteresis: float = Field(gt=0, le=1)


class Expert(_Part):
    """One definition of normal: the expected value of each tag, and a score of its residuals.

    `kind` gives the expected value. `level`: the median of the last `window`, or of the first
    `anchor` of the run. `held`: a level that follows the tag with the time constant `window`, and
    is held while tags are more than `waits` noise amplitudes away after correction for the inputs.
    `static`: the value in training. `dynamics`: a prediction from the tag's last `lags` rows and
    the inputs. `relations`: a prediction from the other tags and the inputs, up to `lags` rows
    back. The predictions are made by a ridge regression, or by `trees`, which also use the time of
    day.

    Residuals are divided by a scale: the one of training, or of the last `scale` when the plant
    drifts, and at least the jitter of the tag in the last `jitter`. `whiten` removes their
    correlation. `denoise` is a running median before all other steps. `gather` averages the scaled
    residuals, for small lasting shifts. `evidence` averages the log energy, for intermittent
    faults. `loudest` uses only the tag with the largest residual, for faults of a single tag.
    """

    name: str
    kind: Literal["level", "held", "static", "dynamics", "relations"]
    window: Duration | None = None
    anchor: Duration | None = None
    waits: float = Field(default=12.0, gt=0)
    lags: int = Field(default=0, ge=0, le=24)
    ridge: float = Field(default=100.0, gt=0)
    trees: bool = False
    denoise: Duration | None = None
    scale: Duration | None = None
    scale_quantile: float = Field(default=0.75, gt=0, lt=1)
    jitter: Duration | None = None
    whiten: bool = False
    gather: Duration | None = None
    evidence: Duration | None = None
    loudest: bool = False

    @property
    def reach(self) -> timedelta:
        """How far back a score depends on the past."""
        windows = (self.window, self.anchor, self.denoise, self.scale, self.jitter)
        averages = (self.gather, self.evidence)
        spans = [window for window in windows if window is not None]
        spans += [AVERAGE_REACH * average for average in averages if average is not None]
        return sum(spans, timedelta(0))


class Normality(_Part):
    """The model of normal behaviour: experts, and the way in which their scores become one score.

    `lookback`: the past that a live row is scored with, when the experts need more than the
    features. It must cover the experts' windows, and fourteen times the length of an average. A
    level that is held or anchored starts at the beginning of the run, but live it starts at the
    beginning of the lookback: an older fault then counts as the beginning of the run. `offset`:
    added to the thresholds, from the asset's own history and the operators' judgements
    (`normality.threshold_offset`).
    """

    experts: tuple[Expert, ...]
    fusion: Literal["mean", "minimum"] = "mean"
    lookback: Duration | None = None
    offset: float = Field(default=0.0, ge=-1, le=1)

    @property
    def reach(self) -> timedelta:
        """The past that a live row needs: `lookback`, else the reach of the experts."""
        if self.lookback is not None:
            return self.lookback
        return max((expert.reach for expert in self.experts), default=timedelta(0))


class Drift(_Part):
    """When retraining is proposed, over the last `window`.

    At least `tags` tags or the scores of `models` models have drifted (in normal operation, one of
    a hundred has), or there are more than `nuisance` times as many false alarms as the budget
    allows.
    """

    window: Duration = timedelta(days=7)
    tags: int = Field(default=3, ge=1)
    models: int = Field(default=3, ge=1)
    nuisance: float = Field(default=2.0, gt=1)


class DeviationTarget(_Part):
    """The controller whose next deviation is predicted."""

    controller: str


class SimpleColumns(_Part):
    """The columns of a simple instrument's value and time in its sheet (A = 0)."""

    value: Place = 0
    time: Place = 1


class Historian(_Part):
    """Layout of the historian's workbooks."""

    header_rows: int = Field(default=2, ge=0, le=1000)
    file_pattern: str = "{name}.xlsx"
    simple: SimpleColumns = SimpleColumns()
    controller: dict[Literal["PV", "OP", "SP"], tuple[Place, Place]] = {
        "PV": (0, 1),
        "OP": (4, 5),
        "SP": (8, 9),
    }

    @model_validator(mode="after")
    def _pattern_names_a_file(self) -> Historian:
        try:
            files = [self.file_pattern.format(name=name) for name in ("A", "B")]
        except (LookupError, ValueError, AttributeError) as error:
            raise ValueError(
                f"file_pattern {self.file_pattern!r}: write {{name}} in place of the instrument's "
                "name "
                f"({error})"
            ) from None
        if files[0] == files[1] or any(
            "/" in file or "\\" in file or not file.isprintable() for file in files
        ):
            raise ValueError(
                f"file_pattern {self.file_pattern!r} does not name one file for each instrument: "
                "write for example {name}.xlsx"
            )
        return self


class PredictInput(_Part):
    """A field of the screen's predict form: a feature, and the ends of its slider."""

    feature: str
    title: str
    unit: str
    low: float
    high: float

    @model_validator(mode="after")
    def _ends_in_order(self) -> PredictInput:
        if not self.low < self.high:
            raise ValueError(
                f"{self.feature}: low {self.low:g} is not below high {self.high:g}: "
                "write the lower end first"
            )
        return self


class PredictExample(_Part):
    """A named operating point for the predict form: values of some of its fields."""

    name: str
    title: str
    features: dict[str, float]


class Course(_Part):
    """How one key changes over a window.

    `value` at the beginning, `ramp` added evenly until the end, and a sine of `amplitude` around it
    with a `period` in rows.
    """

    value: float
    ramp: float = 0.0
    amplitude: float = 0.0
    period: float = Field(default=4.0, gt=0)

    def at(self, row: int, rows: int) -> float:
        """The value in row 0 … rows − 1.

        >>> [Course(value=1.0, ramp=2.0).at(row, 3) for row in range(3)]
        [1.0, 2.0, 3.0]
        """
        return (
            self.value
            + self.ramp * row / max(rows - 1, 1)
            + self.amplitude * sin(2 * pi * row / self.period)
        )


class ForecastExample(_Part):
    """A named window for the forecast form. Keys that it does not set are those of `like`."""

    name: str
    title: str
    like: str | None = None
    keys: dict[str, Course]


class Screen(_Part):
    """Initial content of the forms on the screen."""

    predict_fields: tuple[PredictInput, ...] = ()
    predict_presets: tuple[PredictExample, ...] = ()
    forecast_presets: tuple[ForecastExample, ...] = ()

    @model_validator(mode="after")
    def _names_fit_together(self) -> Screen:
        fields = [field.feature for field in self.predict_fields]
        for preset in self.predict_presets:
            for feature in preset.features:
                if feature not in fields:
                    raise ValueError(
                        f"preset {preset.name!r}: {feature!r} is not a predict_field: "
                        f"use one of {', '.join(fields)}"
                    )
        names: list[str] = []
        for window in self.forecast_presets:
            if window.like is not None and window.like not in names:
                raise ValueError(
                    f"preset {window.name!r}: like = {window.like!r} is not a preset above it: "
                    f"use one of {names}"
                )
            names.append(window.name)
        return self

    def courses(self, name: str) -> dict[str, Course]:
        """All keys of a forecast preset, with those of the preset that it names in `like`."""
        preset = next(preset for preset in self.forecast_presets if preset.name == name)
        return {**(self.courses(preset.like) if preset.like else {}), **preset.keys}


class Plant(_Part):
    """One plant, as plant.toml describes it."""

    name: Name
    title: str
    timezone: str
    registry_prefix: Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
    operator_log: str | None = None
    time: Time
    training: Training = Training()
    units: tuple[Unit, ...]
    instruments: tuple[Instrument, ...]
    controllers: tuple[Controller, ...] = ()
    derived: Derived = Derived()
    labels: Labels = Labels()
    warnings: Warnings
    normality: Normality | None = None
    drift: Drift = Drift()
    deviation_target: DeviationTarget | None = None
    historian: Historian = Historian()
    screen: Screen = Screen()
    folder: Path = Field(default=Path(), exclude=True)
    fingerprint: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _names_fit_together(self) -> Plant:
        tags = [i.tag for i in self.instruments]
        for tag in tags:
            if tags.count(tag) > 1:
                raise ValueError(f"instruments: tag {tag!r} is defined twice: remove one")
        units = {u.key for u in self.units}
        for instrument in self.instruments:
            if instrument.process_unit not in units:
                raise ValueError(
                    f"{instrument.tag}: process_unit {instrument.process_unit!r} is unknown: "
                    f"use one of {sorted(units)}"
                )
        for controller in self.controllers:
            if controller.pv not in tags:
                raise ValueError(
                    f"controller {controller.name} needs an instrument {controller.pv!r}: add it"
                )
        for tag in self.derived.short_statistics:
            if tag not in tags:
                raise ValueError(
                    f"derived.short_statistics: unknown tag {tag!r}: use one of {tags}"
                )
        if self.deviation_target and self.deviation_target.controller not in {
            c.name for c in self.controllers
        }:
            raise ValueError(
                f"deviation_target.controller {self.deviation_target.controller!r} is no controller"
            )
        keys = [key for i in self.instruments for key in (i.key, f"{i.key}_max", f"{i.key}_min")]
        keys += [signal.lower() for c in self.controllers for signal in (c.sp, c.op)]
        for preset in self.screen.forecast_presets:
            for key in preset.keys:
                if key not in keys:
                    raise ValueError(
                        f"screen preset {preset.name!r}: unknown key {key!r}: "
                        f"use one of {', '.join(keys)}"
                    )
        if self.time.cadence % timedelta(seconds=self.training.phases):
            raise ValueError(
                f"training.phases = {self.training.phases} does not divide the cadence "
                f"{write_duration(self.time.cadence)!r} into whole seconds: choose 1, 2 or 4"
            )
        if self.timezone not in available_timezones():
            raise ValueError(
                f"timezone {self.timezone!r} is unknown: use an IANA name such as 'Europe/Berlin'"
            )
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the plant clock."""
        return ZoneInfo(self.timezone)

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """All columns of readings, in the order of the cleaned dataset."""
        loops = {c.pv: (c.pv, c.op, c.sp) for c in self.controllers}
        return tuple(s for i in self.instruments for s in loops.get(i.tag, (i.tag,)))

    @cached_property
    def modelled(self) -> tuple[Instrument, ...]:
        """Instruments that models may use: all except dead ones."""
        return tuple(i for i in self.instruments if i.role != "dead")

    @cached_property
    def stale_after(self) -> dict[str, timedelta]:
        """How long the last value of each signal is held."""
        by_tag = {i.tag: i.stale_after for i in self.instruments}
        for c in self.controllers:
            by_tag |= {c.op: by_tag[c.pv], c.sp: c.setpoint_stale_after}
        return by_tag

    @property
    def has_labels(self) -> bool:
        """Whether an alarm is defined, by limit rules or by an operator log."""
        return bool(self.labels.rules) or self.operator_log is not None

    @cached_property
    def deviation_controller(self) -> Controller:
        """The controller whose next deviation is predicted. Raises PlantError if there is none."""
        if self.deviation_target is None:
            raise PlantError(
                f"{self.name}: no [deviation_target]: "
                "name the controller whose deviation is predicted"
            )
        return next(c for c in self.controllers if c.name == self.deviation_target.controller)

    def instrument(self, tag: str) -> Instrument:
        """The instrument of that tag, in either case."""
        for instrument in self.instruments:
            if instrument.tag.lower() == tag.lower():
                return instrument
        raise PlantError(
            f"{self.name} has no instrument {tag!r}: "
            f"it has {', '.join(i.tag for i in self.instruments)}"
        )

    def rows(self, duration: timedelta) -> int:
        """The number of rows of this plant that a duration spans."""
        return duration // self.time.cadence

    @cached_property
    def phases(self) -> tuple[timedelta, ...]:
        """Offsets of the grids on which models give outputs: 0 is the base grid."""
        return phases(self.time.cadence, self.time.stride)

    @cached_property
    def lookback(self) -> int:
        """Rows that are needed to score the last one.

        A rolling window before the failure-frequency window, or the lookback of the
        normal-behaviour model, whichever is longer.
        """
        features = self.rows(self.time.frequency_window) + self.rows(self.time.statistics_window)
        if self.normality is None:
            return features
        normality = self.rows(self.normality.reach)
        if self.normality.lookback is None:
            normality = min(normality, LONGEST_BLOCK)
        return max(features, normality)


def phases(cadence: timedelta, stride: timedelta) -> tuple[timedelta, ...]:
    """Offsets of the grids of that cadence whose intervals end at every stride.

    >>> [write_duration(phase) for phase in phases(timedelta(hours=1), timedelta(minutes=20))]
    ['0s', '20min', '40min']
    """
    return tuple(number * stride for number in range(cadence // stride))


def load_plant(path: Path | str) -> Plant:
    """Read a plant.toml.

    Raises PlantError that names the key, the value and the correction.
    """
    path = Path(path)
    try:
        text = path.read_bytes()
        content = tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError:
        raise PlantError(f"{path}: no such file: use --plant plants/NAME/plant.toml") from None
    except OSError as error:
        raise PlantError(
            f"{path}: cannot be read ({error.strerror}): use --plant plants/NAME/plant.toml"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PlantError(f"{path}: not readable as TOML: {error}") from error
    try:
        plant = Plant.model_validate(content)
    except ValidationError as error:
        raise PlantError(f"{path}: {_first_reason(error)}") from error
    return plant.model_copy(update={"folder": path.parent, "fingerprint": fingerprint(text)[:16]})


def _first_reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        value = _shortened(first["input"])
        message = f"unknown key (its value: {value}): remove it or correct its spelling"
    elif first["type"] == "missing":
        message = "this key is missing: add it"
    elif first["type"] != "value_error":
        message = f"{message}, but it is {_shortened(first['input'])}"
    reason = " ".join((f"{where}: {message}" if where else message).split())
    return reason if len(reason) <= LONGEST_TEXT else f"{reason[:LONGEST_TEXT]}…"


__all__ = [
    "Controller",
    "Course",
    "ForecastExample",
    "Instrument",
    "Limit",
    "Plant",
    "PredictExample",
    "PredictInput",
    "Screen",
    "Unit",
    "duration_in_hours",
    "load_plant",
    "parse_duration",
    "phases",
    "write_duration",
]
