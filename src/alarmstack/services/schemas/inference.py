"""Bodies of the inference API: what is asked of the models, and what they say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alarmstack.core.model_list import Kind, Scale
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
        description="True where no version is @champion and the newest speaks instead.",
    )


Missing = Annotated[
    list[str], Field(description="Features the model would have used and did not get.")
]
OutOfRange = Annotated[
    list[str], Field(description="Inputs outside what their transmitter can say.")
]
Stale = Annotated[
    list[str], Field(description="Instruments whose last reading is older than they may hold it.")
]


class PredictRequest(_Body):
    """Any subset of the champion's features, at least one with a value; `null` counts as missing."""

    features: Annotated[dict[str, Number | None], Field(max_length=MOST_FEATURES)]


class Inputs(_Body):
    """How many of a model's inputs had a value. `text` says so in a sentence."""

    given: int
    of: int
    text: str


class Prediction(_Body):
    """Risk that the plant is in alarm at this row. `alarm`: 1 where the score reaches the operating threshold."""

    inputs: Inputs
    risk_score: float
    alarm: int
    threshold: float | None
    missing: Missing
    out_of_range: OutOfRange
    model: ModelRef


class ForecastRequest(_Body):
    """The last rows of the plant, oldest first; at least a window of them."""

    horizon: int = Field(examples=[1, 3, 6], description="Hours.")
    recent_observations: Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)]


class Forecast(_Body):
    """Probability that an alarm begins within the horizon. In alarm now, nothing begins: the probability is then no forecast."""

    anomaly_probability: float
    alarm: int
    horizon_hours: int
    n_observations: int
    in_alarm_now: bool
    threshold: float | None
    known_at: AwareDatetime | None = Field(
        description="End of the last row: nothing later was used."
    )
    missing: Missing
    out_of_range: OutOfRange
    stale: Stale
    model: ModelRef
    text: str = Field(
        default="",
        description="The forecast in words, with its figure.",
        examples=["Alarm possible within 3 h (9 %)"],
    )


class RecommendRequest(_Body):
    """How often limits were broken lately, and the risk now."""

    failure_frequency_48: Annotated[float, Field(ge=0, le=1e6)]
    risk_score: Annotated[float, Field(ge=0, le=1)]


class Recommendation(_Body):
    """What to do, in a sentence, and how urgently."""

    recommendation: str
    urgency: Literal["high", "medium", "low"]


class ExplainRequest(_Body):
    """Features for the champion, or a horizon and rows for a forecaster."""

    features: Annotated[dict[str, Number | None], Field(max_length=MOST_FEATURES)] | None = None
    horizon: int | None = None
    recent_observations: (
        Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)] | None
    ) = None


class Contribution(_Body):
    """What one input did to a score, on the scale of the explanation.

    `key`: the instrument or controller behind it; `text`: the input and its value in words that a screen can show.
    """

    feature: str
    key: str | None
    value: float | None
    contribution: float
    text: str


class Explanation(_Body):
    """base_value + all contributions = score_on_scale. `score` is what the model answers, after calibration."""

    score: float
    score_on_scale: float
    base_value: float
    scale: Scale
    method: str
    contributions: list[Contribution] = Field(description="Largest first, by size.")
    model: ModelRef


class Importance(_Body):
    """How much a feature moves a model's scores: its contributions' mean size, as shares of 1. `text`: the feature in words."""

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


class ModelOutput(_Body):
    """What one of the plant's models said. Without a `model` it could not speak, and `reason` says why.

    `score` is a probability, an anomaly score or a value in `unit`, by `kind`; `probabilities` those of classes.
    """

    name: str
    column: str
    title: str
    kind: Kind
    horizon_hours: int | None = None
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
        description="No version is promoted, so no output is expected; `reason` says why.",
    )


class Driver(Contribution):
    """One of the strongest contributions to a model's score."""

    column: str = Field(description="Column of the model whose score it drives.")


class TagQuality(_Body):
    """How far an instrument can be trusted at the end of the last interval."""

    key: str
    status: Literal["good", "missing", "stale", "flat", "out_of_range", "saturated"]
    value: float | None
    age_seconds: float | None


class RuleState(_Body):
    """A limit rule at the last row: `met` means the row is in alarm by it. `low`: it is met below `above`, which is the limit."""

    name: str
    column: str
    value: float | None
    above: float
    unit: str
    met: bool
    low: bool = False


class Shadowed(_Body):
    """What a challenger said of the same row; nobody acts on it."""

    column: str
    version: str
    score: float | None
    threshold: float | None


class ReferenceValues(_Body):
    """A quantity in training: inner edges of the bins, shares of the rows in each, and the PSI that usual stretches keep."""

    edges: list[float]
    shares: list[float]
    bound: float


class Reference(_Body):
    """What was usual when a model was trained: its score, and each instrument by key."""

    name: str
    column: str
    version: str
    score: ReferenceValues | None
    values: dict[str, ReferenceValues]


class References(_Body):
    """References of all models that speak."""

    models: list[Reference]


class Assessment(_Body):
    """Everything the models say of the last of the intervals. `timestamp`: its start; `known_at`: its end."""

    timestamp: AwareDatetime | None
    known_at: AwareDatetime | None
    n_intervals: int
    in_alarm_now: bool
    models: list[ModelOutput]
    shadows: list[Shadowed] = []
    drivers: list[Driver]
    rules: list[RuleState]
    quality: list[TagQuality]


class ModelStatus(_Body):
    """An expected model and what became of it."""

    name: str
    column: str
    title: str
    kind: Kind
    horizon_hours: int | None
    status: Literal["loaded", "kept", "unpromoted", "not_promoted", "missing"] = Field(
        description="loaded: the promoted version; kept: the last good copy; unpromoted: the newest version serves, because none "
        "is promoted; not_promoted: no version is promoted, none serves; missing: it was never trained, or cannot be loaded."
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
    """All expected models."""

    models: list[ModelStatus]


class TaskState(_Body):
    """A long-running task. `since`: when it reached this state; `reason`: why it is not running."""

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
    """Whether every promoted model answers and every long-running task makes progress; `reason` says what does not.

    A model that nobody promoted, or that is not promoted because it loses to its baseline, is listed and leaves the service ready.
    """

    ready: bool
    registry: str
    registry_reachable: bool
    reason: str | None
    models: list[ModelStatus]
    tasks: list[TaskState] = []
    fingerprint: str = Field(
        default="",
        description="Changes when the code, the plant or a loaded model changes: what was refused before may be answered now.",
    )


class Health(_Body):
    """The process is alive."""

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
