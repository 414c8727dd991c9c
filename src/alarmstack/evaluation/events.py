"""Evaluation by events: how many onsets were warned of in time, and how many warnings were false.

A row's score is known at the end of the row, so a warning of row a is raised at the end of a. An
alarm that begins in row o is dated to the end of o, the latest instant at which the row's
data can have crossed the limit. The lead of the warning is therefore o - a rows.

A *hit* is an activation at most the longest useful lead before the onset. A warning that was
already active before that is not a hit. A *false alarm* is an activation that no onset follows
within that lead. Rows inside an episode are not evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alarmstack.alarms import WarningRule, activations, warning_active
from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Plant

Hours = Floats


class EvaluatedRows(Protocol):
    """Rows that scores are evaluated on, `step` of plant time apart."""

    @property
    def plant(self) -> Plant:
        """The plant, with the delays of its warnings."""
        ...

    @property
    def step(self) -> timedelta:
        """Plant time between two rows."""
        ...

    @property
    def quiet(self) -> Mask:
        """Rows that are evaluated: outside every episode. bool [rows]."""
        ...

    @property
    def onsets(self) -> npt.NDArray[np.intp]:
        """Rows in which an alarm begins."""
        ...

    @property
    def segment(self) -> npt.NDArray[np.int32]:
        """Number of each row's segment [rows]; a warning never continues into another segment."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Outcome:
    """The warnings that a series of scores raises at one threshold, compared with the onsets.

    `onset`: rows of all onsets. `lead`: hours for each onset, NaN if missed; the first activation
    inside the useful lead counts. `activation`: rows of all activations outside episodes. `false`:
    whether each of them was a false alarm. `warned` bool [rows]: whether a warning is active.
    `quiet` bool [rows]: whether the row is evaluated. `day`: rows per day.
    """

    onset: npt.NDArray[np.intp]
    lead: Hours
    activation: npt.NDArray[np.intp]
    false: Mask
    warned: Mask
    quiet: Mask
    day: float

    @property
    def days(self) -> float:
        """Operating days outside episodes."""
        return float(self.quiet.sum()) / self.day

    @property
    def recall(self) -> float:
        """Share of onsets that were warned of; NaN without onsets."""
        return float(np.mean(~np.isnan(self.lead))) if len(self.lead) else float("nan")

    @property
    def false_per_day(self) -> float:
        """False alarms per operating day."""
        return float(self.false.sum()) / self.days if self.days else float("nan")

    @property
    def share_in_warning(self) -> float:
        """Share of quiet time in warning."""
        return float((self.warned & self.quiet).sum() / max(self.quiet.sum(), 1))


def outcome(examples: EvaluatedRows, scores: Floats, threshold: float) -> Outcome:
    """Run scores [rows] through the alarm engine and compare its activations with the onsets.

    Higher scores mean worse.
    """
    plant = examples.plant
    quiet, onsets = examples.quiet, examples.onsets
    active = warning_active(
        WarningRule.of(plant, threshold),
        scores,
        examples.step.total_seconds(),
        ~quiet,
        examples.segment,
    )
    activation = activations(active)
    activation = activation[quiet[activation]]
    next_onset, rows_to_onset = _next_onsets(examples, activation)
    longest_lead = plant.time.longest_useful_lead // examples.step
    hours_per_row = examples.step / timedelta(hours=1)
    lead = np.full(len(onsets), np.nan)
    # From the last activation to the first: the first of several overwrites the others.
    for onset, rows in zip(next_onset[::-1], rows_to_onset[::-1], strict=True):
        if rows <= longest_lead:
            lead[onset] = rows * hours_per_row
    rows_per_day = timedelta(days=1) / examples.step
    return Outcome(
        onsets, lead, activation, rows_to_onset > longest_lead, active, quiet, rows_per_day
    )


def _next_onsets(
    examples: EvaluatedRows, activation: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each activation, the number of the next onset and how many rows later it comes.

    An activation without an onset in the rest of its segment gets more rows than the longest
    useful lead.
    """
    onsets = examples.onsets
    too_late = examples.plant.time.longest_useful_lead // examples.step + 1
    next_onset = np.searchsorted(onsets, activation, side="right")
    rows_to_onset = np.append(onsets, len(examples) + too_late)[next_onset] - activation
    onset_row = np.append(onsets, 0)[next_onset]
    rows_to_onset[examples.segment[onset_row] != examples.segment[activation]] = too_late
    return next_onset, rows_to_onset


__all__ = ["EvaluatedRows", "Outcome", "outcome"]
