"""Training: every recipe is fitted, calibrated, given thresholds, judged on the sealed fifth, and registered, by one loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from alarmstack.alarms.drift import SCORE, ReferenceDistribution
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.model_list import OPERATING, expected
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.comparison import BaselineComparison
from alarmstack.evaluation.metrics import judge
from alarmstack.evaluation.reference import reference_of_scores, reference_of_values
from alarmstack.evaluation.splits import inner_folds
from alarmstack.evaluation.thresholds import BUDGETS, thresholds_for
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names, source_of
from alarmstack.models import ExtraRows, Fitted, Recipe, fit, recipes, refit, side_by_side
from alarmstack.registry import Bundle, Registry
from alarmstack.registry.bundle import make_bundle
from alarmstack.registry.mlflow_registry import BEATS_BASELINE
from alarmstack.training.card import write_card
from alarmstack.training.normal import make_normal

Thresholds = dict[str, float | None]


@dataclass(frozen=True)
class Trained:
    """A registered version, what was measured of it, and its figure beside the baseline that it must beat to be promoted."""

    bundle: Bundle
    version: str
    metrics: Mapping[str, float]
    comparison: BaselineComparison


def train(
    plant: Plant,
    examples: Examples,
    block: IntervalBlock,
    registry: Registry,
    data_fingerprint: str,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Trained]:
    """Fit, judge and register all recipes, and the normal-behaviour model of a plant that has one.

    `block`: the intervals behind the examples.

    The sealed fifth judges a model that was fitted, chosen and given thresholds without it. What is registered is that choice,
    fitted again on all rows, with thresholds from held-back scores of all rows; it is named by the judged figures.
    """
    open_rows = examples.rows(0, examples.sealed_from)
    sealed = examples.rows(examples.sealed_from, len(examples))
    folds = inner_folds(open_rows)
    wanted, chosen, judged = recipes(plant), [], []
    population = reference_of_values(plant, block)
    for number, recipe in enumerate(wanted):
        progress(recipe.name, number / (len(wanted) + 1))
        fitted = fit(
            recipe,
            feature_names(plant, recipe.group),
            _sources(plant, recipe),
            open_rows.features(recipe.group),
            target_of(recipe, open_rows),
            [(f.train, f.held_back) for f in folds],
            extra=_more(recipe, open_rows),
            seed=seed,
        )
        thresholds = choose_thresholds(recipe, fitted.out_of_fold, open_rows)
        chosen.append(fitted)
        judged.append(judge(recipe, fitted, thresholds, open_rows, sealed, folds))
    progress("all of them on all rows", len(wanted) / (len(wanted) + 1))
    done = []
    for final, figures in zip(
        side_by_side(partial(_again, plant, one, examples, seed) for one in chosen),
        judged,
        strict=True,
    ):
        reference = population | _score(plant, final, examples)
        done.append(
            _register(
                plant,
                final.recipe,
                final,
                *figures,
                examples,
                registry,
                data_fingerprint,
                reference,
            )
        )
    if plant.normality is not None:
        progress("normal behaviour", 1.0)
        bundle, comparison = make_normal(plant, block, examples, data_fingerprint, population)
        done.append(
            Trained(
                bundle,
                registry.publish(bundle, _judged(comparison), comparison=comparison.compared),
                bundle.metrics,
                comparison,
            )
        )
    return done


def _again(plant: Plant, chosen: Fitted, examples: Examples, seed: int) -> Fitted:
    """What was chosen on the open rows, learnt again from all rows."""
    recipe = chosen.recipe
    x, target = examples.features(recipe.group), target_of(recipe, examples)
    return refit(
        chosen, _sources(plant, recipe), x, target, extra=_more(recipe, examples), seed=seed
    )


def _sources(plant: Plant, recipe: Recipe) -> list[str | None]:
    """The instrument behind each of a recipe's features."""
    return [source_of(plant, name) for name in feature_names(plant, recipe.group)]


def _register(
    plant: Plant,
    recipe: Recipe,
    fitted: Fitted,
    metrics: Mapping[str, float],
    comparison: BaselineComparison,
    examples: Examples,
    registry: Registry,
    data_fingerprint: str,
    reference: Mapping[str, ReferenceDistribution],
) -> Trained:
    thresholds = choose_thresholds(recipe, fitted.out_of_fold, examples)
    period = f"{len(examples)} rows, {examples.start[0]} to {examples.start[-1]}, {len(examples.onsets)} onsets"
    bundle = make_bundle(
        plant,
        fitted,
        thresholds=thresholds,
        metrics=metrics,
        card=write_card(
            plant,
            name=recipe.name,
            title=recipe.title,
            inputs=f"{recipe.group} features",
            estimator=f"{fitted.chosen}; calibration: {f'{recipe.calibrated}, on held-back rows' if recipe.calibrated else 'none'}",
            metrics=metrics,
            thresholds=thresholds,
            comparison=comparison,
            trained_on=period,
        ),
        data_fingerprint=data_fingerprint,
        check=examples.features(recipe.group)[:: max(len(examples) // 2500, 1)],
        reference=reference,
    )
    tried = {f"average_precision: {k}": v for k, v in fitted.tried.items()}
    version = registry.publish(
        bundle,
        _judged(comparison),
        {"estimator": fitted.chosen, **tried},
        comparison=comparison.compared,
    )
    return Trained(bundle, version, metrics, comparison)


def _more(recipe: Recipe, examples: Examples) -> ExtraRows | None:
    """What a forecaster learns on the other phases of the grid, where there are such."""
    between = examples.between
    if between is None or recipe.horizon is None:
        return None
    return ExtraRows(between.window, between.target[recipe.horizon], between.row, between.phases)


def _score(plant: Plant, fitted: Fitted, examples: Examples) -> dict[str, ReferenceDistribution]:
    """What is usual for a model's score: on held-back rows, where it has such."""
    if fitted.recipe.target == "regime":
        return {}
    raw = fitted.raw_out_of_fold
    if not np.isfinite(raw).any():
        raw = fitted.estimator.raw(examples.features(fitted.recipe.group))
    # By the calibration that speaks: those of the folds have steps of their own.
    found = reference_of_scores(
        plant, raw if fitted.calibration is None else fitted.calibration(raw)
    )
    return {} if found is None else {SCORE: found}


def target_of(recipe: Recipe, examples: Examples) -> Floats:
    """What a recipe learns at each row; NaN: nothing."""
    if recipe.target == "onset":
        assert recipe.horizon is not None
        return examples.onset_target(recipe.horizon)
    targets: dict[str, Floats] = {
        "alarm": examples.alarm.astype(float),
        "none": examples.alarm.astype(float),
        "regime": examples.regime,
        "next_deviation": examples.next_deviation,
    }
    return np.where(examples.segment >= 0, targets[recipe.target], np.nan)


def choose_thresholds(recipe: Recipe, out_of_fold: Floats, examples: Examples) -> Thresholds:
    """A threshold for each false-alarm budget, and the operating one, all on held-back rows. None: no threshold keeps the budget.

    A forecaster operates at the plant's budget; a model of the present where the F1 of its label is best.
    """
    if recipe.target in ("regime", "next_deviation"):
        return {}
    wanted = (*BUDGETS, examples.plant.warnings.false_alarms_per_day)
    *found, operating = map(_finite, thresholds_for(examples, out_of_fold, wanted))
    budgets = {f"{budget:g}": threshold for budget, threshold in zip(BUDGETS, found, strict=True)}
    if recipe.target == "onset":
        return budgets | {OPERATING: operating}
    known = ~np.isnan(out_of_fold)
    return budgets | {OPERATING: _best_f1(examples.alarm[known], out_of_fold[known])}


def promote(plant: Plant, registry: Registry, mode: str, metric: str) -> list[str]:
    """Give @champion to the newest version of every model, where the mode is auto and it beats its baseline; the names promoted.

    The champion's name goes to its best version by `metric`, new or old; a model that loses to a baseline waits for a person.
    """
    if mode != "auto":
        return []
    promoted, first = [], recipes(plant)[0].name
    for name in (one.name for one in expected(plant)):
        newest = registry.newest(name)
        if newest is None or newest.metrics.get(BEATS_BASELINE) != 1.0:
            continue
        if name == first:
            registry.promote_best(name, metric)
        else:
            registry.promote(name, newest.number)
        promoted.append(name)
    return promoted


def _judged(comparison: BaselineComparison) -> dict[str, float]:
    return {BEATS_BASELINE: float(comparison.better)}


def _best_f1(label: np.ndarray, score: Floats) -> float | None:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + max(int(label.sum()), 1))
    return float(score[order][int(np.argmax(f1))]) if label.any() else None


def _finite(threshold: float) -> float | None:
    return threshold if np.isfinite(threshold) else None


__all__ = ["OPERATING", "Trained", "choose_thresholds", "promote", "target_of", "train"]
