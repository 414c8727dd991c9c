"""Trials: simulated plants that no model was trained on, with the ground truth of precursors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context

import numpy as np
import polars as pl

from alarmstack.core.intervals import IntervalBlock, Mask
from alarmstack.core.plant import Plant
from alarmstack.features.examples import Examples, examples, join
from alarmstack.preparation.interval_closer import close_intervals
from alarmstack.preparation.labels import in_alarm
from alarmstack.simulator import simulate

LATE = timedelta(hours=3)
"""How long after a fault's end an episode may begin and still be caused by it.

Operators write their log late.
"""


@dataclass(frozen=True)
class Trial:
    """Examples of unseen plants and their intervals; `precursor` bool [onsets]."""

    examples: Examples
    blocks: tuple[IntervalBlock, ...]
    precursor: Mask


def simulated_trial(
    plant: Plant, start: datetime, days: int, seeds: Sequence[int], workers: int = 2
) -> Trial:
    """One simulated plant per seed, from parallel processes, joined as separate series."""
    # Spawn, because a fork would inherit the locks of the tree libraries' threads.
    with ProcessPoolExecutor(
        max_workers=min(workers, len(seeds)), mp_context=get_context("spawn")
    ) as pool:
        parts = list(pool.map(partial(_one, plant, start, days), seeds))
    return Trial(
        join([p.examples for p in parts]),
        tuple(p.blocks[0] for p in parts),
        np.concatenate([p.precursor for p in parts]),
    )


def _one(plant: Plant, start: datetime, days: int, seed: int) -> Trial:
    simulation = simulate(plant, start=start, days=days, seed=seed)
    block = close_intervals(plant, simulation.readings)
    of_plant = examples(plant, block, in_alarm(plant, block, simulation.operator_log))
    return Trial(of_plant, (block,), has_precursor(of_plant, simulation.truth))


def has_precursor(of_plant: Examples, truth: pl.DataFrame) -> Mask:
    """Whether each onset is caused by a fault with a precursor: bool [onsets].

    An onset is assigned to a fault from the physical onset until `LATE` after the end.
    """
    cadence = np.timedelta64(of_plant.plant.time.cadence)
    with_precursor = np.zeros(len(of_plant.onsets), bool)
    for begin, end in truth.filter("has_precursor").select("physical_onset", "end").iter_rows():
        first, last = (np.datetime64(t.replace(tzinfo=None), "us") for t in (begin, end + LATE))
        known_at = of_plant.start[of_plant.onsets] + cadence
        with_precursor |= (known_at > first) & (known_at <= last + cadence)
    return with_precursor


__all__ = ["Trial", "has_precursor", "simulated_trial"]
