"""The real plant's hours, written like a historian export, pass reader, closer and gate."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.core.plant import Plant
from alarmstack.preparation.datasets import cleaned_table
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.quality import validate
from alarmstack.sources import read_source

from . import writers


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
def test_a_drop_of_the_real_plant(
    plant: Plant, real_data: Path, tmp_path: Path, suffix: str
) -> None:
    real = pl.read_csv(real_data / "gas_plant/cleaned_dataset.csv", try_parse_dates=True)
    stamps = [t + timedelta(minutes=20) for t in real["timestamp"]]
    series = {
        s: list(zip(real[s].cast(pl.Float64).to_list(), stamps, strict=True)) for s in plant.signals
    }
    loops = {c.name: (c.pv, c.op, c.sp) for c in plant.controllers}
    for name, parts in loops.items():
        writers.controller(tmp_path / f"{name}{suffix}", *(series.pop(part) for part in parts))
    for tag, readings in series.items():
        writers.simple(tmp_path / f"{tag}{suffix}", readings)

    drop = read_source(plant, tmp_path)
    assert drop.problems == () and len(drop.files) == 10 and drop.readings is not None
    block = close_intervals(plant, drop.readings)
    assert len(block) == 673
    for signal in plant.signals:
        # Excel keeps fifteen digits.
        np.testing.assert_allclose(block.statistic(signal), real[signal].to_numpy(), rtol=1e-14)
    assert validate(plant, cleaned_table(plant, block)).passed
