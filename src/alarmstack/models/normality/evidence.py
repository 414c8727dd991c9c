"""From residuals to evidence.

A residual is divided by its scale. The contribution of a scaled residual to its row grows with its
square while it is small, and with its logarithm when it is large, so that one extreme tag does not
hide the others. *Evidence* is the logarithm of the mean over the tags (or of the largest tag),
averaged over some time, so that one extreme row does not count for a whole hour.
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
from alarmstack.models.normality.experts import SCALED_KINDS
from alarmstack.models.normality.preprocessing import Inputs
from alarmstack.models.normality.stored import NUMBERS, Array

LEAST_SUM = 1e-2
"""Added before the logarithm, so that a row without residuals is not extreme evidence."""
KNEE = 4.0
"""Scaled residual up to which its square counts; beyond, its logarithm."""
JITTER_ROWS, JITTER_SHARE, JITTERS = 10, 0.9, 3.0
"""Jitter is the distance of a tag from the median of its last ten rows.

Residuals up to three times the jitter of nine rows in ten are normal.
"""
LARGEST_SCALED_RESIDUAL = 1e3
"""Scaled residuals are clipped here: larger ones add nothing, and sums stay finite."""


@dataclass(frozen=True)
class Evidence:
    """`total` float64 [rows]; `by_tag` float64 [rows, tags], the contribution of each tag."""

    total: Floats
    by_tag: Floats


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class Weighing:
    """The scales of an expert's residuals.

    They are learnt from residuals of normal rows that the expert was not fitted on. `floor` [tags]:
    the smallest scale of each tag. `turn` [tags, tags]: removes the correlation of the tags. Both
    names are keys of stored models.
    """

    expert: Expert
    cadence: timedelta
    floor: Array
    turn: Array

    @classmethod
    def learn(
        cls, plant: Plant, expert: Expert, residuals: Sequence[Floats], normal: Sequence[Mask]
    ) -> Weighing:
        """Scales, and with `whiten` the correlation of scaled residuals.

        A tag that rarely moved has no scale and gives no evidence.
        """
        rows = np.concatenate([r[n] for r, n in zip(residuals, normal, strict=True)])
        floor = known.quantile(np.abs(rows), expert.scale_quantile)
        if expert.kind in SCALED_KINDS:
            floor = np.ones_like(floor)
        else:
            floor = np.where(floor > 0, floor, np.inf)
        turn = np.eye(rows.shape[1])
        if expert.whiten:
            covariance = LedoitWolf().fit(np.nan_to_num(rows / floor)).covariance_
            values, vectors = np.linalg.eigh(covariance)
            turn = vectors / np.sqrt(values) @ vectors.T
        return cls(expert, plant.time.cadence, floor, turn)

    def __call__(self, residuals: Floats, observed: Inputs) -> Evidence:
        """Evidence of each row."""
        scaled = np.clip(
            residuals / self._scale(residuals, observed),
            -LARGEST_SCALED_RESIDUAL,
            LARGEST_SCALED_RESIDUAL,
        )
        if self.expert.gather:
            rows = self.expert.gather // self.cadence
            scaled = running.average(scaled, rows, observed.segment) * np.sqrt(2 * rows)
        available = np.isfinite(scaled)
        squares = (np.nan_to_num(scaled) @ self.turn / KNEE) ** 2
        by_tag = np.where(available, np.log1p(squares), 0.0)
        if self.expert.loudest:
            combined = by_tag.max(axis=1)
        else:
            combined = by_tag.sum(axis=1) / np.maximum(available.sum(axis=1), 1)
        total = np.where(available.any(axis=1), np.log(combined + LEAST_SUM), np.nan)
        if self.expert.evidence:
            rows = self.expert.evidence // self.cadence
            total = running.average(total[:, None], rows, observed.segment)[:, 0]
        return Evidence(total, by_tag)

    def _scale(self, residuals: Floats, observed: Inputs) -> Floats:
        """The scale of each residual: float64 [tags] or [rows, tags]."""
        expert, scale = self.expert, self.floor
        if expert.scale:
            rows = expert.scale // self.cadence
            recent = running.quantile(
                np.abs(residuals), rows, expert.scale_quantile, observed.segment
            )
            scale = np.fmax(scale, recent)
        if expert.jitter:
            rows = expert.jitter // self.cadence
            median = running.quantile(observed.tags, JITTER_ROWS, 0.5, observed.segment)
            moves = np.abs(observed.tags - median)
            jitter = running.quantile(moves, rows, JITTER_SHARE, observed.segment)
            scale = np.fmax(scale, JITTERS * jitter)
        return np.asarray(scale)


__all__ = ["Evidence", "Weighing"]
