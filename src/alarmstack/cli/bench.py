"""`alarmstack bench`: what the command line says of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from alarmstack.cli.options import LONGEST_DAYS, seeds_of, write_json
from alarmstack.core.errors import AlarmstackError, BenchError
from alarmstack.core.plant import load_plant
from alarmstack.core.progress import bar
from alarmstack.core.settings import load_settings

if TYPE_CHECKING:
    from alarmstack.bench.lines import Line
    from alarmstack.bench.sets import SetDescription

# What measures is imported where it is needed: services share this command line and shall not carry it.
benches = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure against what others published."
)
console = Console()

SETS = Path("benchmarks/sets")


@benches.callback()
def _only_verbs() -> None:
    """Measure against what others published."""


@benches.command()
def skill(
    data: Annotated[
        Path, typer.Option(help="The folder with one folder a set, or one set's own.")
    ] = Path("../shared/data"),
    names: Annotated[
        list[str] | None,
        typer.Option("--set", help="Again for more; default: all.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Scores, episodes, pictures; default: bench/ of the data folder."),
    ] = None,
    described: Annotated[Path, typer.Option("--sets", help="Where the sets are described.")] = SETS,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Sets judged at the same time.")] = 2,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the tables to this file.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the tables to this file as Markdown.", show_default=False),
    ] = None,
) -> None:
    """Early-warning skill on data that somebody else made: one table a set, beside baselines and published figures.

    Example: alarmstack bench skill --data ../shared/data --set skab --json skill.json
    """
    from alarmstack.bench.sets import find_sets
    from alarmstack.bench.table import benchmark_rows, markdown, skill_table

    known = find_sets(described)
    unknown = sorted(set(names or ()) - set(known))
    if unknown or not known:
        raise BenchError(
            f"no set {', '.join(unknown)} in {described}: use one of {', '.join(known) or 'none'}"
        )
    chosen = [known[name] for name in names or known]
    folder = out or load_settings().data / "bench"
    lines: dict[str, list[Line]] = {}
    failed: dict[str, AlarmstackError] = {}
    with bar(console, "bench") as progress:
        progress(", ".join(one.name for one in chosen), 0.0)
        for name, found in _run(chosen, data, folder, workers):
            if isinstance(found, AlarmstackError):
                failed[name] = found
                console.print(f"{name}: not judged: {found}", markup=False, highlight=False)
            else:
                lines[name] = found
                console.print(skill_table(known[name].title, found))
            progress(f"{name} done", (len(lines) + len(failed)) / len(chosen))
    ordered = {one.name: lines[one.name] for one in chosen if one.name in lines}
    write_json(json_file, [row for found in ordered.values() for row in benchmark_rows(found)])
    if report is not None:
        report.write_text(
            "\n".join(markdown(known[name].title, found) for name, found in ordered.items())
        )
    console.print(f"scores, episodes and pictures: {folder}", markup=False, highlight=False)
    if failed:
        raise BenchError(f"not judged: {', '.join(failed)}; the others are")


@benches.command()
def models(
    days: Annotated[
        int, typer.Option(min=28, max=LONGEST_DAYS, help="Length of each simulated plant.")
    ] = 365,
    seeds: Annotated[
        str, typer.Option(help="Seeds that training never saw, one simulated plant each.")
    ] = "101,102",
    plant: Annotated[
        Path | None, typer.Option("--plant", help="Default: ALARMSTACK_PLANT.", show_default=False)
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures to this file.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the tables to this file as Markdown.", show_default=False),
    ] = None,
) -> None:
    """How reliable the promoted forecasters' probabilities are, what the loss of a sensor costs, how few events are enough.

    Example: alarmstack bench models --json models.json
    """
    from alarmstack.bench.study import study

    described, chosen = load_plant(plant or load_settings().plant), seeds_of("--seeds", seeds)
    with bar(console, "bench") as progress:
        studied = study(described, load_settings(), days, chosen, progress)
    for table in studied.tables():
        console.print(table)
    write_json(json_file, studied.rows())
    if report is not None:
        report.write_text(studied.markdown())


def _run(
    chosen: list[SetDescription], data: Path, out: Path, workers: int
) -> Iterator[tuple[str, list[Line] | AlarmstackError]]:
    # Spawned, not forked: a fork would inherit the locks of the tree libraries' threads.
    with ProcessPoolExecutor(
        max_workers=min(workers, len(chosen)), mp_context=get_context("spawn")
    ) as pool:
        jobs = {pool.submit(_one, one, data, out / one.name): one.name for one in chosen}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _one(described: SetDescription, data: Path, out: Path) -> list[Line] | AlarmstackError:
    """A set's lines, or why there are none: one set that cannot be judged does not keep the others from it."""
    from threadpoolctl import threadpool_limits

    from alarmstack.bench.skill import run_set

    own = data / described.name
    try:
        with threadpool_limits(1):
            return run_set(described, own if own.is_dir() else data, out)
    except AlarmstackError as error:
        return error


__all__ = ["benches"]
