"""`alarmstack bench`: run the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alarmstack.cli.options import (
    JsonFile,
    PlantFile,
    SimulatedDays,
    UnseenSeeds,
    duration_of,
    plant_of,
    seeds_of,
)
from alarmstack.cli.output import console, write_json
from alarmstack.core.errors import AlarmstackError, BenchError
from alarmstack.core.progress import bar
from alarmstack.core.settings import load_settings

if TYPE_CHECKING:
    from alarmstack.bench.lines import Line
    from alarmstack.bench.sets import SetDescription
    from alarmstack.bench.transfer import Cell

benches = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Compare with baselines and published results.",
)

SETS = Path("benchmarks/sets")
SKILL_HEAD = """# Results on public data

This page is for data scientists. `make bench-skill` writes it; [skill.md](skill.md) explains it.
"""
STUDY_HEAD = """# Studies of the models

This page is for data scientists. `alarmstack bench models --report` writes it; [skill.md](skill.md)
explains it.
"""
TRANSFER_HEAD = """# Transfer of false-alarm budgets

This page is for data scientists. `alarmstack bench transfer --report` writes it;
[skill.md](skill.md) explains it.
"""
"""Openings of the reports."""
Report = Annotated[
    Path | None,
    typer.Option(help="Also write the tables to this file as Markdown.", show_default=False),
]


@benches.callback()
def _group() -> None:
    """Compare with baselines and published results."""


@benches.command()
def skill(
    data: Annotated[
        Path, typer.Option(help="Folder with one folder per set, or the folder of one set.")
    ] = Path("../shared/data"),
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Name of a set; repeat for more. Default: all.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for scores, episodes and plots; default: bench/ in the data folder."
        ),
    ] = None,
    sets: Annotated[Path, typer.Option(help="Folder with the descriptions of the sets.")] = SETS,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Sets evaluated at the same time.")
    ] = 2,
    json_file: JsonFile = None,
    report: Report = None,
) -> None:
    """Measure early-warning skill on public data.

    Prints one table per set, with baselines and published results.

    Example: alarmstack bench skill --data ../shared/data --set skab --json skill.json
    """
    from alarmstack.bench.sets import find_sets
    from alarmstack.bench.table import benchmark_rows, markdown, skill_table

    described = find_sets(sets)
    unknown = sorted(set(names or ()) - set(described))
    if unknown or not described:
        raise BenchError(
            f"no set {', '.join(unknown)} in {sets}: use one of {', '.join(described) or 'none'}"
        )
    chosen = [described[name] for name in names or described]
    folder = out or load_settings().data / "bench"
    lines: dict[str, list[Line]] = {}
    failed: dict[str, AlarmstackError] = {}
    with bar(console, "bench") as progress:
        progress(", ".join(description.name for description in chosen), 0.0)
        for name, result in _run(chosen, data, folder, workers):
            if isinstance(result, AlarmstackError):
                failed[name] = result
                console.print(f"{name}: not evaluated: {result}", markup=False, highlight=False)
            else:
                lines[name] = result
                console.print(skill_table(described[name].title, result))
            progress(f"{name} done", (len(lines) + len(failed)) / len(chosen))
    ordered = [(item.title, lines[item.name]) for item in chosen if item.name in lines]
    write_json(json_file, [row for _, result in ordered for row in benchmark_rows(result)])
    if report is not None:
        tables = [markdown(title, result) for title, result in ordered]
        report.write_text("\n".join([SKILL_HEAD, *tables]))
    console.print(f"scores, episodes and plots: {folder}", markup=False, highlight=False)
    if failed:
        raise BenchError(f"not evaluated: {', '.join(failed)}; all other sets are evaluated")


@benches.command()
def models(
    days: SimulatedDays = 365,
    seeds: UnseenSeeds = "101,102",
    plant: PlantFile = None,
    json_file: JsonFile = None,
    report: Report = None,
) -> None:
    """Study the promoted forecasters.

    Measures their reliability, the effect of a lost sensor and of few training events.

    Example: alarmstack bench models --json models.json
    """
    from alarmstack.bench.study import study

    described, unseen = plant_of(plant), seeds_of("--seeds", seeds)
    with bar(console, "bench") as progress:
        results = study(described, load_settings(), days, unseen, progress)
    for table in results.tables():
        console.print(table)
    write_json(json_file, results.rows())
    if report is not None:
        report.write_text(f"{STUDY_HEAD}\n{results.markdown()}")


@benches.command()
def transfer(
    scores: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `bench skill` wrote; default: bench/ in the data folder.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Your own scores instead: Parquet or CSV with run, asset, start, score, normal.",
            show_default=False,
        ),
    ] = None,
    cadence: Annotated[
        str | None,
        typer.Option(help="With --file: time between two rows. Default: 1h.", show_default=False),
    ] = None,
    off_delay: Annotated[
        str | None,
        typer.Option(help="With --file: off-delay of a warning, such as 1h.", show_default=False),
    ] = None,
    per_day: Annotated[
        float | None,
        typer.Option(
            help="With --file: false alarms a day. Default: 0.5.", min=1e-6, show_default=False
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            help="With --file: share of time in warning. Default: 0.03.",
            min=1e-6,
            max=0.5,
            show_default=False,
        ),
    ] = None,
    contender: Annotated[
        str, typer.Option(help="The model or baseline whose scores are used.")
    ] = "normality",
    sets: Annotated[Path, typer.Option(help="Folder with the descriptions of the sets.")] = SETS,
    json_file: JsonFile = None,
    report: Report = None,
) -> None:
    """Test whether false-alarm budgets hold on data that were not used to choose the threshold.

    Each set is split in two: by asset, by run, or by date. Thresholds for ½, 1, 2 and 4 times the
    budget are chosen on one part and tested on the other, in both directions. The rule that counts
    both sides of a budget is compared with quantiles, 3 sigma, peaks over threshold (POT) and
    conformal p-values.

    Example: alarmstack bench transfer --scores data/bench --report transfer.md

    Example: alarmstack bench transfer --file scores.csv --cadence 1min --per-day 1 --share 0.02
    """
    from alarmstack.alarms import WarningRule
    from alarmstack.alarms.budget import Budget
    from alarmstack.bench.table import transfer_markdown, transfer_rows, transfer_tables
    from alarmstack.bench.transfer import ladder, read_scores

    own_options = (cadence, off_delay, per_day, share)
    if file is None and any(option is not None for option in own_options):
        raise BenchError("--cadence, --off-delay, --per-day and --share describe your own --file")
    if file is not None and scores is not None:
        raise BenchError("give either --scores or --file")
    if file is not None:
        delay = duration_of("--off-delay", off_delay).total_seconds() if off_delay else 0.0
        cells = list(
            ladder(
                file.stem,
                read_scores(file, contender),
                WarningRule(0.0, off_delay=delay),
                duration_of("--cadence", cadence or "1h"),
                Budget(per_day or 0.5, share or 0.03),
            )
        )
    else:
        cells = _cells_of_sets(scores or load_settings().data / "bench", sets, contender)
    for table in transfer_tables(cells):
        console.print(table)
    for note in dict.fromkeys(f"{cell.set}: {note}" for cell in cells for note in cell.notes):
        console.print(note, markup=False, highlight=False)
    write_json(json_file, transfer_rows(cells))
    if report is not None:
        report.write_text(f"{TRANSFER_HEAD}\n{transfer_markdown(cells)}")


def _cells_of_sets(folder: Path, sets: Path, contender: str) -> list[Cell]:
    """The cells of every described set that has a budget, from the scores of `bench skill`."""
    from alarmstack.alarms import WarningRule
    from alarmstack.alarms.budget import Budget
    from alarmstack.bench.sets import find_sets
    from alarmstack.bench.transfer import ladder, read_scores

    cells: list[Cell] = []
    budgets = [(one, one.budget) for one in find_sets(sets).values() if one.budget is not None]
    with bar(console, "bench") as progress:
        for place, (one, requested) in enumerate(budgets):
            progress(one.name, place / len(budgets))
            plant = one.load_plant()
            cells += ladder(
                one.name,
                read_scores(folder / one.name / "scores.parquet", contender),
                WarningRule.of(plant, 0.0),
                plant.time.cadence,
                Budget(requested.false_alarms_per_day, requested.time_in_warning),
            )
    return cells


def _run(
    chosen: list[SetDescription], data: Path, out: Path, workers: int
) -> Iterator[tuple[str, list[Line] | AlarmstackError]]:
    # Spawned, not forked: a fork would inherit the locks of the tree libraries' threads.
    with ProcessPoolExecutor(
        max_workers=min(workers, len(chosen)), mp_context=get_context("spawn")
    ) as pool:
        jobs = {
            pool.submit(_run_one, description, data, out / description.name): description.name
            for description in chosen
        }
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _run_one(description: SetDescription, data: Path, out: Path) -> list[Line] | AlarmstackError:
    """The lines of one set, or the error. An error in one set does not stop the others."""
    from threadpoolctl import threadpool_limits

    from alarmstack.bench.skill import run_set

    own = data / description.name
    try:
        with threadpool_limits(1):
            return run_set(description, own if own.is_dir() else data, out)
    except AlarmstackError as error:
        return error


__all__ = ["benches"]
