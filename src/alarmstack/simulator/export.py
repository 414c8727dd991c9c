"""A simulation as files that a historian would export, and the truth in a folder of its own.

The same simulation gives the same bytes: workbooks have a fixed document time. A folder is complete
or does not exist.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl
import xlsxwriter

from alarmstack.core.errors import StorageError
from alarmstack.core.plant import Plant
from alarmstack.simulator.simulation import SIMULATOR_VERSION, Simulation

DOCUMENT_TIME = datetime(2000, 1, 1)
FORMS = ("xlsx", "csv", "parquet")
TIME_FORM = "%Y-%m-%d %H:%M:%S"
Series = tuple[list[datetime], list[float]]


def export(simulation: Simulation, plant: Plant, folder: Path, form: str = "xlsx") -> Path:
    """Write a drop: data files, operator_log.csv, simulation.json and truth/truth.csv.

    Raises StorageError for an unknown format, or when the folder holds other files than an earlier
    export.
    """
    if form not in FORMS:
        raise StorageError(f"format {form!r} is unknown: use one of {', '.join(FORMS)}")
    if folder.exists() and any(folder.iterdir()) and not (folder / "simulation.json").exists():
        raise StorageError(f"{folder} holds other files: use an empty or a new folder")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "truth").mkdir(parents=True)
    _write_files(simulation, plant, partial, form)
    _local(plant, simulation.operator_log, "start", "end").write_csv(
        partial / "operator_log.csv", datetime_format=TIME_FORM
    )
    times = ("physical_onset", "breakout", "limit_crossing", "end")
    _local(plant, simulation.truth, *times).write_csv(
        partial / "truth" / "truth.csv", datetime_format=TIME_FORM
    )
    about = {
        "simulator_version": SIMULATOR_VERSION,
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "asset": simulation.asset,
        "seed": simulation.seed,
        "start": simulation.start.isoformat(),
        "days": simulation.days,
    }
    (partial / "simulation.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _write_files(simulation: Simulation, plant: Plant, folder: Path, form: str) -> None:
    local = _local(plant, simulation.readings, "time")
    loops = {c.pv: c for c in plant.controllers}
    groups: dict[str, tuple[str, ...]] = {
        i.tag: (i.tag,) for i in plant.instruments if i.tag not in loops
    }
    groups |= {c.name: (c.pv, c.op, c.sp) for c in plant.controllers}
    for name, signals in groups.items():
        series = {s: _series(local, s) for s in signals}
        if form == "xlsx":
            _workbook(plant, folder / plant.historian.file_pattern.format(name=name), series)
        else:
            table = local.filter(pl.col("tag").is_in(list(signals))).sort("tag", "time")
            path = folder / f"{name}.{form}"
            if form == "csv":
                table.write_csv(path, datetime_format=TIME_FORM)
            else:
                table.write_parquet(path, compression="zstd")


def _workbook(plant: Plant, path: Path, series: Mapping[str, Series]) -> None:
    header_rows, columns = plant.historian.header_rows, _columns(plant)
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as workbook:
        workbook.set_properties({"created": DOCUMENT_TIME})
        sheet = workbook.add_worksheet("Data")
        for signal, (times, values) in series.items():
            value_column, time_column = columns[signal]
            sheet.write(0, value_column, signal)
            sheet.write(0, time_column, "Timestamp")
            sheet.write_column(header_rows, value_column, values)
            sheet.write_column(header_rows, time_column, times)


def _columns(plant: Plant) -> dict[str, tuple[int, int]]:
    """The columns of every signal in its workbook: values, times."""
    layout = plant.historian
    columns = {i.tag: (layout.simple.value, layout.simple.time) for i in plant.instruments}
    for controller in plant.controllers:
        columns[controller.pv] = layout.controller["PV"]
        columns[controller.op] = layout.controller["OP"]
        columns[controller.sp] = layout.controller["SP"]
    return columns


def _series(local: pl.DataFrame, signal: str) -> Series:
    rows = local.filter(pl.col("tag") == signal)
    return rows["time"].to_list(), rows["value"].to_list()


def _local(plant: Plant, frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Instants in plant time."""
    return frame.with_columns(
        pl.col(c).dt.convert_time_zone(plant.timezone).dt.replace_time_zone(None) for c in columns
    )


__all__ = ["export"]
