"""The command line: verbs only, each a few lines over the stage that does the work."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

import typer
from rich.console import Console

from alarmstack import __version__
from alarmstack.cli.bench import benches
from alarmstack.cli.options import (
    LARGEST_SEED,
    LONGEST_DAYS,
    LONGEST_GRACE,
    duration_of,
    first_day,
    seeds_of,
)
from alarmstack.cli.options import write_json as _write_json
from alarmstack.cli.serve import services
from alarmstack.cli.users import users
from alarmstack.core.errors import (
    AlarmstackError,
    GateRefused,
    PlantError,
    RegistryError,
    SourceError,
)
from alarmstack.core.plant import load_plant
from alarmstack.core.progress import bar
from alarmstack.core.settings import Engine, Settings, load_settings
from alarmstack.core.tasks import reason_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Early warnings for process plants.",
)
app.add_typer(users, name="user")
app.add_typer(services, name="serve")
app.add_typer(benches, name="bench")
console = Console()

PlantFile = Annotated[
    Path | None,
    typer.Option(
        "--plant", help="The plant's description; default: ALARMSTACK_PLANT.", show_default=False
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write what is printed to this file as JSON.", show_default=False),
]
OperatorLog = Annotated[
    Path | None,
    typer.Option(
        help="Periods of trouble; default: the drop's own, else the plant's.", show_default=False
    ),
]
EngineName = Annotated[
    Engine | None,
    typer.Option("--engine", help="Default: ALARMSTACK_ETL_ENGINE.", show_default=False),
]
Master = Annotated[
    str | None,
    typer.Option(
        help="The cluster of the engine spark; default: SPARK_MASTER_URL.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Start = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, plant time.")]
FIRST_DAY = datetime(2023, 1, 1)
LOG_LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
MOST_ASSETS = 10_000
_WrongUseError: type[Exception] = typer.BadParameter.__mro__[2]
"""What every complaint about the command line derives from; the library has no public name for it."""
FAILED, WRONG_USE, STOPPED = 1, 2, 130
BAD_DROP = 3
"""Exit status where the data is at fault: whoever calls need not try again."""


def main() -> None:
    """Entry point: an error is one line on standard error, and the exit status says whose it is.

    What a command or a service writes is for its user alone to read: databases, logs, models, exports.
    """
    os.umask(0o077)
    try:
        status = app(standalone_mode=False)
        if status == STOPPED:
            raise KeyboardInterrupt
        sys.exit(status)
    except _WrongUseError as error:
        _say_wrong_use(error)
        sys.exit(WRONG_USE)
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped; the next run goes on from here")
        sys.exit(STOPPED)
    except AlarmstackError as error:
        print(f"alarmstack: {error}", file=sys.stderr)
        sys.exit(BAD_DROP if isinstance(error, (GateRefused, SourceError)) else FAILED)
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more may be written to it, not even at the end of this process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        _say(_unexpected(error))
        sys.exit(FAILED)


def _say_wrong_use(error: Any) -> None:
    """The one line that matters; the whole help where nothing was asked for."""
    help_asked_for = type(error).__name__ == "NoArgsIsHelpError"
    if help_asked_for:
        error.show()
        return
    command = error.ctx.command_path if error.ctx else "alarmstack"
    _say(f"{error.format_message()} (see {command} --help)")


def _say(reason: str) -> None:
    print(f"alarmstack: {' '.join(reason.split())}", file=sys.stderr)


def _unexpected(error: Exception) -> str:
    """What went wrong outside of our own rules: the system's reason, or where to find the trace of what nobody foresaw."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        return reason_of(error)
    if type(cause).__module__.startswith(("sqlite3", "psycopg", "sqlalchemy")):
        return f"the database cannot be used: {reason_of(error)}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    with NamedTemporaryFile("w", prefix="alarmstack-error-", suffix=".txt", delete=False) as trace:
        traceback.print_exception(error, file=trace)
    return f"unexpected error: {type(error).__name__}: {reason_of(error)}; its trace is in {trace.name}"


@app.command()
def version() -> None:
    """Print the version.

    Example: alarmstack version
    """
    console.print(__version__)


@app.command()
def plant(plant: PlantFile = None, json_file: JsonFile = None) -> None:
    """Check a plant.toml and print what it describes.

    Example: alarmstack plant --plant plants/gas_treatment/plant.toml
    """
    from alarmstack.reports.terminal import plant_table

    described = _plant(plant)
    console.print(plant_table(described))
    _write_json(
        json_file,
        {
            "name": described.name,
            "fingerprint": described.fingerprint,
            "signals": list(described.signals),
        },
    )


@app.command()
def simulate(
    out: Out,
    days: Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="Length in days.")] = 28,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Same seed, same bytes.")] = 7,
    start: Start = FIRST_DAY,
    form: Annotated[str, typer.Option("--format", help="xlsx, csv or parquet.")] = "xlsx",
    assets: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_ASSETS,
            help="Plants of a fleet, each in its own folder with its own parameters.",
        ),
    ] = 1,
    plant: PlantFile = None,
) -> None:
    """Write the historian export of a simulated plant; what really happened goes to the folder truth/, apart.

    Example: alarmstack simulate --days 28 --seed 7 --out data/drop
    """
    from alarmstack.simulator import export, simulate_fleet

    described, start = _plant(plant), first_day("--start", start)
    for name, made in simulate_fleet(
        described, start=start.replace(tzinfo=described.zone), days=days, seed=seed, assets=assets
    ):
        folder = out if assets == 1 else out / name
        export(made, described, folder, form)
        console.print(f"{folder}: {len(made.readings):,} readings, {made.truth.height} events")


@app.command()
def likeness(
    against: Annotated[Path, typer.Option(help="A cleaned dataset of the real plant.")] = Path(
        "../shared/data/gas_plant/cleaned_dataset.csv"
    ),
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Print how like the real plant the simulated one is, instrument by instrument.

    Example: alarmstack likeness --against cleaned_dataset.csv
    """
    from alarmstack.simulator.similarity import likeness as compare
    from alarmstack.simulator.similarity import render

    lines = compare(_plant(plant), against)
    console.print(render(lines))
    _write_json(json_file, [line.record() for line in lines])


@app.command()
def hardness(plant: PlantFile = None, json_file: JsonFile = None) -> None:
    """Print how much of the simulated plant's trouble a lowered limit, a slope or a logistic regression would catch.

    Example: alarmstack hardness
    """
    from alarmstack.training.predictability import predictability as measure
    from alarmstack.training.predictability import render

    lines = measure(_plant(plant), FIRST_DAY.replace(tzinfo=UTC), 365, 1, [101, 102])
    console.print(render(lines))
    _write_json(json_file, [line.record() for line in lines])


@app.command()
def ingest(
    source: Annotated[Path, typer.Argument(help="A folder of exports or one file.")],
    out: Out = Path("data"),
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
) -> None:
    """Read a drop through the gate and write cleaned_dataset.csv and labeled_dataset.csv.

    Layouts (xlsx, xls, csv, parquet): one file an instrument or controller as the historian exports it; tag, time, value; timestamp
    and one column a tag; or a finished dataset.

    Example: alarmstack ingest data/drop --out data
    """
    from alarmstack.preparation.intake import ingest as write
    from alarmstack.preparation.intake import take_in
    from alarmstack.sources import guarded

    described, settings = _plant(plant), load_settings()
    taken = take_in(
        described,
        source,
        operator_log=operator_log,
        refused=settings.data / "refused",
        read=guarded(settings),
    )
    _print_problems(taken.problems)
    for path in write(described, taken, out):
        console.print(f"{path}: {len(taken.block)} rows, {int(taken.alarm.sum())} in alarm")


@app.command()
def validate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file or a folder of exports.")],
    plant: PlantFile = None,
    json_file: JsonFile = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Keep a copy of what is refused, with its verdict.")
    ] = False,
) -> None:
    """Ask the gate about a drop: what it refuses, what it warns of, what could not be read.

    Example: alarmstack validate data/labeled_dataset.csv
    """
    from alarmstack.preparation.intake import judge
    from alarmstack.preparation.quality import forget_refused
    from alarmstack.preparation.quality import set_aside as keep
    from alarmstack.sources import guarded

    settings = load_settings()
    refused = settings.data / "refused"
    verdict, problems = judge(_plant(plant), source, read=guarded(settings))
    _print_problems(problems)
    console.print("\n".join(verdict.lines()), markup=False, highlight=False)
    _write_json(
        json_file,
        {
            "passed": verdict.passed,
            "lines": verdict.lines(),
            "problems": [str(p) for p in problems],
        },
    )
    if set_aside:
        forget_refused(refused, settings.keep_drops_days)
    if not verdict.passed:
        kept = f"; kept in {keep(source, refused, verdict)}" if set_aside else ""
        raise GateRefused(f"{source}: refused by the gate{kept}")


@app.command()
def etl(
    source: Annotated[
        Path,
        typer.Argument(
            help="A folder of exports or one file; or a folder of such folders, one an asset."
        ),
    ],
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
    engine: EngineName = None,
    master: Master = None,
    json_file: JsonFile = None,
) -> None:
    """Build the feature tables of a drop and publish them as one run an asset in the store (ALARMSTACK_STORE_URL).

    Example: alarmstack etl data/training

    Example: alarmstack etl data/fleet --engine spark --master spark://localhost:7077
    """
    settings, described = load_settings(), _plant(plant)
    if (engine or settings.etl_engine) == "spark":
        if described.training.phases > 1:
            raise PlantError(
                "training.phases above 1 needs the engine local: the cluster's pieces hold one grid. Set it to 1"
            )
        manifests = _etl_spark(described, settings, source, operator_log, master)
    else:
        manifests = _etl_local(described, settings, source, operator_log)
    # A drop of one plant keeps the form that it always had.
    _write_json(json_file, manifests.get("", manifests))
    if refused := [
        asset or str(source) for asset, manifest in manifests.items() if "refused" in manifest
    ]:
        raise GateRefused(f"{', '.join(refused)}: refused by the gate; all others are published")


def _etl_local(
    plant: Any, settings: Settings, source: Path, operator_log: Path | None
) -> dict[str, Any]:
    from alarmstack.pipelines.etl.local import run_assets

    manifests = {}
    with bar(console, "etl") as progress:
        for asset, taken, manifest in run_assets(
            plant, settings, source, operator_log=operator_log, progress=progress
        ):
            _print_problems(taken.problems)
            _print_run(asset, manifest, settings)
            manifests[asset] = manifest
    return manifests


def _etl_spark(
    plant: Any, settings: Settings, source: Path, operator_log: Path | None, master: str | None
) -> dict[str, Any]:
    from alarmstack.pipelines.spark.cluster import cluster
    from alarmstack.pipelines.spark.etl import run_assets
    from alarmstack.pipelines.spark.pieces import Job

    manifests = {}
    with cluster(settings.spark_master if master is None else master, "alarmstack etl") as spark:
        for asset, manifest in run_assets(spark, Job(plant, settings, operator_log), source):
            _print_problems(manifest.get("problems", ()))
            _print_run(asset, manifest, settings)
            manifests[asset] = manifest
    return manifests


def _print_run(asset: str, manifest: Mapping[str, Any], settings: Settings) -> None:
    named = f"{asset}: " if asset else ""
    if "refused" in manifest:
        console.print(f"{named}refused: {manifest['refused']}", markup=False)
    else:
        where = f"in {settings.store}{f'/{asset}' if asset else ''}"
        line = f"{named}run {manifest['run']}: {manifest['rows']} rows, {manifest['onsets']} onsets, {where}"
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def watch(
    folder: Annotated[
        Path | None, typer.Argument(help="Default: ALARMSTACK_DROP_DIR.", show_default=False)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take what lies there, then end.")] = False,
    polling: Annotated[
        bool,
        typer.Option(
            "--polling", help="For network mounts and Windows volumes, which send no notices."
        ),
    ] = False,
    plant: PlantFile = None,
) -> None:
    """Take in what is dropped into a folder: each Excel, CSV or Parquet file, or folder of them, once, when it is whole.

    With ALARMSTACK_AIRFLOW_URL Airflow is asked to run ingest_etl_local_drop on it; otherwise the ETL runs here.

    Example: alarmstack watch data_drop
    """
    from alarmstack.pipelines.watcher import Watcher
    from alarmstack.pipelines.watcher import watch as go_on
    from alarmstack.pipelines.watcher.drops import Settling
    from alarmstack.pipelines.watcher.handlers import Airflow, InProcess
    from alarmstack.pipelines.watcher.ledger import Ledger
    from alarmstack.sources.limits import Limits

    settings = load_settings()
    where, password = settings.airflow_url, settings.airflow_password.get_secret_value()
    take = (
        Airflow(where, settings.airflow_user, password)
        if where
        else InProcess(_plant(plant), settings)
    )
    watcher = Watcher(
        folder or settings.drop,
        Ledger(settings.data / "watcher" / "ledger.jsonl"),
        take,
        lambda line: console.print(line, markup=False, highlight=False),
        Settling(settings.settle_seconds),
        Limits.of(settings),
    )
    logging.basicConfig(level=logging.WARNING, format=LOG_LINE)
    console.print(
        f"watching {watcher.folder}; {f'drops go to Airflow at {where}' if where else 'the ETL runs here'}"
    )
    go_on(watcher, polling=polling or settings.watch_polling, once=once)


@app.command()
def buckets() -> None:
    """Make the buckets of the full stack on the S3 server (MLFLOW_S3_ENDPOINT_URL), versioned; those that are there stay.

    Example: MLFLOW_S3_ENDPOINT_URL=http://localhost:9000 alarmstack buckets
    """
    from alarmstack.storage.buckets import make_buckets

    for line in make_buckets(load_settings().s3_endpoint):
        console.print(line, highlight=False)


@app.command()
def train(
    plant: PlantFile = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED)] = 0,
    json_file: JsonFile = None,
) -> None:
    """Train all models on the store's latest run and register them (MLFLOW_TRACKING_URI, MODEL_PROMOTION_MODE).

    Example: MODEL_PROMOTION_MODE=auto alarmstack train
    """
    from alarmstack.pipelines.local import train_latest
    from alarmstack.reports.terminal import training_table

    settings = load_settings()
    with bar(console, "train") as progress:
        trained, promoted = train_latest(_plant(plant), settings, seed=seed, progress=progress)
    console.print(training_table(trained, promoted))
    _write_json(
        json_file,
        [
            {"name": t.bundle.name, "version": t.version, "metrics": dict(t.metrics)}
            for t in trained
        ],
    )


@app.command()
def promote(
    name: Annotated[
        str | None,
        typer.Argument(help="Registry name, such as plant_alarm_champion.", show_default=False),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Default: the best by --metric.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Default: MODEL_PROMOTION_METRIC.", show_default=False)
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Back to the champion before this one.")
    ] = False,
    challenger: Annotated[
        bool,
        typer.Option(
            "--challenger",
            help="Let it speak in shadow instead, beside the champion; default: the newest.",
        ),
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="End a challenge.")] = False,
    trained: Annotated[
        bool,
        typer.Option(
            "--trained", help="All that beat their baseline, if MODEL_PROMOTION_MODE=auto."
        ),
    ] = False,
    plant: PlantFile = None,
) -> None:
    """Give a version the alias @champion, from which serving and scoring load; or go back, or let a version challenge it.

    Example: alarmstack promote plant_alarm_champion --version 2
    """
    from alarmstack.registry import Registry

    if rollback + challenger + withdraw > 1 or (version is not None and (rollback or withdraw)):
        raise RegistryError(
            "--rollback, --challenger and --withdraw stand alone; --version goes with --challenger: choose one"
        )
    settings = load_settings()
    registry = Registry(settings.registry)
    if trained:
        _promote_trained(_plant(plant), registry, settings)
        return
    if name is None:
        raise RegistryError(
            "no model is named: give one, such as plant_alarm_champion, or --trained for all of them"
        )
    if challenger:
        version = registry.challenge(name, version)
        console.print(
            f"{name} version {version} is @challenger: it scores in shadow; see the page Models or GET /comparison"
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


@app.command()
def export(
    out: Annotated[
        str | None,
        typer.Option(
            help="A folder or a store's URL; default: ALARMSTACK_MODELS_URL.", show_default=False
        ),
    ] = None,
    plant: PlantFile = None,
) -> None:
    """Publish all promoted models as files: an inference API with ALARMSTACK_MODELS_URL serves them without a registry.

    With ALARMSTACK_SERVE_UNPROMOTED=true the newest go along where none is promoted, and say so in their answers.

    Example: alarmstack export --out models
    """
    from alarmstack.registry import Registry
    from alarmstack.services.inference.exported import export as publish
    from alarmstack.storage.files import Store

    settings = load_settings()
    url = out or settings.models
    store = Store.of(settings, url if "://" in url else Path(url).resolve().as_uri())
    for name, version in publish(
        _plant(plant), Registry(settings.registry), store, unpromoted=settings.serve_unpromoted
    ).items():
        console.print(f"{name} version {version}")
    console.print(f"in {store.url}", soft_wrap=True)


@app.command()
def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Judge on this file or drop instead of the simulated plants.", show_default=False
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(min=28, max=LONGEST_DAYS, help="Length of each simulated plant.")
    ] = 365,
    seeds: Annotated[
        str, typer.Option(help="Seeds that training never saw, one simulated plant each.")
    ] = "101,102",
    newest: Annotated[
        bool, typer.Option("--newest", help="Judge the newest versions, promoted or not.")
    ] = False,
    stride: Annotated[
        str | None,
        typer.Option(
            help="Judge forecasters that speak so often, beside themselves once a cadence: 15min.",
            show_default=False,
        ),
    ] = None,
    threshold_seeds: Annotated[
        str, typer.Option(help="With --stride: seeds that thresholds are chosen on.")
    ] = "201,202",
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Judge the promoted models by events, beside baselines tuned to the same false-alarm budget.

    Example: alarmstack evaluate --json evaluation.json

    Example: alarmstack evaluate --stride 15min
    """
    unseen, chosen_on = seeds_of("--seeds", seeds), seeds_of("--threshold-seeds", threshold_seeds)
    every = None if stride is None else duration_of("--stride", stride)
    from alarmstack.pipelines.local import champions, evaluate_file, evaluate_simulated
    from alarmstack.pipelines.local import newest as newest_of_all
    from alarmstack.reports.terminal import evaluation_tables
    from alarmstack.training.rolling import evaluate_stride

    settings, described = load_settings(), _plant(plant)
    bundles = (newest_of_all if newest else champions)(described, settings)
    with bar(console, "evaluate") as progress:
        begin = FIRST_DAY.replace(tzinfo=UTC)
        if data is not None:
            rows = evaluate_file(described, settings, bundles, data)
        elif every is not None:
            rows = evaluate_stride(
                described, bundles, begin, days, unseen, chosen_on, every, progress
            )
        else:
            rows = evaluate_simulated(described, settings, bundles, begin, days, unseen, progress)
    for table in evaluation_tables(rows):
        console.print(table)
    _write_json(json_file, [row.record() for row in rows])


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(help="Any historian file or drop; or a folder of drops, one an asset.")
    ],
    out: Out = Path("data/results"),
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
    engine: EngineName = None,
    master: Master = None,
) -> None:
    """Write what every promoted model says of every row (model_results.csv) and, by the engine local, a picture (timeline.png).

    Example: alarmstack score data/labeled_dataset.csv --out data/results

    Example: alarmstack score data/fleet --out data/fleet_results --engine spark --master spark://localhost:7077
    """
    from alarmstack.pipelines.local import score_source
    from alarmstack.preparation.assets import assets_in

    settings, described = load_settings(), _plant(plant)
    if (engine or settings.etl_engine) == "spark":
        _score_spark(described, settings, file, out, operator_log, master)
        return
    for asset, drop in assets_in(file).items():
        for path in score_source(described, settings, drop, out / asset, operator_log=operator_log):
            console.print(str(path), soft_wrap=True)


def _score_spark(
    plant: Any,
    settings: Settings,
    source: Path,
    out: Path,
    operator_log: Path | None,
    master: str | None,
) -> None:
    from alarmstack.pipelines.local import champions
    from alarmstack.pipelines.spark.cluster import cluster
    from alarmstack.pipelines.spark.pieces import REFUSED, Job
    from alarmstack.pipelines.spark.scoring import score_assets

    bundles, where, refused = champions(plant, settings), out.resolve().as_uri(), []
    with cluster(settings.spark_master if master is None else master, "alarmstack score") as spark:
        for asset, found in score_assets(
            spark, Job(plant, settings, operator_log), source, bundles, where
        ):
            if REFUSED in found:
                console.print(
                    f"{asset or source}: refused: {found[REFUSED]}", markup=False, soft_wrap=True
                )
                refused.append(asset or str(source))
            else:
                console.print(str(out / asset / found["file"]), soft_wrap=True)
    if refused:
        raise GateRefused(f"{', '.join(refused)}: refused by the gate; all others are scored")


@app.command()
def stream(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of live readings, asset=NAME/*.parquet (tag, time, value)."),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for the scores, Parquet: one row an asset and interval.")
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Where the stream remembers how far it is; default: OUT_checkpoint.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            max=LONGEST_GRACE,
            help="Seconds for which readings of an ended interval are waited for.",
        ),
    ] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Score what lies there, then end.")] = False,
    plant: PlantFile = None,
    master: Master = None,
) -> None:
    """Score live readings of many assets as they arrive, by Spark Structured Streaming: each interval once, through any restart.

    Example: alarmstack stream data/live data/live_scores --master spark://localhost:7077
    """
    import asyncio

    from alarmstack.core.tasks import Tasks
    from alarmstack.pipelines.local import champions
    from alarmstack.pipelines.spark.cluster import cluster
    from alarmstack.pipelines.spark.streaming import (
        OPTIONS,
        aside_of,
        keep_scoring,
        run_once,
        score_stream,
    )
    from alarmstack.pipelines.spark.validation import count_aside

    settings, described = load_settings(), _plant(plant)
    bundles = champions(described, settings)
    beside = checkpoint or out.with_name(f"{out.name}_checkpoint")
    shown = 0

    def tell() -> None:
        nonlocal shown
        if (count := count_aside(aside_of(out))) != shown:
            shown = count
            console.print(
                f"{count:,} readings set aside so far: see {aside_of(out)}",
                soft_wrap=True,
                highlight=False,
            )

    with cluster(
        settings.spark_master if master is None else master, "alarmstack stream", **OPTIONS
    ) as spark:

        def begin() -> Any:
            waited, step = timedelta(seconds=grace), settings.clock_step
            return score_stream(
                spark,
                described,
                bundles,
                source,
                out,
                checkpoint=beside,
                grace=waited,
                once=once,
                step_seconds=step,
            )

        if once:
            run_once(begin)
            tell()
            return
        logging.basicConfig(level=logging.WARNING, format=LOG_LINE)
        console.print(
            f"scoring {source} into {out}; Ctrl-C ends, and the same command goes on",
            soft_wrap=True,
        )
        asyncio.run(keep_scoring(begin, Tasks(), tell))


@app.command()
def demo(
    serve: Annotated[
        bool, typer.Option(help="End with the living plant on a screen, until Ctrl-C.")
    ] = True,
) -> None:
    """Run everything: simulate, ingest, train, evaluate, score, then the services. What was done before is not done again.

    Example: alarmstack demo
    """
    from alarmstack.cli.serve import check_demo, show_demo
    from alarmstack.core.folder import claimed
    from alarmstack.pipelines.demo import run_tour

    settings = load_settings()
    if serve:
        check_demo(settings)
    with claimed(settings.data, "demo"):
        run_tour(settings, console)
    if serve:
        show_demo()


def _promote_trained(plant: Any, registry: Any, settings: Settings) -> None:
    from alarmstack.training.train import promote

    promoted = promote(plant, registry, settings.promotion_mode, settings.promotion_metric)
    by_hand = "MODEL_PROMOTION_MODE is manual: `alarmstack promote NAME` lets a model speak"
    none = by_hand if settings.promotion_mode == "manual" else "no model beats its baseline"
    console.print(
        "\n".join(f"{name} is @champion" for name in promoted) or f"nothing promoted: {none}",
        highlight=False,
    )


def _plant(path: Path | None) -> Any:
    return load_plant(path or load_settings().plant)


def _print_problems(problems: Sequence[object]) -> None:
    for problem in problems:
        console.print(f"note: {problem}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
