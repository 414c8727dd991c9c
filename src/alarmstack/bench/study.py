"""The three studies of the plant's own models (`training.studies`), as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.bench.own import FIRST_DAY
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
"""Simulated plants, from the first seed on, that reliability is judged on: enough events to tell 0.05 from chance."""
Sheet = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, headings, cells."""


@dataclass(frozen=True)
class Studied:
    """What the three studies found."""

    prefix: str
    bins: Sequence[Bin]
    losses: Sequence[Loss]
    curve: Sequence[Learnt]

    def rows(self) -> list[dict[str, object]]:
        """Everything, as `--json` writes it."""
        return study_rows(self.bins, self.losses, self.curve)

    def tables(self) -> Iterator[Table]:
        """The tables for a terminal."""
        for title, headings, cells in self._sheets():
            table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
            for place, heading in enumerate(headings):
                table.add_column(heading, justify="right" if place > 1 else "left")
            for row in cells:
                table.add_row(*row)
            yield table

    def markdown(self) -> str:
        """The tables for the docs."""
        parts = []
        for title, headings, cells in self._sheets():
            lines = [headings, ("---",) * len(headings), *cells]
            parts.append(
                f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
            )
        return "\n".join(parts)

    def _sheets(self) -> Iterator[Sheet]:
        yield (
            f"Reliability: probability said and share that came (aim: no more than {RELIABLE:g} apart)",
            ("model", "said", "mean said", "came", "rows", "came − said", "95 % interval", "aim"),
            [
                (
                    self._short(b.model),
                    f"{b.low:.0%} …",
                    f"{b.said:.3f}",
                    f"{b.came:.3f}",
                    str(b.rows),
                    f"{b.came - b.said:+.3f}",
                    f"{b.least:+.3f} … {b.most:+.3f}",
                    _met(b),
                )
                for b in self.bins
            ],
        )
        yield (
            "Sensor loss: the same threshold, one instrument gone",
            ("model", "without", "recall", "with precursor", "false a day"),
            [
                (
                    self._short(x.model),
                    x.without,
                    f"{x.recall:.0%}",
                    f"{x.precursor_recall:.0%}",
                    f"{x.false_alarms_per_day:.2f}",
                )
                for x in self.losses
            ],
        )
        yield (
            "Learning curve: recall of onsets with precursor after so many events",
            ("model", "events", "days", "recall", "lowest … highest", "false a day"),
            [
                (
                    self._short(c.model),
                    str(c.events),
                    f"{c.days:.0f}",
                    f"{c.recall:.0%}",
                    f"{c.lowest:.0%} … {c.highest:.0%}",
                    f"{c.false_alarms_per_day:.2f}",
                )
                for c in sorted(self.curve, key=lambda c: (c.model, c.events))
            ],
        )

    def _short(self, model: str) -> str:
        return model.removeprefix(f"{self.prefix}_")


def study(
    plant: Plant, settings: Settings, days: int, seeds: Sequence[int], progress: Progress = silent
) -> Studied:
    """Study the promoted models. Raises NotPromotedError where there are none, StorageError before the first ETL run."""
    training, manifest = latest_examples(plant, settings)
    block = read_intervals(plant, Store.of(settings), manifest)
    bundles = champions(plant, settings)
    progress("simulating", 0.0)
    trial = simulated_trial(plant, FIRST_DAY, days, seeds)
    years = simulated_trial(plant, FIRST_DAY, days, range(seeds[0], seeds[0] + RELIABILITY_PLANTS))
    return Studied(
        plant.registry_prefix,
        reliability(plant, bundles, years),
        sensor_loss(plant, bundles, trial, lambda what, share: progress(what, 0.1 + 0.3 * share)),
        learning_curve(
            plant, training, block, trial, lambda what, share: progress(what, 0.4 + 0.6 * share)
        ),
    )


def _met(one: Bin) -> str:
    if one.gap <= RELIABLE:
        return "met"
    return "may be chance" if one.chance else "missed"


__all__ = ["Studied", "study"]
