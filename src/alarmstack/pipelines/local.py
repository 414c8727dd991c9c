"""The steps as the command line and the demo run them: settings in, files and registered models
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np

from alarmstack.core.errors import NotPromotedError, StorageError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.model_list import expected
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.core.settings import Settings
from alarmstack.evaluation.baselines import BASELINES, fit_baseline, out_of_fold
from alarmstack.evaluation.splits import inner_folds
from alarmstack.evaluation.table import ScoredModel, TableRow
from alarmstack.evaluation.table import evaluate as judge
from alarmstack.evaluation.thresholds import BUDGETS, thresholds_for
from alarmstack.features.examples import Examples, examples
from alarmstack.models import Recipe, recipes
from alarmstack.pipelines.etl.tables import read_examples, read_intervals
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.datasets import LABEL, write_csv
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.intake import Intake, take_in
from alarmstack.preparation.labels import RegimeBands
from alarmstack.registry import Bundle, Registry
from alarmstack.registry.bundle import BLOCK
from alarmstack.reports.timeline import timeline
from alarmstack.sources import guarded
from alarmstack.storage.files import Store
from alarmstack.training.normal import normal_scores
from alarmstack.training.train import Trained, promote, target_of, train
from alarmstack.training.trial import simulated_trial


def train_latest(
    plant: Plant, settings: Settings, *, seed: int = 0, progress: Progress = silent
) -> tuple[list[Trained], list[str]]:
    """Train on the store's latest run and register; what was trained, and the names that were
    promoted.
    """
    found, manifest = latest_examples(plant, settings)
    block = read_intervals(plant, Store.of(settings), manifest)
    registry = Registry(settings.registry)
    trained = train(
        plant,
        found,
        block,
        registry,
        str(manifest["data_fingerprint"]),
        seed=seed,
        progress=progress,
    )
    return trained, promote(plant, registry, settings.promotion_mode, settings.promotion_metric)


def latest_examples(plant: Plant, settings: Settings) -> tuple[Examples, dict[str, object]]:
    """Examples of the store's latest run and its manifest. Raises StorageError before the first
    run, or of another plant's run.
    """
    store = Store.of(settings)
    manifest = store.latest()
    if manifest is None:
        raise StorageError(f"{settings.store} holds no run: `alarmstack etl SOURCE` makes one")
    if manifest["plant_fingerprint"] != plant.fingerprint:
        raise StorageError(
            f"run {manifest['run']} was made with another plant.toml ({manifest['plant_fingerprint']}, this one is "
            f"{plant.fingerprint}): run the ETL again"
        )
    return read_examples(plant, store, manifest), manifest


def champions(plant: Plant, settings: Settings) -> dict[str, Bundle]:
    """The promoted Bundle of every expected model that has one: only these speak. Raises
    NotPromotedError when none has.
    """
    registry = Registry(settings.registry)
    found = {}
    for one in expected(plant):
        with suppress(NotPromotedError):
            found[one.name] = registry.champion(one.name)
    if not found:
        raise NotPromotedError(
            f"no model of {plant.name} is promoted in {settings.registry}: `alarmstack train`, then `promote`"
        )
    return found


def newest(plant: Plant, settings: Settings) -> dict[str, Bundle]:
    """The newest Bundle of every expected model, promoted or not. Raises NotPromotedError when
    there is none.
    """
    registry = Registry(settings.registry)
    versions = {one.name: registry.newest(one.name) for one in expected(plant)}
    found = {
        name: registry.load(name, version.number)
        for name, version in versions.items()
        if version is not None
    }
    if not found:
        raise NotPromotedError(
            f"{settings.registry} holds no model of {plant.name}: `alarmstack train` makes them"
        )
    return found


def evaluate_simulated(
    plant: Plant,
    settings: Settings,
    bundles: dict[str, Bundle],
    start: datetime,
    days: int,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> list[TableRow]:
    """The evaluation table of those Bundles on simulated plants that nobody trained on."""
    progress("simulating", 0.0)
    trial = simulated_trial(plant, start, days, seeds)
    progress("judging", 0.4)
    data = f"simulated plant, seeds {', '.join(map(str, seeds))}"
    return _evaluate(plant, settings, bundles, data, trial.examples, trial.blocks, trial.precursor)


def evaluate_file(
    plant: Plant, settings: Settings, bundles: dict[str, Bundle], source: Path
) -> list[TableRow]:
    """The evaluation table of those Bundles on a historian file, all of whose rows judge."""
    taken = take_in(plant, source, refused=settings.data / "refused", read=guarded(settings))
    return _evaluate(
        plant,
        settings,
        bundles,
        source.name,
        examples(plant, taken.block, taken.alarm),
        (taken.block,),
        None,
    )


def _evaluate(
    plant: Plant,
    settings: Settings,
    bundles: dict[str, Bundle],
    data: str,
    found: Examples,
    blocks: tuple[IntervalBlock, ...],
    precursor: np.ndarray | None,
) -> list[TableRow]:
    training, _ = latest_examples(plant, settings)
    judged = [
        recipe
        for recipe in recipes(plant)
        if recipe.target == "onset" or recipe.name == recipes(plant)[0].name
    ]
    models = [
        _contestant(recipe, bundles[recipe.name], found)
        for recipe in judged
        if recipe.name in bundles
    ]
    models += [
        _normal(plant, bundle, found, blocks)
        for bundle in bundles.values()
        if bundle.group == BLOCK
    ]
    return judge(data, found, models, _baselines(training, found), precursor)


def _contestant(recipe: Recipe, bundle: Bundle, found: Examples) -> ScoredModel:
    scores = bundle.score(found.features(recipe.group))
    return ScoredModel(
        recipe.name,
        scores,
        _thresholds(bundle),
        target_of(recipe, found),
        recipe.horizon,
        probability=True,
    )


def _normal(
    plant: Plant, bundle: Bundle, found: Examples, blocks: tuple[IntervalBlock, ...]
) -> ScoredModel:
    return ScoredModel(
        bundle.name,
        normal_scores(plant, bundle, blocks),
        _thresholds(bundle),
        np.full(len(found), np.nan),
    )


def _thresholds(bundle: Bundle) -> dict[float, float]:
    return {
        b: float("inf") if (t := bundle.thresholds.get(f"{b:g}")) is None else t for b in BUDGETS
    }


def _baselines(training: Examples, found: Examples) -> list[ScoredModel]:
    """Every baseline, learnt from the training rows, its thresholds chosen on rows
    held back there.
    """
    folds = inner_folds(training)
    made = []
    for name in BASELINES:
        held_back = out_of_fold(name, training, folds)
        thresholds = dict(zip(BUDGETS, thresholds_for(training, held_back, BUDGETS), strict=True))
        made.append(
            ScoredModel(
                name, fit_baseline(name, training)(found), thresholds, np.full(len(found), np.nan)
            )
        )
    return made


def score_source(
    plant: Plant, settings: Settings, source: Path, out: Path, *, operator_log: Path | None = None
) -> tuple[Path, Path]:
    """Score any historian source: model_results.csv and timeline.png."""
    refused, read = settings.data / "refused", guarded(settings)
    taken = take_in(plant, source, operator_log=operator_log, refused=refused, read=read)
    return write_scores(plant, taken, champions(plant, settings), out)


def write_scores(
    plant: Plant, taken: Intake, bundles: dict[str, Bundle], out: Path
) -> tuple[Path, Path]:
    """Write what every model says of every row, and the picture of it. Warnings give way to limit
    rules, which are known live.
    """
    results = score_block(plant, taken.block, bundles, any_rule(plant, taken.block))
    labelled = results.with_columns(**{LABEL: taken.alarm.astype(np.int64)})
    table, picture = out / "model_results.csv", out / "timeline.png"
    write_csv(plant, labelled, table)
    bands = RegimeBands.fit(plant, taken.block)
    timeline(
        plant,
        taken.block,
        results,
        examples(plant, taken.block, taken.alarm, bands).episodes,
        picture,
    )
    return table, picture


__all__ = [
    "champions",
    "evaluate_file",
    "evaluate_simulated",
    "latest_examples",
    "newest",
    "score_source",
    "train_latest",
]
