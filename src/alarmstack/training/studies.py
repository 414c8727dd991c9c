"""Three studies on simulated plants that no model was trained on (`alarmstack bench models`).

*Reliability*: where a forecaster predicts 30 %, does an alarm begin in 30 % of the hours?
*Sensor loss*: how good is a forecaster without one instrument?
*Learning curve*: how good are the models on a plant's first days, and after its first, third, tenth
event?

A study covers the models that the plant has. Without a model to study, its result is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar

import numpy as np

from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.model_list import OPERATING
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.events import Outcome, outcome
from alarmstack.evaluation.metrics import threshold_or_never
from alarmstack.evaluation.splits import inner_folds, walk_forward_gap
from alarmstack.evaluation.table import INTERVAL, RESAMPLES
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import build, feature_names, source_of
from alarmstack.models import Recipe, fit, recipes
from alarmstack.models.normality import learn_normal
from alarmstack.registry import Bundle
from alarmstack.training.normal import normal_segment, normal_thresholds
from alarmstack.training.train import choose_thresholds, target_of
from alarmstack.training.trial import Trial

BINS = 10
FEWEST_ROWS = 50
"""Rows below which a bin is not evaluated."""
RELIABLE = 0.05
"""Aim for the difference between predicted and observed share."""
WEEK = timedelta(days=7)
EVENTS = (0, 1, 3, 10, 30)
"""Events after which a plant of the learning curve is trained."""
STARTS = (0.0, 0.25, 0.5)
"""Where a plant's history begins, as shares of the training year."""
FIRST_ROWS = 14 * 24
"""Rows of a history without an event: 14 days of hourly rows. A fit needs rows, not days."""


@dataclass(frozen=True)
class Bin:
    """Rows of one forecaster whose probability is in the same tenth.

    `said`: mean predicted probability; `came`: observed share of rows with an onset. `least` and
    `most`: 95 % interval of came - said. Weeks are resampled, not rows, because the hours of one
    event depend on each other. The field names are keys of `--json`.
    """

    model: str
    low: float
    rows: int
    said: float
    came: float
    least: float
    most: float

    @property
    def gap(self) -> float:
        """The difference between predicted and observed share."""
        return abs(self.said - self.came)

    @property
    def chance(self) -> bool:
        """Whether the aim is within the 95 % interval."""
        return self.least <= RELIABLE and self.most >= -RELIABLE


@dataclass(frozen=True)
class Loss:
    """A forecaster without one instrument ("nothing": with all instruments)."""

    model: str
    without: str
    recall: float
    precursor_recall: float
    false_alarms_per_day: float


@dataclass(frozen=True)
class Learnt:
    """The result after a number of events: mean, lowest and highest over several histories.

    `recall` is NaN if the trial has no onset with a precursor.
    """

    model: str
    events: int
    days: float
    recall: float
    lowest: float
    highest: float
    false_alarms_per_day: float


def reliability(plant: Plant, bundles: Mapping[str, Bundle], trial: Trial) -> list[Bin]:
    """All tenths of all forecasters that contain enough rows."""
    bins: list[Bin] = []
    for recipe, bundle in _forecasters(plant, bundles):
        week = WEEK // trial.examples.step
        scores = bundle.score(trial.examples.window)
        bins += tenths(recipe.name, scores, target_of(recipe, trial.examples), week)
    return bins


def tenths(
    model: str, score: Floats, target: Floats, week: int, fewest: int = FEWEST_ROWS
) -> list[Bin]:
    """All tenths of a series of probabilities that contain at least `fewest` rows.

    Rows with unknown target are left out. `week`: rows per week.
    """
    known = ~np.isnan(target) & ~np.isnan(score)
    tenth = np.full(len(score), -1)
    tenth[known] = np.minimum((score[known] * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        rows = tenth == place
        if rows.sum() >= max(fewest, 1):
            predicted, observed = float(score[rows].mean()), float(target[rows].mean())
            least, most = _interval(rows, target - score, week)
            low = place / BINS
            bins.append(Bin(model, low, int(rows.sum()), predicted, observed, least, most))
    return bins


def _interval(rows: Mask, gap: Floats, week: int) -> tuple[float, float]:
    """95 % interval of a mean over rows, by a bootstrap over the weeks that contain them."""
    week_of_row = np.flatnonzero(rows) // week
    count = np.bincount(week_of_row)
    total = np.bincount(week_of_row, weights=gap[rows])[count > 0]
    count = count[count > 0]
    weeks = len(count)
    draws = np.random.default_rng(0).multinomial(weeks, np.full(weeks, 1 / weeks), RESAMPLES)
    low, high = np.percentile(draws @ total / (draws @ count), INTERVAL)
    return float(low), float(high)


def sensor_loss(
    plant: Plant, bundles: Mapping[str, Bundle], trial: Trial, progress: Progress = silent
) -> list[Loss]:
    """Every forecaster at its operating threshold, with all instruments and without each.

    Empty if no bundle is a forecaster of the plant.
    """
    if not _forecasters(plant, bundles):
        return []
    instruments = [None, *plant.modelled]
    losses = []
    for done, instrument in enumerate(instruments):
        task = f"without {instrument.tag}" if instrument else "with all instruments"
        progress(task, done / len(instruments))
        blocks = trial.blocks
        if instrument is not None:
            blocks = tuple(_without(plant, block, instrument.tag) for block in trial.blocks)
        window = np.concatenate([build(plant, block, "window") for block in blocks])
        without = instrument.tag if instrument else "nothing"
        for recipe, bundle in _forecasters(plant, bundles):
            threshold = threshold_or_never(bundle.thresholds.get(OPERATING))
            result = outcome(trial.examples, bundle.score(window), threshold)
            precursor_recall = _precursor_recall(result, trial)
            losses.append(
                Loss(recipe.name, without, result.recall, precursor_recall, result.false_per_day)
            )
    return sorted(losses, key=lambda loss: loss.model)


def learning_curve(
    plant: Plant,
    training: Examples,
    block: IntervalBlock,
    trial: Trial,
    progress: Progress = silent,
) -> list[Learnt]:
    """The forecaster of the middle horizon and the normal-behaviour model, with little history.

    Without an event a forecaster cannot be trained. After few events there may be no threshold that
    keeps the budget; the forecaster then raises no warning, which counts as recall 0.

    Histories begin at each of `STARTS`. One that ends before the number of events is reached is
    left out, so a training year with few onsets gives fewer numbers of events. The result is empty
    if the plant has neither a forecaster nor a normal-behaviour model.
    """
    recipe = middle_forecaster(recipes(plant))
    if recipe is None and plant.normality is None:
        return []
    reached: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for done, events in enumerate(EVENTS):
        for start in STARTS:
            progress(f"{events} events, from {start:.0%} of the year on", done / len(EVENTS))
            begin = int(start * len(training))
            end = _end_of_history(training, begin, events)
            if end is None:
                continue
            days = (end - begin) * (plant.time.cadence / timedelta(days=1))
            part, intervals = training.rows(begin, end), block.rows(begin, end)
            studied = recipe if events else None
            for model, scores, threshold in _trained(plant, studied, part, intervals, trial):
                result = outcome(trial.examples, scores, threshold)
                recall = _precursor_recall(result, trial)
                reached.setdefault((model, events), []).append((days, recall, result.false_per_day))
    return [_learnt(model, events, runs) for (model, events), runs in reached.items()]


class _WithHorizon(Protocol):
    """A recipe or an entry of the model list."""

    @property
    def horizon(self) -> timedelta | None:
        """How far ahead a forecaster looks; None for another model."""
        ...


Model = TypeVar("Model", bound=_WithHorizon)


def middle_forecaster(models: Iterable[Model]) -> Model | None:
    """The forecaster of the middle horizon; of an even number, the longer of the middle two.

    None if no model is a forecaster.
    """
    by_horizon = {model.horizon: model for model in models if model.horizon is not None}
    horizons = sorted(by_horizon)
    return by_horizon[horizons[len(horizons) // 2]] if horizons else None


def _precursor_recall(result: Outcome, trial: Trial) -> float:
    """Share of the onsets with a precursor that were warned of; NaN without such an onset."""
    hit = ~np.isnan(result.lead[trial.precursor])
    return float(hit.mean()) if len(hit) else float("nan")


def _learnt(model: str, events: int, runs: Sequence[tuple[float, float, float]]) -> Learnt:
    """The summary of runs: days of history, recall, false alarms per day."""
    days, recall, false_per_day = np.array(runs).T
    return Learnt(
        model,
        events,
        days=float(days.mean()),
        recall=float(recall.mean()),
        lowest=float(recall.min()),
        highest=float(recall.max()),
        false_alarms_per_day=float(false_per_day.mean()),
    )


def _trained(
    plant: Plant, recipe: Recipe | None, part: Examples, block: IntervalBlock, trial: Trial
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Name, scores of the trial and threshold of each model that can be trained on these rows.

    `recipe`: the forecaster, or None for the normal-behaviour model only.
    """
    if plant.normality is not None:
        model = learn_normal(plant, [normal_segment(plant, block)])
        scores = np.concatenate([model(of_trial).score for of_trial in trial.blocks])
        threshold = threshold_or_never(normal_thresholds(plant, model)[OPERATING])
        yield f"{plant.registry_prefix}_normality", scores, threshold
    if recipe is not None and len(part.onsets):
        names = feature_names(plant, recipe.group)
        sources = [source_of(plant, name) for name in names]
        features, target = part.features(recipe.group), target_of(recipe, part)
        # In a short history, the rows around a held-back block can be all that there are.
        folds = [
            (fold.train, fold.held_back)
            for fold in inner_folds(part)
            if not np.isnan(target[fold.train]).all()
        ]
        fitted = fit(recipe, names, sources, features, target, folds)
        thresholds = choose_thresholds(recipe, fitted.out_of_fold, part)
        threshold = threshold_or_never(thresholds[OPERATING])
        yield recipe.name, fitted.predict(trial.examples.window), threshold


def _end_of_history(training: Examples, begin: int, events: int) -> int | None:
    """The row after the last of a history that begins in row `begin`; None if it is too short.

    The history contains `events` onsets and, after the last, as much time as the gap of a
    walk-forward fold. Without events it has `FIRST_ROWS`.
    """
    if not events:
        end = begin + FIRST_ROWS
        return end if end <= len(training) else None
    onsets = training.onsets[training.onsets >= begin]
    if len(onsets) < events:
        return None
    after = training.plant.rows(walk_forward_gap(training.plant))
    return min(int(onsets[events - 1]) + after, len(training))


def _forecasters(plant: Plant, bundles: Mapping[str, Bundle]) -> list[tuple[Recipe, Bundle]]:
    return [
        (r, bundles[r.name]) for r in recipes(plant) if r.horizon is not None and r.name in bundles
    ]


def _without(plant: Plant, block: IntervalBlock, tag: str) -> IntervalBlock:
    """A block without the values of one instrument."""
    values = block.values.copy()
    values[:, plant.signals.index(tag)] = np.nan
    return replace(block, values=values)


def study_rows(
    bins: Sequence[Bin], losses: Sequence[Loss], curve: Sequence[Learnt]
) -> list[dict[str, object]]:
    """All results in the form of the other benchmarks: name, value, baseline, ratio, aim, met.

    A value that cannot be measured (NaN) is None, because JSON has no NaN.
    """

    def row(
        study: str,
        name: str,
        value: float,
        baseline: float | None,
        about: Bin | Loss | Learnt,
        aim: float | None = None,
    ) -> dict[str, object]:
        ratio = value / baseline if baseline else None
        met = None if aim is None else abs(value - (baseline or 0.0)) <= aim
        result: dict[str, object] = {
            "name": f"{study}: {name}",
            "value": value,
            "baseline": baseline,
            "ratio": ratio,
            "aim": aim,
            "met": met,
        }
        measured = result | asdict(about)
        return {key: None if _is_nan(value) else value for key, value in measured.items()}

    whole = {loss.model: loss.recall for loss in losses if loss.without == "nothing"}
    return [
        *(row("reliability", f"{b.model} {b.low:.0%}", b.came, b.said, b, RELIABLE) for b in bins),
        *(
            row("sensor loss", f"{x.model} without {x.without}", x.recall, whole[x.model], x)
            for x in losses
        ),
        *(
            row("learning curve", f"{c.model} after {c.events} events", c.recall, None, c)
            for c in curve
        ),
    ]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


__all__ = [
    "FEWEST_ROWS",
    "RELIABLE",
    "Bin",
    "Learnt",
    "Loss",
    "learning_curve",
    "middle_forecaster",
    "reliability",
    "sensor_loss",
    "study_rows",
    "tenths",
]
