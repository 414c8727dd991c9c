"""Options that several commands share, and checks of their values."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from alarmstack.core import clock
from alarmstack.core.plant import Plant, load_plant, parse_duration
from alarmstack.core.settings import Engine, load_settings

LARGEST_SEED = 2**32 - 1
"""The libraries that draw random numbers accept no larger seed."""
MOST_SEEDS = 100
MOST_SEED_DIGITS = 20
"""Longer texts are refused before they are converted to a number."""
LONGEST_DAYS = 3660
"""Days of a simulated plant: ten years."""
FIRST_YEAR, LAST_YEAR = 1980, 2090
"""Years in which a simulated plant may begin. Historian files are read from the same first year to
ten years after the last."""
LONGEST_GRACE = 86_400.0
"""Wall seconds."""
LONGEST_SHOWN = 50
"""Characters of a wrong value that an error message shows."""
FIRST_DAY = clock.FIRST_DAY.replace(tzinfo=None)
"""Dates of the command line have no time zone."""

PlantFile = Annotated[
    Path | None,
    typer.Option("--plant", help="Plant file; default: ALARMSTACK_PLANT.", show_default=False),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Also write the results to this file as JSON.", show_default=False),
]
OperatorLog = Annotated[
    Path | None,
    typer.Option(
        help="Known periods of trouble; default: the file beside the data, else the plant's.",
        show_default=False,
    ),
]
EngineName = Annotated[
    Engine | None,
    typer.Option("--engine", help="Default: ALARMSTACK_ETL_ENGINE.", show_default=False),
]
Master = Annotated[
    str | None,
    typer.Option(
        help="Spark master for the engine spark; default: SPARK_MASTER_URL.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed.")]
SimulatedDays = Annotated[
    int, typer.Option(min=28, max=LONGEST_DAYS, help="Length of each simulated plant in days.")
]
UnseenSeeds = Annotated[
    str,
    typer.Option(help="Seeds that were not used in training: one simulated plant for each seed."),
]


def plant_of(path: Path | None) -> Plant:
    """Load the plant of `--plant`, or of the settings."""
    return load_plant(path or load_settings().plant)


def seeds_of(option: str, text: str) -> list[int]:
    """Seeds, separated by commas. Raises BadParameter, which names the option.

    >>> seeds_of("--seeds", "101,102")
    [101, 102]
    """
    parts = text.split(",")
    seeds = [int(part) for part in parts if _is_whole_number(part)]
    if len(seeds) < len(parts) or max(seeds) > LARGEST_SEED or len(seeds) > MOST_SEEDS:
        shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
        raise typer.BadParameter(
            f"{shown!r} is not a list of seeds: give at most {MOST_SEEDS} whole numbers "
            f"from 0 to {LARGEST_SEED}, separated by commas",
            param_hint=option,
        )
    return seeds


def _is_whole_number(text: str) -> bool:
    digits = text.strip()
    return digits.isascii() and digits.isdigit() and len(text) <= MOST_SEED_DIGITS


def duration_of(option: str, text: str) -> timedelta:
    """A duration such as 15min. Raises BadParameter, which names the option."""
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    if not duration:
        raise typer.BadParameter(
            f"{text!r} must be longer than zero: use for example 15min", param_hint=option
        )
    return duration


def first_day(option: str, start: datetime) -> datetime:
    """Check the first day of a simulated plant. Raises BadParameter, which names the option."""
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise typer.BadParameter(
            f"{start:%Y-%m-%d} is not between {FIRST_YEAR} and {LAST_YEAR}", param_hint=option
        )
    return start


__all__ = [
    "FIRST_DAY",
    "LARGEST_SEED",
    "LONGEST_DAYS",
    "LONGEST_GRACE",
    "EngineName",
    "JsonFile",
    "Master",
    "OperatorLog",
    "Out",
    "PlantFile",
    "Seed",
    "SimulatedDays",
    "UnseenSeeds",
    "duration_of",
    "first_day",
    "plant_of",
    "seeds_of",
]
