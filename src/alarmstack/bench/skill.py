"""The skill benchmark: one table a set, every score and alarm episode in Parquet, a picture an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alarmstack.bench.baselines import BASELINES
from alarmstack.bench.judge import Contender, Taught, judge
from alarmstack.bench.lines import Line
from alarmstack.bench.metrics import Figure, Judged, figure
from alarmstack.bench.own import judge_own
from alarmstack.bench.plots import event_picture
from alarmstack.bench.sets import FigureWanted, SetDescription, load_runs
from alarmstack.core.plant import Plant
from alarmstack.core.progress import Progress, silent
from alarmstack.evaluation.vus import spans
from alarmstack.models.normality import TrainingSegment, learn_normal

OURS = "normality"


def run_set(
    described: SetDescription, data: Path, out: Path, progress: Progress = silent
) -> list[Line]:
    """Judge our models and every baseline on a set; write scores.parquet, episodes.parquet and events/*.png to `out`.

    Raises BenchError when the set's files are missing or have other columns.
    """
    if described.kind != "recordings":
        return judge_own(described, data, progress)
    progress("reading", 0.0)
    plant = described.load_plant()
    runs = list(load_runs(described, plant, data))
    contenders: dict[str, Contender] = {OURS: ours, **BASELINES}
    judged: dict[str, list[Judged]] = {}
    for place, (name, contender) in enumerate(contenders.items()):
        begin, width = (
            (0.05, 0.75)
            if name == OURS
            else (0.8 + 0.1 * place / len(contenders), 0.1 / len(contenders))
        )
        judged[name] = judge(
            plant,
            described,
            runs,
            contender,
            lambda what, share, n=name, b=begin, w=width: progress(f"{n}: {what}", b + w * share),
        )
    write_scores(judged, out)
    _draw(plant, judged[OURS], out / "events", progress)
    speaking = {
        name: found
        for name, found in judged.items()
        if any(np.isfinite(j.scores).any() for j in found)
    }
    return [_line(described, wanted, speaking) for wanted in described.figures]


def ours(plant: Plant, lessons: Sequence[TrainingSegment]) -> Taught:
    """The normal-behaviour model as a contender."""
    model = learn_normal(plant, lessons)
    return Taught(lambda block: model(block).score, lambda: model.held_back)


def _line(described: SetDescription, wanted: FigureWanted, judged: dict[str, list[Judged]]) -> Line:
    made: dict[str, Figure] = {
        name: figure(wanted.figure, found, wanted.options) for name, found in judged.items()
    }
    ours = made.pop(OURS)
    options = ", ".join(f"{key} {value:g}" for key, value in wanted.options.items())
    return Line(
        set=described.name,
        metric=f"{wanted.figure} ({options})" if options else wanted.figure,
        value=ours.value,
        low=ours.low,
        high=ours.high,
        count=ours.count,
        baselines={name: found.value for name, found in made.items()},
        published=dict(wanted.published),
        aim=wanted.aim,
        met=wanted.met(ours.value),
    )


def write_scores(judged: dict[str, list[Judged]], out: Path) -> None:
    """Every score and every alarm episode of every contender."""
    out.mkdir(parents=True, exist_ok=True)
    scores = [
        pl.DataFrame(
            {
                "run": j.run.name,
                "start": j.run.block.start.astype("datetime64[us]"),
                "event": j.run.event,
                "normal": j.run.normal,
                "counted": j.counted,
                "score": j.scores,
                "alarm": j.on,
            }
        ).with_columns(contender=pl.lit(name))
        for name, found in judged.items()
        for j in found
    ]
    pl.concat(scores).write_parquet(out / "scores.parquet")
    pl.DataFrame(
        [episode for name, found in judged.items() for j in found for episode in _episodes(name, j)]
    ).write_parquet(out / "episodes.parquet")


def _episodes(name: str, judged: Judged) -> list[dict[str, Any]]:
    start = judged.run.block.start.astype("datetime64[us]")
    cadence = np.timedelta64(judged.run.block.cadence)
    return [
        {
            "contender": name,
            "run": judged.run.name,
            "begin": (start[first] + cadence).item(),
            "end": (start[last] + cadence).item(),
            "peak": float(np.nanmax(judged.scores[first : last + 1])),
            "in_event": bool(judged.inside[first]),
            "false": bool(judged.normal[first]),
        }
        for first, last in spans(judged.on)
    ]


def _draw(plant: Plant, judged: Sequence[Judged], out: Path, progress: Progress) -> None:
    events = [(j, number, event) for j in judged for number, event in enumerate(j.events)]
    for place, (j, number, event) in enumerate(events):
        progress("pictures", 0.9 + 0.1 * place / len(events))
        event_picture(plant, j, event, out / f"{j.run.name.replace('/', '_')}_{number}.png")


__all__ = ["OURS", "run_set"]
