"""Experts: how each tag is expected to be. An expert learns from segments and gives residuals, value less expectation, by tag.

All are causal: a row's expectation comes from that row's other tags, from rows before it, and from training. What an expert has
learnt is numbers in a dataclass, so that it can be written down (`stored`).
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

FARTHEST = 20.0
"""Inputs of a regression are cut at so many standard deviations: beyond them nothing was learnt."""


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Level:
    """Near the median of the last `rows`; or, `anchored`, of the run's first."""

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
    """Where it was in training."""

    usual: Array
    kind: Literal["static"] = "static"

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        return np.asarray(observed.tags - self.usual)


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Scaler:
    """Tags and inputs in standard deviations of the normal rows, cut at `FARTHEST`."""

    centre: Array
    spread: Array
    input_centre: Array
    input_spread: Array

    @classmethod
    def learn(cls, taught: Sequence[Taught]) -> Scaler:
        """Centres and spreads of the normal rows."""
        tags = np.concatenate([t.observed.tags[t.normal] for t in taught])
        inputs = np.concatenate([t.observed.inputs[t.normal] for t in taught])
        centre, input_centre = (np.nan_to_num(known.mean(x)) for x in (tags, inputs))
        return cls(centre, known.spread(tags), input_centre, known.spread(inputs))

    def __call__(self, observed: Inputs) -> tuple[Floats, Floats]:
        """Tags and inputs, scaled."""
        tags = (observed.tags - self.centre) / self.spread
        inputs = (observed.inputs - self.input_centre) / self.input_spread
        return np.clip(tags, -FARTHEST, FARTHEST), np.clip(inputs, -FARTHEST, FARTHEST)


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Regression:
    """A ridge regression a tag: on what was `lags` rows back and the inputs, and with `with_others` on the other tags now."""

    scaler: Scaler
    lags: int
    weights: Array
    with_others: bool
    kind: Literal["regression"] = "regression"

    @classmethod
    def learn(cls, expert: Expert, taught: Sequence[Taught]) -> Regression:
        """Weights from the normal rows."""
        scaler = Scaler.learn(taught)
        rows = [(*_design(scaler, expert.lags, t.observed), t.normal) for t in taught]
        given = np.concatenate([x[normal] for x, _, normal in rows])
        target = np.concatenate([np.nan_to_num(y[normal]) for _, y, normal in rows])
        with_others = expert.kind == "relations"
        weights = (
            _ridge_by_tag(given, target, expert.ridge)
            if with_others
            else _ridge(given, target, expert.ridge)
        )
        return cls(scaler, expert.lags, weights, with_others)

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        given, tags = _design(self.scaler, self.lags, observed)
        known_now = (
            np.concatenate((np.nan_to_num(tags), given), axis=1) if self.with_others else given
        )
        return np.asarray((tags - known_now @ self.weights) * self.scaler.spread)


def _design(scaler: Scaler, lags: int, observed: Inputs) -> tuple[Floats, Floats]:
    """What every tag's regression may use, and the tags themselves, both scaled; missing is the mean."""
    tags, inputs = scaler(observed)
    back = [
        _back(np.concatenate((tags, inputs), axis=1), lag, observed) for lag in range(1, lags + 1)
    ]
    now = [inputs, np.ones((len(tags), 1))]
    return np.nan_to_num(np.concatenate((*back, *now), axis=1)), tags


def _ridge(given: Floats, target: Floats, ridge: float) -> Floats:
    return np.asarray(
        np.linalg.solve(given.T @ given + ridge * np.eye(given.shape[1]), given.T @ target)
    )


def _ridge_by_tag(given: Floats, target: Floats, ridge: float) -> Floats:
    """One regression a tag, on the other tags too. All share one inverse: leaving a tag out is a rank-one change of it."""
    everything = np.concatenate((target, given), axis=1)
    inverse = np.linalg.inv(everything.T @ everything + ridge * np.eye(everything.shape[1]))
    # Regressing column j on all the others has the weights −inverse[:, j] / inverse[j, j] (the partitioned inverse).
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
    """Gradient-boosted trees, one model a tag, as LightGBM writes them; None where the tag was never known.

    They see the other tags and the inputs, now and `lags` rows back, and the time of day; with `moves` (dynamics) they see the
    tag's own past too, and learn how far it moves.
    """

    lags: int
    moves: bool
    models: tuple[str | None, ...]
    kind: Literal["trees"] = "trees"

    @classmethod
    def learn(cls, expert: Expert, taught: Sequence[Taught]) -> Trees:
        """Models from the normal rows."""
        normal = np.concatenate([t.normal for t in taught])
        moves = expert.kind == "dynamics"
        models: list[str | None] = []
        for tag in range(taught[0].observed.tags.shape[1]):
            given = np.concatenate(
                [_around(t.observed, tag, expert.lags, moves=moves) for t in taught]
            )[normal]
            target = np.concatenate([_target(t.observed, tag, moves=moves) for t in taught])[normal]
            told = np.isfinite(target)
            fitted = LGBMRegressor(**TREES).fit(given[told], target[told]) if told.any() else None
            models.append(None if fitted is None else fitted.booster_.model_to_string())
        return cls(expert.lags, moves, tuple(models))

    @cached_property
    def _boosters(self) -> list[Booster | None]:
        return [None if model is None else Booster(model_str=model) for model in self.models]

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        found = np.full(observed.tags.shape, np.nan)
        for tag, model in enumerate(self._boosters):
            if model is not None:
                expected = model.predict(
                    _around(observed, tag, self.lags, moves=self.moves), num_threads=1
                )
                found[:, tag] = _target(observed, tag, moves=self.moves) - expected
        return found


def _around(observed: Inputs, tag: int, lags: int, *, moves: bool) -> Floats:
    around = np.concatenate((np.delete(observed.tags, tag, axis=1), observed.inputs), axis=1)
    before = [_back(around, lag, observed) for lag in range(1, lags + 1)]
    own = (
        [_back(observed.tags[:, [tag]], lag, observed) for lag in range(1, lags + 2)]
        if moves
        else []
    )
    return np.concatenate((around, *before, *own, observed.clock), axis=1)


def _target(observed: Inputs, tag: int, *, moves: bool) -> Floats:
    own = observed.tags[:, [tag]]
    return np.asarray((own - _back(own, 1, observed))[:, 0] if moves else own[:, 0])


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Denoised:
    """Another expert, of the running median of `rows` rows."""

    rows: int
    inner: Annotated[Level | Held | Static | Regression | Trees, Field(discriminator="kind")]
    kind: Literal["denoised"] = "denoised"

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        return self.inner(_denoised(observed, self.rows))


Residuals = Annotated[
    Level | Held | Static | Regression | Trees | Denoised, Field(discriminator="kind")
]
"""Residuals of what was observed: float64 [rows, monitored tags], in the tags' units; NaN where nothing is expected."""


@dataclass(frozen=True)
class Taught:
    """What an expert learns from: what was observed, and which rows are normal."""

    observed: Inputs
    normal: Mask


def learn(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """The residuals of an expert that has learnt from the normal rows."""
    if expert.denoise is None:
        return _learn(plant, expert, taught)
    rows = plant.rows(expert.denoise)
    return Denoised(
        rows,
        _learn(plant, expert, [replace(t, observed=_denoised(t.observed, rows)) for t in taught]),
    )


def _learn(
    plant: Plant, expert: Expert, taught: Sequence[Taught]
) -> Level | Held | Static | Regression | Trees:
    if expert.kind == "level":
        return Level(
            plant.rows(expert.window or expert.anchor or plant.time.window),
            expert.anchor is not None,
        )
    if expert.kind == "held":
        return Held.learn(
            plant.rows(expert.window or plant.time.window),
            expert.waits,
            [(t.observed, t.normal) for t in taught],
        )
    if expert.kind == "static":
        return Static(
            known.quantile(np.concatenate([t.observed.tags[t.normal] for t in taught]), 0.5)
        )
    return Trees.learn(expert, taught) if expert.trees else Regression.learn(expert, taught)


def _denoised(observed: Inputs, rows: int) -> Inputs:
    return replace(observed, tags=running.quantile(observed.tags, rows, 0.5, observed.segment))


def _anchor(part: Floats, rows: int) -> Floats:
    """The median of the first rows, known only once they are over."""
    over = np.arange(len(part)) >= rows
    return np.where(over[:, None], known.quantile(part[:rows], 0.5), np.nan)


def _back(values: Floats, lag: int, observed: Inputs) -> Floats:
    """Values `lag` rows before; missing (the mean) where that is another segment."""
    shifted = np.full(values.shape, np.nan)
    shifted[lag:] = values[:-lag]
    shifted[lag:][observed.segment[lag:] != observed.segment[:-lag]] = np.nan
    return shifted


UNTAUGHT = frozenset({"level"})
"""Kinds whose expectation comes from the run itself: there is nothing to hold back."""
IN_NOISES = frozenset({"held"})
"""Kinds whose residuals are in the run's own noise, not in the tags' units: they need no scale."""

__all__ = ["IN_NOISES", "UNTAUGHT", "Residuals", "Taught", "learn"]
