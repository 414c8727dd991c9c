"""Experts: models of the expected value of each tag.

An expert learns from training segments and returns residuals (value minus expectation) by tag. All
are causal: the expectation of a row depends only on that row's other tags, on earlier rows, and on
training. A trained expert is a dataclass of numbers, so that it can be stored as JSON (`stored`).
The names of its fields are keys of stored models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from lightgbm import Booster, LGBMRegressor
from pydantic import Field, dataclasses

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Expert, Plant
from alarmstack.models.normality import known, running
from alarmstack.models.normality.held import Held
from alarmstack.models.normality.preprocessing import Inputs
from alarmstack.models.normality.stored import NUMBERS, Array

LARGEST_INPUT = 20.0
"""Inputs of a regression are clipped at this many standard deviations.

No training row was further out, so that the regression would extrapolate.
"""


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Level:
    """Expects the median of the last `rows` rows; if `anchored`, of the first rows of the run."""

    rows: int
    anchored: bool
    kind: Literal["level"] = "level"

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        if self.anchored:
            return running.by_segment(
                lambda part: part - _anchor(part, self.rows), observed.tags, observed.segment
            )
        return observed.tags - running.quantile(observed.tags, self.rows, 0.5, observed.segment)


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Static:
    """Expects the median in training, `usual` [tags]."""

    usual: Array
    kind: Literal["static"] = "static"

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        return np.asarray(observed.tags - self.usual)


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Scaler:
    """Tags and inputs in standard deviations of the normal rows, clipped at `LARGEST_INPUT`."""

    centre: Array
    spread: Array
    input_centre: Array
    input_spread: Array

    @classmethod
    def learn(cls, training: Sequence[TrainingInputs]) -> Scaler:
        """Means and standard deviations of the normal rows."""
        tags = np.concatenate([t.observed.tags[t.normal] for t in training])
        inputs = np.concatenate([t.observed.inputs[t.normal] for t in training])
        centre, input_centre = (np.nan_to_num(known.mean(x)) for x in (tags, inputs))
        return cls(centre, known.spread(tags), input_centre, known.spread(inputs))

    def __call__(self, observed: Inputs) -> tuple[Floats, Floats]:
        """Tags and inputs, scaled."""
        tags = (observed.tags - self.centre) / self.spread
        inputs = (observed.inputs - self.input_centre) / self.input_spread
        return np.clip(tags, -LARGEST_INPUT, LARGEST_INPUT), np.clip(
            inputs, -LARGEST_INPUT, LARGEST_INPUT
        )


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Regression:
    """One ridge regression per tag.

    It depends on tags and inputs up to `lags` rows ago and on the inputs now; with `with_others`
    also on the other tags now.
    """

    scaler: Scaler
    lags: int
    weights: Array
    with_others: bool
    kind: Literal["regression"] = "regression"

    @classmethod
    def learn(cls, expert: Expert, training: Sequence[TrainingInputs]) -> Regression:
        """Weights from the normal rows."""
        scaler = Scaler.learn(training)
        rows = [(*_design(scaler, expert.lags, t.observed), t.normal) for t in training]
        regressors = np.concatenate([x[normal] for x, _, normal in rows])
        target = np.concatenate([np.nan_to_num(y[normal]) for _, y, normal in rows])
        with_others = expert.kind == "relations"
        regress = _ridge_by_tag if with_others else _ridge
        return cls(scaler, expert.lags, regress(regressors, target, expert.ridge), with_others)

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        regressors, tags = _design(self.scaler, self.lags, observed)
        if self.with_others:
            regressors = np.concatenate((np.nan_to_num(tags), regressors), axis=1)
        return np.asarray((tags - regressors @ self.weights) * self.scaler.spread)


def _design(scaler: Scaler, lags: int, observed: Inputs) -> tuple[Floats, Floats]:
    """The regressors that all tags share, and the tags, both scaled; a missing value is 0."""
    tags, inputs = scaler(observed)
    tags_and_inputs = np.concatenate((tags, inputs), axis=1)
    earlier = [_lagged(tags_and_inputs, lag, observed) for lag in range(1, lags + 1)]
    now = [inputs, np.ones((len(tags), 1))]
    return np.nan_to_num(np.concatenate((*earlier, *now), axis=1)), tags


def _ridge(regressors: Floats, target: Floats, ridge: float) -> Floats:
    penalty = ridge * np.eye(regressors.shape[1])
    return np.asarray(np.linalg.solve(regressors.T @ regressors + penalty, regressors.T @ target))


def _ridge_by_tag(regressors: Floats, target: Floats, ridge: float) -> Floats:
    """One regression per tag that also depends on the other tags.

    All share one inverse, because leaving out a tag is a rank-one change of it.
    """
    everything = np.concatenate((target, regressors), axis=1)
    inverse = np.linalg.inv(everything.T @ everything + ridge * np.eye(everything.shape[1]))
    # The regression of column j on all others has the weights -inverse[:, j] / inverse[j, j]
    # (the partitioned inverse).
    count = target.shape[1]
    weights = -inverse[:, :count] / np.diag(inverse)[:count]
    weights[np.arange(count), np.arange(count)] = 0.0
    return np.asarray(weights)


TREES = {
    "n_estimators": 150,
    "learning_rate": 0.1,
    "num_leaves": 15,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.5,
    "n_jobs": 1,
    "verbose": -1,
    "random_state": 0,
}


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Trees:
    """Gradient-boosted trees, one LightGBM model per tag; None for a tag without values.

    They depend on the other tags and the inputs, now and up to `lags` rows ago, and on the time of
    day. With `moves` (dynamics) they also depend on the tag's own past, and predict its change.
    """

    lags: int
    moves: bool
    models: tuple[str | None, ...]
    kind: Literal["trees"] = "trees"

    @classmethod
    def learn(cls, expert: Expert, training: Sequence[TrainingInputs]) -> Trees:
        """Models from the normal rows."""
        normal = np.concatenate([t.normal for t in training])
        moves = expert.kind == "dynamics"
        models: list[str | None] = []
        for tag in range(training[0].observed.tags.shape[1]):
            regressors = [_regressors(t.observed, tag, expert.lags, moves=moves) for t in training]
            targets = [_target(t.observed, tag, moves=moves) for t in training]
            models.append(
                _fit_trees(np.concatenate(regressors)[normal], np.concatenate(targets)[normal])
            )
        return cls(expert.lags, moves, tuple(models))

    @cached_property
    def _boosters(self) -> list[Booster | None]:
        return [None if model is None else Booster(model_str=model) for model in self.models]

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        residuals = np.full(observed.tags.shape, np.nan)
        for tag, model in enumerate(self._boosters):
            if model is not None:
                regressors = _regressors(observed, tag, self.lags, moves=self.moves)
                expected = model.predict(regressors, num_threads=1)
                residuals[:, tag] = _target(observed, tag, moves=self.moves) - expected
        return residuals


def _fit_trees(regressors: Floats, target: Floats) -> str | None:
    """A fitted model as LightGBM writes it; None if no target is known."""
    known = np.isfinite(target)
    if not known.any():
        return None
    fitted = LGBMRegressor(**TREES).fit(regressors[known], target[known])
    return str(fitted.booster_.model_to_string())


def _regressors(observed: Inputs, tag: int, lags: int, *, moves: bool) -> Floats:
    """What the trees of a tag depend on: float64 [rows, regressors]."""
    others = np.concatenate((np.delete(observed.tags, tag, axis=1), observed.inputs), axis=1)
    parts = [others, *(_lagged(others, lag, observed) for lag in range(1, lags + 1))]
    if moves:
        own = observed.tags[:, [tag]]
        parts += [_lagged(own, lag, observed) for lag in range(1, lags + 2)]
    return np.concatenate((*parts, observed.clock), axis=1)


def _target(observed: Inputs, tag: int, *, moves: bool) -> Floats:
    """The tag, or with `moves` its change from the row before: float64 [rows]."""
    own = observed.tags[:, [tag]]
    return np.asarray((own - _lagged(own, 1, observed))[:, 0] if moves else own[:, 0])


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Denoised:
    """Another expert, applied to the running median of `rows` rows."""

    rows: int
    inner: Annotated[Level | Held | Static | Regression | Trees, Field(discriminator="kind")]
    kind: Literal["denoised"] = "denoised"

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        return self.inner(_denoised(observed, self.rows))


Residuals = Annotated[
    Level | Held | Static | Regression | Trees | Denoised, Field(discriminator="kind")
]
"""A function from inputs to residuals: float64 [rows, monitored tags], in the tags' units.

NaN if there is no expectation.
"""


@dataclass(frozen=True)
class TrainingInputs:
    """What an expert learns from: the inputs of a segment, and which rows are normal."""

    observed: Inputs
    normal: Mask


def learn(plant: Plant, expert: Expert, training: Sequence[TrainingInputs]) -> Residuals:
    """The residuals of an expert that has learnt from the normal rows of segments."""
    if expert.denoise is None:
        return _learn(plant, expert, training)
    rows = plant.rows(expert.denoise)
    denoised = [replace(t, observed=_denoised(t.observed, rows)) for t in training]
    return Denoised(rows, _learn(plant, expert, denoised))


def _learn(
    plant: Plant, expert: Expert, training: Sequence[TrainingInputs]
) -> Level | Held | Static | Regression | Trees:
    if expert.kind == "level":
        rows = plant.rows(expert.window or expert.anchor or plant.time.window)
        return Level(rows, expert.anchor is not None)
    if expert.kind == "held":
        rows = plant.rows(expert.window or plant.time.window)
        return Held.learn(rows, expert.waits, [(t.observed, t.normal) for t in training])
    if expert.kind == "static":
        normal_tags = np.concatenate([t.observed.tags[t.normal] for t in training])
        return Static(known.quantile(normal_tags, 0.5))
    return Trees.learn(expert, training) if expert.trees else Regression.learn(expert, training)


def _denoised(observed: Inputs, rows: int) -> Inputs:
    return replace(observed, tags=running.quantile(observed.tags, rows, 0.5, observed.segment))


def _anchor(part: Floats, rows: int) -> Floats:
    """The median of the first rows of a run; NaN in these rows, where it is not known yet."""
    over = np.arange(len(part)) >= rows
    return np.where(over[:, None], known.quantile(part[:rows], 0.5), np.nan)


def _lagged(values: Floats, lag: int, observed: Inputs) -> Floats:
    """Values `lag` rows before; NaN if that row belongs to another segment."""
    shifted = np.full(values.shape, np.nan)
    shifted[lag:] = values[:-lag]
    shifted[lag:][observed.segment[lag:] != observed.segment[:-lag]] = np.nan
    return shifted


UNTRAINED_KINDS = frozenset({"level"})
"""Kinds whose expectation comes from the run itself: they need no held-back rows."""
SCALED_KINDS = frozenset({"held"})
"""Kinds whose residuals are already divided by the noise of the run: they need no scale."""

__all__ = ["SCALED_KINDS", "UNTRAINED_KINDS", "Residuals", "TrainingInputs", "learn"]
