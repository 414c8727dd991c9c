"""Fitting a recipe.

The steps: choose the best candidate on held-back rows, score all rows with models that did not see
them, fit the calibration on these scores, and fit the final estimator on all rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from alarmstack.core.intervals import Floats
from alarmstack.models.balance import (
    enough_to_balance,
    filled_with_medians,
    with_synthetic_rows,
)
from alarmstack.models.calibration import Calibration
from alarmstack.models.catalogue import Recipe
from alarmstack.models.estimators import Estimator

Rows = npt.NDArray[np.intp]
Maker = Callable[[int], Estimator]
CHOICE_FOLDS = 3
"""Folds that candidates are compared on; scores for thresholds come from all folds."""
THINNED_WEIGHT = 0.5
"""Weight of the copy of a row with dropped inputs; the row itself has the weight 1."""
SCORED = ("alarm", "onset", "none")
"""Targets whose scores get thresholds, which are chosen on rows that the model did not see."""
INSTRUMENTS_LOST = (0.1, 0.6)
"""Range of the share of instruments that a copy loses: up to more than half of a plant."""
FEATURES_KEPT = (0.03, 0.5)
"""Range of the share of features that a copy keeps, like a client that sends only a few."""
WITH_SMOTE = " with SMOTE"
WORKERS = min(os.cpu_count() or 1, 4)
"""Estimators that are fitted at the same time. Limited, because each copies the rows."""
Result = TypeVar("Result")


def side_by_side(tasks: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of tasks that run in parallel threads, in their order.

    The libraries release Python's global lock while they fit.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda task: task(), tasks))


@dataclass(frozen=True)
class ExtraRows:
    """Further rows to learn from, at other phases of the same hours. They are never evaluated.

    `x` [rows, features], `target` [rows]. `row` [rows]: each lies in this row of the matrix and in
    the next one, and is used if both are training rows. `looks`: the number of grids on which an
    hour is seen; they share the weight of the hour.
    """

    x: Floats
    target: Floats
    row: Rows
    looks: int

    def within(self, rows: Rows) -> Rows:
        """Places of the rows that lie completely in these rows of the matrix; targets known."""
        inside = np.isin(self.row, rows) & np.isin(self.row + 1, rows)
        return np.asarray(np.flatnonzero(inside & ~np.isnan(self.target)), np.intp)


@dataclass(frozen=True)
class Fitted:
    """A recipe's estimator with the results of its fit.

    `out_of_fold` float64 [rows]: calibrated scores of held-back rows; NaN if a row was not held
    back, or if no threshold will be chosen. `raw_out_of_fold`: the same before calibration.
    `tried`: average precision of each candidate on held-back rows.
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
    extra: ExtraRows | None = None,
    seed: int = 0,
) -> Fitted:
    """Fit a recipe on rows [rows, features] whose target is known (not NaN).

    `sources` names the instrument behind each feature; features of one instrument are dropped
    together. `folds` are (train, held back) rows. `extra` rows are used beside the training rows.
    The inputs are not changed, and the same seed gives the same model.
    """
    trainer = _Trainer(recipe, sources, x, target, extra, seed)
    chosen, smote, tried = trainer.choose(folds[-CHOICE_FOLDS:])
    make = recipe.candidates[chosen]
    raw = np.full(len(x), np.nan)
    scored = folds if recipe.target in SCORED else ()
    training_rows = [*(train for train, _ in scored), np.arange(len(x))]
    *of_folds, estimator = trainer.train_all([(make, rows, smote) for rows in training_rows])
    for of_fold, (_, held_back) in zip(of_folds, scored, strict=True):
        raw[held_back] = of_fold.raw(x[held_back])
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
    extra: ExtraRows | None = None,
    seed: int = 0,
) -> Fitted:
    """The chosen estimator, fitted again on more rows: those of the first fit and later ones.

    The first rows keep their out-of-fold scores. The later rows are scored by the first model,
    which had not seen them. The calibration is fitted on all of these scores. A model with more
    training rows warns better; its metrics are still those of the first fit.
    """
    rows_of_first_fit = len(fitted.out_of_fold)
    unseen = x[rows_of_first_fit:]
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
    trainer = _Trainer(fitted.recipe, sources, x, target, extra, seed)
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
    """Fits a recipe's candidates on chosen rows of one matrix."""

    recipe: Recipe
    sources: Sequence[str | None]
    x: Floats
    target: Floats
    extra: ExtraRows | None
    seed: int

    def train(self, make: Maker, rows: Rows, smote: bool = False) -> Estimator:
        """One estimator on the rows whose target is known, and on copies with dropped inputs."""
        known = rows[~np.isnan(self.target[rows])]
        inputs, label = self.x[known], self.target[known]
        if self.extra is not None:
            place = self.extra.within(rows)
            inputs = np.concatenate([inputs, self.extra.x[place]])
            label = np.concatenate([label, self.extra.target[place]])
        x, y = _balanced(inputs, label) if smote else (inputs, label)
        weight = np.full(len(x), 1.0 if self.extra is None else 1.0 / self.extra.looks)
        if self.recipe.dropout:
            thinned = _thinned(inputs, self.sources, np.random.default_rng(self.seed))
            x, y = np.concatenate([x, thinned]), np.concatenate([y, label])
            weight = np.concatenate([weight, THINNED_WEIGHT * weight[: len(thinned)]])
        return make(self.seed).fit(x, y, weight)

    def train_all(self, wanted: Iterable[tuple[Maker, Rows, bool]]) -> list[Estimator]:
        """Several estimators, one for each list of arguments of `train`."""
        return side_by_side(partial(self.train, *arguments) for arguments in wanted)

    def choose(self, folds: Sequence[tuple[Rows, Rows]]) -> tuple[str, bool, dict[str, float]]:
        """The best candidate by average precision on held-back rows, and whether SMOTE improves it.

        The third value: the average precision of everything that was tried.
        """
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
        wanted = [
            (self.recipe.candidates[name], train, smote) for name in names for train, _ in folds
        ]
        estimators = iter(self.train_all(wanted))
        precisions = {}
        for name in names:
            scores = [next(estimators).raw(self.x[rows]) for rows in known]
            precisions[name] = float(average_precision_score(label, np.concatenate(scores)))
        return precisions


def _thinned(x: Floats, sources: Sequence[str | None], random: np.random.Generator) -> Floats:
    """A copy with dropped inputs: some instruments completely, or all but a few single features.

    Half of the rows lose instruments, half lose features; which ones does not depend on the target.
    """
    instruments = sorted({s for s in sources if s is not None})
    no_instrument = len(instruments)
    of_feature = np.array([no_instrument if s is None else instruments.index(s) for s in sources])
    rows = len(x)
    # Do not reorder these calls: the random numbers, and so the models, depend on their order.
    instrument_lost = random.random((rows, no_instrument + 1)) < random.uniform(
        *INSTRUMENTS_LOST, (rows, 1)
    )
    feature_lost = random.random(x.shape) > random.uniform(*FEATURES_KEPT, (rows, 1))
    loses_instruments = random.random((rows, 1)) < 0.5
    lost = np.where(loses_instruments, instrument_lost[:, of_feature], feature_lost)
    return np.where(lost, np.nan, x)


def _balanced(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Rows without missing values and with balanced labels; unchanged if there are too few."""
    if not enough_to_balance(y):
        return x, y
    return with_synthetic_rows(filled_with_medians(x), y)


def _calibrate(
    recipe: Recipe, raw: Floats, target: Floats, folds: Sequence[tuple[Rows, Rows]]
) -> tuple[Calibration | None, Floats]:
    """The final estimator's calibration, and scores that were calibrated without their fold."""
    known = ~np.isnan(raw) & ~np.isnan(target)
    if recipe.calibrated is None or len(np.unique(target[known])) < 2:
        return None, raw
    scores = np.full(len(raw), np.nan)
    for _, held_back in folds:
        others = known.copy()
        others[held_back] = False
        if len(np.unique(target[others])) == 2:
            of_others = Calibration.fit(raw[others], target[others], recipe.calibrated)
            scores[held_back] = of_others(raw[held_back])
    return Calibration.fit(raw[known], target[known], recipe.calibrated), scores


__all__ = ["ExtraRows", "Fitted", "fit", "refit", "side_by_side"]
