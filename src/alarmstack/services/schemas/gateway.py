"""Bodies of the gateway: accounts, stored results, the plant's state, and all that the screen
shows.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alarmstack.alarms.retraining import DriftState
from alarmstack.core.model_list import Kind
from alarmstack.services.schemas.horizons import Horizon, HorizonHours, WithHorizon
from alarmstack.services.schemas.inference import (
    Assessment,
    Explanation,
    Forecast,
    Prediction,
    TaskState,
)
from alarmstack.services.schemas.instants import Instant
from alarmstack.services.schemas.observations import Observation

Role = Literal["viewer", "operator", "engineer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "engineer", "admin")
"""Each role has the rights of those before it."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
"""Characters of a new password (OWASP ASVS 4.0.3, 2.1.1 and 2.1.2)."""
EntryType = Literal["predict", "forecast", "explain", "assess", "auto"]


NewPassword = Annotated[str, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Registration(_Body):
    """A new account. `invitation` is needed if registration is by invitation."""

    username: Annotated[str, Field(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9._@-]+$")]
    password: NewPassword
    invitation: str | None = Field(default=None, max_length=200)


class PasswordChange(_Body):
    """A new password for your own account, with the current one as proof."""

    current: Annotated[str, Field(max_length=200)]
    new: NewPassword


class Person(_Body):
    """An account as others see it: its name and role."""

    username: str
    role: Role


class Session(_Body):
    """A short-lived access token, for the header `Authorization: Bearer …`; a cookie renews it."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="Seconds.")
    person: Person


class SignIn(_Body):
    """What the login page needs before anyone is logged in."""

    registration: Literal["open", "invitation", "closed"]
    plant_title: str
    simulated: bool


class Entry(_Body, WithHorizon):
    """One stored result. `plant_time`: the instant on the plant's clock that it is about.

    `score`: the main value of the result. Forecasts have a `horizon`.
    """

    id: int
    type: EntryType
    created_at: AwareDatetime
    plant_time: AwareDatetime | None
    horizon: Horizon | None
    horizon_hours: HorizonHours | None
    score: float | None
    alarm: int | None
    model: str | None
    model_version: str | None
    deleted: bool
    request: dict[str, Any]
    response: dict[str, Any]


class History(_Body):
    """A page of your own entries, newest first."""

    entries: list[Entry]
    page: int
    size: int
    total: int


class StoredPrediction(Prediction):
    """A prediction, and the number of its entry in the history."""

    entry_id: int


class StoredForecast(Forecast):
    """A forecast, and the number of its entry in the history."""

    entry_id: int


class StoredExplanation(Explanation):
    """An explanation, and the number of its entry in the history."""

    entry_id: int


class StoredAssessment(Assessment):
    """An assessment, and the number of its entry in the history."""

    entry_id: int


class Series(_Body):
    """One tag or model column over time.

    A thinned point is the mean of several values, with their lowest and highest (`low`, `high`).
    """

    key: str
    title: str
    unit: str
    kind: Literal["measured", "setpoint", "output", "predicted"]
    range: tuple[float, float]
    value: list[float | None]
    low: list[float | None]
    high: list[float | None]


class LimitLine(_Body):
    """A limit to draw on a tag's trend."""

    key: str
    value: float
    title: str


class Span(_Body):
    """A period to shade: a limit rule was met, or a forecaster's warning was active."""

    kind: Literal["alarm", "warning"]
    title: str
    begin: AwareDatetime
    end: AwareDatetime


class Trends(_Body):
    """Series on one time axis (the end of each interval), with limits and events."""

    time: list[AwareDatetime]
    series: list[Series]
    limits: list[LimitLine]
    spans: list[Span]


class PlantUnit(_Body):
    """A process unit: the equipment that instruments belong to."""

    key: str
    title: str


class PlantTag(_Body):
    """An instrument, and everything needed to draw it."""

    key: str
    tag: str
    title: str
    unit: str
    process_unit: str
    range: tuple[float, float]
    normal: tuple[float, float]
    limits: list[LimitLine]
    stale_after_seconds: float
    setpoint: str | None = Field(
        description="Key of the setpoint, if a controller controls this tag."
    )
    output: str | None = Field(description="Key of the controller's output.")


class PlantLimit(_Body):
    """A limit rule of plant.toml with its delays.

    `low`: exceeded below the limit; `absolute`: the absolute value is compared with the limit.
    """

    rule: str
    key: str
    tag: str
    title: str
    column: str
    limit: float
    unit: str
    low: bool
    absolute: bool
    deadband: float
    on_delay_seconds: float
    off_delay_seconds: float


class PlantModel(_Body, WithHorizon):
    """One of the plant's models.

    `label`: a short heading for its score; `title`: what the score is.
    """

    name: str
    column: str
    label: str
    title: str
    kind: Kind
    horizon: Horizon | None
    horizon_hours: HorizonHours | None
    unit: str | None


class PredictField(_Body):
    """An input of the predict form, with the ends of its slider."""

    feature: str
    title: str
    unit: str
    low: float
    high: float


class PredictPreset(_Body):
    """Inputs to start a prediction from."""

    name: str
    title: str
    features: dict[str, float | None]


class ForecastPreset(_Body):
    """A window of rows to start a forecast from."""

    name: str
    title: str
    rows: list[Observation]


class PlantView(_Body):
    """Everything the screen knows about the plant. `horizons`: one for each forecaster."""

    name: str
    title: str
    timezone: str
    simulated: bool
    cadence_seconds: float
    window_rows: int
    longest_useful_lead_seconds: float
    horizons: list[Horizon]
    horizons_hours: list[HorizonHours]
    units: list[PlantUnit]
    tags: list[PlantTag]
    limits: list[PlantLimit]
    models: list[PlantModel]
    predict_fields: list[PredictField]
    predict_presets: list[PredictPreset]
    forecast_presets: list[ForecastPreset]


class FeedStatus(_Body):
    """State of the gateway's sources: the feed of readings, and the models."""

    feed: Literal["live", "stale", "down"]
    feed_reason: str | None
    inference: Literal["ready", "partial", "down"]
    inference_reason: str | None
    plant_time: AwareDatetime | None
    server_time: AwareDatetime
    assessed_until: AwareDatetime | None = Field(
        default=None, description="End of the newest assessed interval, on the plant's clock."
    )
    unassessed: int = Field(
        default=0, description="Stored intervals that are not assessed yet, at most 240."
    )
    down: list[TaskState] = Field(
        default=[], description="Long-running tasks of the gateway that are not running."
    )
    quarantined: int = Field(default=0, description="Rows of the feed set aside since the start.")
    quarantine_reason: str | None = Field(
        default=None, description="Why the newest of them was set aside."
    )
    refused: int = Field(default=0, description="Intervals that inference refuses to assess.")
    refused_reason: str | None = Field(
        default=None, description="Why it refuses the newest of them."
    )


class QuarantinedRow(_Body):
    """A row of the feed that is not valid.

    `content`: the row as JSON; `times`: how often it came.
    """

    id: int
    content: str
    reason: str
    first_at: AwareDatetime
    last_at: AwareDatetime
    times: int


class Quarantine(_Body):
    """A page of the rows that were set aside, newest first."""

    rows: list[QuarantinedRow]
    page: int
    size: int
    total: int


class WarningState(_Body, WithHorizon):
    """A forecaster's warning after on-delay, hysteresis, off-delay and minimum on time.

    `standing`: it is active. `score` and `threshold` are those of its interval; `text` is the
    warning in words, with the probability.
    """

    column: str
    horizon: Horizon
    horizon_hours: HorizonHours
    standing: bool
    since: AwareDatetime | None
    score: float | None = None
    threshold: float | None = None
    text: str | None = Field(default=None, examples=["Alarm possible within 3 h (9 %)"])


class LimitAlarm(_Body):
    """A limit that is exceeded. `value`: the newest value in the limit's unit; null if unknown."""

    rule: str = Field(description="Its name in plant.toml.")
    key: str = Field(description="Key of the instrument whose trend shows it.")
    tag: str
    title: str = Field(examples=["PDT31008 above 300 mbar"])
    limit: float
    unit: str
    value: float | None
    since: AwareDatetime = Field(
        description="Plant time of the reading that exceeded the limit. The on-delay begins there."
    )
    returning_since: AwareDatetime | None = Field(
        default=None,
        description="Since when the value is back within the limit and its deadband. "
        "The off-delay begins there.",
    )
    approximate: bool = Field(
        default=False, description="`since` is known from closed intervals alone."
    )


class LimitGap(_Body):
    """A limit that cannot be evaluated at present. An alarm that was active stays active."""

    rule: str
    key: str
    title: str
    reason: str


class PlantState(_Body):
    """Whether limits are exceeded by the newest readings, and which warnings are active.

    Every view shows this state. `known` is false while the feed is down or stale; all lists are
    empty then. `pending`: limits that are exceeded for less than their on-delay. `in_alarm_now` of
    an assessment is different: it is about a whole closed interval.
    """

    plant_time: AwareDatetime | None = Field(
        description="Plant time of the newest reading that is included."
    )
    known: bool
    reason: str | None = Field(description="Why the state is unknown.")
    in_alarm: bool
    since: AwareDatetime | None = Field(
        description="When the oldest of the active limits was exceeded."
    )
    limits: list[LimitAlarm]
    pending: list[LimitAlarm] = []
    not_evaluated: list[LimitGap] = []
    warnings: list[WarningState] = Field(
        description="One for each forecaster; empty if they are unknown (`warnings_reason`)."
    )
    warnings_reason: str | None = None


class LimitEvent(_Body):
    """A limit alarm from its beginning to its end. `end` is null while it is active."""

    id: int
    rule: str
    key: str
    tag: str
    title: str
    limit: float
    unit: str
    peak: float | None = Field(description="The value furthest beyond the limit.")
    begin: AwareDatetime
    end: AwareDatetime | None
    approximate: bool = Field(
        description="Known from closed intervals alone: begin and end are accurate to an interval."
    )


class Events(_Body):
    """A page of the plant's limit alarms, newest first."""

    events: list[LimitEvent]
    page: int
    size: int
    total: int


class PlantAssessment(_Body):
    """The gateway's own assessment of a closed interval, with the warnings after it."""

    interval: Observation
    assessment: Assessment
    warnings: list[WarningState]


class IntervalSummary(_Body):
    """A closed interval as charts show it. `timestamp`: its start; `values`: medians by instrument.

    `scores` and `thresholds` by model column; `rules`: names of the limit rules that were met.
    """

    timestamp: AwareDatetime
    values: dict[str, float | None]
    scores: dict[str, float | None]
    thresholds: dict[str, float | None]
    in_alarm: bool
    rules: list[str]
    warnings: list[WarningState]


class Overview(_Body):
    """What the dashboard needs: the newest assessment in full, and the intervals before it in
    short.
    """

    latest: PlantAssessment | None = Field(description="The newest assessed interval.")
    past: list[IntervalSummary] = Field(
        description="The newest assessed intervals, oldest first; the last one is `latest`."
    )
    provisional: PlantAssessment | None = Field(
        default=None,
        description="Assessment of the interval that ends now, until the next one is closed. "
        "Only if the stride is shorter than the cadence.",
    )
    status: FeedStatus
    state: PlantState


class Drifting(_Body):
    """A quantity compared with its reference distribution. A PSI above `bound` means drifted.

    `learning`: recalibrated, with too few rows since then.
    """

    key: str
    title: str
    psi: float | None
    bound: float
    state: DriftState
    recalibrated_at: AwareDatetime | None = None


class Nuisance(_Body):
    """False alarms of a forecaster in `days` outside alarms, and the budget per day."""

    column: str
    false_alarms: int
    days: float
    budget_per_day: float


class Drift(_Body):
    """How far the last days differ from the training data, and whether to retrain (`reasons`)."""

    window: str
    rows: int
    since: AwareDatetime | None
    until: AwareDatetime | None
    tags: list[Drifting]
    models: list[Drifting]
    nuisance: list[Nuisance]
    retrain: bool
    reasons: list[str]


class Recalibrated(_Body):
    """An instrument was recalibrated. Without `at`: now, on the plant's clock."""

    key: str = Field(max_length=100)
    at: Instant | None = None
    note: str = Field(default="", max_length=500)


class Side(_Body):
    """Warnings that a version's scores raised on the compared rows, at its own threshold."""

    version: str | None
    threshold: float | None
    mean_score: float | None
    warnings: int
    false_alarms: int
    onsets: int
    onsets_warned: int
    share_in_warning: float
    days: float


class Contest(_Body):
    """Comparison of a champion and its challenger on the same rows."""

    column: str
    name: str
    since: AwareDatetime
    rows: int
    champion: Side
    challenger: Side


class Comparison(_Body):
    """All champion/challenger comparisons; a model without a challenger has none."""

    contests: list[Contest]


class GatewayHealth(_Body):
    """The gateway is running. `feed`: the state of its sources."""

    status: Literal["ok"] = "ok"
    version: str
    feed: FeedStatus


__all__ = [
    "ROLES",
    "Comparison",
    "Contest",
    "Drift",
    "DriftState",
    "Drifting",
    "Entry",
    "EntryType",
    "Events",
    "FeedStatus",
    "ForecastPreset",
    "GatewayHealth",
    "History",
    "IntervalSummary",
    "LimitAlarm",
    "LimitEvent",
    "LimitGap",
    "LimitLine",
    "Nuisance",
    "Overview",
    "Person",
    "PlantAssessment",
    "PlantLimit",
    "PlantModel",
    "PlantState",
    "PlantTag",
    "PlantUnit",
    "PlantView",
    "PredictField",
    "PredictPreset",
    "Quarantine",
    "QuarantinedRow",
    "Recalibrated",
    "Registration",
    "Role",
    "Series",
    "Session",
    "Side",
    "SignIn",
    "Span",
    "StoredAssessment",
    "StoredExplanation",
    "StoredForecast",
    "StoredPrediction",
    "Trends",
    "WarningState",
]
