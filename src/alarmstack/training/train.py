"""Training: one loop fits, calibrates, evaluates and registers every model in the plant's list.

A model is evaluated on the sealed fifth: it was fitted and chosen without these rows, and its
thresholds were chosen without them. What is registered is the same choice fitted again on all rows;
the metrics remain those of the evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from alarmstack.alarms.drift import SCORE, ReferenceDistribution
from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import CHAMPION, OPERATING, model_list
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
PARITY_ROWS = 2500
"""About how many rows the parity of estimator and exported graph is checked on."""


@dataclass(frozen=True)
class Trained:
    """A registered version, its metrics, and the comparison with its baseline that decides on
    promotion.
    """

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
    """Fit, evaluate and register every model in the plant's list.

    `block`: the intervals behind the examples.

    Raises PlantError if plant.toml gives no model anything to learn.
    """
    if not model_list(plant):
        raise PlantError(
            f"{plant.name} has no model to train: add [[labels.rules]], an operator_log or "
            "[normality] to plant.toml"
        )
    open_rows = examples.rows(0, examples.sealed_from)
    sealed = examples.rows(examples.sealed_from, len(examples))
    folds = inner_folds(open_rows)
    plant_recipes, chosen, evaluations = recipes(plant), [], []
    population = reference_of_values(plant, block)
    for number, recipe in enumerate(plant_recipes):
        progress(recipe.name, number / (len(plant_recipes) + 1))
        fitted = fit(
            recipe,
            feature_names(plant, recipe.group),
            _sources(plant, recipe),
            open_rows.features(recipe.group),
            target_of(recipe, open_rows),
            [(f.train, f.held_back) for f in folds],
            extra=_extra(recipe, open_rows),
            seed=seed,
        )
        thresholds = choose_thresholds(recipe, fitted.out_of_fold, open_rows)
        chosen.append(fitted)
        evaluations.append(judge(recipe, fitted, thresholds, open_rows, sealed, folds))
    progress("final fit on all rows", len(plant_recipes) / (len(plant_recipes) + 1))
    refitted = side_by_side(partial(_again, plant, fitted, examples, seed) for fitted in chosen)
    trained = [
        _register(
            plant,
            fitted,
            metrics,
            comparison,
            examples,
            registry,
            data_fingerprint,
            population | _score(plant, fitted, examples),
        )
        for fitted, (metrics, comparison) in zip(refitted, evaluations, strict=True)
    ]
    if plant.normality is not None:
        progress("normal behaviour", 1.0)
        bundle, comparison = make_normal(plant, block, examples, data_fingerprint, population)
        version = registry.publish(bundle, _verdict(comparison), comparison=comparison.compared)
        trained.append(Trained(bundle, version, bundle.metrics, comparison))
    return trained


def _again(plant: Plant, chosen: Fitted, examples: Examples, seed: int) -> Fitted:
    """What was chosen on the open rows, fitted again on all rows."""
    recipe = chosen.recipe
    x, target = examples.features(recipe.group), target_of(recipe, examples)
    return refit(
        chosen, _sources(plant, recipe), x, target, extra=_extra(recipe, examples), seed=seed
    )


def _sources(plant: Plant, recipe: Recipe) -> list[str | None]:
    """The instrument behind each of a recipe's features."""
    return [source_of(plant, name) for name in feature_names(plant, recipe.group)]


def _register(
    plant: Plant,
    fitted: Fitted,
    metrics: Mapping[str, float],
    comparison: BaselineComparison,
    examples: Examples,
    registry: Registry,
    data_fingerprint: str,
    reference: Mapping[str, ReferenceDistribution],
) -> Trained:
    recipe = fitted.recipe
    thresholds = choose_thresholds(recipe, fitted.out_of_fold, examples)
    calibration = f"{recipe.calibrated}, on held-back rows" if recipe.calibrated else "none"
    every = max(len(examples) // PARITY_ROWS, 1)
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
            estimator=f"{fitted.chosen}; calibration: {calibration}",
            metrics=metrics,
            thresholds=thresholds,
            comparison=comparison,
            trained_on=_period(examples),
        ),
        data_fingerprint=data_fingerprint,
        check=examples.features(recipe.group)[::every],
        reference=reference,
    )
    precisions = {f"average_precision: {name}": value for name, value in fitted.tried.items()}
    version = registry.publish(
        bundle,
        _verdict(comparison),
        {"estimator": fitted.chosen, **precisions},
        comparison=comparison.compared,
    )
    return Trained(bundle, version, metrics, comparison)


def _period(examples: Examples) -> str:
    first, last = examples.start[0], examples.start[-1]
    return f"{len(examples)} rows, {first} to {last}, {len(examples.onsets)} onsets"


def _extra(recipe: Recipe, examples: Examples) -> ExtraRows | None:
    """The rows of the other phases of the grid, from which forecasters also learn."""
    between = examples.between
    if between is None or recipe.horizon is None:
        return None
    return ExtraRows(between.window, between.target[recipe.horizon], between.row, between.phases)


def _score(plant: Plant, fitted: Fitted, examples: Examples) -> dict[str, ReferenceDistribution]:
    """The reference distribution of a model's score: on held-back rows, where it has such."""
    if fitted.recipe.target == "regime":
        return {}
    raw = fitted.raw_out_of_fold
    if not np.isfinite(raw).any():
        raw = fitted.estimator.raw(examples.features(fitted.recipe.group))
    # Calibrated as in service: the calibrations of the folds have other steps.
    scores = raw if fitted.calibration is None else fitted.calibration(raw)
    reference = reference_of_scores(plant, scores)
    return {} if reference is None else {SCORE: reference}


def target_of(recipe: Recipe, examples: Examples) -> Floats:
    """The target of a recipe at each row; NaN where the row has none."""
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
    """A threshold for each false-alarm budget, and the operating one, all on held-back rows.

    None: no threshold keeps the budget. A forecaster operates at the plant's budget, a model of the
    present where the F1 score of its label is best.
    """
    if recipe.target in ("regime", "next_deviation"):
        return {}
    budgets = (*BUDGETS, examples.plant.warnings.false_alarms_per_day)
    *thresholds, operating = map(_finite, thresholds_for(examples, out_of_fold, budgets))
    by_budget: Thresholds = {
        f"{budget:g}": threshold for budget, threshold in zip(BUDGETS, thresholds, strict=True)
    }
    if recipe.target == "onset":
        return by_budget | {OPERATING: operating}
    known = ~np.isnan(out_of_fold)
    return by_budget | {OPERATING: _best_f1(examples.alarm[known], out_of_fold[known])}


def promote(plant: Plant, registry: Registry, mode: str, metric: str) -> list[str]:
    """Promote every newest version that is better than its baseline; the promoted names.

    Nothing is promoted unless the mode is `auto`. For the champion, the version that is best by
    `metric` is promoted, whether new or old. A model that is no better than its baseline waits for
    a person.
    """
    if mode != "auto":
        return []
    promoted = []
    for entry in model_list(plant):
        newest = registry.newest(entry.name)
        if newest is None or newest.metrics.get(BEATS_BASELINE) != 1.0:
            continue
        if entry.column == CHAMPION:
            registry.promote_best(entry.name, metric)
        else:
            registry.promote(entry.name, newest.number)
        promoted.append(entry.name)
    return promoted


def _verdict(comparison: BaselineComparison) -> dict[str, float]:
    return {BEATS_BASELINE: float(comparison.better)}


def _best_f1(label: Mask, score: Floats) -> float | None:
    """The threshold with the best F1 score; None without a row in alarm."""
    if not label.any():
        return None
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + int(label.sum()))
    return float(score[order][int(np.argmax(f1))])


def _finite(threshold: float) -> float | None:
    return threshold if np.isfinite(threshold) else None


__all__ = ["Trained", "choose_thresholds", "promote", "target_of", "train"]
