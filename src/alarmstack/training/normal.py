"""Training of the normal-behaviour model: it learns from rows that exceed no limit, without labels.

On a plant with labels it is evaluated by events on held-back rows, beside the same baselines as the
forecasters. Its threshold is chosen without labels: a warning before an alarm counts against the
budget like any other, so it raises fewer false alarms than it may. The baselines, whose thresholds
use labels, are given as many false alarms as it really raised.

On a plant without labels there is no event to find. The model is then compared with its promise: on
the sealed fifth, which is later than all rows that the threshold was chosen on, it must keep the
plant's budget.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alarmstack.alarms.drift import SCORE, ReferenceDistribution
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import NORMALITY, OPERATING, model_list
from alarmstack.core.plant import Plant
from alarmstack.evaluation.comparison import BaselineComparison
from alarmstack.evaluation.events import Outcome, outcome
from alarmstack.evaluation.metrics import (
    baseline_recalls,
    event_metrics,
    finite,
    threshold_or_never,
)
from alarmstack.evaluation.reference import reference_of_scores
from alarmstack.evaluation.splits import inner_folds
from alarmstack.evaluation.thresholds import BUDGETS, SAFETY
from alarmstack.features.examples import Examples
from alarmstack.models.normality import (
    HeldBack,
    NormalModel,
    TrainingSegment,
    learn_normal,
    threshold_for,
)
from alarmstack.preparation.derived import any_rule
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import make_normal_bundle
from alarmstack.training.card import write_card


def make_normal(
    plant: Plant,
    block: IntervalBlock,
    examples: Examples,
    data_fingerprint: str,
    population: Mapping[str, ReferenceDistribution],
) -> tuple[Bundle, BaselineComparison]:
    """The normal-behaviour model as a Bundle, learnt from all rows of a block, and the comparison
    with its baseline.
    """
    entry = next(entry for entry in model_list(plant) if entry.column == NORMALITY)
    metrics, comparison = _evaluate(plant, block, examples)
    segment = normal_segment(plant, block)
    model = learn_normal(plant, [segment]).with_usual_shares([segment])
    thresholds = normal_thresholds(plant, model)
    score_reference = reference_of_scores(plant, model(block).score)
    experts = ", ".join(expert.name for expert in model.settings.experts)
    period = f"{block.start[0]} to {block.start[-1]}"
    bundle = make_normal_bundle(
        plant,
        entry,
        model,
        thresholds=thresholds,
        metrics=metrics,
        card=write_card(
            plant,
            name=entry.name,
            title=entry.title,
            inputs=f"intervals of {', '.join(model.tags)}",
            estimator=f"experts {experts}; no label was used",
            metrics=metrics,
            thresholds=thresholds,
            comparison=comparison,
            trained_on=f"{int(segment.normal.sum())} rows that exceed no limit, {period}",
        ),
        data_fingerprint=data_fingerprint,
        reference=dict(population) | ({} if score_reference is None else {SCORE: score_reference}),
    )
    return bundle, comparison


def normal_thresholds(plant: Plant, model: NormalModel) -> dict[str, float | None]:
    """A threshold for each false-alarm budget, and the operating one, chosen without labels."""
    budgets = {f"{budget:g}": _threshold(plant, model.held_back, budget) for budget in BUDGETS}
    operating = _threshold(plant, model.held_back, plant.warnings.false_alarms_per_day)
    return budgets | {OPERATING: operating}


def _evaluate(
    plant: Plant, block: IntervalBlock, examples: Examples
) -> tuple[dict[str, float], BaselineComparison]:
    """Event metrics on held-back rows and on the sealed fifth, and the comparison with the
    baseline.
    """
    cut, budget = examples.sealed_from, plant.warnings.false_alarms_per_day
    open_rows, sealed = examples.rows(0, cut), examples.rows(cut, len(examples))
    model = learn_normal(plant, [normal_segment(plant, block.rows(0, cut))])
    threshold = threshold_or_never(_threshold(plant, model.held_back, budget))
    inner = outcome(open_rows, model.held_back[0].scores, threshold)
    later = outcome(sealed, model(block).score[cut:], threshold)
    metrics = finite(event_metrics(inner, later))
    if not plant.has_labels:
        metrics["sealed_share_in_warning"] = later.share_in_warning
        return metrics, budget_comparison(plant, later)
    # A baseline's threshold keeps its budget with `SAFETY` standard errors to spare: add them here.
    false = float(inner.false.sum())
    baselines = baseline_recalls(
        open_rows, inner_folds(open_rows), None, (false + SAFETY * np.sqrt(false)) / inner.days
    )
    best = max(baselines, key=lambda name: baselines[name])
    return metrics, BaselineComparison(
        f"event recall at {inner.false_per_day:.2g} false alarms a day",
        inner.recall,
        best,
        baselines[best],
    )


def budget_comparison(plant: Plant, later: Outcome) -> BaselineComparison:
    """Whether warnings on later rows keep the plant's budget.

    The budget is a share of time where plant.toml gives one, else false alarms a day. A count may
    exceed it by `SAFETY` standard errors: few rows cannot show more.
    """
    if plant.warnings.time_in_warning is None:
        metric, budget = "false alarms a day", plant.warnings.false_alarms_per_day
        count, exposure = float(later.false.sum()), later.days
    else:
        metric, budget = "share of time in warning", plant.warnings.time_in_warning
        count, exposure = float((later.warned & later.quiet).sum()), float(later.quiet.sum())
    tolerance = SAFETY * float(np.sqrt(count))
    return BaselineComparison(
        f"{metric} on the sealed fifth",
        count / exposure if exposure else float("nan"),
        f"the budget of {budget:g} and its sampling error",
        budget + (tolerance / exposure if exposure else 0.0),
        lower_is_better=True,
    )


def normal_segment(plant: Plant, block: IntervalBlock) -> TrainingSegment:
    """What may be learnt from a series: its rows that exceed no limit."""
    normal = _normal(plant, block)
    return TrainingSegment(plant.name, block, normal, ~normal)


def _normal(plant: Plant, block: IntervalBlock) -> Mask:
    return np.asarray((block.segment >= 0) & ~any_rule(plant, block))


def _threshold(plant: Plant, held_back: tuple[HeldBack, ...], budget: float) -> float | None:
    allowed = plant.warnings.model_copy(update={"false_alarms_per_day": budget})
    threshold = threshold_for(plant.model_copy(update={"warnings": allowed}), held_back)
    if not np.isfinite(threshold) or plant.normality is None:
        return None
    return threshold + plant.normality.offset


def normal_scores(plant: Plant, bundle: Bundle, blocks: tuple[IntervalBlock, ...]) -> Floats:
    """Scores of several series, one after the other."""
    model = bundle.open_normal(plant)
    return np.concatenate([model(block).score for block in blocks])


__all__ = [
    "budget_comparison",
    "make_normal",
    "normal_scores",
    "normal_segment",
    "normal_thresholds",
]
