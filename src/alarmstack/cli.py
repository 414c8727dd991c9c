"""The command line: verbs only, each a few lines over the stage that does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alarmstack import __version__
from alarmstack.plant import load_plant

DEFAULT_PLANT = Path("plants/gas_treatment/plant.toml")
PlantFile = Annotated[Path, typer.Option("--plant", help="The plant's description.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)
console = Console()


@app.command()
def version() -> None:
    """Print the version."""
    console.print(__version__)


@app.command()
def plant(plant: PlantFile = DEFAULT_PLANT) -> None:
    """Read a plant.toml and print what it describes.

    Example: alarmstack plant --plant plants/gas_treatment/plant.toml
    """
    described = load_plant(plant)
    console.print(f"{described.title}: {len(described.signals)} signals, fingerprint {described.fingerprint}")


if __name__ == "__main__":
    app()
