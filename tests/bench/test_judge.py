"""Nobody is scored on rows it learnt from, and every contender goes through the same threshold and engine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from alarmstack.bench.baselines import BASELINES
from alarmstack.bench.judge import Scorer, Taught, by_stretches, judge
from alarmstack.bench.metrics import figure
from alarmstack.bench.sets import load_runs, read_set
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.models.normality import TrainingSegment
from tests.bench.plants import recording, write_set

ROWS = 24 * 60


def remembers(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
    """A contender that knows every row it was taught, and finds those unremarkable."""
    taught = {float(v) for lesson in lessons for v in lesson.block.values[lesson.normal, 0, 0]}

    def score(block: IntervalBlock) -> Floats:
        return np.array([0.0 if float(value) in taught else 1.0 for value in block.values[:, 0, 0]])

    return score


def test_a_run_of_another_asset_holds_nothing_that_was_taught(tmp_path: Path) -> None:
    described = read_set(write_set(tmp_path / "rig", "[protocol]\nhold_out = true\n"))
    for place, asset in enumerate(("one", "one", "two")):
        recording(f"r{place}", asset, 200, seed=place).write_parquet(tmp_path / f"{place}.parquet")
    plant = described.load_plant()
    for judged in judge(
        plant, described, list(load_runs(described, plant, tmp_path)), by_stretches(remembers)
    ):
        assert judged.scores.min() == 1.0


def test_a_set_that_teaches_apart_is_judged_on_what_was_not_taught(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig")
    path.write_text(
        path.read_text()
        .replace('learn = "stage = 0"', "learn = \"run = 'taught'\"")
        .replace('normal = "stage = 0"', "normal = \"stage = 0 AND run != 'taught'\"")
    )
    described = read_set(path)
    recording("taught", "one", ROWS, seed=1).write_parquet(tmp_path / "1.parquet")
    recording("judged", "one", ROWS, event=(700, 760), seed=2).write_parquet(tmp_path / "2.parquet")
    plant = described.load_plant()
    runs = list(load_runs(described, plant, tmp_path))
    (judged,) = judge(plant, described, runs, BASELINES["static limit"])
    assert judged.run.name == "judged"
    assert figure("event_recall", [judged]).value == 1.0
    assert figure("false_alarms", [judged]).value <= 4.0


def test_a_runs_own_first_stretch_is_learnt_from_and_not_judged(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig", '[protocol]\nown = "400min"\n')
    path.write_text(path.read_text().replace('learn = "stage = 0"', 'learn = "false"'))
    described = read_set(path)
    recording("a", "one", ROWS, event=(700, 760)).write_parquet(tmp_path / "1.parquet")
    plant = described.load_plant()
    (judged,) = judge(
        plant, described, list(load_runs(described, plant, tmp_path)), by_stretches(remembers)
    )
    assert not judged.counted[:400].any() and judged.counted[400:].all()
    assert judged.scores[:400].max() == 0.0
    assert judged.scores[400:].min() == 1.0
    assert not judged.on[:400].any()


def test_a_baseline_that_learns_events_never_learns_the_event_that_is_judged(
    tmp_path: Path,
) -> None:
    """One run that is both learnt from and judged: its event is not taught."""
    path = write_set(tmp_path / "rig")
    described = read_set(path)
    recording("judged", "one", ROWS, event=(700, 760), seed=1).write_parquet(tmp_path / "1.parquet")
    plant = described.load_plant()
    taught: list[bool] = []

    def noting(plant: Plant, lessons: Sequence[TrainingSegment]) -> Scorer:
        taught.extend(bool(lesson.event.any()) for lesson in lessons)
        return lambda block: np.zeros(len(block))

    runs = list(load_runs(described, plant, tmp_path))
    assert runs[0].event.any() and runs[0].learn.any()
    judge(plant, described, runs, by_stretches(noting))
    (last_value,) = judge(plant, described, runs, BASELINES["last value"])
    assert taught and not any(taught)
    assert np.isnan(last_value.scores).all(), "no other event to learn: it says nothing"


def test_an_assets_earlier_runs_move_its_threshold(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig", "[protocol]\nhold_out = true\nhistory = true\n")
    described = read_set(path)
    for place, (asset, seed) in enumerate((("one", 1), ("one", 2), ("two", 3))):
        table = recording(f"r{place}", asset, 6 * 24 * 60, seed=seed)
        table.with_columns(pl.col("at") + pl.duration(days=30 * place)).write_parquet(
            tmp_path / f"{place}.parquet"
        )
    plant = described.load_plant()
    runs = list(load_runs(described, plant, tmp_path))

    def loud(plant: Plant, lessons: Sequence[TrainingSegment]) -> Taught:
        """Scores are the pressure; asset `one` is taught by `two` alone."""
        return Taught(
            lambda block: block.values[:, 0, 0] + (block.start[0] < runs[2].block.start[0]) * 0.5,
            lambda: [],
        )

    plain = described.model_copy(
        update={"protocol": described.protocol.model_copy(update={"history": False})}
    )
    moved, unmoved = (
        [int(j.began.sum()) for j in judge(plant, told, runs, loud)] for told in (described, plain)
    )
    assert moved[0] == unmoved[0]
    assert moved[1] < unmoved[1]
