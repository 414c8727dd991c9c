"""The demo's tour: everything a new user needs, step by step, from no data at all to models that have been judged.

What a step needs is imported when it runs: a tour on which all is done already takes a moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from alarmstack import __version__
from alarmstack.core.plant import Plant, load_plant
from alarmstack.core.progress import Progress
from alarmstack.core.settings import Settings
from alarmstack.pipelines.steps import Steps

FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
YEAR, MONTH = 365, 28
TRAINING_SEED, DROP_SEED = 1, 7
TRIAL_SEEDS = (101, 102)
"""Seeds of the demo's plants; the trial's are never trained on."""


def run_tour(settings: Settings, console: Console) -> None:
    """Every step once; prints where things are."""
    plant, data = load_plant(settings.plant), settings.data
    settings = settings.model_copy(update={"promotion_mode": "auto"})
    tour = _Tour(plant, settings, console)
    steps = Steps(data / "stamps", console)
    origin = f"{__version__} {plant.fingerprint} {_simulation(plant)}"
    training, drop, results = tour.training, tour.drop, tour.results
    console.print(f"\n[bold]{plant.title}[/]: from historian files to scored models, in {data}/\n")
    steps.step(
        "simulate a year to train on",
        f"{origin} {TRAINING_SEED}",
        [training],
        tour.simulated(YEAR, TRAINING_SEED, "parquet"),
    )
    steps.step(
        "simulate a month of historian exports",
        f"{DROP_SEED}",
        [drop],
        tour.simulated(MONTH, DROP_SEED, "xlsx"),
    )
    steps.step(
        "ingest the month",
        "",
        [data / "cleaned_dataset.csv", data / "labeled_dataset.csv"],
        tour.ingested,
    )
    steps.step("build features of the year", settings.store, [], tour.features)
    steps.step("train and register", settings.registry, [], tour.trained)
    steps.step(
        "evaluate on plants nobody trained on",
        f"{TRIAL_SEEDS}",
        [results / "evaluation.json"],
        tour.judged,
    )
    steps.step(
        "score the month",
        "",
        [results / "model_results.csv", results / "timeline.png"],
        tour.scored,
    )
    console.print(
        f"\nWhat the models said of the month: [bold]{results / 'timeline.png'}[/]\n"
        f"How good they are, and the baselines: [bold]{results / 'evaluation.png'}[/]\n"
        "Your own data:                     [bold].venv/bin/alarmstack score FILE --out DIR[/]\n"
        "All commands:                      [bold].venv/bin/alarmstack --help[/]\n"
    )


class _Tour:
    """The work of each step; what it returns is the line that is printed."""

    def __init__(self, plant: Plant, settings: Settings, console: Console) -> None:
        self.plant, self.settings, self.console = plant, settings, console
        self.training, self.drop, self.results = (
            settings.data / name for name in ("training", "drop", "results")
        )
        self.refused = settings.data / "refused"

    def simulated(self, days: int, seed: int, form: str) -> Callable[[Progress], str]:
        """Write a plant's exports."""
        folder = self.training if form == "parquet" else self.drop

        def work(progress: Progress) -> str:
            from alarmstack.simulator import export, simulate

            made = simulate(self.plant, start=FIRST_DAY, days=days, seed=seed)
            progress("writing", 0.6)
            export(made, self.plant, folder, form)
            return f"{days} days, {len(made.readings):,} readings, {form} files in {folder}/"

        return work

    def ingested(self, progress: Progress) -> str:
        """Take the month in through the gate."""
        from alarmstack.preparation.intake import ingest, take_in

        taken = take_in(self.plant, self.drop, refused=self.refused)
        progress("writing", 0.9)
        paths = ingest(self.plant, taken, self.settings.data)
        return f"{len(taken.block)} rows, {int(taken.alarm.sum())} in alarm: {', '.join(str(p) for p in paths)}"

    def features(self, progress: Progress) -> str:
        """Publish the year's feature tables."""
        from alarmstack.pipelines.etl.local import Archive, run
        from alarmstack.preparation.intake import take_in
        from alarmstack.storage.files import Store

        taken = take_in(self.plant, self.training, refused=self.refused)
        manifest = run(
            self.plant, taken, Store.of(self.settings), progress, Archive.of(self.settings)
        )
        return f"{manifest['rows']} rows, {manifest['onsets']} onsets, in {self.settings.store}"

    def trained(self, progress: Progress) -> str:
        """Train, register and promote."""
        from alarmstack.pipelines.local import train_latest
        from alarmstack.reports.terminal import training_table

        trained, promoted = train_latest(self.plant, self.settings, progress=progress)
        self.console.print(training_table(trained, promoted))
        return f"{len(trained)} models registered, {len(promoted)} promoted, in {self.settings.registry}"

    def judged(self, progress: Progress) -> str:
        """Judge on plants that nobody trained on."""
        from alarmstack.pipelines.local import champions, evaluate_simulated
        from alarmstack.reports.terminal import evaluation_tables, write_rows
        from alarmstack.reports.timeline import recall_picture

        rows = evaluate_simulated(
            self.plant,
            self.settings,
            champions(self.plant, self.settings),
            FIRST_DAY,
            YEAR,
            TRIAL_SEEDS,
            progress,
        )
        self.results.mkdir(parents=True, exist_ok=True)
        recall_picture(rows, self.results / "evaluation.png")
        for table in evaluation_tables(rows):
            self.console.print(table)
        # Last: the step counts as done once this file is there.
        written = write_rows(rows, self.results / "evaluation.json")
        return f"{len(rows)} figures in {written}"

    def scored(self, progress: Progress) -> str:
        """Score the month."""
        from alarmstack.pipelines.local import score_source

        return ", ".join(
            str(p) for p in score_source(self.plant, self.settings, self.drop, self.results)
        )


def _simulation(plant: Plant) -> str:
    """Fingerprint of the simulated plant's numbers."""
    return hashlib.sha256((plant.folder / "simulation.toml").read_bytes()).hexdigest()[:12]


__all__ = ["run_tour"]
