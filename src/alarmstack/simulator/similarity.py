"""Similarity of the simulated plant to the real one: distributions, dynamics and correlations.

The bounds were set before the simulator was tuned: each quartile within a quarter of the real
interquartile range (IQR), the ratio of the IQRs within 0.8 … 1.25, lag-1 autocorrelation within
0.15, the share of hours whose median did not change within 0.1, and the pairwise correlations
within 0.15 on average. A dead instrument is shown without bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.table import Table

from alarmstack.core.clock import FIRST_DAY
from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.preparation.datasets import block_from_table
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import episodes, in_alarm
from alarmstack.simulator.simulation import simulate

DAYS = 112
RATE_DAYS = 28
"""The number of onsets is given for this many days."""
SEEDS = (31, 32, 33)
QUARTILE_BOUND, LAG_BOUND, UNCHANGED_BOUND, CORRELATION_BOUND = 0.25, 0.15, 0.1, 0.15
RATIO_BOUNDS = (0.8, 1.25)


@dataclass(frozen=True)
class Portrait:
    """Hourly medians of one instrument: quartiles, lag-1 autocorrelation, unchanged share."""

    quartiles: tuple[float, float, float]
    lag: float
    unchanged: float

    @property
    def spread(self) -> float:
        """Interquartile range."""
        return self.quartiles[2] - self.quartiles[0]


@dataclass(frozen=True)
class Similarity:
    """One line of the comparison. `tag` "all": about the whole plant, without portraits.

    `held`: the bounds apply to the line; `within`: it is within the bounds.
    """

    tag: str
    real: Portrait | None
    simulated: Portrait | None
    held: bool
    within: bool
    note: str = ""

    def record(self) -> dict[str, object]:
        """The line for JSON."""
        return asdict(self)


def compare(plant: Plant, cleaned: Path, seeds: Sequence[int] = SEEDS) -> list[Similarity]:
    """Compare pooled simulations with a cleaned dataset of the real plant."""
    if not cleaned.is_file():
        raise SourceError(
            f"{cleaned}: no such file: use --against with a cleaned_dataset.csv of the real plant"
        )
    table = pl.read_csv(cleaned, try_parse_dates=True).with_columns(
        pl.col("timestamp").dt.replace_time_zone("UTC")
    )
    real = block_from_table(plant, table)
    simulations = [simulate(plant, start=FIRST_DAY, days=DAYS, seed=seed) for seed in seeds]
    blocks = [close_intervals(plant, simulation.readings) for simulation in simulations]
    lines = [_line(plant, i.tag, i.role != "dead", real, blocks) for i in plant.instruments]
    tags = [i.tag for i in plant.modelled]
    apart = float(np.abs(_correlations([real], tags) - _correlations(blocks, tags)).mean())
    lines.append(
        Similarity(
            "all",
            None,
            None,
            True,
            apart <= CORRELATION_BOUND,
            f"correlations differ by {apart:.2f} on average",
        )
    )
    quiet = plant.rows(plant.time.quiet_gap)
    alarms, onsets = [], 0
    for simulation, block in zip(simulations, blocks, strict=True):
        alarm = in_alarm(plant, block, simulation.operator_log)
        alarms.append(alarm)
        onsets += sum(episode.onset for episode in episodes(alarm, block.segment, quiet))
    rate = onsets / (len(seeds) * DAYS / RATE_DAYS)
    share = float(np.concatenate(alarms).mean())
    lines.append(
        Similarity(
            "all",
            None,
            None,
            True,
            True,
            f"{rate:.1f} onsets in {RATE_DAYS} days, {share:.0%} of hours in alarm",
        )
    )
    return lines


def render(lines: Sequence[Similarity]) -> Table:
    """The table of the comparison, real | simulated."""
    table = Table(title="Real | simulated", title_justify="left")
    for name in (
        "instrument",
        "quartile 1",
        "median",
        "quartile 3",
        "IQR ratio",
        "lag-1",
        "unchanged",
        "within bounds",
    ):
        table.add_column(name, justify="left" if name == "instrument" else "right")
    for line in lines:
        within_bounds = ("yes" if line.within else "NO") if line.held else "no bounds"
        if line.real is None or line.simulated is None:
            table.add_row(line.note, *[""] * 6, within_bounds)
            continue
        pairs = [
            f"{a:.2f} | {b:.2f}"
            for a, b in zip(line.real.quartiles, line.simulated.quartiles, strict=True)
        ]
        table.add_row(
            line.tag,
            *pairs,
            f"{line.simulated.spread / line.real.spread:.2f}",
            f"{line.real.lag:.2f} | {line.simulated.lag:.2f}",
            f"{line.real.unchanged:.2f} | {line.simulated.unchanged:.2f}",
            within_bounds,
        )
    return table


def _line(
    plant: Plant, tag: str, held: bool, real: IntervalBlock, blocks: Sequence[IntervalBlock]
) -> Similarity:
    a, b = _portrait([real], tag), _portrait(blocks, tag)
    within = (
        all(
            abs(x - y) <= QUARTILE_BOUND * a.spread
            for x, y in zip(a.quartiles, b.quartiles, strict=True)
        )
        and RATIO_BOUNDS[0] <= b.spread / a.spread <= RATIO_BOUNDS[1]
        and abs(a.lag - b.lag) <= LAG_BOUND
        and abs(a.unchanged - b.unchanged) <= UNCHANGED_BOUND
    )
    return Similarity(tag, a, b, held, within)


def _portrait(blocks: Sequence[IntervalBlock], tag: str) -> Portrait:
    series = [block.statistic(tag) for block in blocks]
    first, middle, third = np.nanquantile(np.concatenate(series), [0.25, 0.5, 0.75])
    before, after = (
        np.concatenate([s[:-1] for s in series]),
        np.concatenate([s[1:] for s in series]),
    )
    known = ~np.isnan(before) & ~np.isnan(after)
    lag = float(np.corrcoef(before[known], after[known])[0, 1])
    return Portrait(
        (float(first), float(middle), float(third)),
        lag,
        float(np.mean(before[known] == after[known])),
    )


def _values(block: IntervalBlock, tags: Sequence[str]) -> Floats:
    """The medians of some tags: float64 [tags, rows]."""
    return np.stack([block.statistic(tag) for tag in tags])


def _correlations(blocks: Sequence[IntervalBlock], tags: Sequence[str]) -> Floats:
    """Correlations of all pairs of tags: float64 [pairs]."""
    values = np.concatenate([_values(block, tags) for block in blocks], axis=1)
    known = ~np.isnan(values).any(axis=0)
    return np.asarray(np.corrcoef(values[:, known])[np.triu_indices(len(tags), 1)])


__all__ = ["Portrait", "Similarity", "compare", "render"]
