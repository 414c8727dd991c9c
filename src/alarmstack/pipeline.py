"""The steps as the command line and the demo run them: settings in, files and registered models out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from alarmstack import __version__
from alarmstack.datasets import LABEL, write_csv
from alarmstack.demo import Steps
from alarmstack.derived import any_rule
from alarmstack.errors import NotPromotedError, StorageError
from alarmstack.etl.intake import Intake, ingest, take_in
from alarmstack.etl.local import run as run_etl
from alarmstack.etl.tables import read_examples
from alarmstack.examples import Examples, examples
from alarmstack.labels import RegimeBands
from alarmstack.models import Recipe, recipes
from alarmstack.pictures import recall_picture, timeline
from alarmstack.plant import Plant
from alarmstack.progress import Progress, silent
from alarmstack.registry import Bundle, Registry
from alarmstack.report import evaluation_tables, training_table
from alarmstack.scoring import score_block
from alarmstack.settings import Settings
from alarmstack.simulator import SIMULATOR_VERSION, export, simulate
from alarmstack.storage import Store
from alarmstack.training.evaluate import Contestant, Row
from alarmstack.training.evaluate import evaluate as judge
from alarmstack.training.events import BUDGETS, threshold_for
from alarmstack.training.floors import FLOORS, fit_floor, out_of_fold
from alarmstack.training.splits import inner_folds
from alarmstack.training.train import Trained, promote, target_of, train
from alarmstack.training.trial import simulated_trial

FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
YEAR, MONTH = 365, 28
TRAINING_SEED, DROP_SEED = 1, 7
TRIAL_SEEDS = (101, 102)
"""Seeds of the demo's plants; the trial's are never trained on."""


def train_latest(
    plant: Plant, settings: Settings, *, seed: int = 0, progress: Progress = silent
) -> tuple[list[Trained], list[str]]:
    """Train on the store's latest run and register; what was trained, and the names that were promoted."""
    found, manifest = latest_examples(plant, settings)
    registry = Registry(settings.registry)
    trained = train(plant, found, registry, str(manifest["data_fingerprint"]), seed=seed, progress=progress)
    return trained, promote(plant, registry, trained, settings.promotion_mode, settings.promotion_metric)


def latest_examples(plant: Plant, settings: Settings) -> tuple[Examples, dict[str, object]]:
    """Examples of the store's latest run and its manifest. Raises StorageError before the first run, or of another plant's run."""
    store = Store(settings.store)
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
    """The promoted Bundle of every recipe that has one; only promoted models speak. Raises NotPromotedError when none has."""
    registry = Registry(settings.registry)
    found = {}
    for recipe in recipes(plant):
        with suppress(NotPromotedError):
            found[recipe.name] = registry.champion(recipe.name)
    if not found:
        raise NotPromotedError(f"no model of {plant.name} is promoted in {settings.registry}: `alarmstack train`, then `promote`")
    return found


def evaluate_simulated(
    plant: Plant, settings: Settings, start: datetime, days: int, seeds: Sequence[int], progress: Progress = silent
) -> list[Row]:
    """The evaluation table on simulated plants that nobody trained on."""
    progress("simulating", 0.0)
    trial = simulated_trial(plant, start, days, seeds)
    progress("judging", 0.4)
    return _evaluate(plant, settings, f"simulated plant, seeds {', '.join(map(str, seeds))}", trial.examples, trial.precursor)


def evaluate_file(plant: Plant, settings: Settings, source: Path) -> list[Row]:
    """The evaluation table on a historian file, all of whose rows judge."""
    taken = take_in(plant, source, refused=settings.data / "refused")
    return _evaluate(plant, settings, source.name, examples(plant, taken.block, taken.alarm), None)


def _evaluate(plant: Plant, settings: Settings, data: str, found: Examples, precursor: np.ndarray | None) -> list[Row]:
    training, _ = latest_examples(plant, settings)
    bundles = champions(plant, settings)
    judged = [recipe for recipe in recipes(plant) if recipe.target == "onset" or recipe.name == recipes(plant)[0].name]
    models = [_contestant(recipe, bundles[recipe.name], found) for recipe in judged if recipe.name in bundles]
    return judge(data, found, models, _floors(training, found), precursor)


def _contestant(recipe: Recipe, bundle: Bundle, found: Examples) -> Contestant:
    thresholds = {b: float("inf") if (t := bundle.thresholds.get(f"{b:g}")) is None else t for b in BUDGETS}
    scores = bundle.score(found.features(recipe.group))
    return Contestant(recipe.name, scores, thresholds, target_of(recipe, found), recipe.horizon, probability=True)


def _floors(training: Examples, found: Examples) -> list[Contestant]:
    """Every floor, learnt from the training rows, its thresholds chosen on rows held back there."""
    folds = inner_folds(training)
    made = []
    for name in FLOORS:
        held_back = out_of_fold(name, training, folds)
        thresholds = {b: threshold_for(training, held_back, b) for b in BUDGETS}
        made.append(Contestant(name, fit_floor(name, training)(found), thresholds, np.full(len(found), np.nan)))
    return made


def score_source(
    plant: Plant, settings: Settings, source: Path, out: Path, *, operator_log: Path | None = None
) -> tuple[Path, Path]:
    """Score any historian source: model_results.csv and timeline.png."""
    taken = take_in(plant, source, operator_log=operator_log, refused=settings.data / "refused")
    return write_scores(plant, taken, champions(plant, settings), out)


def write_scores(plant: Plant, taken: Intake, bundles: dict[str, Bundle], out: Path) -> tuple[Path, Path]:
    """Write what every model says of every row, and the picture of it. Warnings give way to limit rules, which are known live."""
    results = score_block(plant, taken.block, bundles, any_rule(plant, taken.block))
    labelled = results.with_columns(**{LABEL: taken.alarm.astype(np.int64)})
    table, picture = out / "model_results.csv", out / "timeline.png"
    write_csv(plant, labelled, table)
    bands = RegimeBands.fit(plant, taken.block)
    timeline(plant, taken.block, results, examples(plant, taken.block, taken.alarm, bands).episodes, picture)
    return table, picture


def run_demo(settings: Settings, console: Console) -> None:
    """Everything a new user needs, each step once; prints where things are and what to do next."""
    from alarmstack.plant import load_plant

    plant, data = load_plant(settings.plant), settings.data
    settings = settings.model_copy(update={"promotion_mode": "auto"})
    steps = Steps(data / "stamps", console)
    origin = f"{__version__} {plant.fingerprint} {SIMULATOR_VERSION}"
    training, drop, results = data / "training", data / "drop", data / "results"
    console.print(f"\n[bold]{plant.title}[/]: from historian files to scored models, in {data}/\n")

    def simulated(folder: Path, days: int, seed: int, form: str) -> Callable[[Progress], str]:
        def work(progress: Progress) -> str:
            made = simulate(plant, start=FIRST_DAY, days=days, seed=seed)
            progress("writing", 0.6)
            export(made, plant, folder, form)
            return f"{days} days, {len(made.readings):,} readings, {form} files in {folder}/"

        return work

    def clean(progress: Progress) -> str:
        taken = take_in(plant, drop, refused=data / "refused")
        paths = ingest(plant, taken, data)
        return f"{len(taken.block)} rows, {int(taken.alarm.sum())} in alarm: {', '.join(str(p) for p in paths)}"

    def features(progress: Progress) -> str:
        manifest = run_etl(plant, take_in(plant, training, refused=data / "refused"), Store(settings.store), progress)
        return f"{manifest['rows']} rows, {manifest['onsets']} onsets, in {settings.store}"

    def models(progress: Progress) -> str:
        trained, promoted = train_latest(plant, settings, progress=progress)
        console.print(training_table(trained, promoted))
        return f"{len(trained)} models registered, {len(promoted)} promoted, in {settings.registry}"

    def judged(progress: Progress) -> str:
        rows = evaluate_simulated(plant, settings, FIRST_DAY, YEAR, TRIAL_SEEDS, progress)
        evaluation = results / "evaluation.json"
        evaluation.parent.mkdir(parents=True, exist_ok=True)
        recall_picture(rows, results / "evaluation.png")
        evaluation.write_text(json.dumps([row.record() for row in rows], indent=1, ensure_ascii=False))
        for table in evaluation_tables(rows):
            console.print(table)
        return f"{len(rows)} figures in {evaluation}"

    def scored(progress: Progress) -> str:
        return ", ".join(str(p) for p in score_source(plant, settings, drop, results))

    steps.step(
        "simulate a year to train on", f"{origin} {TRAINING_SEED}", [training], simulated(training, YEAR, TRAINING_SEED, "parquet")
    )
    steps.step("simulate a month of historian exports", f"{DROP_SEED}", [drop], simulated(drop, MONTH, DROP_SEED, "xlsx"))
    steps.step("ingest the month", "", [data / "cleaned_dataset.csv", data / "labeled_dataset.csv"], clean)
    steps.step("build features of the year", settings.store, [], features)
    steps.step("train and register", settings.registry, [], models)
    steps.step("evaluate on plants nobody trained on", f"{TRIAL_SEEDS}", [results / "evaluation.json"], judged)
    steps.step("score the month", "", [results / "model_results.csv", results / "timeline.png"], scored)
    console.print(
        f"\nWhat the models said of the month: [bold]{results / 'timeline.png'}[/]\n"
        f"How good they are, and the floors: [bold]{results / 'evaluation.png'}[/]\n"
        "Your own data:                     [bold].venv/bin/alarmstack score FILE --out DIR[/]\n"
        "All commands:                      [bold].venv/bin/alarmstack --help[/]\n"
    )


__all__ = ["champions", "evaluate_file", "evaluate_simulated", "latest_examples", "run_demo", "score_source", "train_latest"]
