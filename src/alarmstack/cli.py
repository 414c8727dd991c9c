"""The command line: verbs only, each a few lines over the stage that does the work."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from alarmstack import __version__
from alarmstack.bench.verbs import benches
from alarmstack.errors import AlarmstackError, GateRefused, RegistryError
from alarmstack.people import users
from alarmstack.plant import load_plant
from alarmstack.progress import bar
from alarmstack.serving import services
from alarmstack.settings import load_settings

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
    Path | None, typer.Option("--plant", help="The plant's description; default: ALARMSTACK_PLANT.", show_default=False)
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write what is printed to this file as JSON.", show_default=False)]
OperatorLog = Annotated[
    Path | None, typer.Option(help="Periods of trouble; default: the drop's own, else the plant's.", show_default=False)
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Start = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, plant time.")]
FIRST_DAY = datetime(2023, 1, 1)


def main() -> None:
    """Entry point: an error a user can mend is one line on standard error."""
    try:
        app()
    except AlarmstackError as error:
        print(f"alarmstack: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("alarmstack: stopped; the next run goes on from here", file=sys.stderr)
        sys.exit(130)


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
    from alarmstack.report import plant_table

    described = _plant(plant)
    console.print(plant_table(described))
    _write_json(json_file, {"name": described.name, "fingerprint": described.fingerprint, "signals": list(described.signals)})


@app.command()
def simulate(
    out: Out,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Length in days.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
    start: Start = FIRST_DAY,
    form: Annotated[str, typer.Option("--format", help="xlsx, csv or parquet.")] = "xlsx",
    assets: Annotated[int, typer.Option(min=1, help="Plants of a fleet, each in its own folder with its own parameters.")] = 1,
    plant: PlantFile = None,
) -> None:
    """Write the historian export of a simulated plant; what really happened goes to the folder truth/, apart.

    Example: alarmstack simulate --days 28 --seed 7 --out data/drop
    """
    from alarmstack.simulator import export, simulate_fleet

    described = _plant(plant)
    for name, made in simulate_fleet(described, start=start.replace(tzinfo=described.zone), days=days, seed=seed, assets=assets):
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
    from alarmstack.simulator.likeness import likeness as compare
    from alarmstack.simulator.likeness import render

    lines = compare(_plant(plant), against)
    console.print(render(lines))
    _write_json(json_file, [line.record() for line in lines])


@app.command()
def hardness(plant: PlantFile = None, json_file: JsonFile = None) -> None:
    """Print how much of the simulated plant's trouble a lowered limit, a slope or a logistic regression would catch.

    Example: alarmstack hardness
    """
    from alarmstack.training.hardness import hardness as measure
    from alarmstack.training.hardness import render

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
    from alarmstack.etl.intake import ingest as write
    from alarmstack.etl.intake import take_in

    described = _plant(plant)
    taken = take_in(described, source, operator_log=operator_log, refused=load_settings().data / "refused")
    _print_problems(taken.problems)
    for path in write(described, taken, out):
        console.print(f"{path}: {len(taken.block)} rows, {int(taken.alarm.sum())} in alarm")


@app.command()
def validate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file or a folder of exports.")],
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Ask the gate about a drop: what it refuses, what it warns of, what could not be read.

    Example: alarmstack validate data/labeled_dataset.csv
    """
    from alarmstack.etl.intake import judge

    verdict, problems = judge(_plant(plant), source)
    _print_problems(problems)
    console.print("\n".join(verdict.lines()), markup=False, highlight=False)
    _write_json(json_file, {"passed": verdict.passed, "lines": verdict.lines(), "problems": [str(p) for p in problems]})
    if not verdict.passed:
        raise GateRefused(f"{source}: refused by the gate")


@app.command()
def etl(
    source: Annotated[Path, typer.Argument(help="A folder of exports or one file.")],
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Build the feature tables of a drop and publish them as one run in the store (ALARMSTACK_STORE_URL).

    Example: alarmstack etl data/training
    """
    from alarmstack.etl.intake import take_in
    from alarmstack.etl.local import run
    from alarmstack.storage import Store

    settings, described = load_settings(), _plant(plant)
    taken = take_in(described, source, operator_log=operator_log, refused=settings.data / "refused")
    _print_problems(taken.problems)
    with bar(console, "etl") as progress:
        manifest = run(described, taken, Store(settings.store), progress)
    console.print(f"run {manifest['run']}: {manifest['rows']} rows, {manifest['onsets']} onsets, in {settings.store}")
    _write_json(json_file, manifest)


@app.command()
def train(plant: PlantFile = None, seed: Annotated[int, typer.Option(min=0)] = 0, json_file: JsonFile = None) -> None:
    """Train all models on the store's latest run and register them (MLFLOW_TRACKING_URI, MODEL_PROMOTION_MODE).

    Example: MODEL_PROMOTION_MODE=auto alarmstack train
    """
    from alarmstack.pipeline import train_latest
    from alarmstack.report import training_table

    settings = load_settings()
    with bar(console, "train") as progress:
        trained, promoted = train_latest(_plant(plant), settings, seed=seed, progress=progress)
    console.print(training_table(trained, promoted))
    _write_json(json_file, [{"name": t.bundle.name, "version": t.version, "metrics": dict(t.metrics)} for t in trained])


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="Registry name, such as plant_alarm_champion.")],
    version: Annotated[str | None, typer.Option("--version", help="Default: the best by --metric.", show_default=False)] = None,
    metric: Annotated[str | None, typer.Option(help="Default: MODEL_PROMOTION_METRIC.", show_default=False)] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the champion before this one.")] = False,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Let it speak in shadow instead, beside the champion; default: the newest.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="End a challenge.")] = False,
) -> None:
    """Give a version the alias @champion, from which serving and scoring load; or go back, or let a version challenge it.

    Example: alarmstack promote plant_alarm_champion --version 2
    """
    from alarmstack.registry import Registry

    if rollback + challenger + withdraw > 1 or (version is not None and (rollback or withdraw)):
        raise RegistryError("--rollback, --challenger and --withdraw stand alone; --version goes with --challenger: choose one")
    settings = load_settings()
    registry = Registry(settings.registry)
    if challenger:
        version = registry.challenge(name, version)
        console.print(f"{name} version {version} is @challenger: it speaks in shadow; see the page Models or GET /comparison")
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
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="Judge on this file or drop instead of the simulated plants.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(min=28, help="Length of each simulated plant.")] = 365,
    seeds: Annotated[str, typer.Option(help="Seeds that training never saw, one simulated plant each.")] = "101,102",
    plant: PlantFile = None,
    json_file: JsonFile = None,
) -> None:
    """Judge the promoted models by events, beside floors tuned to the same false-alarm budget.

    Example: alarmstack evaluate --json evaluation.json
    """
    from alarmstack.pipeline import evaluate_file, evaluate_simulated
    from alarmstack.report import evaluation_tables

    settings, described = load_settings(), _plant(plant)
    with bar(console, "evaluate") as progress:
        if data is not None:
            rows = evaluate_file(described, settings, data)
        else:
            unseen = [int(s) for s in seeds.split(",")]
            rows = evaluate_simulated(described, settings, FIRST_DAY.replace(tzinfo=UTC), days, unseen, progress)
    for table in evaluation_tables(rows):
        console.print(table)
    _write_json(json_file, [row.record() for row in rows])


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="Any historian file or drop.")],
    out: Out = Path("data/results"),
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
) -> None:
    """Write what every promoted model says of every row (model_results.csv) and a picture of it (timeline.png).

    Example: alarmstack score data/labeled_dataset.csv --out data/results
    """
    from alarmstack.pipeline import score_source

    for path in score_source(_plant(plant), load_settings(), file, out, operator_log=operator_log):
        console.print(str(path))


@app.command()
def demo(
    serve: Annotated[bool, typer.Option(help="End with the living plant on a screen, until Ctrl-C.")] = True,
) -> None:
    """Run everything: simulate, ingest, train, evaluate, score, then the services. What was done before is not done again.

    Example: alarmstack demo
    """
    from alarmstack.serving import check_demo, show_demo
    from alarmstack.tour import run_tour

    settings = load_settings()
    if serve:
        check_demo(settings)
    run_tour(settings, console)
    if serve:
        show_demo()


def _plant(path: Path | None) -> Any:
    return load_plant(path or load_settings().plant)


def _print_problems(problems: Sequence[object]) -> None:
    for problem in problems:
        console.print(f"note: {problem}", markup=False, highlight=False)


def _write_json(path: Path | None, content: Mapping[str, Any] | Sequence[Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


if __name__ == "__main__":
    main()
