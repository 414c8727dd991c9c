"""Fitting a recipe: the best candidate on held-back rows, scores of rows their model did not see, calibration, the final fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling import SMOTE
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score

from alarmstack.core.intervals import Floats
from alarmstack.models.calibration import Calibration
from alarmstack.models.catalogue import Recipe
from alarmstack.models.estimators import Estimator

Rows = npt.NDArray[np.intp]
Maker = Callable[[int], Estimator]
CHOICE_FOLDS = 3
"""Folds that candidates are compared on; the scores that count come from all folds."""
THINNED_WEIGHT = 0.5
"""Weight of a row with inputs dropped beside the whole row's 1."""
NEIGHBOURS = 5
SCORED = ("alarm", "onset", "none")
"""Targets whose scores get thresholds, and therefore need scores of rows their model did not see."""
WITH_SMOTE = " with SMOTE"
WORKERS = min(os.cpu_count() or 1, 4)
"""Estimators that learn at the same time; each has its own copy of the rows, so not as many as a large machine has processors."""
Made = TypeVar("Made")


def side_by_side(works: Iterable[Callable[[], Made]]) -> list[Made]:
    """What each piece of work gives, in their order. Libraries that learn let other threads run meanwhile."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda work: work(), works))


@dataclass(frozen=True)
class More:
    """Rows to learn from beside those of the matrix, and to be judged on never: another look at the same hours.

    `x` [rows, features], `target` [rows], `row` [rows]: each lies in this row of the matrix and the next. It is learnt from where
    both are. `looks`: on how many grids an hour is seen in all; they share its weight.
    """

    x: Floats
    target: Floats
    row: Rows
    looks: int

    def within(self, rows: Rows) -> Rows:
        """Places of those that lie whole in these rows of the matrix, and whose target is known."""
        found = np.flatnonzero(
            np.isin(self.row, rows) & np.isin(self.row + 1, rows) & ~np.isnan(self.target)
        )
        return np.asarray(found, np.intp)


@dataclass(frozen=True)
class Fitted:
    """A recipe's estimator and how it came about.

    `out_of_fold` float64 [rows]: calibrated scores of held-back rows (NaN where a row was not held back, or where no threshold will
    be chosen), `raw_out_of_fold` the same before calibration; `tried` average precision of each candidate on held-back rows.
    """

    recipe: Recipe
    names: tuple[str, ...]
    estimator: Estimator
    chosen: str
    tried: dict[str, float]
    calibration: Calibration | None
    out_of_fold: Floats
    raw_out_of_fold: Floats
    smote: bool

    def predict(self, x: Floats) -> Floats:
        """Calibrated scores: float64 [rows], or [rows, classes]."""
        raw = self.estimator.raw(x)
        return raw if self.calibration is None else self.calibration(raw)


def fit(
    recipe: Recipe,
    names: Sequence[str],
    sources: Sequence[str | None],
    x: Floats,
    target: Floats,
    folds: Sequence[tuple[Rows, Rows]],
    *,
    more: More | None = None,
    seed: int = 0,
) -> Fitted:
    """Fit a recipe on rows [rows, features] whose target is known (not NaN).

    `sources` names the instrument behind each feature, whose features are lost together; `folds` are (train, held back) rows;
    `more` is learnt from beside the training rows.
    Inputs are left untouched; the same seed gives the same model.
    """
    trainer = _Trainer(recipe, sources, x, target, more, seed)
    chosen, smote, tried = trainer.choose(folds[-CHOICE_FOLDS:])
    make = recipe.candidates[chosen]
    raw = np.full(len(x), np.nan)
    scored = folds if recipe.target in SCORED else ()
    *judges, estimator = trainer.train_all(
        [(make, rows, smote) for rows in (*(train for train, _ in scored), np.arange(len(x)))]
    )
    for judge, (_, held_back) in zip(judges, scored, strict=True):
        raw[held_back] = judge.raw(x[held_back])
    calibration, out_of_fold = _calibrate(recipe, raw, target, folds)
    name = chosen + WITH_SMOTE if smote else chosen
    return Fitted(
        recipe, tuple(names), estimator, name, tried, calibration, out_of_fold, raw, smote
    )


def refit(
    fitted: Fitted,
    sources: Sequence[str | None],
    x: Floats,
    target: Floats,
    *,
    more: More | None = None,
    seed: int = 0,
) -> Fitted:
    """What was chosen, learnt again from more rows: those it was fitted on and, after them, rows that have judged it since.

    Scores of the rows it was fitted on stay out of fold; those of the others are the judged model's, which had not seen them. The
    calibration rests on all of them. A model with more of the past behind it warns better; its figures remain the judged ones.
    """
    seen = len(fitted.out_of_fold)
    unseen = x[seen:]
    raw, scores = fitted.raw_out_of_fold, fitted.out_of_fold
    if fitted.recipe.target in SCORED:
        raw = np.concatenate([raw, fitted.estimator.raw(unseen)])
        scores = np.concatenate([scores, fitted.predict(unseen)])
    calibration = fitted.calibration
    if calibration is not None:
        known = ~np.isnan(raw) & ~np.isnan(target)
        calibration = Calibration.fit(
            raw[known], target[known], fitted.recipe.calibrated or "isotonic"
        )
    chosen = fitted.chosen.removesuffix(WITH_SMOTE)
    trainer = _Trainer(fitted.recipe, sources, x, target, more, seed)
    estimator = trainer.train(fitted.recipe.candidates[chosen], np.arange(len(x)), fitted.smote)
    return replace(
        fitted,
        estimator=estimator,
        calibration=calibration,
        out_of_fold=scores,
        raw_out_of_fold=raw,
    )


@dataclass(frozen=True)
class _Trainer:
    """Trains a recipe's candidates on chosen rows of one matrix."""

    recipe: Recipe
    sources: Sequence[str | None]
    x: Floats
    target: Floats
    more: More | None
    seed: int

    def train(self, make: Maker, rows: Rows, smote: bool = False) -> Estimator:
        """One estimator on the rows whose target is known, with thinned copies beside them."""
        known = rows[~np.isnan(self.target[rows])]
        seen, label = self.x[known], self.target[known]
        if self.more is not None:
            place = self.more.within(rows)
            seen, label = (
                np.concatenate([seen, self.more.x[place]]),
                np.concatenate([label, self.more.target[place]]),
            )
        x, y = _evened_out(seen, label) if smote else (seen, label)
        weight = np.full(len(x), 1.0 if self.more is None else 1.0 / self.more.looks)
        if self.recipe.dropout:
            thinned = _thinned(seen, self.sources, np.random.default_rng(self.seed))
            x, y = np.concatenate([x, thinned]), np.concatenate([y, label])
            weight = np.concatenate([weight, THINNED_WEIGHT * weight[: len(thinned)]])
        return make(self.seed).fit(x, y, weight)

    def train_all(self, wanted: Iterable[tuple[Maker, Rows, bool]]) -> list[Estimator]:
        """Several estimators, each as `train` is told."""
        return side_by_side(partial(self.train, *words) for words in wanted)

    def choose(self, folds: Sequence[tuple[Rows, Rows]]) -> tuple[str, bool, dict[str, float]]:
        """The candidate with the best average precision on held-back rows, and whether SMOTE helps it."""
        names = list(self.recipe.candidates)
        if len(names) == 1:
            return names[0], False, {}
        tried = self._precisions(names, folds, False)
        best = max(names, key=lambda name: tried[name])
        if not self.recipe.smote:
            return best, False, tried
        (with_smote,) = self._precisions([best], folds, True).values()
        return best, with_smote > tried[best], tried | {best + WITH_SMOTE: with_smote}

    def _precisions(
        self, names: Sequence[str], folds: Sequence[tuple[Rows, Rows]], smote: bool
    ) -> dict[str, float]:
        """Average precision of candidates on held-back rows."""
        known = [held_back[~np.isnan(self.target[held_back])] for _, held_back in folds]
        label = np.concatenate([self.target[rows] for rows in known])
        trained = iter(
            self.train_all(
                (self.recipe.candidates[name], train, smote) for name in names for train, _ in folds
            )
        )
        return {
            name: float(
                average_precision_score(
                    label, np.concatenate([next(trained).raw(self.x[rows]) for rows in known])
                )
            )
            for name in names
        }


def _thinned(x: Floats, sources: Sequence[str | None], random: np.random.Generator) -> Floats:
    """A copy in which each row has lost some instruments whole, or all but a few single features. Blind to the target."""
    known = sorted({s for s in sources if s is not None})
    of_feature = np.array([known.index(s) if s is not None else len(known) for s in sources])
    rows = len(x)
    lost_source = random.random((rows, len(known) + 1)) < random.uniform(0.1, 0.6, (rows, 1))
    lost_single = random.random(x.shape) > random.uniform(0.03, 0.5, (rows, 1))
    lost = np.where(random.random((rows, 1)) < 0.5, lost_source[:, of_feature], lost_single)
    return np.where(lost, np.nan, x)


def _evened_out(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Rows filled with medians and the rarer label filled up by SMOTE; as they were where there are too few to find neighbours."""
    if np.bincount(y.astype(int), minlength=2).min() <= NEIGHBOURS:
        return x, y
    filled = SimpleImputer(strategy="median", keep_empty_features=True).fit_transform(x)
    evened = SMOTE(random_state=0, k_neighbors=NEIGHBOURS).fit_resample(filled, y)
    return evened[0], evened[1]


def _calibrate(
    recipe: Recipe, raw: Floats, target: Floats, folds: Sequence[tuple[Rows, Rows]]
) -> tuple[Calibration | None, Floats]:
    """The calibration of the final estimator, and scores that were calibrated without the fold they belong to."""
    known = ~np.isnan(raw) & ~np.isnan(target)
    if recipe.calibrated is None or len(np.unique(target[known])) < 2:
        return None, raw
    scores = np.full(len(raw), np.nan)
    for _, held_back in folds:
        others = known.copy()
        others[held_back] = False
        if len(np.unique(target[others])) == 2:
            scores[held_back] = Calibration.fit(raw[others], target[others], recipe.calibrated)(
                raw[held_back]
            )
    return Calibration.fit(raw[known], target[known], recipe.calibrated), scores


__all__ = ["Fitted", "More", "fit", "refit", "side_by_side"]
