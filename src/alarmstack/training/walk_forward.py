"""Walk-forward evaluation: train on the past, evaluate on the rows after it, and repeat.

Each fold trains on all rows that end at least a gap before it (`splits.walk_forward_gap`). Within a
fold everything is chosen on its training rows: calibration and thresholds come from rows held back
there. The candidate of each model is chosen beforehand. Folds are joined as separate series, so
that no warning continues from one into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, roc_auc_score

from alarmstack.core.errors import SplitError
from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import OPERATING
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.baselines import BASELINES, fit_baseline, out_of_fold
from alarmstack.evaluation.events import Outcome, outcome
from alarmstack.evaluation.metrics import threshold_or_never
from alarmstack.evaluation.splits import (
    FOLDS,
    Fold,
    inner_folds,
    walk_forward,
    walk_forward_gap,
)
from alarmstack.evaluation.table import ScoredModel, TableRow, evaluate, row_metrics_of
from alarmstack.evaluation.thresholds import threshold_for
from alarmstack.features.examples import Examples, join
from alarmstack.features.matrix import feature_names, source_of
from alarmstack.models import Recipe, fit, recipes
from alarmstack.models.fit import SCORED, WITH_SMOTE
from alarmstack.training.train import choose_thresholds, target_of

INNER = 3
"""Inner folds of a fold's training rows, for calibration and thresholds."""


@dataclass(frozen=True)
class Walked:
    """One model or baseline on rows that it had not seen.

    `scores` and `target` float64 [evaluated rows]; NaN if the fold could not be trained, or if
    nothing is predicted. `thresholds`: one operating threshold per fold, inf if none keeps the
    budget.
    """

    name: str
    scores: Floats
    target: Floats
    thresholds: tuple[float, ...]
    horizon: timedelta | None = None
    probability: bool = False


@dataclass(frozen=True)
class Walk:
    """The folds, the evaluated rows (each fold is a separate series), and all scores on them."""

    source: Examples
    folds: tuple[Fold, ...]
    examples: Examples
    fold: npt.NDArray[np.intp]
    models: tuple[Walked, ...]
    baselines: tuple[Walked, ...]

    @property
    def forecasters(self) -> tuple[Walked, ...]:
        """The models that forecast onsets."""
        return tuple(one for one in self.models if one.horizon is not None)

    def levelled(self, one: Walked) -> Floats:
        """Scores divided by the threshold of their fold: 1 raises a warning.

        The release level is a share of the threshold, so that the warnings do not change. A missing
        score stays NaN: the alarm engine neither raises nor clears a warning for it.
        """
        return np.asarray(one.scores / np.array(one.thresholds)[self.fold])

    def outcome(self, one: Walked) -> Outcome:
        """The warnings of a model compared with the onsets of all folds."""
        return outcome(self.examples, self.levelled(one), 1.0)

    def by_fold(self, one: Walked) -> list[Outcome]:
        """The warnings of a model compared with the onsets of each fold."""
        scores, outcomes = self.levelled(one), []
        for number in range(len(self.folds)):
            rows = np.flatnonzero(self.fold == number)
            of_fold = self.examples.rows(int(rows[0]), int(rows[-1]) + 1)
            outcomes.append(outcome(of_fold, scores[rows], 1.0))
        return outcomes


def walk(
    plant: Plant,
    examples: Examples,
    *,
    settled: Mapping[str, str] | None = None,
    gap: timedelta | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Walk:
    """Evaluate the models whose score is the risk of an alarm, and the baselines, in five folds.

    `settled` maps a model's name to the candidate chosen before (`random forest`). The default is
    the first candidate. A plant without labels has no such model: only the baselines are in the
    result. `gap`: default `walk_forward_gap`. Raises SplitError if the rows give no fold.
    """
    folds = walk_forward(examples, gap=gap)
    if not folds:
        raise _no_fold(plant, examples, gap or walk_forward_gap(plant))
    evaluated = join([examples.rows(int(f.held_back[0]), int(f.held_back[-1]) + 1) for f in folds])
    fold = np.concatenate([np.full(len(f.held_back), number) for number, f in enumerate(folds)])
    scored = [
        _settled(recipe, settled or {}) for recipe in recipes(plant) if recipe.target in SCORED
    ]
    models = []
    for done, recipe in enumerate(scored):
        progress(recipe.name, done / len(scored))
        of_folds = [_fold_model(plant, recipe, examples, f, seed) for f in folds]
        models.append(
            Walked(
                recipe.name,
                _joined(of_folds),
                target_of(recipe, evaluated),
                _thresholds(of_folds),
                recipe.horizon,
                probability=recipe.target != "none",
            )
        )
    baselines = []
    no_target = np.full(len(evaluated), np.nan)
    budget = plant.warnings.false_alarms_per_day
    for name in BASELINES:
        of_folds = [_fold_baseline(name, examples, f, budget) for f in folds]
        baselines.append(Walked(name, _joined(of_folds), no_target, _thresholds(of_folds)))
    return Walk(examples, folds, evaluated, fold, tuple(models), tuple(baselines))


def _no_fold(plant: Plant, examples: Examples, gap: timedelta) -> SplitError:
    return SplitError(
        f"{plant.name}: {len(examples)} rows with {len(examples.onsets)} onsets give none of the "
        f"{FOLDS} walk-forward folds, because no fold has a training row more than "
        f"{write_duration(gap)} ({plant.rows(gap)} rows) before it: use a longer history, or "
        "shorten time.window, time.horizons or time.longest_useful_lead in plant.toml"
    )


FoldScores = tuple[Floats, float]
"""Scores of a fold's evaluated rows, and the operating threshold."""


def _joined(of_folds: Sequence[FoldScores]) -> Floats:
    return np.concatenate([scores for scores, _ in of_folds])


def _thresholds(of_folds: Sequence[FoldScores]) -> tuple[float, ...]:
    return tuple(threshold for _, threshold in of_folds)


def _settled(recipe: Recipe, settled: Mapping[str, str]) -> Recipe:
    """The recipe with only one candidate."""
    chosen = settled.get(recipe.name, "").removesuffix(WITH_SMOTE)
    name = chosen if chosen in recipe.candidates else next(iter(recipe.candidates))
    return replace(recipe, candidates={name: recipe.candidates[name]}, smote=False)


def _fold_model(
    plant: Plant, recipe: Recipe, examples: Examples, fold: Fold, seed: int
) -> FoldScores:
    part = examples.rows(0, len(fold.train))
    target, names = target_of(recipe, part), feature_names(plant, recipe.group)
    if not _has_both_labels(target):
        return np.full(len(fold.held_back), np.nan), threshold_or_never(None)
    inner = [
        (f.train, f.held_back)
        for f in inner_folds(part, INNER)
        if _has_both_labels(target[f.train])
    ]
    sources = [source_of(plant, name) for name in names]
    fitted = fit(recipe, names, sources, part.features(recipe.group), target, inner, seed=seed)
    threshold = choose_thresholds(recipe, fitted.out_of_fold, part)[OPERATING]
    scores = fitted.predict(examples.features(recipe.group)[fold.held_back])
    return scores, threshold_or_never(threshold)


def _fold_baseline(name: str, examples: Examples, fold: Fold, budget: float) -> FoldScores:
    part = examples.rows(0, len(fold.train))
    inner = [f for f in inner_folds(part, INNER) if len(f.train)]
    threshold = threshold_for(part, out_of_fold(name, part, inner), budget)
    return fit_baseline(name, part)(examples)[fold.held_back], threshold


def _has_both_labels(target: Floats) -> bool:
    return len(np.unique(target[~np.isnan(target)])) > 1


def walk_rows(data: str, result: Walk) -> list[TableRow]:
    """The evaluation table at the plant's budget.

    Forecasters are compared with baselines by events; all models are evaluated by rows.
    """
    budget = result.examples.plant.warnings.false_alarms_per_day
    no_target = np.full(len(result.examples), np.nan)

    def by_events(one: Walked) -> ScoredModel:
        return ScoredModel(one.name, result.levelled(one), {budget: 1.0}, no_target, one.horizon)

    models = [by_events(one) for one in result.forecasters]
    baselines = [by_events(one) for one in result.baselines]
    rows = evaluate(data, result.examples, models, baselines, budgets=(budget,))
    for one in result.models:
        rows += row_metrics_of(
            data, ScoredModel(one.name, one.scores, {}, one.target, one.horizon, one.probability)
        )
    return rows


def row_metrics(result: Walk, one: Walked) -> dict[str, float]:
    """ROC AUC of a model's scores, and F1 at the threshold of each fold.

    Empty if all known targets are equal.
    """
    known = ~np.isnan(one.target) & ~np.isnan(one.scores)
    target, scores = one.target[known], one.scores[known]
    if not _has_both_labels(target):
        return {}
    predicted = scores >= np.array(one.thresholds)[result.fold[known]]
    return {
        "roc_auc": float(roc_auc_score(target, scores)),
        "f1": float(f1_score(target, predicted, zero_division=0)),
    }


def walk_metrics(result: Walk, rows: Sequence[TableRow]) -> dict[str, float]:
    """All metrics with the names under which a registry logs them: `<model>.<metric>`.

    Metrics that are not measurable are left out.
    """
    gains = [row for row in rows if "gain" in row.metric]
    others = [row for row in rows if "gain" not in row.metric]
    named = {f"{row.model}.{row.metric}": row.value for row in others}
    named |= {f"{row.model}.gain_over_{row.baseline}": row.value for row in gains}
    for one in result.models:
        of_model = row_metrics(result, one)
        named |= {f"{one.name}.{metric}": value for metric, value in of_model.items()}
    return {_loggable(name): value for name, value in named.items() if value is not None}


FOLD_METRICS: dict[str, Callable[[Outcome], float]] = {
    "fold_event_recall": lambda one: one.recall,
    "fold_false_alarms_per_day": lambda one: one.false_per_day,
    "fold_onsets": lambda one: float(len(one.onset)),
}


def fold_metrics(result: Walk) -> dict[str, list[float]]:
    """Event metrics of every forecaster and baseline, one value per fold."""
    metrics = {}
    for one in (*result.forecasters, *result.baselines):
        outcomes = result.by_fold(one)
        for name, metric in FOLD_METRICS.items():
            metrics[_loggable(f"{one.name}.{name}")] = [metric(each) for each in outcomes]
    return metrics


def _loggable(name: str) -> str:
    return name.replace(" ", "_").replace("@", "_at_")


__all__ = [
    "FOLD_METRICS",
    "Walk",
    "Walked",
    "fold_metrics",
    "row_metrics",
    "walk",
    "walk_metrics",
    "walk_rows",
]
