"""From residuals to evidence.

A residual becomes a number of scales. What it brings to its row grows with its square while it is small, and with its logarithm
when it is large, so that one wild tag does not hide the others. *Evidence* is the logarithm of the tags' mean (or of the loudest
tag), averaged over some time, so that one wild row does not stand for an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from pydantic import dataclasses
from sklearn.covariance import LedoitWolf

from alarmstack.core.intervals import Floats, Mask
from alarmstack.core.plant import Expert, Plant
from alarmstack.models.normality import known, running
from alarmstack.models.normality.experts import IN_NOISES
from alarmstack.models.normality.preprocessing import Inputs
from alarmstack.models.normality.stored import NUMBERS, Array

LEAST = 1e-2
"""Added before the logarithm: a row in which nothing moves is no evidence of the contrary."""
KNEE = 4.0
"""Scales up to which a residual counts by its square; beyond, by its logarithm."""
JITTER_ROWS, JITTER_SHARE, JITTERS = 10, 0.9, 3.0
"""Jitter is the distance from the median of the last ten rows; three times what nine rows in ten keep is no surprise."""
FARTHEST = 1e3
"""Scaled residuals are cut here."""


@dataclass(frozen=True)
class Evidence:
    """`total` float64 [rows]; `by_tag` float64 [rows, tags], what each tag brings to a row."""

    total: Floats
    by_tag: Floats


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Weighing:
    """How an expert's residuals are weighed: learnt from residuals of normal rows that the expert was not fitted on.

    `floor` [tags] is the least that a residual is counted in; `turn` [tags, tags] takes out how they move together.
    """

    expert: Expert
    cadence: timedelta
    floor: Array
    turn: Array

    @classmethod
    def learn(
        cls, plant: Plant, expert: Expert, residuals: Sequence[Floats], normal: Sequence[Mask]
    ) -> Weighing:
        """Scales, and with `whiten` how scaled residuals move together.

        A tag that mostly stood still has no scale and says nothing.
        """
        rows = np.concatenate([r[n] for r, n in zip(residuals, normal, strict=True)])
        floor = known.quantile(np.abs(rows), expert.scale_quantile)
        floor = (
            np.ones_like(floor) if expert.kind in IN_NOISES else np.where(floor > 0, floor, np.inf)
        )
        turn = np.eye(rows.shape[1])
        if expert.whiten:
            values, vectors = np.linalg.eigh(
                LedoitWolf().fit(np.nan_to_num(rows / floor)).covariance_
            )
            turn = vectors / np.sqrt(values) @ vectors.T
        return cls(expert, plant.time.cadence, floor, turn)

    def __call__(self, residuals: Floats, observed: Inputs) -> Evidence:
        """Evidence of each row."""
        scaled = np.clip(residuals / self._scale(residuals, observed), -FARTHEST, FARTHEST)
        if self.expert.gather:
            rows = self.expert.gather // self.cadence
            scaled = running.average(scaled, rows, observed.segment) * np.sqrt(2 * rows)
        speaks = np.isfinite(scaled)
        by_tag = np.where(speaks, np.log1p((np.nan_to_num(scaled) @ self.turn / KNEE) ** 2), 0.0)
        heard = (
            by_tag.max(axis=1)
            if self.expert.loudest
            else by_tag.sum(axis=1) / np.maximum(speaks.sum(axis=1), 1)
        )
        total = np.where(speaks.any(axis=1), np.log(heard + LEAST), np.nan)
        if self.expert.evidence:
            total = running.average(
                total[:, None], self.expert.evidence // self.cadence, observed.segment
            )[:, 0]
        return Evidence(total, by_tag)

    def _scale(self, residuals: Floats, observed: Inputs) -> Floats:
        """What a residual is counted in: float64 [tags] or [rows, tags]."""
        expert, scale = self.expert, self.floor
        if expert.scale:
            rows = expert.scale // self.cadence
            scale = np.fmax(
                scale,
                running.quantile(np.abs(residuals), rows, expert.scale_quantile, observed.segment),
            )
        if expert.jitter:
            moves = np.abs(
                observed.tags - running.quantile(observed.tags, JITTER_ROWS, 0.5, observed.segment)
            )
            jitter = running.quantile(
                moves, expert.jitter // self.cadence, JITTER_SHARE, observed.segment
            )
            scale = np.fmax(scale, JITTERS * jitter)
        return np.asarray(scale)


__all__ = ["Evidence", "Weighing"]
