"""The workbench of the notebooks: it loads settings, plant and data, and describes the data.

Relative paths of the settings start at the first folder, from the notebook's folder upwards, that
contains the plant file. ALARMSTACK_NOTEBOOK_DATA names the data, a folder or a file. Without it,
the notebooks show the demo's month and train on the demo's year. Both are simulated if they are
missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from alarmstack.core.clock import FIRST_DAY
from alarmstack.core.errors import AlarmstackError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.model_list import CHAMPION, model_list
from alarmstack.core.plant import Plant, load_plant, write_duration
from alarmstack.core.settings import Settings, load_settings
from alarmstack.evaluation.splits import walk_forward_gap
from alarmstack.evaluation.table import FEW_EVENTS, TableRow
from alarmstack.features.examples import Examples, examples
from alarmstack.pipelines.demo import DROP_SEED, MONTH, TRAINING_SEED, TRIAL_SEEDS, YEAR
from alarmstack.pipelines.etl.local import Archive, manifest_facts, run
from alarmstack.pipelines.etl.tables import read_intervals
from alarmstack.pipelines.local import latest_examples, newest
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.intake import Intake, ingest, known_periods, take_in
from alarmstack.registry import Bundle, Registry
from alarmstack.reports import plots
from alarmstack.reports.plots import Figure
from alarmstack.reports.terminal import write_rows
from alarmstack.reports.timeline import save, timeline_plot
from alarmstack.simulator import export, simulate
from alarmstack.sources import read_source
from alarmstack.storage.files import Store
from alarmstack.training.studies import FEWEST_ROWS, middle_forecaster, reliability
from alarmstack.training.train import Trained, train
from alarmstack.training.trial import Trial, simulated_trial
from alarmstack.training.walk_forward import Walk, fold_metrics, walk_metrics

UNSEEN_DAYS = 180
"""Length of the simulated plant on which models of the demo's year are shown."""
FEWEST_ROWS_OF_FEW_EVENTS = 10
"""Fewest rows of a plotted tenth if there are few events. No claim is made then."""
SECONDS_PER_DAY = 86400
NOT_CAUSAL = (
    "> **A finished dataset, not readings.** Its rows were prepared by other software. Rows can "
    "contain later information: minima and maxima that were interpolated between neighbouring "
    "hours, labels of whole days that were written later, or regimes that use quantiles of the "
    "whole file. Its **labels are not causal**, and scores on it are better than live scores."
)
NO_SUCH_MODEL = (
    "> Nothing to plot: the plant has no such model. A champion needs labels (`[[labels.rules]]` "
    "or `operator_log` in plant.toml). A forecaster also needs `time.horizons`."
)
NO_CLAIM = (
    "the following results demonstrate the method. They do not show how good a model is. Models "
    "that are trained on such data are stored in a separate registry of the notebooks."
)


class Note(str):
    """Text that a notebook displays as Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Rows:
    """Training data: examples, their intervals, the fingerprint of the data, and their source."""

    examples: Examples
    block: IntervalBlock
    fingerprint: str
    source: str

    @property
    def few(self) -> bool:
        """Whether there are too few onsets for a claim about model quality."""
        return len(self.examples.onsets) < FEW_EVENTS


@dataclass(frozen=True)
class Workbench:
    """A plant, its settings and the data of a notebook. `given`: the user named the data."""

    plant: Plant
    settings: Settings
    source: Path
    given: bool

    @property
    def out(self) -> Path:
        """Folder for the files that notebooks write."""
        return self.settings.data / "notebooks"

    @cached_property
    def month(self) -> Intake:
        """The data, after validation."""
        return take_in(self.plant, self.source, refused=self.settings.data / "refused")

    @cached_property
    def periods(self) -> pl.DataFrame:
        """The known periods of trouble in the data, oldest first: start, end (UTC), description."""
        log = known_periods(self.plant, read_source(self.plant, self.source).operator_log)
        first, last = (
            pl.lit(self.month.block.start[at]).dt.replace_time_zone("UTC") for at in (0, -1)
        )
        empty = pl.DataFrame(
            schema={"start": pl.Datetime, "end": pl.Datetime, "description": pl.String}
        )
        if log is None:
            return empty
        return log.filter((pl.col("end") >= first) & (pl.col("start") <= last))

    @cached_property
    def rows(self) -> Rows:
        """The training data: the named data, or the latest run in the store.

        If the store has no run, a simulated year is published first.
        """
        if self.given:
            intake = self.month
            training = examples(self.plant, intake.block, intake.alarm)
            facts = manifest_facts(self.plant, intake, training.sealed_from, len(training.onsets))
            fingerprint = str(facts["data_fingerprint"])
            return Rows(training, intake.block, fingerprint, self.source.name)
        if Store.of(self.settings).latest() is None:
            self._publish_year()
        training, manifest = latest_examples(self.plant, self.settings)
        block = read_intervals(self.plant, Store.of(self.settings), manifest)
        fingerprint = str(manifest["data_fingerprint"])
        return Rows(training, block, fingerprint, f"run {manifest['run']}")

    @cached_property
    def unseen(self) -> Trial | None:
        """A simulated plant that was not used in training; None if the user named the data."""
        if self.given:
            return None
        return simulated_trial(self.plant, FIRST_DAY, UNSEEN_DAYS, TRIAL_SEEDS[:1])

    def registry(self, purpose: str) -> Registry:
        """The registry of the settings; for data with too few events, a separate one.

        No service loads models from the separate registry.
        """
        own = f"sqlite:///{(self.out / 'few_events.db').resolve()}"
        return Registry(own if self.rows.few else self.settings.registry, purpose)

    def train(self) -> list[Trained]:
        """Train and register all models. None is promoted."""
        rows = self.rows
        return train(
            self.plant, rows.examples, rows.block, self.registry("notebooks"), rows.fingerprint
        )

    def chosen(self) -> dict[str, str]:
        """The estimator of each model's newest registered version; empty if none is registered."""
        settings = self.settings.model_copy(update={"tracking_uri": self.registry("notebooks").uri})
        try:
            return {
                name: bundle.made["estimator"]
                for name, bundle in newest(self.plant, settings).items()
            }
        except AlarmstackError:
            return {}

    @property
    def champion(self) -> str | None:
        """Registry name of the champion; None if the plant has no labels."""
        names = (model.name for model in model_list(self.plant) if model.column == CHAMPION)
        return next(names, None)

    @property
    def forecaster(self) -> str | None:
        """Registry name of the forecaster of the middle horizon; None if the plant has none."""
        model = middle_forecaster(model_list(self.plant))
        return None if model is None else model.name

    def contributions_plot(self, bundles: Mapping[str, Bundle], name: str | None) -> Figure | Note:
        """Contributions to the scores of a model; a note if the plant does not have it."""
        if name is None:
            return Note(NO_SUCH_MODEL)
        return plots.contributions_plot(bundles[name], self.rows.examples)

    def explanation_plot(self, bundles: Mapping[str, Bundle]) -> Figure | Note:
        """Explanation of the forecaster's highest score in a quiet row; a note without one."""
        if self.forecaster is None:
            return Note(NO_SUCH_MODEL)
        bundle, rows = bundles[self.forecaster], self.rows.examples
        return plots.explanation_plot(bundle, rows, plots.highest_row(bundle, rows))

    def reliability_plot(self, bundles: Mapping[str, Bundle]) -> Figure | Note:
        """Reliability of the forecasters on an unseen plant; a note if there is none."""
        if self.unseen is None:
            return Note(
                "> There is no unseen data of a similar plant. For reliability, see notebook 3."
            )
        of = f"an unseen simulated plant, {UNSEEN_DAYS} days"
        return plots.reliability_plot(
            reliability(self.plant, bundles, self.unseen), self.plant.registry_prefix, of
        )

    def thresholds_plot(self, bundles: Mapping[str, Bundle]) -> Figure:
        """Scores and thresholds on unseen rows; without unseen rows, on the training rows."""
        if self.unseen is None:
            return plots.thresholds_plot(
                bundles, self.rows.examples, "training rows; results on new rows are worse"
            )
        return plots.thresholds_plot(bundles, self.unseen.examples, "an unseen plant")

    def month_plot(self, bundles: Mapping[str, Bundle]) -> Figure:
        """The model outputs for the month, and its alarms."""
        block = self.month.block
        results = score_block(self.plant, block, bundles, any_rule(self.plant, block))
        episodes = examples(self.plant, block, self.month.alarm).episodes
        return timeline_plot(self.plant, block, results, episodes)

    def walk_reliability_plot(self, validation: Walk) -> Figure:
        """Reliability of all models with probabilities, on the unseen rows of a validation."""
        fewest = FEWEST_ROWS_OF_FEW_EVENTS if self.rows.few else FEWEST_ROWS
        bins = plots.reliability_bins(validation, fewest)
        return plots.reliability_plot(bins, self.plant.registry_prefix, "later rows")

    def log_validation(self, validation: Walk, rows: Sequence[TableRow]) -> Note:
        """Log the metrics of a validation to the experiment `<prefix>_validation`.

        The evaluation table and the plots are logged with them. Returns a note with the run.
        """
        folder = self.out / "validation"
        figures = {
            "folds": plots.folds_plot(validation),
            "curves": plots.curves_plot(validation),
            "sweep": plots.sweep_plot(validation),
            "reliability": self.walk_reliability_plot(validation),
            "horizons": plots.horizons_plot(validation, rows),
            "events": plots.onsets_plot(validation),
            "leads": plots.leads_plot(validation),
        }
        for name, figure in figures.items():
            save(figure, folder / f"{name}.png")
        table = write_rows(rows, folder / "evaluation.json")
        registry, metrics = self.registry("validation"), walk_metrics(validation, rows)
        params = {
            "source": self.rows.source,
            "data_fingerprint": self.rows.fingerprint,
            "plant_fingerprint": self.plant.fingerprint,
            "folds": len(validation.folds),
            "gap": write_duration(walk_forward_gap(self.plant)),
            "judged_rows": len(validation.examples),
            "judged_onsets": len(validation.examples.onsets),
            "claim": "none: too few onsets" if self.rows.few else "see the intervals",
        }
        images = [folder / f"{name}.png" for name in figures]
        run_id = registry.record(
            self.plant.registry_prefix,
            "walk forward",
            metrics,
            params,
            by_fold=fold_metrics(validation),
            artefacts=[table, *images],
        )
        experiment = f"{self.plant.registry_prefix}_{registry.purpose}"
        return Note(
            f"{len(metrics)} metrics are in run `{run_id}` of the experiment `{experiment}`."
        )

    def write_datasets(self) -> tuple[Path, ...]:
        """Write cleaned_dataset.csv and labeled_dataset.csv, as `alarmstack ingest` does."""
        return ingest(self.plant, self.month, self.out)

    def about_month(self) -> Note:
        """A description of the data, with the cautions that apply to them."""
        block, alarm = self.month.block, self.month.alarm
        days = len(block) * self.plant.time.cadence.total_seconds() / SECONDS_PER_DAY
        first, last = (
            str(block.start[at].astype("datetime64[m]")).replace("T", " ") for at in (0, -1)
        )
        line = (
            f"**{self.plant.title}**: `{self.source.name}`, {first} to {last} (UTC), "
            f"{len(block)} rows of {write_duration(self.plant.time.cadence)} ({days:.0f} days), "
            f"{int(alarm.sum())} rows in alarm, {self.periods.height} known periods of trouble."
        )
        return Note("\n\n".join([line, *self._cautions()]))

    def about_rows(self) -> Note:
        """A description of the training data, with the cautions that apply to them."""
        rows, count = self.rows, len(self.rows.examples)
        line = (
            f"Training data: {rows.source}, {count} rows, {len(rows.examples.onsets)} onsets, "
            f"data `{rows.fingerprint}`. "
            f"Registry: experiments `{self.plant.registry_prefix}_…`."
        )
        return Note("\n\n".join([line, *(self._cautions() if self.given else [])]))

    def _cautions(self) -> list[str]:
        cautions = []
        is_finished_dataset = (self.month.block.count < 0).all()
        if is_finished_dataset:
            cautions.append(NOT_CAUSAL)
        onsets = len(examples(self.plant, self.month.block, self.month.alarm).onsets)
        if self.given and onsets < FEW_EVENTS:
            cautions.append(
                f"> **No claim.** {onsets} onsets are fewer than the {FEW_EVENTS} that a metric "
                f"needs: {NO_CLAIM}"
            )
        return cautions

    def _publish_year(self) -> None:
        folder = self.settings.data / "training"
        year = simulate(self.plant, start=FIRST_DAY, days=YEAR, seed=TRAINING_SEED)
        export(year, self.plant, folder, "parquet")
        intake = take_in(self.plant, folder, refused=self.settings.data / "refused")
        run(self.plant, intake, Store.of(self.settings), archive=Archive.of(self.settings))


def open_workbench(settings: Settings | None = None, start: Path | None = None) -> Workbench:
    """The workbench of the settings (default: those of the environment).

    The demo's month is simulated if it is missing. Raises AlarmstackError if no folder from `start`
    (default: the current one) upwards contains the plant file of the settings.
    """
    # MLflow shows progress bars as widgets; without the widget library it prints a warning.
    warnings.filterwarnings("ignore", message="IProgress not found")
    settings = rooted(settings or load_settings(), start or Path.cwd())
    plant = load_plant(settings.plant)
    source = settings.notebook_data or settings.data / "drop"
    if settings.notebook_data is None and not source.exists():
        export(simulate(plant, start=FIRST_DAY, days=MONTH, seed=DROP_SEED), plant, source, "xlsx")
    return Workbench(plant, settings, source, settings.notebook_data is not None)


def rooted(settings: Settings, start: Path) -> Settings:
    """Settings whose relative paths start at the folder that contains the plant file.

    The folder is the first one from `start` upwards that contains it.
    """
    start = start.resolve()
    folders = (start, *start.parents)
    root = next((folder for folder in folders if (folder / settings.plant).is_file()), None)
    if root is None:
        raise AlarmstackError(
            f"{settings.plant} is not in {start} or a folder above it: "
            "set ALARMSTACK_PLANT to the plant file"
        )
    paths: dict[str, Path | None] = {
        name: getattr(settings, name) for name in ("plant", "data", "notebook_data")
    }
    return settings.model_copy(
        update={name: None if path is None else root / path for name, path in paths.items()}
    )


def trained_table(trained: Sequence[Trained]) -> pl.DataFrame:
    """The trained models, each with its metric beside that of its baseline."""
    return pl.DataFrame(
        [
            {
                "model": model.bundle.name,
                "version": model.version,
                "estimator": model.bundle.made["estimator"],
                "metric": model.comparison.metric,
                "value": round(model.comparison.value, 3),
                "baseline": model.comparison.baseline,
                "baseline value": round(model.comparison.baseline_value, 3),
                "better": model.comparison.better,
            }
            for model in trained
        ]
    )


def bundles_of(trained: Sequence[Trained]) -> dict[str, Bundle]:
    """The trained models by name."""
    return {model.bundle.name: model.bundle for model in trained}


__all__ = ["Note", "Rows", "Workbench", "bundles_of", "open_workbench", "rooted", "trained_table"]
