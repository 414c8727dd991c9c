"""The skill benchmark: a table per set, all scores and alarm episodes, a plot per event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alarmstack.bench.baselines import BASELINES
from alarmstack.bench.evaluate import Contender, FittedContender, evaluate
from alarmstack.bench.lines import Line
from alarmstack.bench.metrics import EvaluatedRun, estimate
from alarmstack.bench.own_models import evaluate_own_models
from alarmstack.bench.plots import event_plot
from alarmstack.bench.sets import SetDescription, WantedMetric, load_runs
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.vus import spans
from alarmstack.models.normality import TrainingSegment, learn_normal

OURS = "normality"
"""Name of our model among the contenders."""
READ, OUR_SHARE, BASELINES_SHARE = 0.05, 0.75, 0.1
"""Shares of the progress bar: reading files, our model, all baselines. Plots take the rest."""

Results = dict[str, list[EvaluatedRun]]
"""The evaluated runs of each contender, by its name."""


def run_set(
    description: SetDescription, data: Path, out: Path, progress: Progress = silent
) -> list[Line]:
    """Evaluate our model and every baseline on a set.

    Writes scores.parquet, episodes.parquet and events/*.png to `out`. Raises BenchError if the
    set's files are missing or have other columns.
    """
    if description.kind != "recordings":
        return evaluate_own_models(description, data, progress)
    progress("reading", 0.0)
    plant = description.load_plant()
    runs = list(load_runs(description, plant, data))
    contenders: dict[str, Contender] = {OURS: ours, **BASELINES}
    results: Results = {}
    for place, (name, contender) in enumerate(contenders.items()):
        part = _part_of_progress(progress, name, place, len(contenders))
        results[name] = evaluate(plant, description, runs, contender, part)
    write_scores(results, out)
    _plot_events(plant, results[OURS], out / "events", progress)
    scored = {name: evaluated for name, evaluated in results.items() if _has_scores(evaluated)}
    return [_line(description, wanted, scored) for wanted in description.metrics]


def ours(plant: Plant, segments: Sequence[TrainingSegment]) -> FittedContender:
    """The normal-behaviour model as a contender."""
    model = learn_normal(plant, segments)
    return FittedContender(lambda block: model(block).score, lambda: model.held_back)


def _part_of_progress(progress: Progress, name: str, place: int, count: int) -> Progress:
    """Progress of one contender, as a part of the whole."""
    width = OUR_SHARE if name == OURS else BASELINES_SHARE / count
    begin = READ if name == OURS else READ + OUR_SHARE + BASELINES_SHARE * place / count

    def part(what: str, share: float) -> None:
        progress(f"{name}: {what}", begin + width * share)

    return part


def _has_scores(evaluated: Sequence[EvaluatedRun]) -> bool:
    return any(np.isfinite(result.scores).any() for result in evaluated)


def _line(description: SetDescription, wanted: WantedMetric, results: Results) -> Line:
    estimates = {
        name: estimate(wanted.metric, evaluated, wanted.options)
        for name, evaluated in results.items()
    }
    our_estimate = estimates.pop(OURS)
    options = ", ".join(f"{key} {value:g}" for key, value in wanted.options.items())
    return Line(
        set=description.name,
        metric=f"{wanted.metric} ({options})" if options else wanted.metric,
        value=our_estimate.value,
        low=our_estimate.low,
        high=our_estimate.high,
        count=our_estimate.count,
        baselines={name: baseline.value for name, baseline in estimates.items()},
        published=dict(wanted.published),
        aim=wanted.aim,
        met=wanted.met(our_estimate.value),
    )


def write_scores(results: Results, out: Path) -> None:
    """Write every score and every alarm episode of every contender."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = [(name, result) for name, evaluated in results.items() for result in evaluated]
    pl.concat(_scores(name, result) for name, result in pairs).write_parquet(out / "scores.parquet")
    episodes = [episode for name, result in pairs for episode in _episodes(name, result)]
    pl.DataFrame(episodes).write_parquet(out / "episodes.parquet")


def _scores(name: str, result: EvaluatedRun) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "run": result.run.name,
            "asset": result.run.asset,
            "start": result.run.block.start.astype("datetime64[us]"),
            "event": result.run.event,
            "normal": result.run.normal,
            "counted": result.counted,
            "score": result.scores,
            "alarm": result.active,
            "segment": result.run.block.segment,
        }
    ).with_columns(contender=pl.lit(name))


def _episodes(name: str, result: EvaluatedRun) -> list[dict[str, Any]]:
    start = result.run.block.start.astype("datetime64[us]")
    cadence = np.timedelta64(result.run.block.cadence)
    return [
        {
            "contender": name,
            "run": result.run.name,
            "begin": (start[first] + cadence).item(),
            "end": (start[last] + cadence).item(),
            "peak": float(np.nanmax(result.scores[first : last + 1])),
            "in_event": bool(result.in_event[first]),
            "false": bool(result.normal[first]),
        }
        for first, last in spans(result.active)
    ]


def _plot_events(
    plant: Plant, evaluated: Sequence[EvaluatedRun], out: Path, progress: Progress
) -> None:
    events = [
        (result, number, event)
        for result in evaluated
        for number, event in enumerate(result.events)
    ]
    begin = READ + OUR_SHARE + BASELINES_SHARE
    for place, (result, number, event) in enumerate(events):
        progress("plots", begin + (1 - begin) * place / len(events))
        name = result.run.name.replace("/", "_")
        event_plot(plant, result, event, out / f"{name}_{number}.png")


__all__ = ["OURS", "run_set"]
