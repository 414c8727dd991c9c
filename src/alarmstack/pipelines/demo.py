"""The steps of the demo, from simulated files to evaluated models and a scored month.

Each step imports what it needs when it runs, so that a demo with all steps completed starts
quickly.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from alarmstack import __version__
from alarmstack.core.checksum import fingerprint
from alarmstack.core.clock import FIRST_DAY
from alarmstack.core.plant import Plant, load_plant
from alarmstack.core.progress import Progress
from alarmstack.core.settings import Settings
from alarmstack.pipelines.steps import Steps

YEAR, MONTH = 365, 28
TRAINING_SEED, DROP_SEED = 1, 7
TRIAL_SEEDS = (101, 102)
"""Seeds of the demo's plants. Those of the trial are not used in training."""


def run_demo(settings: Settings, console: Console) -> None:
    """Run every step that is not completed yet, and print where the results are."""
    plant, data = load_plant(settings.plant), settings.data
    settings = settings.model_copy(update={"promotion_mode": "auto"})
    work = _Work(plant, settings, console)
    steps = Steps(data / "stamps", console)
    origin = f"{__version__} {plant.fingerprint} {_simulation(plant)}"
    training, drop, results = work.training, work.drop, work.results
    console.print(f"\n[bold]{plant.title}[/]: from historian files to scored models, in {data}/\n")
    steps.step(
        "simulate a year to train on",
        f"{origin} {TRAINING_SEED}",
        [training],
        work.simulate(YEAR, TRAINING_SEED, "parquet"),
    )
    steps.step(
        "simulate a month of historian exports",
        f"{DROP_SEED}",
        [drop],
        work.simulate(MONTH, DROP_SEED, "xlsx"),
    )
    steps.step(
        "ingest the month",
        "",
        [data / "cleaned_dataset.csv", data / "labeled_dataset.csv"],
        work.ingest,
    )
    steps.step("build features of the year", settings.store, [], work.build_features)
    steps.step("train and register", settings.registry, [], work.train)
    steps.step(
        "evaluate on unseen plants",
        f"{TRIAL_SEEDS}",
        [results / "evaluation.json"],
        work.evaluate,
    )
    steps.step(
        "score the month",
        "",
        [results / "model_results.csv", results / "timeline.png"],
        work.score,
    )
    console.print(
        f"\nModel outputs for the month:       [bold]{results / 'timeline.png'}[/]\n"
        f"Evaluation with baselines:         [bold]{results / 'evaluation.png'}[/]\n"
        "Your own data:                     [bold].venv/bin/alarmstack score FILE --out DIR[/]\n"
        "All commands:                      [bold].venv/bin/alarmstack --help[/]\n"
    )


class _Work:
    """The work of each step. Each method returns the line that is printed."""

    def __init__(self, plant: Plant, settings: Settings, console: Console) -> None:
        self.plant, self.settings, self.console = plant, settings, console
        self.training, self.drop, self.results = (
            settings.data / name for name in ("training", "drop", "results")
        )
        self.refused = settings.data / "refused"

    def simulate(self, days: int, seed: int, form: str) -> Callable[[Progress], str]:
        """Write the historian files of a simulated plant."""
        folder = self.training if form == "parquet" else self.drop

        def work(progress: Progress) -> str:
            from alarmstack.simulator import export, simulate

            simulation = simulate(self.plant, start=FIRST_DAY, days=days, seed=seed)
            progress("writing", 0.6)
            export(simulation, self.plant, folder, form)
            return f"{days} days, {len(simulation.readings):,} readings, {form} files in {folder}/"

        return work

    def ingest(self, progress: Progress) -> str:
        """Validate the month and write its datasets."""
        from alarmstack.preparation.intake import ingest, take_in

        intake = take_in(self.plant, self.drop, refused=self.refused)
        progress("writing", 0.9)
        paths = ingest(self.plant, intake, self.settings.data)
        files = ", ".join(map(str, paths))
        return f"{len(intake.block)} rows, {int(intake.alarm.sum())} in alarm: {files}"

    def build_features(self, progress: Progress) -> str:
        """Publish the year's feature tables."""
        from alarmstack.pipelines.etl.local import Archive, run
        from alarmstack.preparation.intake import take_in
        from alarmstack.storage.files import Store

        intake = take_in(self.plant, self.training, refused=self.refused)
        store, archive = Store.of(self.settings), Archive.of(self.settings)
        manifest = run(self.plant, intake, store, progress, archive)
        return f"{manifest['rows']} rows, {manifest['onsets']} onsets, in {self.settings.store}"

    def train(self, progress: Progress) -> str:
        """Train, register and promote."""
        from alarmstack.pipelines.local import train_latest
        from alarmstack.reports.terminal import training_table

        trained, promoted = train_latest(self.plant, self.settings, progress=progress)
        self.console.print(training_table(trained, promoted))
        counts = f"{len(trained)} models registered, {len(promoted)} promoted"
        return f"{counts}, in {self.settings.registry}"

    def evaluate(self, progress: Progress) -> str:
        """Evaluate on plants that were not used in training."""
        from alarmstack.pipelines.local import champions, evaluate_simulated
        from alarmstack.reports.terminal import evaluation_tables, write_rows
        from alarmstack.reports.timeline import recall_plot

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
        recall_plot(rows, self.results / "evaluation.png")
        for table in evaluation_tables(rows):
            self.console.print(table)
        # This file is written last: it marks the step as completed.
        path = write_rows(rows, self.results / "evaluation.json")
        return f"{len(rows)} metrics in {path}"

    def score(self, progress: Progress) -> str:
        """Score the month."""
        from alarmstack.pipelines.local import score_source

        paths = score_source(self.plant, self.settings, self.drop, self.results)
        return ", ".join(map(str, paths))


def _simulation(plant: Plant) -> str:
    """Fingerprint of the parameters of the simulated plant."""
    return fingerprint((plant.folder / "simulation.toml").read_bytes())[:12]


__all__ = ["run_demo"]
