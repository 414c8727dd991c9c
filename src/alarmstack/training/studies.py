"""Three studies of the models on simulated plants that nobody trained on: what `alarmstack bench models` prints.

*Reliability*: where a forecaster said 30 %, did an alarm begin in 30 % of the hours? *Sensor loss*: what is left of a forecaster
when one instrument is gone? *Learning curve*: what a plant may expect on its first day, and after its first, third, tenth event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import numpy as np

from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.events import outcome
from alarmstack.evaluation.splits import inner_folds
from alarmstack.evaluation.table import INTERVAL, RESAMPLES
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import build, feature_names, source_of
from alarmstack.models import Recipe, fit, recipes
from alarmstack.models.normality import learn_normal
from alarmstack.registry import Bundle
from alarmstack.training.normal import normal_lesson, normal_thresholds
from alarmstack.training.train import OPERATING, choose_thresholds, target_of
from alarmstack.training.trial import Trial

BINS = 10
FEWEST_ROWS = 50
"""Rows below which a bin says nothing."""
RELIABLE = 0.05
"""Aim: what was said and what came are no farther apart."""
WEEK = timedelta(days=7)
EVENTS = (0, 1, 3, 10, 30)
STARTS = (0.0, 0.25, 0.5)
"""Where in the training year a new plant's life begins, as shares of it."""
FIRST_DAYS = timedelta(days=14)
"""What a plant without an event has recorded before anything is learnt."""
AFTER = timedelta(hours=24)
"""How long after its last event a plant is trained."""


@dataclass(frozen=True)
class Bin:
    """Rows of one forecaster whose probability lay in a tenth: how many, what was said on average, and what came.

    `least` and `most`: 95 % interval of came − said. Hours of one event go together, so that weeks are resampled, not rows.
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
        """How far the two are apart."""
        return abs(self.said - self.came)

    @property
    def chance(self) -> bool:
        """Whether rows that are as reliable as aimed at may come out like this."""
        return self.least <= RELIABLE and self.most >= -RELIABLE


@dataclass(frozen=True)
class Loss:
    """A forecaster without one instrument ("nothing": with all)."""

    model: str
    without: str
    recall: float
    precursor_recall: float
    false_alarms_per_day: float


@dataclass(frozen=True)
class Learnt:
    """What was reached after so many events, as mean, lowest and highest of several beginnings."""

    model: str
    events: int
    days: float
    recall: float
    lowest: float
    highest: float
    false_alarms_per_day: float


def reliability(plant: Plant, bundles: Mapping[str, Bundle], trial: Trial) -> list[Bin]:
    """Every tenth of every forecaster that holds enough rows."""
    found: list[Bin] = []
    for recipe, bundle in _forecasters(plant, bundles):
        week = WEEK // trial.examples.step
        found += tenths(
            recipe.name,
            bundle.score(trial.examples.window),
            target_of(recipe, trial.examples),
            week,
        )
    return found


def tenths(
    model: str, score: Floats, target: Floats, week: int, fewest: int = FEWEST_ROWS
) -> list[Bin]:
    """Every tenth of a series of probabilities that holds at least so many rows whose target is known. `week`: rows of one."""
    known = ~np.isnan(target) & ~np.isnan(score)
    tenth = np.full(len(score), -1)
    tenth[known] = np.minimum((score[known] * BINS).astype(int), BINS - 1)
    found = []
    for place in range(BINS):
        rows = tenth == place
        if rows.sum() >= max(fewest, 1):
            said, came = float(score[rows].mean()), float(target[rows].mean())
            found.append(
                Bin(
                    model,
                    place / BINS,
                    int(rows.sum()),
                    said,
                    came,
                    *_interval(rows, target - score, week),
                )
            )
    return found


def _interval(rows: Mask, gap: Floats, week: int) -> tuple[float, float]:
    """95 % interval of a mean over rows, by a bootstrap over the weeks that hold some of them."""
    of = np.flatnonzero(rows) // week
    count = np.bincount(of)
    total = np.bincount(of, weights=gap[rows])[count > 0]
    count = count[count > 0]
    weeks = len(count)
    draws = np.random.default_rng(0).multinomial(weeks, np.full(weeks, 1 / weeks), RESAMPLES)
    low, high = np.percentile(draws @ total / (draws @ count), INTERVAL)
    return float(low), float(high)


def sensor_loss(
    plant: Plant, bundles: Mapping[str, Bundle], trial: Trial, progress: Progress = silent
) -> list[Loss]:
    """Every forecaster at its operating threshold with all instruments, then without each in turn."""
    lost = [None, *(i for i in plant.modelled)]
    found = []
    for done, instrument in enumerate(lost):
        progress(
            f"without {instrument.tag}" if instrument else "with all instruments", done / len(lost)
        )
        given = (
            trial.blocks
            if instrument is None
            else [_without(plant, block, instrument.tag) for block in trial.blocks]
        )
        window = np.concatenate([build(plant, block, "window") for block in given])
        for recipe, bundle in _forecasters(plant, bundles):
            said = outcome(trial.examples, bundle.score(window), _threshold(bundle.thresholds))
            hit = ~np.isnan(said.lead)
            without = instrument.tag if instrument else "nothing"
            announced = (
                float(np.mean(hit[trial.precursor])) if trial.precursor.any() else float("nan")
            )
            found.append(
                Loss(recipe.name, without, float(np.mean(hit)), announced, said.false_per_day)
            )
    return sorted(found, key=lambda one: one.model)


def learning_curve(
    plant: Plant,
    training: Examples,
    block: IntervalBlock,
    trial: Trial,
    progress: Progress = silent,
) -> list[Learnt]:
    """The forecaster of the middle horizon and the normal-behaviour model, trained on a plant's first days in its life.

    A plant without an event has nothing for a forecaster to learn; of few events a forecaster may find no threshold that keeps the
    budget and stays silent, which counts as recall 0.
    """
    recipe = sorted(
        (r for r in recipes(plant) if r.horizon), key=lambda r: r.horizon or timedelta()
    )[len(plant.time.horizons) // 2]
    reached: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for done, events in enumerate(EVENTS):
        for start in STARTS:
            progress(f"{events} events, beginning at {start:.0%} of the year", done / len(EVENTS))
            begin, end = _life(training, int(start * len(training)), events)
            days = (end - begin) * (plant.time.cadence / timedelta(days=1))
            part, life = training.rows(begin, end), block.rows(begin, end)
            for model, scores, threshold in _contenders(
                plant, recipe, part, life, trial, labelled=events > 0
            ):
                said = outcome(trial.examples, scores, threshold)
                recall = float(np.mean(~np.isnan(said.lead)[trial.precursor]))
                reached.setdefault((model, events), []).append((days, recall, said.false_per_day))
    return [
        Learnt(
            model,
            events,
            *(
                float(v)
                for v in (days.mean(), recall.mean(), recall.min(), recall.max(), false.mean())
            ),
        )
        for (model, events), runs in reached.items()
        for days, recall, false in [np.array(runs).T]
    ]


def _contenders(
    plant: Plant,
    recipe: Recipe,
    part: Examples,
    block: IntervalBlock,
    trial: Trial,
    *,
    labelled: bool,
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Name, scores of the trial and threshold of each model that can be learnt from these rows."""
    if plant.normality is not None:
        model = learn_normal(plant, [normal_lesson(plant, block)])
        scores = np.concatenate([model(one).score for one in trial.blocks])
        yield (
            f"{plant.registry_prefix}_normality",
            scores,
            _threshold(normal_thresholds(plant, model)),
        )
    if labelled and len(part.onsets):
        names = feature_names(plant, recipe.group)
        folds = [(fold.train, fold.held_back) for fold in inner_folds(part)]
        sources = [source_of(plant, name) for name in names]
        fitted = fit(
            recipe, names, sources, part.features(recipe.group), target_of(recipe, part), folds
        )
        threshold = _threshold(choose_thresholds(recipe, fitted.out_of_fold, part))
        yield recipe.name, fitted.predict(trial.examples.window), threshold


def _life(training: Examples, begin: int, events: int) -> tuple[int, int]:
    """First and last row of a plant's life until a day after so many events, or its first fortnight without any."""
    ahead = training.onsets[training.onsets >= begin]
    if events:
        return begin, min(int(ahead[events - 1]) + training.plant.rows(AFTER), len(training))
    return begin, begin + training.plant.rows(FIRST_DAYS)


def _forecasters(plant: Plant, bundles: Mapping[str, Bundle]) -> list[tuple[Recipe, Bundle]]:
    return [
        (r, bundles[r.name]) for r in recipes(plant) if r.horizon is not None and r.name in bundles
    ]


def _without(plant: Plant, block: IntervalBlock, tag: str) -> IntervalBlock:
    """A block in which an instrument never spoke."""
    values = block.values.copy()
    values[:, plant.signals.index(tag)] = np.nan
    return replace(block, values=values)


def _threshold(thresholds: Mapping[str, float | None]) -> float:
    found = thresholds.get(OPERATING)
    return float("inf") if found is None else found


def study_rows(
    bins: Sequence[Bin], losses: Sequence[Loss], curve: Sequence[Learnt]
) -> list[dict[str, object]]:
    """All figures in the form of the other benchmarks: name, value, baseline, ratio, aim, met, and what they are about."""

    def row(
        study: str,
        name: str,
        value: float,
        baseline: float | None,
        about: object,
        aim: float | None = None,
    ) -> dict[str, object]:
        ratio = value / baseline if baseline else None
        met = None if aim is None else abs(value - (baseline or 0.0)) <= aim
        made = {
            "name": f"{study}: {name}",
            "value": value,
            "baseline": baseline,
            "ratio": ratio,
            "aim": aim,
            "met": met,
        }
        return made | asdict(about)  # type: ignore[call-overload,no-any-return]

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


__all__ = [
    "FEWEST_ROWS",
    "RELIABLE",
    "Bin",
    "Learnt",
    "Loss",
    "learning_curve",
    "reliability",
    "sensor_loss",
    "study_rows",
    "tenths",
]
