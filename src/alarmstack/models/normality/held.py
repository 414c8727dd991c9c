"""An expert of a plant whose operating point is set and moved by people: each tag stays near the level that it holds.

The level follows the tags slowly and stands still while they are far from it, so that a fault is never learnt, however long it
lasts; what inputs have moved since explains a part of what tags have.
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

LOUDEST = 2
"""The level waits while the mean of so many tags is far from it: one tag's noise must not hold up the others."""
WILD = 3.0
"""Noises beyond which a row teaches nothing more about the noise."""
STILL, MOVED = 0.6, 0.8
"""Shares of moves below which an input stands still, and above which it moves."""
SPACING = 30
"""Moves are looked at so many times in a time constant."""


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Held:
    """What tags are beyond their level and beyond what inputs explain, in noises.

    Not known while the level settles (on as many rows of the tag as half the time constant `rows`), nor where a value is missing
    or an input that the tag follows. `waits`: noises at which the level stands still. `noise` [tags]: the least that a tag's
    noise is taken for (inf: the tag never moved and says nothing); `give` [tags, inputs]: how far a tag usually moves with an
    input, 0 where that was never seen.
    """

    rows: int
    waits: float
    noise: Array
    give: Array
    kind: Literal["held"] = "held"

    @classmethod
    def learn(cls, rows: int, waits: float, taught: Sequence[tuple[Inputs, Mask]]) -> Held:
        """Noise and give from how far tags and inputs move, over half the time constant and over one and a half, in normal rows."""
        tags, inputs = (np.concatenate(moves) for moves in zip(*_moves(rows, taught), strict=True))
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
        return running.by_segment(
            self._follow, np.concatenate((observed.tags, observed.inputs), axis=1), observed.segment
        )

    def _follow(self, part: Floats) -> Floats:
        """Row after row, as each level depends on the one before: columns are the tags and, after them, the inputs."""
        count, least, loudest = len(self.noise), self.noise**2, min(LOUDEST, len(self.noise))
        known = np.isfinite(part)
        # What an input that is missing may have moved, nobody knows: the tags that follow it are not known either.
        known[:, :count] &= ~((~known[:, count:]).astype(float) @ self.give.T > 0)
        settles, observed = max(self.rows // 2, 1), np.cumsum(known, axis=0)
        settled = observed > settles
        share = known * np.where(
            settled, 1 / self.rows, np.maximum(1 / np.maximum(observed, 1), 3 / settles)
        )
        speaks = known[:, :count] & settled[:, :count]
        found = np.full((len(part), count), np.nan)
        level = part[known.argmax(axis=0), np.arange(part.shape[1])].copy()
        power = np.where(np.isfinite(least), least, 0.0)
        for row, values in enumerate(part):
            away = np.where(known[row], values - level, 0.0)
            noise, tags, step = np.sqrt(np.maximum(power, least)), np.abs(away[:count]), share[row]
            if speaks[row].any():
                explained = self.give.dot(np.abs(away[count:]))
                tags = np.where(speaks[row], np.maximum(tags - explained, 0.0), tags)
                far = np.where(speaks[row], tags / noise, 0.0)
                found[row] = np.where(speaks[row], np.copysign(far, away[:count]), np.nan)
                far.partition(count - loudest)
                if far[-loudest:].sum() > loudest * self.waits:
                    step = np.where(settled[row], 0.0, step)
            level += step * away
            power += step[:count] * (np.minimum(tags, WILD * noise) ** 2 - power)
        return found


def _moves(rows: int, taught: Sequence[tuple[Inputs, Mask]]) -> Iterator[tuple[Floats, Floats]]:
    """How far tags and inputs moved from one normal row to another of the same stretch: float64 [moves, tags], [moves, inputs]."""
    for observed, normal in taught:
        stretch = np.cumsum(~normal) + len(normal) * observed.segment
        for lag in (rows // 2, rows * 3 // 2):
            ends = np.arange(lag, len(normal), max(rows // SPACING, 1))
            ends = ends[normal[ends] & normal[ends - lag] & (stretch[ends] == stretch[ends - lag])]
            yield (
                np.abs(observed.tags[ends] - observed.tags[ends - lag]),
                np.abs(observed.inputs[ends] - observed.inputs[ends - lag]),
            )


__all__ = ["Held"]
