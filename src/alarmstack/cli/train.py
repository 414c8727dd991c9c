"""Commands that train, evaluate, promote and export the models."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alarmstack.cli.options import (
    FIRST_DAY,
    JsonFile,
    PlantFile,
    Seed,
    SimulatedDays,
    UnseenSeeds,
    duration_of,
    plant_of,
    seeds_of,
)
from alarmstack.cli.output import console, write_json
from alarmstack.core.errors import RegistryError
from alarmstack.core.plant import Plant
from alarmstack.core.progress import bar
from alarmstack.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from alarmstack.registry import Registry

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def train(plant: PlantFile = None, seed: Seed = 0, json_file: JsonFile = None) -> None:
    """Train and register all models.

    Training uses the latest run in the store. Settings: MLFLOW_TRACKING_URI, MODEL_PROMOTION_MODE.

    Example: MODEL_PROMOTION_MODE=auto alarmstack train
    """
    from alarmstack.pipelines.local import train_latest
    from alarmstack.reports.terminal import training_table

    settings = load_settings()
    with bar(console, "train") as progress:
        trained, promoted = train_latest(plant_of(plant), settings, seed=seed, progress=progress)
    console.print(training_table(trained, promoted))
    rows = [
        {"name": model.bundle.name, "version": model.version, "metrics": dict(model.metrics)}
        for model in trained
    ]
    write_json(json_file, rows)


@commands.command()
def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Evaluate on this file or folder instead of simulated plants.", show_default=False
        ),
    ] = None,
    days: SimulatedDays = 365,
    seeds: UnseenSeeds = "101,102",
    newest: Annotated[
        bool, typer.Option("--newest", help="Evaluate the newest versions, promoted or not.")
    ] = False,
    stride: Annotated[
        str | None,
        typer.Option(
            help="Compare forecasts at this interval with one forecast per cadence, e.g. 15min.",
            show_default=False,
        ),
    ] = None,
    threshold_seeds: Annotated[
        str, typer.Option(help="With --stride: seeds on which the thresholds are chosen.")
    ] = "201,202",
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Evaluate the promoted models by events.

    Prints the metrics beside baselines with the same false-alarm budget.

    Example: alarmstack evaluate --json evaluation.json

    Example: alarmstack evaluate --stride 15min
    """
    unseen, for_thresholds = (
        seeds_of("--seeds", seeds),
        seeds_of("--threshold-seeds", threshold_seeds),
    )
    interval = None if stride is None else duration_of("--stride", stride)
    from alarmstack.pipelines.local import champions, evaluate_file, evaluate_simulated
    from alarmstack.pipelines.local import newest as newest_versions
    from alarmstack.reports.terminal import evaluation_tables
    from alarmstack.training.rolling import evaluate_stride

    settings, described = load_settings(), plant_of(plant)
    bundles = (newest_versions if newest else champions)(described, settings)
    begin = FIRST_DAY.replace(tzinfo=UTC)
    with bar(console, "evaluate") as progress:
        if data is not None:
            rows = evaluate_file(described, settings, bundles, data)
        elif interval is not None:
            rows = evaluate_stride(
                described, bundles, begin, days, unseen, for_thresholds, interval, progress
            )
        else:
            rows = evaluate_simulated(described, settings, bundles, begin, days, unseen, progress)
    for table in evaluation_tables(rows):
        console.print(table)
    write_json(json_file, [row.record() for row in rows])


@commands.command()
def promote(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name in the registry, for example plant_alarm_champion.", show_default=False
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", help="Default: the best version by --metric.", show_default=False
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Default: MODEL_PROMOTION_METRIC.", show_default=False)
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Return to the previous champion.")
    ] = False,
    challenger: Annotated[
        bool,
        typer.Option(
            "--challenger",
            help="Run a version as challenger beside the champion; default: the newest version.",
        ),
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Remove the challenger.")] = False,
    trained: Annotated[
        bool,
        typer.Option(
            "--trained",
            help="Promote all models that are better than their baseline, "
            "if MODEL_PROMOTION_MODE=auto.",
        ),
    ] = False,
    plant: PlantFile = None,
) -> None:
    """Promote a model version, or set a challenger.

    The promoted version has the alias @champion: it is the version that is served.

    Example: alarmstack promote plant_alarm_champion --version 2

    Example: alarmstack promote plant_alarm_champion --rollback
    """
    from alarmstack.registry import Registry

    if rollback + challenger + withdraw > 1 or (version is not None and (rollback or withdraw)):
        raise RegistryError(
            "use only one of --rollback, --challenger and --withdraw; "
            "--version can be combined with --challenger only"
        )
    settings = load_settings()
    registry = Registry(settings.registry)
    if trained:
        _promote_trained(plant_of(plant), registry, settings)
        return
    if name is None:
        raise RegistryError(
            "the name of a model is missing: use for example plant_alarm_champion, "
            "or --trained for all models"
        )
    if challenger:
        version = registry.challenge(name, version)
        console.print(
            f"{name} version {version} is @challenger: it scores beside the champion and raises "
            "no warnings. See the page Models or GET /comparison"
        )
        return
    if withdraw:
        registry.withdraw(name)
        console.print(f"{name} has no challenger now")
        return
    if rollback:
        version = registry.roll_back(name)
    elif version is None:
        version = registry.promote_best(name, metric or settings.promotion_metric)
    else:
        registry.promote(name, version)
    console.print(f"{name} version {version} is @champion")


def _promote_trained(plant: Plant, registry: Registry, settings: Settings) -> None:
    from alarmstack.training.train import promote

    promoted = promote(plant, registry, settings.promotion_mode, settings.promotion_metric)
    for name in promoted:
        console.print(f"{name} is @champion", highlight=False)
    if promoted:
        return
    manual = "MODEL_PROMOTION_MODE is manual; promote a model with `alarmstack promote NAME`"
    reason = (
        manual if settings.promotion_mode == "manual" else "no model is better than its baseline"
    )
    console.print(f"nothing promoted: {reason}", highlight=False)


@commands.command()
def export(
    out: Annotated[
        str | None,
        typer.Option(
            help="A folder or the URL of a store; default: ALARMSTACK_MODELS_URL.",
            show_default=False,
        ),
    ] = None,
    plant: PlantFile = None,
) -> None:
    """Write all promoted models to a folder or a store.

    An inference API with ALARMSTACK_MODELS_URL serves them without a registry. With
    ALARMSTACK_SERVE_UNPROMOTED=true, the newest version is exported where no version is promoted;
    responses of such a model are marked as unpromoted.

    Example: alarmstack export --out models
    """
    from alarmstack.registry import Registry
    from alarmstack.services.inference.exported import export as publish
    from alarmstack.storage.files import Store

    settings = load_settings()
    url = out or settings.models
    store = Store.of(settings, url if "://" in url else Path(url).resolve().as_uri())
    registry = Registry(settings.registry)
    versions = publish(plant_of(plant), registry, store, unpromoted=settings.serve_unpromoted)
    for name, version in versions.items():
        console.print(f"{name} version {version}")
    console.print(f"in {store.url}", soft_wrap=True)


__all__ = ["commands"]
