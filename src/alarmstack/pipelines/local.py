"""The steps of the command line and the demo: settings as input, files and registered models as
output.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np

from alarmstack.core.errors import NotPromotedError, StorageError
from alarmstack.core.intervals import IntervalBlock, Mask
from alarmstack.core.model_list import CHAMPION, model_list
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.core.settings import Settings
from alarmstack.evaluation.baselines import BASELINES, fit_baseline, out_of_fold
from alarmstack.evaluation.metrics import threshold_or_never
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
from alarmstack.preparation.labels import episodes
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
    """Train on the store's latest run and register the models.

    Returns the trained models, and the names of those that were promoted.
    """
    latest, manifest = latest_examples(plant, settings)
    block = read_intervals(plant, Store.of(settings), manifest)
    registry = Registry(settings.registry)
    trained = train(
        plant,
        latest,
        block,
        registry,
        str(manifest["data_fingerprint"]),
        seed=seed,
        progress=progress,
    )
    return trained, promote(plant, registry, settings.promotion_mode, settings.promotion_metric)


def latest_examples(plant: Plant, settings: Settings) -> tuple[Examples, dict[str, object]]:
    """Examples of the store's latest run, and its manifest.

    Raises StorageError before the first run, and if the run was made with another plant.toml.
    """
    store = Store.of(settings)
    manifest = store.latest()
    if manifest is None:
        raise StorageError(f"{settings.store} contains no run: run `alarmstack etl SOURCE`")
    fingerprint = manifest["plant_fingerprint"]
    if fingerprint != plant.fingerprint:
        raise StorageError(
            f"run {manifest['run']} was made with another plant.toml ({fingerprint}, this one is "
            f"{plant.fingerprint}): run the ETL again"
        )
    return read_examples(plant, store, manifest), manifest


def champions(plant: Plant, settings: Settings) -> dict[str, Bundle]:
    """The promoted Bundle of every model that has one: only these are used.

    Raises NotPromotedError if none has.
    """
    registry = Registry(settings.registry)
    bundles = {}
    for entry in model_list(plant):
        with suppress(NotPromotedError):
            bundles[entry.name] = registry.champion(entry.name)
    if not bundles:
        raise NotPromotedError(
            f"no model of {plant.name} is promoted in {settings.registry}: "
            "run `alarmstack train`, then `alarmstack promote`"
        )
    return bundles


def newest(plant: Plant, settings: Settings) -> dict[str, Bundle]:
    """The newest Bundle of every model, promoted or not.

    Raises NotPromotedError if there is none.
    """
    registry = Registry(settings.registry)
    bundles = {}
    for entry in model_list(plant):
        version = registry.newest(entry.name)
        if version is not None:
            bundles[entry.name] = registry.load(entry.name, version.number)
    if not bundles:
        raise NotPromotedError(
            f"{settings.registry} contains no model of {plant.name}: run `alarmstack train`"
        )
    return bundles


def evaluate_simulated(
    plant: Plant,
    settings: Settings,
    bundles: dict[str, Bundle],
    start: datetime,
    days: int,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> list[TableRow]:
    """The evaluation table of those Bundles on simulated plants that no model was trained on."""
    progress("simulating", 0.0)
    trial = simulated_trial(plant, start, days, seeds)
    progress("evaluating", 0.4)
    data = f"simulated plant, seeds {', '.join(map(str, seeds))}"
    return _evaluate(plant, settings, bundles, data, trial.examples, trial.blocks, trial.precursor)


def evaluate_file(
    plant: Plant, settings: Settings, bundles: dict[str, Bundle], source: Path
) -> list[TableRow]:
    """The evaluation table of those Bundles on all rows of a historian file."""
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
    rows: Examples,
    blocks: tuple[IntervalBlock, ...],
    precursor: Mask | None,
) -> list[TableRow]:
    training, _ = latest_examples(plant, settings)
    models = [
        _scored_model(recipe, bundles[recipe.name], rows)
        for recipe in recipes(plant)
        if recipe.name in bundles and (recipe.target == "onset" or recipe.column == CHAMPION)
    ]
    models += [
        _normal(plant, bundle, rows, blocks) for bundle in bundles.values() if bundle.group == BLOCK
    ]
    return judge(data, rows, models, _baselines(training, rows), precursor)


def _scored_model(recipe: Recipe, bundle: Bundle, rows: Examples) -> ScoredModel:
    scores = bundle.score(rows.features(recipe.group))
    return ScoredModel(
        recipe.name,
        scores,
        _thresholds(bundle),
        target_of(recipe, rows),
        recipe.horizon,
        probability=True,
    )


def _normal(
    plant: Plant, bundle: Bundle, rows: Examples, blocks: tuple[IntervalBlock, ...]
) -> ScoredModel:
    scores = normal_scores(plant, bundle, blocks)
    return ScoredModel(bundle.name, scores, _thresholds(bundle), np.full(len(rows), np.nan))


def _thresholds(bundle: Bundle) -> dict[float, float]:
    return {budget: threshold_or_never(bundle.thresholds.get(f"{budget:g}")) for budget in BUDGETS}


def _baselines(training: Examples, rows: Examples) -> list[ScoredModel]:
    """Every baseline, fitted on the training rows; thresholds are chosen on held-back rows."""
    folds = inner_folds(training)
    baselines = []
    for name in BASELINES:
        held_back = out_of_fold(name, training, folds)
        thresholds = dict(zip(BUDGETS, thresholds_for(training, held_back, BUDGETS), strict=True))
        scores = fit_baseline(name, training)(rows)
        baselines.append(ScoredModel(name, scores, thresholds, np.full(len(rows), np.nan)))
    return baselines


def score_source(
    plant: Plant, settings: Settings, source: Path, out: Path, *, operator_log: Path | None = None
) -> tuple[Path, Path]:
    """Score a historian source. Returns the paths of model_results.csv and timeline.png."""
    refused, read = settings.data / "refused", guarded(settings)
    taken = take_in(plant, source, operator_log=operator_log, refused=refused, read=read)
    return write_scores(plant, taken, champions(plant, settings), out)


def write_scores(
    plant: Plant, taken: Intake, bundles: dict[str, Bundle], out: Path
) -> tuple[Path, Path]:
    """Write the scores of all models as a table and a plot.

    No warning is active while a limit rule is met, as in live operation.
    """
    results = score_block(plant, taken.block, bundles, any_rule(plant, taken.block))
    labelled = results.with_columns(**{LABEL: taken.alarm.astype(np.int64)})
    table, plot = out / "model_results.csv", out / "timeline.png"
    write_csv(plant, labelled, table)
    quiet_rows = plant.rows(plant.time.quiet_gap)
    alarm_episodes = episodes(taken.alarm, taken.block.segment, quiet_rows)
    timeline(plant, taken.block, results, alarm_episodes, plot)
    return table, plot


__all__ = [
    "champions",
    "evaluate_file",
    "evaluate_simulated",
    "latest_examples",
    "newest",
    "score_source",
    "train_latest",
]
