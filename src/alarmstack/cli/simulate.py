"""Commands of the simulated plant: write its historian files, and measure how realistic it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alarmstack.cli.options import (
    FIRST_DAY,
    LARGEST_SEED,
    LONGEST_DAYS,
    JsonFile,
    Out,
    PlantFile,
    first_day,
    plant_of,
)
from alarmstack.cli.output import console, write_json

commands = typer.Typer(rich_markup_mode=None)
MOST_ASSETS = 10_000
DAYS, TRAINING_SEED, UNSEEN_SEEDS = 365, 1, [101, 102]
"""The simulated plants on which predictability is measured."""


@commands.command()
def simulate(
    out: Out,
    days: Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="Length in days.")] = 28,
    seed: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same bytes."),
    ] = 7,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, in plant time.")
    ] = FIRST_DAY,
    form: Annotated[str, typer.Option("--format", help="xlsx, csv or parquet.")] = "xlsx",
    assets: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_ASSETS,
            help="Number of plants, each in its own folder with its own parameters.",
        ),
    ] = 1,
    plant: PlantFile = None,
) -> None:
    """Write the historian files of a simulated plant.

    The ground truth (faults and their onsets) goes to the folder truth/.

    Example: alarmstack simulate --days 28 --seed 7 --out data/drop
    """
    from alarmstack.simulator import export, simulate_fleet

    described, start = plant_of(plant), first_day("--start", start)
    fleet = simulate_fleet(
        described, start=start.replace(tzinfo=described.zone), days=days, seed=seed, assets=assets
    )
    for name, simulation in fleet:
        folder = out if assets == 1 else out / name
        export(simulation, described, folder, form)
        readings, events = len(simulation.readings), simulation.truth.height
        console.print(f"{folder}: {readings:,} readings, {events} events")


@commands.command("likeness", hidden=True)
@commands.command()
def similarity(
    against: Annotated[Path, typer.Option(help="A cleaned_dataset.csv of the real plant.")] = Path(
        "../shared/data/gas_plant/cleaned_dataset.csv"
    ),
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Compare the simulated plant with the real one.

    Prints quartiles, autocorrelation and other statistics for each instrument.

    Example: alarmstack similarity --against cleaned_dataset.csv
    """
    from alarmstack.simulator import similarity as measured

    lines = measured.compare(plant_of(plant), against)
    console.print(measured.render(lines))
    write_json(json_file, [line.record() for line in lines])


@commands.command("hardness", hidden=True)
@commands.command()
def predictability(plant: PlantFile = None, json_file: JsonFile = None) -> None:
    """Print how many faults simple baselines detect in time.

    The baselines are a lowered limit, a slope and a logistic regression.

    Example: alarmstack predictability
    """
    from alarmstack.training import predictability as measured

    lines = measured.predictability(
        plant_of(plant), FIRST_DAY.replace(tzinfo=UTC), DAYS, TRAINING_SEED, UNSEEN_SEEDS
    )
    console.print(measured.render(lines))
    write_json(json_file, [line.record() for line in lines])


__all__ = ["commands"]
