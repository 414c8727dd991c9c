"""A small plant and small synthetic recordings for the tests of the benchmark."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

PLANT = """
name = "rig"
title = "Rig"
timezone = "UTC"
registry_prefix = "rig"
[time]
cadence = "1min"
[[units]]
key = "rig"
title = "Rig"
[[instruments]]
tag = "P"
title = "Pressure"
process_unit = "rig"
unit = "bar"
range = [-100.0, 100.0]
normal = [-3.0, 3.0]
stale_after = "5min"
[[instruments]]
tag = "Q"
title = "Flow"
process_unit = "rig"
unit = "m³/h"
range = [-100.0, 100.0]
normal = [-3.0, 3.0]
stale_after = "5min"
[warnings]
false_alarms_per_day = 2.0
on_delay = "0min"
off_delay = "5min"
minimum_on = "0min"
hysteresis = 1.0
"""
SET = """
name = "rig"
title = "Rig"
files = "*.parquet"
[columns]
run = "run"
asset = "asset"
time = "at"
[truth]
event = "stage = 1"
normal = "stage = 0"
learn = "stage = 0"
"""


def write_set(folder: Path, extra: str = "") -> Path:
    """A plant.toml and a set.toml in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plant.toml").write_text(PLANT)
    (folder / "set.toml").write_text(SET + extra)
    return folder / "set.toml"


def recording(
    run: str, asset: str, rows: int, event: tuple[int, int] | None = None, seed: int = 0
) -> pl.DataFrame:
    """Noise in two tags, one row per minute; in the event both rise by six."""
    random = np.random.default_rng(seed)
    stage = np.zeros(rows, int)
    if event:
        stage[event[0] : event[1] + 1] = 1
    at = [datetime(2024, 1, 1) + timedelta(minutes=m) for m in range(rows)]
    values = {tag: random.normal(size=rows) + 6.0 * stage for tag in ("P", "Q")}
    return pl.DataFrame({"run": run, "asset": asset, "at": at, **values, "stage": stage})
