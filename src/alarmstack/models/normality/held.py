"""An expert for plants whose operating point is moved by people: each tag stays near its level.

The level follows the tags slowly, and stops while they are far from it, so that a fault is never
learnt, however long it lasts. Changes of the inputs explain a part of the changes of the tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import dataclasses

from alarmstack.core.intervals import Floats, Mask
from alarmstack.models.normality import known, running
from alarmstack.models.normality.preprocessing import Inputs
from alarmstack.models.normality.stored import NUMBERS, Array

FARTHEST_TAGS = 2
"""The level stops while the mean distance of this many farthest tags is large.

With one tag, its noise would stop the level of all others.
"""
LARGEST_NOISE = 3.0
"""Distances are clipped at this many noise levels before the noise is updated."""
STILL, MOVED = 0.6, 0.8
"""Quantiles of the moves of an input: below the first it is still, above the second it moves."""
SPACING = 30
"""Number of moves per time constant that noise and response are learnt from."""


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Held:
    """The distance of tags from their level that inputs do not explain, divided by the noise.

    NaN while the level settles (for half the time constant `rows`), and if a value is missing, or
    an input that the tag follows. `waits`: distance, in noise levels, at which the level stops.
    `noise` [tags]: the least noise of a tag (inf: the tag never moved and is not used). `give`
    [tags, inputs]: the typical change of a tag per change of an input, 0 if none was seen.
    """

    rows: int
    waits: float
    noise: Array
    give: Array
    kind: Literal["held"] = "held"

    @classmethod
    def learn(cls, rows: int, waits: float, training: Sequence[tuple[Inputs, Mask]]) -> Held:
        """Learn `noise` and `give` from the moves of tags and inputs in normal rows."""
        moves = zip(*_moves(rows, training), strict=True)
        tags, inputs = (np.concatenate(parts) for parts in moves)
        still = (inputs <= known.quantile(inputs, STILL)).all(axis=1)
        noise = known.quantile(tags[still], 0.5)
        give = np.zeros((tags.shape[1], inputs.shape[1]))
        for place, moved in enumerate(inputs.T):
            far = moved > known.quantile(moved, MOVED)
            if far.any():
                give[:, place] = np.nan_to_num(known.quantile(tags[far] / moved[far, None], 0.5))
        return cls(rows, waits, np.where(noise > 0, noise, np.inf), give)

    def __call__(self, observed: Inputs) -> Floats:
        """Residuals."""
        tags_and_inputs = np.concatenate((observed.tags, observed.inputs), axis=1)
        return running.by_segment(self._follow, tags_and_inputs, observed.segment)

    def _follow(self, part: Floats) -> Floats:
        """Residuals of one segment, row after row, because each level depends on the previous one.

        The columns of `part` are the tags and, after them, the inputs.
        """
        count, least = len(self.noise), self.noise**2
        farthest = min(FARTHEST_TAGS, count)
        known = np.isfinite(part)
        # The effect of a missing input is unknown, so the tags that follow it are unknown too.
        known[:, :count] &= ~((~known[:, count:]).astype(float) @ self.give.T > 0)
        settling_rows, known_rows = max(self.rows // 2, 1), np.cumsum(known, axis=0)
        settled = known_rows > settling_rows
        settling_share = np.maximum(1 / np.maximum(known_rows, 1), 3 / settling_rows)
        share = known * np.where(settled, 1 / self.rows, settling_share)
        available = known[:, :count] & settled[:, :count]
        residuals = np.full((len(part), count), np.nan)
        level = part[known.argmax(axis=0), np.arange(part.shape[1])].copy()
        power = np.where(np.isfinite(least), least, 0.0)
        for row, values in enumerate(part):
            away = np.where(known[row], values - level, 0.0)
            noise, tags, step = np.sqrt(np.maximum(power, least)), np.abs(away[:count]), share[row]
            usable = available[row]
            if usable.any():
                explained = self.give.dot(np.abs(away[count:]))
                tags = np.where(usable, np.maximum(tags - explained, 0.0), tags)
                distance = np.where(usable, tags / noise, 0.0)
                residuals[row] = np.where(usable, np.copysign(distance, away[:count]), np.nan)
                distance.partition(count - farthest)
                if distance[-farthest:].sum() > farthest * self.waits:
                    step = np.where(settled[row], 0.0, step)
            level += step * away
            power += step[:count] * (np.minimum(tags, LARGEST_NOISE * noise) ** 2 - power)
        return residuals


def _moves(rows: int, training: Sequence[tuple[Inputs, Mask]]) -> Iterator[tuple[Floats, Floats]]:
    """How far tags and inputs moved between two normal rows of the same stretch.

    The rows are half a time constant and one and a half apart. float64 [moves, tags], [moves,
    inputs].
    """
    for observed, normal in training:
        stretch = np.cumsum(~normal) + len(normal) * observed.segment
        for lag in (rows // 2, rows * 3 // 2):
            ends = np.arange(lag, len(normal), max(rows // SPACING, 1))
            begins = ends - lag
            usable = normal[ends] & normal[begins] & (stretch[ends] == stretch[begins])
            ends, begins = ends[usable], begins[usable]
            yield (
                np.abs(observed.tags[ends] - observed.tags[begins]),
                np.abs(observed.inputs[ends] - observed.inputs[begins]),
            )


__all__ = ["Held"]
