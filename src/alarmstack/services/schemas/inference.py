"""Bodies of the inference API: requests to the models, and their outputs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from alarmstack.core.model_list import Kind, Scale
from alarmstack.services.schemas.horizons import (
    Horizon,
    HorizonHours,
    RequestedHorizon,
    RequestedHours,
    WithHorizon,
    requested_horizon,
)
from alarmstack.services.schemas.observations import MOST_ROWS, Number, Observation

MOST_FEATURES = 2000


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Problem(BaseModel):
    """An error as `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    model: str | None = None


class ModelRef(_Body):
    """The model that gave a score."""

    name: str
    version: str
    unpromoted: bool = Field(
        default=False,
        description="True if no version is @champion and the newest version is used instead.",
    )


Missing = Annotated[list[str], Field(description="Inputs of the model that had no value.")]
OutOfRange = Annotated[
    list[str], Field(description="Inputs outside the range of their transmitter.")
]
Stale = Annotated[
    list[str],
    Field(description="Instruments whose last reading is older than their `stale_after`."),
]


class PredictRequest(_Body):
    """Any subset of the champion's features. At least one needs a value; `null` means missing."""

    features: Annotated[dict[str, Number | None], Field(max_length=MOST_FEATURES)]


class Inputs(_Body):
    """How many of a model's inputs had a value, as numbers and as a sentence (`text`)."""

    given: int
    of: int
    text: str


class Prediction(_Body):
    """Risk of alarm now. `alarm` is 1 if the score reaches the operating threshold."""

    inputs: Inputs
    risk_score: float
    alarm: int
    threshold: float | None
    missing: Missing
    out_of_range: OutOfRange
    model: ModelRef


class ForecastRequest(_Body):
    """One of the plant's horizons, and the last rows of the plant, oldest first: at least a window.

    The horizon is written as `horizon` or as `horizon_hours`.
    """

    horizon: RequestedHorizon | None = None
    horizon_hours: RequestedHours | None = None
    recent_observations: Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)]

    @property
    def ahead(self) -> timedelta | None:
        """The requested horizon."""
        return requested_horizon(self.horizon, self.horizon_hours)

    @model_validator(mode="after")
    def _one_horizon(self) -> Self:
        if self.ahead is None:
            raise ValueError('horizon is missing: write a duration such as "1h" or "10min"')
        return self


class Forecast(_Body, WithHorizon):
    """Probability that an alarm begins within the horizon.

    While the plant is in alarm, no alarm can begin: the probability is then not a forecast.
    """

    anomaly_probability: float
    alarm: int
    horizon: Horizon
    horizon_hours: HorizonHours
    n_observations: int
    in_alarm_now: bool
    threshold: float | None
    known_at: AwareDatetime | None = Field(
        description="End of the last row. No later data was used."
    )
    missing: Missing
    out_of_range: OutOfRange
    stale: Stale
    model: ModelRef
    text: str = Field(
        default="",
        description="The forecast in words, with the probability.",
        examples=["Alarm possible within 3 h (9 %)"],
    )


class RecommendRequest(_Body):
    """How often limits were exceeded recently, and the risk now."""

    failure_frequency_48: Annotated[float, Field(ge=0, le=1e6)]
    risk_score: Annotated[float, Field(ge=0, le=1)]


class Recommendation(_Body):
    """What to do, as a sentence, and how urgent it is."""

    recommendation: str
    urgency: Literal["high", "medium", "low"]


class ExplainRequest(_Body):
    """Features for the champion; rows and a horizon for a forecaster; rows alone for normality."""

    features: Annotated[dict[str, Number | None], Field(max_length=MOST_FEATURES)] | None = None
    horizon: RequestedHorizon | None = None
    horizon_hours: RequestedHours | None = None
    recent_observations: (
        Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)] | None
    ) = None

    @property
    def ahead(self) -> timedelta | None:
        """The requested horizon; None if there is none."""
        return requested_horizon(self.horizon, self.horizon_hours)

    @model_validator(mode="after")
    def _one_horizon(self) -> Self:
        _ = self.ahead
        return self


class Contribution(_Body):
    """The contribution of one input to a score, on the scale of the explanation.

    `key`: the instrument or controller behind the input; `text`: the input and its value in words.
    """

    feature: str
    key: str | None
    value: float | None
    contribution: float
    text: str


class Explanation(_Body):
    """base_value + all contributions = score_on_scale. `score` is the calibrated score."""

    score: float
    score_on_scale: float
    base_value: float
    scale: Scale
    method: str
    contributions: list[Contribution] = Field(description="Largest first, by size.")
    model: ModelRef


class Importance(_Body):
    """Mean size of a feature's contributions to a model's scores, as a share of 1.

    `text`: the feature in words.
    """

    feature: str
    key: str | None
    share: float
    text: str


class Importances(_Body):
    """Importances of one model, largest first."""

    model: ModelRef
    method: str
    features: list[Importance]


class AssessRequest(_Body):
    """Closed intervals, oldest first; the last one is assessed."""

    intervals: Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)]


class ModelOutput(_Body, WithHorizon):
    """The output of one of the plant's models. Without a `model` there is none; see `reason`.

    `score` is a probability, an anomaly score or a value in `unit`, depending on `kind`. A model of
    the kind `classes` has `probabilities` instead. Forecasters have a `horizon`.
    """

    name: str
    column: str
    title: str
    kind: Kind
    horizon: Horizon | None = None
    horizon_hours: HorizonHours | None = None
    unit: str | None = None
    score: float | None = None
    probabilities: dict[str, float] | None = None
    threshold: float | None = None
    alarm: int | None = None
    missing: list[str] = []
    model: ModelRef | None = None
    reason: str | None = None
    not_promoted: bool = Field(
        default=False,
        description="No version is promoted, so there is no output. `reason` says why.",
    )


class Driver(Contribution):
    """One of the strongest contributions to a model's score."""

    column: str = Field(description="Column of the model whose score it drives.")


class TagQuality(_Body):
    """Quality of an instrument's values at the end of the last interval."""

    key: str
    status: Literal["good", "missing", "stale", "flat", "out_of_range", "saturated"]
    value: float | None
    age_seconds: float | None


class RuleState(_Body):
    """A limit rule at the last row. `met`: the rule puts the row in alarm.

    `above` is the limit. `low`: the rule is met below it.
    """

    name: str
    column: str
    value: float | None
    above: float
    unit: str
    met: bool
    low: bool = False


class Shadowed(_Body):
    """A challenger's score of the same row. It raises no warning."""

    column: str
    version: str
    score: float | None
    threshold: float | None


class ReferenceValues(_Body):
    """The distribution of a quantity in training: inner edges of bins, and shares of rows.

    `bound`: the population stability index (PSI) that stretches of the training data rarely exceed.
    """

    edges: list[float]
    shares: list[float]
    bound: float


class Reference(_Body):
    """Reference distributions of a model's training: of its score, and of each instrument by
    key.
    """

    name: str
    column: str
    version: str
    score: ReferenceValues | None
    values: dict[str, ReferenceValues]


class References(_Body):
    """Reference distributions of all loaded models."""

    models: list[Reference]


class Assessment(_Body):
    """Outputs of all models for the last interval. `timestamp`: its start; `known_at`: its end."""

    timestamp: AwareDatetime | None
    known_at: AwareDatetime | None
    n_intervals: int
    in_alarm_now: bool
    models: list[ModelOutput]
    shadows: list[Shadowed] = []
    drivers: list[Driver]
    rules: list[RuleState]
    quality: list[TagQuality]


class ModelStatus(_Body, WithHorizon):
    """One of the plant's models and its state."""

    name: str
    column: str
    title: str
    kind: Kind
    horizon: Horizon | None
    horizon_hours: HorizonHours | None
    status: Literal["loaded", "kept", "unpromoted", "not_promoted", "missing"] = Field(
        description="loaded: the promoted version; kept: the last good copy; "
        "unpromoted: the newest version is used, because none is promoted; "
        "not_promoted: no version is promoted, so none is used; "
        "missing: it was never trained, or cannot be loaded."
    )
    reason: str | None = None
    version: str | None = None
    alias: str | None = None
    loaded_at: AwareDatetime | None = None
    trained_at: AwareDatetime | None = None
    estimator: str | None = None
    metrics: dict[str, float] = {}
    thresholds: dict[str, float | None] = {}
    card: str | None = None
    challenger: str | None = Field(
        default=None, description="Version that scores in shadow beside this one."
    )
    challenger_reason: str | None = Field(
        default=None, description="Why the challenger cannot be used."
    )


class Models(_Body):
    """All models of the plant."""

    models: list[ModelStatus]


class TaskState(_Body):
    """A long-running task. `since`: the start of this state; `reason`: why it is not running."""

    name: str
    state: Literal["running", "failed", "stalled"]
    reason: str | None
    since: AwareDatetime
    restarts: int


class Readiness(_Body):
    """Whether every long-running task of a service makes progress."""

    ready: bool
    tasks: list[TaskState]


class Ready(_Body):
    """Whether every promoted model is available and every long-running task makes progress.

    `reason` names what is not. A model without a promoted version is listed and does not make the
    service unready.
    """

    ready: bool
    registry: str
    registry_reachable: bool
    reason: str | None
    models: list[ModelStatus]
    tasks: list[TaskState] = []
    fingerprint: str = Field(
        default="",
        description="Changes when the code, the plant or a loaded model changes. "
        "A request that was refused before may succeed then.",
    )


class Health(_Body):
    """The process is running."""

    status: Literal["ok"] = "ok"
    version: str


__all__ = [
    "AssessRequest",
    "Assessment",
    "Contribution",
    "Driver",
    "ExplainRequest",
    "Explanation",
    "Forecast",
    "ForecastRequest",
    "Health",
    "Importance",
    "Importances",
    "Inputs",
    "ModelOutput",
    "ModelRef",
    "ModelStatus",
    "Models",
    "PredictRequest",
    "Prediction",
    "Problem",
    "Readiness",
    "Ready",
    "RecommendRequest",
    "Recommendation",
    "Reference",
    "ReferenceValues",
    "References",
    "RuleState",
    "Shadowed",
    "TagQuality",
    "TaskState",
]
