"""The three studies of the plant's own models (`training.studies`), as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.core.clock import FIRST_DAY
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.core.settings import Settings
from alarmstack.pipelines.etl.tables import read_intervals
from alarmstack.pipelines.local import champions, latest_examples
from alarmstack.storage.files import Store
from alarmstack.training.studies import (
    RELIABLE,
    Bin,
    Learnt,
    Loss,
    learning_curve,
    reliability,
    sensor_loss,
    study_rows,
)
from alarmstack.training.trial import simulated_trial

RELIABILITY_PLANTS = 8
"""Simulated plants for reliability, from the first seed upwards.

They hold enough events to distinguish a difference of 0.05 from chance.
"""

NOTHING_TO_STUDY = "Nothing to study: the plant has no such model, or too few rows or onsets."
"""The note of a table without rows."""


@dataclass(frozen=True)
class StudyTable:
    """One table of a study: title, headings, cells."""

    title: str
    headings: tuple[str, ...]
    cells: Sequence[tuple[str, ...]]

    def for_terminal(self) -> Table:
        """The table for a terminal."""
        note = None if self.cells else NOTHING_TO_STUDY
        table = Table(
            title=self.title,
            title_justify="left",
            caption=note,
            caption_justify="left",
            box=SIMPLE,
            padding=(0, 1, 0, 0),
        )
        for place, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if place > 1 else "left")
        for row in self.cells:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """The table as Markdown with a heading."""
        if not self.cells:
            return f"### {self.title}\n\n{NOTHING_TO_STUDY}\n"
        lines = [self.headings, ("---",) * len(self.headings), *self.cells]
        rows = [f"| {' | '.join(line)} |" for line in lines]
        return f"### {self.title}\n\n" + "\n".join(rows) + "\n"


@dataclass(frozen=True)
class StudyResults:
    """The results of the three studies."""

    prefix: str
    bins: Sequence[Bin]
    losses: Sequence[Loss]
    curve: Sequence[Learnt]

    def rows(self) -> list[dict[str, object]]:
        """All results, as `--json` writes them."""
        return study_rows(self.bins, self.losses, self.curve)

    def tables(self) -> Iterator[Table]:
        """The tables for a terminal."""
        return (table.for_terminal() for table in self._tables())

    def markdown(self) -> str:
        """The tables for the docs."""
        return "\n".join(table.markdown() for table in self._tables())

    def _tables(self) -> tuple[StudyTable, ...]:
        return self._reliability(), self._sensor_loss(), self._learning_curve()

    def _reliability(self) -> StudyTable:
        cells = [
            (
                self._short(group.model),
                f"{group.low:.0%} …",
                f"{group.said:.3f}",
                f"{group.came:.3f}",
                str(group.rows),
                f"{group.came - group.said:+.3f}",
                f"{group.least:+.3f} … {group.most:+.3f}",
                _aim_met(group),
            )
            for group in self.bins
        ]
        return StudyTable(
            "Reliability: forecast probability and observed frequency "
            f"(aim: at most {RELIABLE:g} apart)",
            (
                "model",
                "forecast",
                "mean forecast",
                "observed",
                "rows",
                "observed − forecast",
                "95 % interval",
                "aim",
            ),
            cells,
        )

    def _sensor_loss(self) -> StudyTable:
        cells = [
            (
                self._short(loss.model),
                loss.without,
                _share(loss.recall),
                _share(loss.precursor_recall),
                f"{loss.false_alarms_per_day:.2f}",
            )
            for loss in self.losses
        ]
        return StudyTable(
            "Sensor loss: the same threshold, one instrument missing",
            ("model", "without", "recall", "with precursor", "false a day"),
            cells,
        )

    def _learning_curve(self) -> StudyTable:
        cells = [
            (
                self._short(point.model),
                str(point.events),
                f"{point.days:.0f}",
                _share(point.recall),
                f"{_share(point.lowest)} … {_share(point.highest)}",
                f"{point.false_alarms_per_day:.2f}",
            )
            for point in sorted(self.curve, key=lambda point: (point.model, point.events))
        ]
        return StudyTable(
            "Learning curve: recall of onsets with precursor, by number of training events",
            ("model", "events", "days", "recall", "lowest … highest", "false a day"),
            cells,
        )

    def _short(self, model: str) -> str:
        return model.removeprefix(f"{self.prefix}_")


def study(
    plant: Plant, settings: Settings, days: int, seeds: Sequence[int], progress: Progress = silent
) -> StudyResults:
    """Study the promoted models.

    Raises NotPromotedError if there are none, StorageError if there is no ETL run.
    """
    training, manifest = latest_examples(plant, settings)
    block = read_intervals(plant, Store.of(settings), manifest)
    bundles = champions(plant, settings)
    progress("simulating", 0.0)
    trial = simulated_trial(plant, FIRST_DAY, days, seeds)
    years = simulated_trial(plant, FIRST_DAY, days, range(seeds[0], seeds[0] + RELIABILITY_PLANTS))
    return StudyResults(
        plant.registry_prefix,
        reliability(plant, bundles, years),
        sensor_loss(plant, bundles, trial, lambda what, share: progress(what, 0.1 + 0.3 * share)),
        learning_curve(
            plant, training, block, trial, lambda what, share: progress(what, 0.4 + 0.6 * share)
        ),
    )


def _share(value: float) -> str:
    """A share in per cent; a dash where it cannot be measured."""
    return "–" if isnan(value) else f"{value:.0%}"


def _aim_met(group: Bin) -> str:
    if group.gap <= RELIABLE:
        return "met"
    return "may be chance" if group.chance else "missed"


__all__ = ["StudyResults", "study"]
