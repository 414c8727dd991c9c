"""Time to read a drop of Excel files into sorted readings.

    python benchmarks/read_excel.py [--megabytes 20] [--plant plants/gas_treatment/plant.toml]

The drop has about 20 MB, one workbook per instrument. Prints one row as JSON: name, value (s),
baseline (s), ratio, megabytes, aim (s), met. The baseline is pandas.read_excel with openpyxl if it
is installed, otherwise a plain Python loop over calamine's cells.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import xlsxwriter
from python_calamine import CalamineWorkbook

from alarmstack.core.plant import Plant, load_plant
from alarmstack.sources import read_source

AIM_SECONDS = 5.0  # for 20 MB
BYTES_PER_ROW = 15.5  # of a compressed sheet with one value and one time
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def write_drop(plant: Plant, folder: Path, megabytes: float) -> None:
    """Write workbooks of random readings in the historian's layout, about `megabytes` in total."""
    loops = {c.pv for c in plant.controllers}
    files = {
        i.tag: [(plant.historian.simple.value, plant.historian.simple.time)]
        for i in plant.instruments
        if i.tag not in loops
    }
    files |= {c.name: list(plant.historian.controller.values()) for c in plant.controllers}
    series = sum(map(len, files.values()))
    rows = int(megabytes * 1e6 / BYTES_PER_ROW / series)
    rng = np.random.default_rng(0)
    for name, places in files.items():
        _write(
            folder / plant.historian.file_pattern.format(name=name),
            places,
            plant.historian.header_rows,
            rows,
            rng,
        )


def _write(
    path: Path, places: list[tuple[int, int]], header_rows: int, rows: int, rng: np.random.Generator
) -> None:
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet, stamp = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for value, when in places:
        sheet.write_string(0, value, "Value")
        sheet.write_string(0, when, "Timestamp")
    columns = [
        (np.round(rng.normal(50, 5, rows), 3), 45292 + np.cumsum(rng.integers(5, 60, rows)) / 86400)
        for _ in places
    ]
    for row in range(rows):
        for (value, when), (values, serials) in zip(places, columns, strict=True):
            sheet.write_number(row + header_rows, value, values[row])
            sheet.write_number(row + header_rows, when, serials[row], stamp)
    book.close()


def loop_over_cells(folder: Path) -> int:
    """The simplest reader: row by row and cell by cell. Return the number of readings."""
    cells = []
    for path in sorted(folder.iterdir()):
        for row in CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows():
            for value, when in zip(row[::4], row[1::4], strict=True):
                if isinstance(value, float) and isinstance(when, datetime):
                    cells.append((path.stem, when.replace(tzinfo=UTC), value))
    return len(sorted(cells))


def read_with_pandas(folder: Path) -> int:
    """Read with pandas and openpyxl, without further steps. Return the number of rows."""
    import pandas as pd

    return sum(len(pd.read_excel(path, engine="openpyxl")) for path in sorted(folder.iterdir()))


def measure(
    megabytes: float = 20.0, plant: Path = Path("plants/gas_treatment/plant.toml")
) -> dict[str, object]:
    """Run the benchmark; return its row."""
    plant_description = load_plant(plant)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_drop(plant_description, folder, megabytes)
        written = sum(p.stat().st_size for p in folder.iterdir()) / 1e6
        begin = time.perf_counter()
        drop = read_source(plant_description, folder, now=BEGIN + timedelta(days=3650))
        value = time.perf_counter() - begin
        has_openpyxl = importlib.util.find_spec("openpyxl") is not None
        begin = time.perf_counter()
        (read_with_pandas if has_openpyxl else loop_over_cells)(folder)
        baseline = time.perf_counter() - begin
    if drop.readings is None or drop.problems:
        raise SystemExit(f"the drop was not read completely: {drop.problems[:3]}")
    aim = AIM_SECONDS * written / 20
    name = "read_excel_seconds_vs_" + ("pandas_openpyxl" if has_openpyxl else "python_loop")
    row = {
        "name": name,
        "value": round(value, 2),
        "baseline": round(baseline, 2),
        "ratio": round(baseline / value, 2),
    }
    return row | {"megabytes": round(written, 1), "aim": round(aim, 2), "met": value < aim}


def main() -> None:
    """Print the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--megabytes", type=float, default=20.0)
    arguments.add_argument("--plant", type=Path, default=Path("plants/gas_treatment/plant.toml"))
    print(json.dumps(measure(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
