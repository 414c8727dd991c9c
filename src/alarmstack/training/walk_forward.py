"""The walk forward: every model learns from the past alone, is judged on what came a day later, learns that too, and goes on.

Within each fold everything is chosen on its training rows: candidates are settled beforehand, calibration and thresholds come from
rows held back there. Folds are joined as separate series, so that no warning crosses from one into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, roc_auc_score

from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.baselines import BASELINES, fit_baseline, out_of_fold
from alarmstack.evaluation.events import Outcome, outcome
from alarmstack.evaluation.splits import GAP, Fold, inner_folds, walk_forward
from alarmstack.evaluation.table import ScoredModel, TableRow, evaluate, row_metrics_of
from alarmstack.evaluation.thresholds import threshold_for
from alarmstack.features.examples import Examples, join
from alarmstack.features.matrix import feature_names, source_of
from alarmstack.models import Recipe, fit, recipes
from alarmstack.models.fit import SCORED
from alarmstack.training.train import OPERATING, choose_thresholds, target_of

INNER = 3
"""Folds inside a fold's training rows that calibration and thresholds rest on."""
NEVER = float("inf")


@dataclass(frozen=True)
class Walked:
    """One model or baseline on rows it had not seen.

    `scores` and `target` float64 [judged rows] (NaN: its fold had nothing to learn from; nothing is predicted there); `thresholds`
    one operating threshold a fold, inf where none keeps the budget.
    """

    name: str
    scores: Floats
    target: Floats
    thresholds: tuple[float, ...]
    horizon: timedelta | None = None
    probability: bool = False


@dataclass(frozen=True)
class Walk:
    """A walk forward: the folds, the judged rows as one (each fold a series of its own), and who said what of them."""

    source: Examples
    folds: tuple[Fold, ...]
    examples: Examples
    fold: npt.NDArray[np.intp]
    models: tuple[Walked, ...]
    baselines: tuple[Walked, ...]

    @property
    def forecasters(self) -> tuple[Walked, ...]:
        """The models that speak of onsets."""
        return tuple(one for one in self.models if one.horizon is not None)

    def levelled(self, one: Walked) -> Floats:
        """Scores in units of their fold's threshold: 1 raises a warning.

        A warning ends at a share of its threshold, so that warnings stay what they were.
        """
        return np.asarray(np.nan_to_num(one.scores) / np.array(one.thresholds)[self.fold])

    def outcome(self, one: Walked) -> Outcome:
        """Its warnings beside the onsets of all folds."""
        return outcome(self.examples, self.levelled(one), 1.0)

    def by_fold(self, one: Walked) -> list[Outcome]:
        """Its warnings beside the onsets of each fold."""
        rows = [np.flatnonzero(self.fold == place) for place in range(len(self.folds))]
        level = self.levelled(one)
        return [outcome(self.examples.rows(int(r[0]), int(r[-1]) + 1), level[r], 1.0) for r in rows]


def walk(
    plant: Plant,
    examples: Examples,
    *,
    settled: Mapping[str, str] | None = None,
    gap: timedelta = GAP,
    seed: int = 0,
    progress: Progress = silent,
) -> Walk:
    """Walk the models that say how likely an alarm is, and the baselines, through five folds.

    `settled` names a model's candidate that was chosen before (`random forest`); a model it leaves out is walked with its first.
    """
    folds = walk_forward(examples, gap=gap)
    judged = join([examples.rows(int(f.held_back[0]), int(f.held_back[-1]) + 1) for f in folds])
    place = np.concatenate([np.full(len(f.held_back), number) for number, f in enumerate(folds)])
    wanted = [
        _settled(recipe, settled or {}) for recipe in recipes(plant) if recipe.target in SCORED
    ]
    models = []
    for done, recipe in enumerate(wanted):
        progress(recipe.name, done / len(wanted))
        said = [_fold_model(plant, recipe, examples, fold, seed) for fold in folds]
        target = target_of(recipe, judged)
        models.append(
            Walked(
                recipe.name,
                _joined(said),
                target,
                _thresholds(said),
                recipe.horizon,
                recipe.target != "none",
            )
        )
    baselines = []
    for name in BASELINES:
        said = [
            _fold_baseline(name, examples, fold, plant.warnings.false_alarms_per_day)
            for fold in folds
        ]
        baselines.append(
            Walked(name, _joined(said), np.full(len(judged), np.nan), _thresholds(said))
        )
    return Walk(examples, folds, judged, place, tuple(models), tuple(baselines))


ModelOutput = tuple[Floats, float]
"""Scores of a fold's judged rows, and the operating threshold."""


def _joined(said: Sequence[ModelOutput]) -> Floats:
    return np.concatenate([scores for scores, _ in said])


def _thresholds(said: Sequence[ModelOutput]) -> tuple[float, ...]:
    return tuple(threshold for _, threshold in said)


def _settled(recipe: Recipe, settled: Mapping[str, str]) -> Recipe:
    """The recipe with one candidate left."""
    wanted = settled.get(recipe.name, "").removesuffix(" with SMOTE")
    name = wanted if wanted in recipe.candidates else next(iter(recipe.candidates))
    return replace(recipe, candidates={name: recipe.candidates[name]}, smote=False)


def _fold_model(
    plant: Plant, recipe: Recipe, examples: Examples, fold: Fold, seed: int
) -> ModelOutput:
    part = examples.rows(0, len(fold.train))
    target, names = target_of(recipe, part), feature_names(plant, recipe.group)
    if not _two_kinds(target):
        return np.full(len(fold.held_back), np.nan), NEVER
    inner = [
        (f.train, f.held_back) for f in inner_folds(part, INNER) if _two_kinds(target[f.train])
    ]
    sources = [source_of(plant, name) for name in names]
    fitted = fit(recipe, names, sources, part.features(recipe.group), target, inner, seed=seed)
    threshold = choose_thresholds(recipe, fitted.out_of_fold, part)[OPERATING]
    return fitted.predict(
        examples.features(recipe.group)[fold.held_back]
    ), NEVER if threshold is None else threshold


def _fold_baseline(name: str, examples: Examples, fold: Fold, budget: float) -> ModelOutput:
    part = examples.rows(0, len(fold.train))
    inner = [one for one in inner_folds(part, INNER) if len(one.train)]
    held_back = out_of_fold(name, part, inner)
    return fit_baseline(name, part)(examples)[fold.held_back], threshold_for(
        part, held_back, budget
    )


def _two_kinds(target: Floats) -> bool:
    return len(np.unique(target[~np.isnan(target)])) > 1


def walk_rows(data: str, found: Walk) -> list[TableRow]:
    """The evaluation table of a walk at the plant's budget: forecasters beside baselines by events, all models by rows."""
    budget = found.examples.plant.warnings.false_alarms_per_day
    nothing = np.full(len(found.examples), np.nan)

    def contestant(one: Walked) -> ScoredModel:
        return ScoredModel(one.name, found.levelled(one), {budget: 1.0}, nothing, one.horizon)

    models, baselines = (
        [contestant(one) for one in group] for group in (found.forecasters, found.baselines)
    )
    rows = evaluate(data, found.examples, models, baselines, budgets=(budget,))
    for one in found.models:
        rows += row_metrics_of(
            data, ScoredModel(one.name, one.scores, {}, one.target, one.horizon, one.probability)
        )
    return rows


def row_metrics(found: Walk, one: Walked) -> dict[str, float]:
    """ROC AUC of a model's scores, and F1 of its score against its fold's threshold; empty where only one thing happened."""
    known = ~np.isnan(one.target) & ~np.isnan(one.scores)
    target, scores = one.target[known], one.scores[known]
    if not _two_kinds(target):
        return {}
    said = scores >= np.array(one.thresholds)[found.fold[known]]
    return {
        "roc_auc": float(roc_auc_score(target, scores)),
        "f1": float(f1_score(target, said, zero_division=0)),
    }


def walk_metrics(found: Walk, rows: Sequence[TableRow]) -> dict[str, float]:
    """All figures of a walk as a registry logs them: `<model>.<metric>`; what is not measurable is left out."""
    named = {f"{row.model}.{row.metric}": row.value for row in rows if "gain" not in row.metric}
    named |= {
        f"{row.model}.gain_over_{row.baseline}": row.value for row in rows if "gain" in row.metric
    }
    named |= {
        f"{one.name}.{metric}": value
        for one in found.models
        for metric, value in row_metrics(found, one).items()
    }
    return {_loggable(name): value for name, value in named.items() if value is not None}


FOLD_FIGURES: dict[str, Callable[[Outcome], float]] = {
    "fold_event_recall": lambda one: one.recall,
    "fold_false_alarms_per_day": lambda one: one.false_per_day,
    "fold_onsets": lambda one: float(len(one.onset)),
}


def fold_metrics(found: Walk) -> dict[str, list[float]]:
    """Event figures of every forecaster and baseline, one a fold."""
    return dict(_by_fold(found))


def _by_fold(found: Walk) -> Iterator[tuple[str, list[float]]]:
    for one in (*found.forecasters, *found.baselines):
        outcomes = found.by_fold(one)
        for name, figure in FOLD_FIGURES.items():
            yield _loggable(f"{one.name}.{name}"), [figure(each) for each in outcomes]


def _loggable(name: str) -> str:
    return name.replace(" ", "_").replace("@", "_at_")


__all__ = [
    "FOLD_FIGURES",
    "Walk",
    "Walked",
    "fold_metrics",
    "row_metrics",
    "walk",
    "walk_metrics",
    "walk_rows",
]
