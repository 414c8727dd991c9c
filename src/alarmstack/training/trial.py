"""Trials: plants that nobody trained on, simulated from unseen seeds, with the truth about which onsets announce themselves."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
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
"""How long after the truth's limit crossing an episode may begin and still be that fault's (operators write late)."""


@dataclass(frozen=True)
class Trial:
    """Examples of unseen plants, the intervals behind them, and for each onset whether the simulator gave it a precursor."""

    examples: Examples
    blocks: tuple[IntervalBlock, ...]
    precursor: Mask


def simulated_trial(
    plant: Plant, start: datetime, days: int, seeds: Sequence[int], workers: int = 2
) -> Trial:
    """One simulated plant a seed, made in parallel processes, joined as separate series."""
    # Spawned, not forked: a fork would inherit the locks of the tree libraries' threads.
    with ProcessPoolExecutor(
        max_workers=min(workers, len(seeds)), mp_context=get_context("spawn")
    ) as pool:
        parts = list(
            pool.map(_one, [plant] * len(seeds), [start] * len(seeds), [days] * len(seeds), seeds)
        )
    return Trial(
        join([p.examples for p in parts]),
        tuple(p.blocks[0] for p in parts),
        np.concatenate([p.precursor for p in parts]),
    )


def _one(plant: Plant, start: datetime, days: int, seed: int) -> Trial:
    made = simulate(plant, start=start, days=days, seed=seed)
    block = close_intervals(plant, made.readings)
    found = examples(plant, block, in_alarm(plant, block, made.operator_log))
    return Trial(found, (block,), announced(found, made.truth))


def announced(found: Examples, truth: pl.DataFrame) -> Mask:
    """Whether an onset's row lies in a fault with a precursor: from its physical onset to a little after its end."""
    cadence = np.timedelta64(found.plant.time.cadence)
    announced = np.zeros(len(found.onsets), bool)
    for begin, end in truth.filter("has_precursor").select("physical_onset", "end").iter_rows():
        first, last = (np.datetime64(t.replace(tzinfo=None), "us") for t in (begin, end + LATE))
        when = found.start[found.onsets] + cadence
        announced |= (when > first) & (when <= last + cadence)
    return announced


__all__ = ["Trial", "announced", "simulated_trial"]
