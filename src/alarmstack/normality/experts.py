"""Experts: how each tag is expected to be. An expert learns from lessons and gives residuals, value less expectation, by tag.

All are causal: a row's expectation comes from that row's other tags, from rows before it, and from training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from lightgbm import LGBMRegressor

from alarmstack.intervals import Floats
from alarmstack.normality import known, running
from alarmstack.normality.lesson import Mask
from alarmstack.normality.seen import Seen
from alarmstack.plant import Expert, Plant

Residuals = Callable[[Seen], Floats]
"""Residuals of what was seen: float64 [rows, monitored tags], in the tags' units; NaN where nothing is expected."""
FARTHEST = 20.0
"""Inputs of a regression are cut at so many standard deviations: beyond them nothing was learnt."""


@dataclass(frozen=True)
class Taught:
    """What an expert learns from: what was seen, and which rows are normal."""

    seen: Seen
    normal: Mask


def learn(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """The residuals of an expert that has learnt from the normal rows."""
    if expert.denoise is None:
        return _KINDS[expert.kind](plant, expert, taught)
    rows = plant.rows(expert.denoise)
    calm = [replace(t, seen=_denoised(t.seen, rows)) for t in taught]
    residuals = _KINDS[expert.kind](plant, expert, calm)
    return lambda seen: residuals(_denoised(seen, rows))


def _denoised(seen: Seen, rows: int) -> Seen:
    return replace(seen, tags=running.quantile(seen.tags, rows, 0.5, seen.segment))


def _level(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """Near the median of the last stretch; or, with an anchor, of the run's first."""
    rows = plant.rows(expert.window or expert.anchor or plant.time.window)

    def residuals(seen: Seen) -> Floats:
        return seen.tags - running.quantile(seen.tags, rows, 0.5, seen.segment)

    def from_anchor(seen: Seen) -> Floats:
        return running.by_segment(lambda part: part - _anchor(part, rows), seen.tags, seen.segment)

    return from_anchor if expert.anchor else residuals


def _anchor(part: Floats, rows: int) -> Floats:
    """The median of the first rows, known only once they are over."""
    over = np.arange(len(part)) >= rows
    return np.where(over[:, None], known.quantile(part[:rows], 0.5), np.nan)


def _static(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """Where it was in training."""
    usual = known.quantile(np.concatenate([t.seen.tags[t.normal] for t in taught]), 0.5)
    return lambda seen: seen.tags - usual


def _dynamics(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """What the last rows of all tags, and the inputs, lead to: a ridge regression, or trees."""
    return _grown(expert, taught) if expert.trees else _regression(expert, taught, with_others=False)


def _relations(plant: Plant, expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """What the other tags and the inputs say, `lags` rows back and now: a ridge regression a tag, or trees."""
    return _grown(expert, taught) if expert.trees else _regression(expert, taught, with_others=True)


def _regression(expert: Expert, taught: Sequence[Taught], *, with_others: bool) -> Residuals:
    scaler = _Scaler(taught)

    def design(seen: Seen) -> tuple[Floats, Floats]:
        """What every tag's regression may use, and the tags themselves, both scaled; missing is the mean."""
        tags, inputs = scaler(seen)
        back = [_back(np.concatenate((tags, inputs), axis=1), lag, seen) for lag in range(1, expert.lags + 1)]
        now = [inputs, np.ones((len(tags), 1))]
        return np.nan_to_num(np.concatenate((*back, *now), axis=1)), tags

    rows = [(*design(t.seen), t.normal) for t in taught]
    given = np.concatenate([x[normal] for x, _, normal in rows])
    target = np.concatenate([np.nan_to_num(y[normal]) for _, y, normal in rows])
    if not with_others:
        weights = _ridge(given, target, expert.ridge)
        return lambda seen: _unscaled(scaler, design(seen), lambda x, y: x @ weights)
    return _by_tag(scaler, design, given, target, expert.ridge)


def _by_tag(
    scaler: _Scaler, design: Callable[[Seen], tuple[Floats, Floats]], given: Floats, target: Floats, ridge: float
) -> Residuals:
    """One regression a tag, on the other tags too. All share one inverse: leaving a tag out is a rank-one change of it."""
    everything = np.concatenate((target, given), axis=1)
    inverse = np.linalg.inv(everything.T @ everything + ridge * np.eye(everything.shape[1]))
    # Regressing column j on all the others has the weights −inverse[:, j] / inverse[j, j] (the partitioned inverse).
    count = target.shape[1]
    weights = -inverse[:, :count] / np.diag(inverse)[:count]
    weights[np.arange(count), np.arange(count)] = 0.0

    def expected(x: Floats, y: Floats) -> Floats:
        return np.concatenate((np.nan_to_num(y), x), axis=1) @ weights

    return lambda seen: _unscaled(scaler, design(seen), expected)


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


def _grown(expert: Expert, taught: Sequence[Taught]) -> Residuals:
    """Gradient-boosted trees, one model a tag.

    Both kinds see the other tags and the inputs, now and `lags` rows back, and the time of day; `dynamics` see the tag's own past
    too, and learn how far it moves.
    """
    normal = np.concatenate([t.normal for t in taught])
    moves = expert.kind == "dynamics"
    models = []
    for tag in range(taught[0].seen.tags.shape[1]):
        given = np.concatenate([_given(expert, t.seen, tag) for t in taught])[normal]
        target = np.concatenate([_target(t.seen, tag, moves=moves) for t in taught])[normal]
        told = np.isfinite(target)
        models.append(LGBMRegressor(**TREES).fit(given[told], target[told]) if told.any() else None)

    def residuals(seen: Seen) -> Floats:
        found = np.full(seen.tags.shape, np.nan)
        for tag, model in enumerate(models):
            if model is not None:
                found[:, tag] = _target(seen, tag, moves=moves) - model.predict(_given(expert, seen, tag))
        return found

    return residuals


def _given(expert: Expert, seen: Seen, tag: int) -> Floats:
    around = np.concatenate((np.delete(seen.tags, tag, axis=1), seen.inputs), axis=1)
    before = [_back(around, lag, seen) for lag in range(1, expert.lags + 1)]
    own = [_back(seen.tags[:, [tag]], lag, seen) for lag in range(1, expert.lags + 2)] if expert.kind == "dynamics" else []
    return np.concatenate((around, *before, *own, seen.clock), axis=1)


def _target(seen: Seen, tag: int, *, moves: bool) -> Floats:
    own = seen.tags[:, [tag]]
    return np.asarray((own - _back(own, 1, seen))[:, 0] if moves else own[:, 0])


def _unscaled(scaler: _Scaler, designed: tuple[Floats, Floats], expected: Callable[[Floats, Floats], Floats]) -> Floats:
    given, tags = designed
    return (tags - expected(given, tags)) * scaler.spread


def _ridge(given: Floats, target: Floats, ridge: float) -> Floats:
    return np.asarray(np.linalg.solve(given.T @ given + ridge * np.eye(given.shape[1]), given.T @ target))


def _back(values: Floats, lag: int, seen: Seen) -> Floats:
    """Values `lag` rows before; missing (the mean) where that is another segment."""
    shifted = np.full(values.shape, np.nan)
    shifted[lag:] = values[:-lag]
    shifted[lag:][seen.segment[lag:] != seen.segment[:-lag]] = np.nan
    return shifted


class _Scaler:
    """Tags and inputs in standard deviations of the normal rows, cut at `FARTHEST`."""

    def __init__(self, taught: Sequence[Taught]) -> None:
        tags = np.concatenate([t.seen.tags[t.normal] for t in taught])
        inputs = np.concatenate([t.seen.inputs[t.normal] for t in taught])
        self.centre, self._input_centre = (np.nan_to_num(known.mean(x)) for x in (tags, inputs))
        self.spread, self._input_spread = known.spread(tags), known.spread(inputs)

    def __call__(self, seen: Seen) -> tuple[Floats, Floats]:
        tags = (seen.tags - self.centre) / self.spread
        inputs = (seen.inputs - self._input_centre) / self._input_spread
        return np.clip(tags, -FARTHEST, FARTHEST), np.clip(inputs, -FARTHEST, FARTHEST)


UNTAUGHT = frozenset({"level"})
"""Kinds whose expectation comes from the run itself: there is nothing to hold back."""
_KINDS: dict[str, Callable[[Plant, Expert, Sequence[Taught]], Residuals]] = {
    "level": _level,
    "static": _static,
    "dynamics": _dynamics,
    "relations": _relations,
}

__all__ = ["UNTAUGHT", "Residuals", "Taught", "learn"]
