"""No contender is scored on its training rows; all use the same threshold rule and alarm engine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from alarmstack.bench.baselines import BASELINES
from alarmstack.bench.evaluate import FittedContender, Scorer, by_stretches, evaluate
from alarmstack.bench.metrics import estimate
from alarmstack.bench.sets import load_runs, read_set
from alarmstack.core.intervals import Floats, IntervalBlock
from alarmstack.core.plant import Plant
from alarmstack.models.normality import TrainingSegment
from tests.bench.plants import recording, write_set

ROWS = 24 * 60


def memorises(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
    """A contender that gives its training rows the score 0 and all others 1."""
    training = {
        float(v) for segment in segments for v in segment.block.values[segment.normal, 0, 0]
    }

    def score(block: IntervalBlock) -> Floats:
        pressure = block.values[:, 0, 0]
        return np.array([0.0 if float(value) in training else 1.0 for value in pressure])

    return score


def test_a_held_out_asset_is_not_in_the_training_rows(tmp_path: Path) -> None:
    description = read_set(write_set(tmp_path / "rig", "[protocol]\nhold_out = true\n"))
    for place, asset in enumerate(("one", "one", "two")):
        recording(f"r{place}", asset, 200, seed=place).write_parquet(tmp_path / f"{place}.parquet")
    plant = description.load_plant()
    runs = list(load_runs(description, plant, tmp_path))
    results = evaluate(plant, description, runs, by_stretches(memorises))
    assert len(results) == 3
    assert all(result.scores.min() == 1.0 for result in results)


def test_a_set_with_separate_training_runs_is_evaluated_on_the_other_runs(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig")
    path.write_text(
        path.read_text()
        .replace('learn = "stage = 0"', "learn = \"run = 'training'\"")
        .replace('normal = "stage = 0"', "normal = \"stage = 0 AND run != 'training'\"")
    )
    description = read_set(path)
    recording("training", "one", ROWS, seed=1).write_parquet(tmp_path / "1.parquet")
    recording("evaluated", "one", ROWS, event=(700, 760), seed=2).write_parquet(
        tmp_path / "2.parquet"
    )
    plant = description.load_plant()
    runs = list(load_runs(description, plant, tmp_path))
    (result,) = evaluate(plant, description, runs, BASELINES["static limit"])
    assert result.run.name == "evaluated"
    assert estimate("event_recall", [result]).value == 1.0
    assert estimate("false_alarms", [result]).value <= 4.0


def test_a_runs_own_first_stretch_is_used_for_training_and_not_evaluated(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig", '[protocol]\nown = "400min"\n')
    path.write_text(path.read_text().replace('learn = "stage = 0"', 'learn = "false"'))
    description = read_set(path)
    recording("a", "one", ROWS, event=(700, 760)).write_parquet(tmp_path / "1.parquet")
    plant = description.load_plant()
    runs = list(load_runs(description, plant, tmp_path))
    (result,) = evaluate(plant, description, runs, by_stretches(memorises))
    assert not result.counted[:400].any() and result.counted[400:].all()
    assert result.scores[:400].max() == 0.0
    assert result.scores[400:].min() == 1.0
    assert not result.active[:400].any()


def test_a_supervised_baseline_is_not_trained_on_the_event_that_it_is_evaluated_on(
    tmp_path: Path,
) -> None:
    """One run is both a training run and evaluated: its event is left out of the training."""
    path = write_set(tmp_path / "rig")
    description = read_set(path)
    recording("evaluated", "one", ROWS, event=(700, 760), seed=1).write_parquet(
        tmp_path / "1.parquet"
    )
    plant = description.load_plant()
    events_in_training: list[bool] = []

    def records_events(plant: Plant, segments: Sequence[TrainingSegment]) -> Scorer:
        events_in_training.extend(bool(segment.event.any()) for segment in segments)
        return lambda block: np.zeros(len(block))

    runs = list(load_runs(description, plant, tmp_path))
    assert runs[0].event.any() and runs[0].learn.any()
    evaluate(plant, description, runs, by_stretches(records_events))
    (last_value,) = evaluate(plant, description, runs, BASELINES["last value"])
    assert events_in_training and not any(events_in_training)
    assert np.isnan(last_value.scores).all(), "without another event to train on it has no score"


def test_the_earlier_runs_of_an_asset_move_its_threshold(tmp_path: Path) -> None:
    path = write_set(tmp_path / "rig", "[protocol]\nhold_out = true\nhistory = true\n")
    description = read_set(path)
    for place, (asset, seed) in enumerate((("one", 1), ("one", 2), ("two", 3))):
        table = recording(f"r{place}", asset, 6 * 24 * 60, seed=seed)
        table.with_columns(pl.col("at") + pl.duration(days=30 * place)).write_parquet(
            tmp_path / f"{place}.parquet"
        )
    plant = description.load_plant()
    runs = list(load_runs(description, plant, tmp_path))

    def pressure(plant: Plant, segments: Sequence[TrainingSegment]) -> FittedContender:
        """The score is the pressure, higher on asset `one`, whose threshold comes from `two`."""
        return FittedContender(
            lambda block: block.values[:, 0, 0] + (block.start[0] < runs[2].block.start[0]) * 0.5,
            lambda: [],
        )

    protocol = description.protocol.model_copy(update={"history": False})
    without_history = description.model_copy(update={"protocol": protocol})
    moved, unmoved = (
        [int(result.raised.sum()) for result in evaluate(plant, variant, runs, pressure)]
        for variant in (description, without_history)
    )
    assert moved[0] == unmoved[0]
    assert moved[1] < unmoved[1]
