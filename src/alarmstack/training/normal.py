"""Training of the normal-behaviour model: it learns from rows that break no limit, and no label is looked at.

It is judged by events on rows held back from it, beside the same baselines as the forecasters. Its threshold is chosen without labels:
what it catches before an alarm counts against its budget like any other warning, so that it raises fewer false alarms than it may.
The baselines, whose thresholds are chosen with labels, are given as many false alarms as it really raised.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alarmstack.alarms.drift import SCORE, ReferenceDistribution
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import NORMALITY, OPERATING, expected
from alarmstack.core.plant import Plant
from alarmstack.evaluation.comparison import BaselineComparison
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.metrics import baseline_recalls
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
    """The judged normal-behaviour model as a Bundle, learnt from all rows of a block, and how it stands beside its baseline."""
    about = next(one for one in expected(plant) if one.column == NORMALITY)
    metrics, comparison = _judge(plant, block, examples)
    lesson = normal_lesson(plant, block)
    model = learn_normal(plant, [lesson]).with_usual_shares([lesson])
    thresholds = normal_thresholds(plant, model)
    usual = reference_of_scores(plant, model(block).score)
    bundle = make_normal_bundle(
        plant,
        about,
        model,
        thresholds=thresholds,
        metrics=metrics,
        card=write_card(
            plant,
            name=about.name,
            title=about.title,
            inputs=f"intervals of {', '.join(model.tags)}",
            estimator=f"experts {', '.join(expert.name for expert in model.settings.experts)}; no label was used",
            metrics=metrics,
            thresholds=thresholds,
            comparison=comparison,
            trained_on=f"{int(lesson.normal.sum())} rows that break no limit, {block.start[0]} to {block.start[-1]}",
        ),
        data_fingerprint=data_fingerprint,
        reference=dict(population) | ({} if usual is None else {SCORE: usual}),
    )
    return bundle, comparison


def normal_thresholds(plant: Plant, model: NormalModel) -> dict[str, float | None]:
    """A threshold for each false-alarm budget, and the operating one, without labels."""
    found = {f"{budget:g}": _threshold(plant, model.held_back, budget) for budget in BUDGETS}
    return found | {
        OPERATING: _threshold(plant, model.held_back, plant.warnings.false_alarms_per_day)
    }


def _judge(
    plant: Plant, block: IntervalBlock, examples: Examples
) -> tuple[dict[str, float], BaselineComparison]:
    """Event figures on held-back rows and on the sealed fifth; the event recall beside the best baseline's."""
    cut, budget = examples.sealed_from, plant.warnings.false_alarms_per_day
    open_rows, sealed = examples.rows(0, cut), examples.rows(cut, len(examples))
    model = learn_normal(plant, [normal_lesson(plant, block.rows(0, cut))])
    threshold = _threshold(plant, model.held_back, budget)
    inner = outcome(open_rows, model.held_back[0].scores, _known(threshold))
    later = outcome(sealed, model(block).score[cut:], _known(threshold))
    metrics = {
        "inner_event_recall": inner.recall,
        "inner_false_alarms_per_day": inner.false_per_day,
        "inner_lead_median_h": float(np.nanmedian(inner.lead))
        if np.isfinite(inner.lead).any()
        else float("nan"),
        "inner_share_in_warning": inner.share_in_warning,
        "sealed_event_recall": later.recall,
        "sealed_false_alarms_per_day": later.false_per_day,
    }
    # The baselines' budgets are held with some standard errors to spare (`events`): here they are given back.
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


def normal_lesson(plant: Plant, block: IntervalBlock) -> TrainingSegment:
    """What may be learnt of a series: its rows that break no limit."""
    normal = _normal(plant, block)
    return TrainingSegment(plant.name, block, normal, ~normal)


def _normal(plant: Plant, block: IntervalBlock) -> Mask:
    return np.asarray((block.segment >= 0) & ~any_rule(plant, block))


def _threshold(plant: Plant, held_back: tuple[HeldBack, ...], budget: float) -> float | None:
    allowed = plant.warnings.model_copy(update={"false_alarms_per_day": budget})
    found = threshold_for(plant.model_copy(update={"warnings": allowed}), held_back)
    return found + plant.normality.offset if np.isfinite(found) and plant.normality else None


def _known(threshold: float | None) -> float:
    return float("inf") if threshold is None else threshold


def normal_scores(plant: Plant, bundle: Bundle, blocks: tuple[IntervalBlock, ...]) -> Floats:
    """Scores of several series, one after the other."""
    model = bundle.open_normal(plant)
    return np.concatenate([model(block).score for block in blocks])


__all__ = ["make_normal", "normal_lesson", "normal_scores", "normal_thresholds"]
