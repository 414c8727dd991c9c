"""The workbench: what the notebooks begin with. It finds settings, plant and data, makes what is absent, and says what they are.

A notebook runs wherever it is opened: relative paths of the settings begin at the folder that holds the plant file, upwards of the
one it was started in. ALARMSTACK_NOTEBOOK_DATA names the data to look at, a drop folder or a file; without it the demo's month is
looked at, and its year is learnt from.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from alarmstack.core.errors import AlarmstackError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.model_list import model_list
from alarmstack.core.plant import Plant, load_plant, write_duration
from alarmstack.core.settings import Settings, load_settings
from alarmstack.evaluation.splits import GAP
from alarmstack.evaluation.table import FEW_EVENTS, Row
from alarmstack.features.examples import Examples, examples
from alarmstack.pipelines.demo import DROP_SEED, FIRST_DAY, MONTH, TRAINING_SEED, TRIAL_SEEDS, YEAR
from alarmstack.pipelines.etl.local import Archive, run, told_of
from alarmstack.pipelines.etl.tables import read_intervals
from alarmstack.pipelines.local import latest_examples, newest
from alarmstack.pipelines.scoring import score_block
from alarmstack.preparation.derived import any_rule
from alarmstack.preparation.intake import Intake, ingest, known_periods, take_in
from alarmstack.registry.bundles import Bundle, Registry
from alarmstack.reports import plots as figures
from alarmstack.reports.terminal import write_rows
from alarmstack.reports.timeline import draw_timeline, save
from alarmstack.simulator import export, simulate
from alarmstack.sources import read_source
from alarmstack.storage.files import Store
from alarmstack.training.studies import FEWEST_ROWS, reliability
from alarmstack.training.train import Trained, train
from alarmstack.training.trial import Trial, simulated_trial
from alarmstack.training.walk_forward import Walk, fold_metrics, walk_metrics

UNSEEN_DAYS = 180
"""Length of the simulated plant that models trained on the demo's year are looked at with."""
FEWEST_IN_SHORT = 10
"""Rows of a tenth that is drawn where there are few events; no claim is made there."""
NOT_CAUSAL = (
    "> **A finished dataset, not readings.** Whoever made its rows decided what each of them knows. Where minima and maxima of "
    "hours without a reading were filled in from their neighbours, where labels are whole days written down later, or where "
    "regimes use quantiles of the whole file, rows know what was not known then: its **labels are not causal**, and scores on it "
    "are better than any live ones."
)
NO_CLAIM = (
    "what follows shows the method on these data and says nothing of how good a model is. Models of such data go to a registry "
    "of the notebooks' own."
)


class Note(str):
    """Markdown that a notebook shows as such."""

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Rows:
    """What models learn from: examples, the intervals behind them, the data's fingerprint, and where they come from."""

    examples: Examples
    block: IntervalBlock
    fingerprint: str
    source: str

    @property
    def few(self) -> bool:
        """Whether there are too few onsets for any claim."""
        return len(self.examples.onsets) < FEW_EVENTS


@dataclass(frozen=True)
class Workbench:
    """A plant, its settings and the data that a notebook looks at. `given`: somebody named the data."""

    plant: Plant
    settings: Settings
    source: Path
    given: bool

    @property
    def out(self) -> Path:
        """Folder of what notebooks write."""
        return self.settings.data / "notebooks"

    @cached_property
    def month(self) -> Intake:
        """The data, taken in through the gate."""
        return take_in(self.plant, self.source, refused=self.settings.data / "refused")

    @cached_property
    def periods(self) -> pl.DataFrame:
        """The known periods of trouble that touch the data, oldest first: start, end (UTC), description."""
        log = known_periods(self.plant, read_source(self.plant, self.source).operator_log)
        first, last = (
            pl.lit(self.month.block.start[at]).dt.replace_time_zone("UTC") for at in (0, -1)
        )
        empty = pl.DataFrame(
            schema={"start": pl.Datetime, "end": pl.Datetime, "description": pl.String}
        )
        return (
            empty
            if log is None
            else log.filter((pl.col("end") >= first) & (pl.col("start") <= last))
        )

    @cached_property
    def rows(self) -> Rows:
        """What models learn from: the named data; else the store's latest run, made of a simulated year where there is none."""
        if self.given:
            taken = self.month
            found = examples(self.plant, taken.block, taken.alarm)
            told = told_of(self.plant, taken, found.sealed_from, len(found.onsets))
            return Rows(found, taken.block, str(told["data_fingerprint"]), self.source.name)
        if Store.of(self.settings).latest() is None:
            self._make_year()
        found, manifest = latest_examples(self.plant, self.settings)
        block = read_intervals(self.plant, Store.of(self.settings), manifest)
        return Rows(found, block, str(manifest["data_fingerprint"]), f"run {manifest['run']}")

    @cached_property
    def unseen(self) -> Trial | None:
        """A simulated plant that nobody trained on; None for named data, which have no such twin."""
        return (
            None
            if self.given
            else simulated_trial(self.plant, FIRST_DAY, UNSEEN_DAYS, TRIAL_SEEDS[:1])
        )

    def registry(self, purpose: str) -> Registry:
        """The settings' registry; for data with too few events one of the notebooks' own, where no service looks for champions."""
        own = f"sqlite:///{(self.out / 'few_events.db').resolve()}"
        return Registry(own if self.rows.few else self.settings.registry, purpose)

    def train(self) -> list[Trained]:
        """Train and register all models, promoting none."""
        rows = self.rows
        return train(
            self.plant, rows.examples, rows.block, self.registry("notebooks"), rows.fingerprint
        )

    def chosen(self) -> dict[str, str]:
        """The estimator of each model's newest registered version; empty where nothing is registered."""
        settings = self.settings.model_copy(update={"tracking_uri": self.registry("notebooks").uri})
        try:
            return {
                name: bundle.made["estimator"]
                for name, bundle in newest(self.plant, settings).items()
            }
        except AlarmstackError:
            return {}

    @property
    def forecaster(self) -> str:
        """Registry name of the forecaster of the middle horizon."""
        horizons = sorted(self.plant.time.horizons)
        return next(
            one.name
            for one in model_list(self.plant)
            if one.horizon == horizons[len(horizons) // 2]
        )

    def reliability_figure(self, bundles: Mapping[str, Bundle]) -> Figure | Note:
        """Reliability of the forecasters on a plant that nobody trained on; a note where there is none."""
        if self.unseen is None:
            return Note(
                "> No plant like this one is at hand that the models have not seen: see notebook 3."
            )
        of = f"a simulated plant that nobody trained on, {UNSEEN_DAYS} days"
        return figures.reliability_figure(
            reliability(self.plant, bundles, self.unseen), self.plant.registry_prefix, of
        )

    def thresholds_figure(self, bundles: Mapping[str, Bundle]) -> Figure:
        """Scores and thresholds on rows that nobody trained on; where there are none, on those learnt from, and it says so."""
        if self.unseen is None:
            return figures.thresholds_figure(
                bundles, self.rows.examples, "rows they learnt from, new ones look worse"
            )
        return figures.thresholds_figure(bundles, self.unseen.examples, "a plant nobody trained on")

    def timeline_figure(self, bundles: Mapping[str, Bundle]) -> Figure:
        """What the models said of the month to look at, and what happened."""
        block = self.month.block
        results = score_block(self.plant, block, bundles, any_rule(self.plant, block))
        return draw_timeline(
            self.plant, block, results, examples(self.plant, block, self.month.alarm).episodes
        )

    def walk_reliability_figure(self, found: Walk) -> Figure:
        """Reliability of all models that say probabilities, on rows that they had not seen in a walk."""
        fewest = FEWEST_IN_SHORT if self.rows.few else FEWEST_ROWS
        bins = figures.reliability_bins(found, fewest)
        return figures.reliability_figure(bins, self.plant.registry_prefix, "rows that came later")

    def log_validation(self, found: Walk, rows: Sequence[Row]) -> Note:
        """Log a walk's figures to the experiment `<prefix>_validation`, its table and drawings beside them; where they went."""
        folder = self.out / "validation"
        drawn = {
            "folds": figures.folds_figure(found),
            "curves": figures.curves_figure(found),
            "sweep": figures.sweep_figure(found),
            "reliability": self.walk_reliability_figure(found),
            "horizons": figures.horizons_figure(found, rows),
            "events": figures.events_view(found),
            "leads": figures.leads_figure(found),
        }
        for name, figure in drawn.items():
            save(figure, folder / f"{name}.png")
        table = write_rows(rows, folder / "evaluation.json")
        registry, metrics = self.registry("validation"), walk_metrics(found, rows)
        params = {
            "source": self.rows.source,
            "data_fingerprint": self.rows.fingerprint,
            "plant_fingerprint": self.plant.fingerprint,
            "folds": len(found.folds),
            "gap": write_duration(GAP),
            "judged_rows": len(found.examples),
            "judged_onsets": len(found.examples.onsets),
            "claim": "none: too few onsets" if self.rows.few else "see the intervals",
        }
        pictures = [folder / f"{name}.png" for name in drawn]
        run_id = registry.record(
            self.plant.registry_prefix,
            "walk forward",
            metrics,
            params,
            by_fold=fold_metrics(found),
            artefacts=[table, *pictures],
        )
        experiment = f"{self.plant.registry_prefix}_{registry.purpose}"
        return Note(
            f"{len(metrics)} figures are in run `{run_id}` of the experiment `{experiment}`."
        )

    def write_datasets(self) -> tuple[Path, ...]:
        """cleaned_dataset.csv and labeled_dataset.csv, as `alarmstack ingest` writes them."""
        return ingest(self.plant, self.month, self.out)

    def about_month(self) -> Note:
        """What the data to look at are, and what is to be known before they are trusted."""
        block, alarm = self.month.block, self.month.alarm
        days = len(block) * self.plant.time.cadence.total_seconds() / 86400
        first, last = (
            str(block.start[at].astype("datetime64[m]")).replace("T", " ") for at in (0, -1)
        )
        lines = [
            f"**{self.plant.title}**: `{self.source.name}`, {first} to {last} (UTC), {len(block)} rows of "
            f"{write_duration(self.plant.time.cadence)} ({days:.0f} days), {int(alarm.sum())} of them in alarm, "
            f"{self.periods.height} known periods of trouble."
        ]
        return Note("\n\n".join([*lines, *self._caveats()]))

    def about_rows(self) -> Note:
        """What models learn from, and how much may be claimed of it."""
        rows = self.rows
        found = rows.examples
        line = (
            f"Learnt from: {rows.source}, {len(found)} rows, {len(found.onsets)} onsets, data `{rows.fingerprint}`. "
            f"Registry: experiments `{self.plant.registry_prefix}_…`."
        )
        return Note("\n\n".join([line, *(self._caveats() if self.given else [])]))

    def _caveats(self) -> list[str]:
        finished = (self.month.block.count < 0).all()
        onsets = len(examples(self.plant, self.month.block, self.month.alarm).onsets)
        few = f"> **No claim.** {onsets} onsets are fewer than the {FEW_EVENTS} that a figure needs: {NO_CLAIM}"
        return [
            *([NOT_CAUSAL] if finished else []),
            *([few] if self.given and onsets < FEW_EVENTS else []),
        ]

    def _make_year(self) -> None:
        folder = self.settings.data / "training"
        export(
            simulate(self.plant, start=FIRST_DAY, days=YEAR, seed=TRAINING_SEED),
            self.plant,
            folder,
            "parquet",
        )
        taken = take_in(self.plant, folder, refused=self.settings.data / "refused")
        run(self.plant, taken, Store.of(self.settings), archive=Archive.of(self.settings))


def open_workbench(settings: Settings | None = None, start: Path | None = None) -> Workbench:
    """The workbench of the settings, by default those of the environment; the demo's month is made where it is absent.

    Raises AlarmstackError where no folder from `start` upwards (default: the current one) holds the settings' plant file.
    """
    # Progress bars would be widgets, and nobody needs them here.
    warnings.filterwarnings("ignore", message="IProgress not found")
    found = rooted(settings or load_settings(), start or Path.cwd())
    plant = load_plant(found.plant)
    source = found.notebook_data or found.data / "drop"
    if found.notebook_data is None and not source.exists():
        export(simulate(plant, start=FIRST_DAY, days=MONTH, seed=DROP_SEED), plant, source, "xlsx")
    return Workbench(plant, found, source, found.notebook_data is not None)


def rooted(settings: Settings, start: Path) -> Settings:
    """Settings whose relative paths begin at the first folder from `start` upwards that holds the plant file."""
    start = start.resolve()
    root = next(
        (folder for folder in (start, *start.parents) if (folder / settings.plant).is_file()), None
    )
    if root is None:
        raise AlarmstackError(
            f"{settings.plant} is in no folder from {start} upwards: set ALARMSTACK_PLANT to the plant's description"
        )
    paths: dict[str, Path | None] = {
        name: getattr(settings, name) for name in ("plant", "data", "notebook_data")
    }
    return settings.model_copy(
        update={name: None if path is None else root / path for name, path in paths.items()}
    )


def trained_table(trained: Sequence[Trained]) -> pl.DataFrame:
    """What was trained and how it stands beside the baseline it must beat."""
    return pl.DataFrame(
        [
            {
                "model": one.bundle.name,
                "version": one.version,
                "estimator": one.bundle.made["estimator"],
                "figure": one.comparison.metric,
                "value": round(one.comparison.value, 3),
                "baseline": one.comparison.baseline,
                "baseline's value": round(one.comparison.baseline_value, 3),
                "beats it": one.comparison.better,
            }
            for one in trained
        ]
    )


def bundles_of(trained: Sequence[Trained]) -> dict[str, Bundle]:
    """The models that were trained, by name."""
    return {one.bundle.name: one.bundle for one in trained}


__all__ = ["Note", "Rows", "Workbench", "bundles_of", "open_workbench", "rooted", "trained_table"]
