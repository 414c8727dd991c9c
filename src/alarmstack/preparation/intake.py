"""Intake: a source is read, checked by the quality gate, closed into intervals and labelled.

The result is complete, or there is none. A drop may be raw readings or a finished dataset. Labels
of a dataset are used unchanged. Otherwise they come from the limit rules and the operator log: the
given one, else the drop's own, else the plant's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from alarmstack.core.intervals import IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.preparation.datasets import (
    LABEL,
    REGIME,
    block_from_table,
    cleaned_table,
    write_csv,
)
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import RegimeBands, in_alarm
from alarmstack.preparation.quality import GateResult, refuse_or_pass, set_aside, validate
from alarmstack.sources import Drop, Problem, Reader, read_operator_log, read_source


@dataclass(frozen=True)
class Intake:
    """A source that passed the gate: intervals, rows in alarm, report of the gate, problems, files.

    `between`: intervals and alarms on the other phases of the grid, on which forecasters are
    trained too, when the source holds raw readings.
    """

    block: IntervalBlock
    alarm: Mask
    gate_result: GateResult
    problems: tuple[Problem, ...]
    files: tuple[Path, ...]
    between: tuple[tuple[IntervalBlock, Mask], ...] = ()


def take_in(
    plant: Plant,
    source: Path,
    *,
    operator_log: Path | None = None,
    now: datetime | None = None,
    refused: Path | None = None,
    read: Reader = read_source,
) -> Intake:
    """Read a source and pass it through the gate.

    A refused drop is kept in the folder `refused` with the report. `read`: the reader, for files
    from outside `alarmstack.sources.guarded`. Raises SourceError when nothing can be read,
    GateRefused (with the lines of the report) when the gate refuses the source.
    """
    drop = read(plant, source, operator_log=operator_log, now=now)
    block, table = _intervals(plant, drop)
    gate_result = validate(plant, table, labelled=drop.labelled, now=now)
    if not gate_result.passed and refused is not None:
        set_aside(source, refused, gate_result)
    refuse_or_pass(gate_result)
    if block is None:
        block = block_from_table(plant, table)
    log = None if drop.labelled else known_periods(plant, drop.operator_log)
    alarm = _given_label(table, block) if drop.labelled else in_alarm(plant, block, log)
    return Intake(block, alarm, gate_result, drop.problems, drop.files, _between(plant, drop, log))


def check_source(
    plant: Plant, source: Path, *, now: datetime | None = None, read: Reader = read_source
) -> tuple[GateResult, tuple[Problem, ...]]:
    """The report of the gate and the problems of a source, which is not refused."""
    drop = read(plant, source, now=now)
    _, table = _intervals(plant, drop)
    return validate(plant, table, labelled=drop.labelled, now=now), drop.problems


def ingest(plant: Plant, taken: Intake, out: Path) -> tuple[Path, ...]:
    """Write cleaned_dataset.csv and labeled_dataset.csv."""
    written = []
    for name, table in datasets(plant, taken).items():
        write_csv(plant, table, out / name)
        written.append(out / name)
    return tuple(written)


def datasets(plant: Plant, taken: Intake) -> dict[str, pl.DataFrame]:
    """The datasets that people exchange, by file name.

    The regimes of the labelled dataset use quantiles of the whole file, as in the first file of the
    plant. They are not causal and no model uses them: training fits its own bands on training rows.
    """
    cleaned = cleaned_table(plant, taken.block)
    regime = RegimeBands.fit(plant, taken.block).regime(plant, taken.block, taken.alarm)
    labelled = cleaned.with_columns(
        pl.Series(LABEL, taken.alarm).cast(pl.Int64), pl.Series(REGIME, regime)
    )
    return {"cleaned_dataset.csv": cleaned, "labeled_dataset.csv": labelled}


def _intervals(plant: Plant, drop: Drop) -> tuple[IntervalBlock | None, pl.DataFrame]:
    """The block, when the drop holds readings, and the table that the gate checks."""
    if drop.readings is None:
        assert drop.table is not None, "a drop has readings or a table"
        return None, drop.table
    block = close_intervals(plant, drop.readings)
    return block, cleaned_table(plant, block)


def _between(
    plant: Plant, drop: Drop, log: pl.DataFrame | None
) -> tuple[tuple[IntervalBlock, Mask], ...]:
    """Intervals and alarms on the phases between two base intervals.

    There are none for a finished table, which has no readings.
    """
    if drop.readings is None or drop.labelled:
        return ()
    part = plant.time.cadence / plant.training.phases
    blocks = [
        close_intervals(plant, drop.readings, number * part)
        for number in range(1, plant.training.phases)
    ]
    return tuple((block, in_alarm(plant, block, log)) for block in blocks)


def known_periods(plant: Plant, own: pl.DataFrame | None) -> pl.DataFrame | None:
    """The operator log of a drop: its own, else the plant's."""
    if own is not None or plant.operator_log is None:
        return own
    return read_operator_log(plant, plant.folder / plant.operator_log)[0]


def _given_label(table: pl.DataFrame, block: IntervalBlock) -> Mask:
    """The label of the file on the grid of the block; rows that the file lacks are not in alarm."""
    rows = table.unique("timestamp", keep="last").sort("timestamp")
    stamps = rows["timestamp"].dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy()
    alarm = np.zeros(len(block), bool)
    alarm[(stamps - stamps[0]) // np.timedelta64(block.cadence)] = rows[LABEL].to_numpy() == 1
    return alarm


__all__ = ["Intake", "check_source", "datasets", "ingest", "known_periods", "take_in"]
