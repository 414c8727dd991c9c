"""Commands that score data with the promoted models: finished files, and live readings on Spark."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from alarmstack.cli.options import (
    LONGEST_GRACE,
    EngineName,
    Master,
    OperatorLog,
    Out,
    PlantFile,
    plant_of,
)
from alarmstack.cli.output import console, log_to_stderr
from alarmstack.core.errors import GateRefused
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings, load_settings

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(help="A file or a folder of files; or a folder with a folder per asset."),
    ],
    out: Out = Path("data/results"),
    operator_log: OperatorLog = None,
    plant: PlantFile = None,
    engine: EngineName = None,
    master: Master = None,
) -> None:
    """Score every row with every promoted model.

    Writes model_results.csv. The engine local also writes a plot (timeline.png).

    Example: alarmstack score data/labeled_dataset.csv --out data/results

    Example: alarmstack score data/fleet --engine spark --master spark://localhost:7077
    """
    from alarmstack.pipelines.local import score_source
    from alarmstack.preparation.assets import assets_in

    settings, described = load_settings(), plant_of(plant)
    if (engine or settings.etl_engine) == "spark":
        _score_spark(described, settings, file, out, operator_log, master)
        return
    for asset, drop in assets_in(file).items():
        for path in score_source(described, settings, drop, out / asset, operator_log=operator_log):
            console.print(str(path), soft_wrap=True)


def _score_spark(
    plant: Plant,
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

    bundles, out_url = champions(plant, settings), out.resolve().as_uri()
    job = Job(plant, settings, operator_log)
    refused = []
    with cluster(settings.spark_master if master is None else master, "alarmstack score") as spark:
        for asset, result in score_assets(spark, job, source, bundles, out_url):
            if REFUSED in result:
                line = f"{asset or source}: refused: {result[REFUSED]}"
                console.print(line, markup=False, soft_wrap=True)
                refused.append(asset or str(source))
            else:
                console.print(str(out / asset / result["file"]), soft_wrap=True)
    if refused:
        raise GateRefused(f"{', '.join(refused)}: refused by the gate; all others are scored")


@commands.command()
def stream(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of live readings: asset=NAME/*.parquet (tag, time, value)."),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="Folder for the scores (Parquet): one row per asset and interval."),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the state of the stream; default: OUT_checkpoint.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            max=LONGEST_GRACE,
            help="Seconds to wait for late readings after the end of an interval.",
        ),
    ] = 60.0,
    once: Annotated[
        bool, typer.Option("--once", help="Score what is in the folder, then exit.")
    ] = False,
    plant: PlantFile = None,
    master: Master = None,
) -> None:
    """Score live readings of many assets as they arrive.

    Runs on Spark Structured Streaming. Each interval is scored exactly once, even if the command is
    stopped and started again.

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

    settings, described = load_settings(), plant_of(plant)
    bundles = champions(described, settings)
    print_count = _PrintCount(aside_of(out))
    spark_master = settings.spark_master if master is None else master
    with cluster(spark_master, "alarmstack stream", **OPTIONS) as spark:

        def begin() -> Any:
            return score_stream(
                spark,
                described,
                bundles,
                source,
                out,
                checkpoint=checkpoint or out.with_name(f"{out.name}_checkpoint"),
                grace=timedelta(seconds=grace),
                once=once,
                step_seconds=settings.clock_step,
            )

        if once:
            run_once(begin)
            print_count()
            return
        log_to_stderr()
        console.print(
            f"scoring {source} into {out}; Ctrl-C stops, the same command resumes", soft_wrap=True
        )
        asyncio.run(keep_scoring(begin, Tasks(), print_count))


class _PrintCount:
    """Prints how many readings were set aside, each time the number has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.printed = folder, 0

    def __call__(self) -> None:
        from alarmstack.pipelines.spark.validation import count_aside

        count = count_aside(self.folder)
        if count != self.printed:
            self.printed = count
            line = f"{count:,} readings set aside so far: see {self.folder}"
            console.print(line, soft_wrap=True, highlight=False)


__all__ = ["commands"]
