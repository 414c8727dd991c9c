"""Commands that check data files, read them and build the feature tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from alarmstack.cli.options import (
    EngineName,
    JsonFile,
    Master,
    OperatorLog,
    Out,
    PlantFile,
    plant_of,
)
from alarmstack.cli.output import console, log_to_stderr, print_problems, write_json
from alarmstack.core.errors import GateRefused, PlantError
from alarmstack.core.formats import NAMES
from alarmstack.core.plant import Plant
from alarmstack.core.progress import bar
from alarmstack.core.settings import Settings, load_settings

commands = typer.Typer(rich_markup_mode=None)
DATA_FILES = f"A file, or a folder of files: {NAMES}."


@commands.command()
def plant(plant: PlantFile = None, json_file: JsonFile = None) -> None:
    """Check a plant.toml and print its instruments.

    Example: alarmstack plant --plant plants/gas_treatment/plant.toml
    """
    from alarmstack.reports.terminal import plant_table

    described = plant_of(plant)
    console.print(plant_table(described))
    write_json(
        json_file,
        {
            "name": described.name,
            "fingerprint": described.fingerprint,
            "signals": list(described.signals),
        },
    )


@commands.command()
def validate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help=DATA_FILES)],
    plant: PlantFile = None,
    json_file: JsonFile = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Keep a copy of refused data with the reasons.")
    ] = False,
) -> None:
    """Validate a data file.

    Prints errors, warnings and the parts that cannot be read.

    Example: alarmstack validate data/labeled_dataset.csv
    """
    from alarmstack.preparation.intake import check_source
    from alarmstack.preparation.quality import forget_refused
    from alarmstack.preparation.quality import set_aside as keep
    from alarmstack.sources import guarded

    settings = load_settings()
    gate_result, problems = check_source(plant_of(plant), source, read=guarded(settings))
    print_problems(problems)
    console.print("\n".join(gate_result.lines()), markup=False, highlight=False)
    write_json(
        json_file,
        {
            "passed": gate_result.passed,
            "lines": gate_result.lines(),
            "problems": [str(problem) for problem in problems],
        },
    )
    refused = settings.data / "refused"
    if set_aside:
        forget_refused(refused, settings.keep_drops_days)
    if gate_result.passed:
        return
    copy = keep(source, refused, gate_result) if set_aside else None
    note = f"; kept in {copy}" if set_aside else ""
    raise GateRefused(f"{source}: refused by the gate{note}")


@commands.command()
def ingest(
    source: Annotated[Path, typer.Argument(help=DATA_FILES)],
    out: Out = Path("data"),
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
) -> None:
    """Validate data files and write the cleaned datasets.

    Writes cleaned_dataset.csv and labeled_dataset.csv.

    Layouts: one file for each instrument or controller, as the historian exports it; the columns
    tag, time, value; a timestamp and one column for each tag; or a finished dataset.

    Example: alarmstack ingest data/drop --out data
    """
    from alarmstack.preparation.intake import ingest as write_datasets
    from alarmstack.preparation.intake import take_in
    from alarmstack.sources import guarded

    described, settings = plant_of(plant), load_settings()
    intake = take_in(
        described,
        source,
        operator_log=operator_log,
        refused=settings.data / "refused",
        read=guarded(settings),
    )
    print_problems(intake.problems)
    for path in write_datasets(described, intake, out):
        console.print(f"{path}: {len(intake.block)} rows, {int(intake.alarm.sum())} in alarm")


@commands.command()
def etl(
    source: Annotated[
        Path,
        typer.Argument(help="A file or a folder of files; or a folder with a folder per asset."),
    ],
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
    engine: EngineName = None,
    master: Master = None,
    json_file: JsonFile = None,
) -> None:
    """Build feature tables and publish them in the store.

    Each asset gets its own run. ALARMSTACK_STORE_URL names the store.

    Example: alarmstack etl data/training

    Example: alarmstack etl data/fleet --engine spark --master spark://localhost:7077
    """
    settings, described = load_settings(), plant_of(plant)
    if (engine or settings.etl_engine) == "spark":
        if described.training.phases > 1:
            raise PlantError(
                "training.phases above 1 needs the engine local: "
                "the engine spark builds one grid. Set it to 1"
            )
        manifests = _etl_spark(described, settings, source, operator_log, master)
    else:
        manifests = _etl_local(described, settings, source, operator_log)
    # The JSON of a single plant is its manifest, not a mapping by asset.
    write_json(json_file, manifests.get("", manifests))
    refused = [
        asset or str(source) for asset, manifest in manifests.items() if "refused" in manifest
    ]
    if refused:
        raise GateRefused(f"{', '.join(refused)}: refused by the gate; all others are published")


def _etl_local(
    plant: Plant, settings: Settings, source: Path, operator_log: Path | None
) -> dict[str, Any]:
    from alarmstack.pipelines.etl.local import run_assets

    manifests = {}
    with bar(console, "etl") as progress:
        for asset, intake, manifest in run_assets(
            plant, settings, source, operator_log=operator_log, progress=progress
        ):
            print_problems(intake.problems)
            _print_run(asset, manifest, settings)
            manifests[asset] = manifest
    return manifests


def _etl_spark(
    plant: Plant, settings: Settings, source: Path, operator_log: Path | None, master: str | None
) -> dict[str, Any]:
    from alarmstack.pipelines.spark.cluster import cluster
    from alarmstack.pipelines.spark.etl import run_assets
    from alarmstack.pipelines.spark.pieces import Job

    manifests = {}
    with cluster(settings.spark_master if master is None else master, "alarmstack etl") as spark:
        for asset, manifest in run_assets(spark, Job(plant, settings, operator_log), source):
            print_problems(manifest.get("problems", ()))
            _print_run(asset, manifest, settings)
            manifests[asset] = manifest
    return manifests


def _print_run(asset: str, manifest: Mapping[str, Any], settings: Settings) -> None:
    prefix = f"{asset}: " if asset else ""
    if "refused" in manifest:
        console.print(f"{prefix}refused: {manifest['refused']}", markup=False)
        return
    store = f"{settings.store}/{asset}" if asset else settings.store
    counts = f"{manifest['rows']} rows, {manifest['onsets']} onsets"
    line = f"{prefix}run {manifest['run']}: {counts}, in {store}"
    console.print(line, markup=False, soft_wrap=True)


@commands.command()
def watch(
    folder: Annotated[
        Path | None, typer.Argument(help="Default: ALARMSTACK_DROP_DIR.", show_default=False)
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Process what is in the folder, then exit.")
    ] = False,
    polling: Annotated[
        bool,
        typer.Option(
            "--polling",
            help="For network mounts and Windows volumes, which report no file changes.",
        ),
    ] = False,
    plant: PlantFile = None,
) -> None:
    """Process each file that is copied into a folder.

    A file, or a folder of files, is processed once, when it is complete. With
    ALARMSTACK_AIRFLOW_URL, Airflow runs the DAG ingest_etl_local_drop for it. Otherwise the ETL
    runs in this process. Formats: Excel, CSV, Parquet.

    Example: alarmstack watch data_drop
    """
    from alarmstack.pipelines.watcher import Watcher
    from alarmstack.pipelines.watcher import watch as run_watcher
    from alarmstack.pipelines.watcher.drops import Settling
    from alarmstack.pipelines.watcher.handlers import Airflow, InProcess
    from alarmstack.pipelines.watcher.ledger import Ledger
    from alarmstack.sources.limits import Limits

    settings = load_settings()
    url, password = settings.airflow_url, settings.airflow_password.get_secret_value()
    handler = (
        Airflow(url, settings.airflow_user, password)
        if url
        else InProcess(plant_of(plant), settings)
    )
    watcher = Watcher(
        folder or settings.drop,
        Ledger(settings.data / "watcher" / "ledger.jsonl"),
        handler,
        lambda line: console.print(line, markup=False, highlight=False),
        Settling(settings.settle_seconds),
        Limits.of(settings),
    )
    log_to_stderr()
    target = f"drops go to Airflow at {url}" if url else "the ETL runs in this process"
    console.print(f"watching {watcher.folder}; {target}")
    run_watcher(watcher, polling=polling or settings.watch_polling, once=once)


@commands.command()
def buckets() -> None:
    """Create the buckets of the full stack on the S3 server.

    MLFLOW_S3_ENDPOINT_URL names the server. The buckets are versioned. Existing buckets are kept.

    Example: MLFLOW_S3_ENDPOINT_URL=http://localhost:9000 alarmstack buckets
    """
    from alarmstack.storage.buckets import make_buckets

    for line in make_buckets(load_settings().s3_endpoint):
        console.print(line, highlight=False)


__all__ = ["commands"]
