"""A heater with minutes as cadence, and variants of it that have few models or few events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from alarmstack.core.intervals import READING_SCHEMA, IntervalBlock
from alarmstack.core.plant import Plant, load_plant
from alarmstack.features.examples import Examples, examples
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm

HEATER = """
name = "heater"
title = "Heater"
timezone = "UTC"
registry_prefix = "heater"

[time]
cadence = "1min"
horizons = ["10min", "20min", "30min"]
longest_useful_lead = "30min"
frequency_window = "20min"

[[units]]
key = "h1"
title = "Heater H1"

[[instruments]]
tag = "T1"
title = "Outlet temperature"
process_unit = "h1"
unit = "°C"
range = [0.0, 150.0]
normal = [60.0, 85.0]
stale_after = "5min"

[[instruments]]
tag = "F1"
title = "Feed flow"
process_unit = "h1"
unit = "m³/h"
range = [0.0, 50.0]
normal = [15.0, 25.0]
stale_after = "5min"

[[labels.rules]]
name = "hot"
column = "T1"
above = 90.0
unit = "°C"

[warnings]
false_alarms_per_day = 24.0
on_delay = "0min"
off_delay = "5min"
minimum_on = "5min"
hysteresis = 0.8
"""
MINUTES = 900
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def heating_up(minutes: int = MINUTES) -> pl.DataFrame:
    """Readings of a heater whose temperature rises for 25 minutes to an alarm, every 90 minutes."""
    random = np.random.default_rng(1)
    place = np.arange(minutes) % 90
    rise = np.clip((place - 55) / 25, 0, 1) * 24 * (place < 87)
    values = {
        "T1": 70 + rise + random.normal(0, 0.5, minutes),
        "F1": 20 - rise / 8 + random.normal(0, 0.3, minutes),
    }
    times = [BEGIN + timedelta(minutes=minute) for minute in range(minutes)]
    return pl.concat(
        pl.DataFrame({"tag": tag, "time": times, "value": numbers}, schema=READING_SCHEMA)
        for tag, numbers in values.items()
    ).sort("time")


RULE = HEATER[HEATER.index("[[labels.rules]]") : HEATER.index("[warnings]")]
HORIZONS = 'horizons = ["10min", "20min", "30min"]'
NORMALITY = """
[[normality.experts]]
name = "relations"
kind = "relations"
lags = 1
"""
FEW_MINUTES = 350
"""The minutes of the variant with few onsets: four."""
ODD_PLANTS = {
    "minute horizons": HEATER,
    "few onsets": HEATER,
    "no horizons": HEATER.replace(HORIZONS, "horizons = []"),
    "no labels": HEATER.replace(RULE, "") + NORMALITY,
    "no labels and no normality": HEATER.replace(RULE, ""),
}
"""plant.toml of each variant."""


def odd_plant(name: str, folder: Path) -> Plant:
    """A variant of the heater, with its plant.toml in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plant.toml").write_text(ODD_PLANTS[name], "utf-8")
    return load_plant(folder / "plant.toml")


def odd_readings(name: str) -> pl.DataFrame:
    """The readings of a variant."""
    return heating_up(FEW_MINUTES if name == "few onsets" else MINUTES)


def odd_history(name: str, folder: Path) -> tuple[Plant, IntervalBlock, Examples]:
    """A variant with its intervals and examples."""
    plant = odd_plant(name, folder)
    block = close_intervals(plant, odd_readings(name))
    return plant, block, examples(plant, block, in_alarm(plant, block, None))
