"""The normal-behaviour model: experts that learnt what is normal, and one score of how far a row is from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import TypeAdapter, dataclasses

from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import Floats, IntervalBlock, Mask
from alarmstack.core.plant import Expert, Normality, Plant
from alarmstack.models.normality.evidence import Weighing
from alarmstack.models.normality.experts import UNTAUGHT, Residuals, Taught, learn
from alarmstack.models.normality.preprocessing import Inputs, Preprocessor, monitored
from alarmstack.models.normality.segment import TrainingSegment
from alarmstack.models.normality.stored import NUMBERS, Array
from alarmstack.models.normality.tail import Tail
from alarmstack.models.normality.threshold import HeldBack

FOLDS = 10
FUSIONS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda s: np.mean(s, axis=0),
    "minimum": lambda s: np.min(s, axis=0),
}


@dataclass(frozen=True)
class Assessed:
    """`score` float64 [rows], higher means further from normal; `shares` float64 [rows, tags], each tag's part, together 1."""

    score: Floats
    shares: Floats


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class _Learnt:
    residuals: Residuals
    weighing: Weighing
    tail: Tail


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class _Content:
    """A model as it is written down."""

    settings: Normality
    patience: Array
    experts: tuple[_Learnt, ...]
    usual_shares: Array


@dataclass(frozen=True)
class NormalModel:
    """What `learn_normal` makes. Call it with a block.

    The score is the experts' surprise (see `tail`), fused: an expert is surprised by 2 in one normal row of a hundred. `held_back`
    are scores of the normal rows learnt from, each by experts that had not seen it: what a threshold is chosen on. `usual_shares`
    [tags] is each tag's mean share on those rows, once `with_usual_shares` has looked.
    """

    settings: Normality
    preprocessor: Preprocessor
    experts: tuple[_Learnt, ...]
    usual_shares: Floats
    held_back: tuple[HeldBack, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The monitored tags, in the order of `Assessed.shares`."""
        return tuple(i.tag for i in monitored(self.preprocessor.plant))

    def with_usual_shares(self, segments: Sequence[TrainingSegment]) -> NormalModel:
        """The model, knowing what part each tag has in the evidence of normal rows."""
        shares = np.concatenate(
            [
                self(training_segment.block).shares[training_segment.normal]
                for training_segment in segments
            ]
        )
        return replace(
            self, usual_shares=shares.mean(axis=0) / max(float(shares.mean(axis=0).sum()), 1e-9)
        )

    def dump(self) -> bytes:
        """All that `load` needs beside the plant: JSON."""
        return _JSON.dump_json(
            _Content(self.settings, self.preprocessor.patience, self.experts, self.usual_shares)
        )

    @classmethod
    def load(cls, plant: Plant, content: bytes) -> NormalModel:
        """A model of this plant that was written by `dump`, without the scores it was judged on."""
        found = _JSON.validate_json(content)
        return cls(
            found.settings, Preprocessor(plant, found.patience), found.experts, found.usual_shares
        )

    def __call__(self, block: IntervalBlock) -> Assessed:
        """Score each row and say which tags it is about."""
        observed = self.preprocessor(block)
        scores, shares = [], []
        for expert in self.experts:
            evidence = expert.weighing(expert.residuals(observed), observed)
            scores.append(expert.tail.surprise(evidence.total))
            whole = evidence.by_tag.sum(axis=1, keepdims=True)
            shares.append(
                np.divide(
                    evidence.by_tag, whole, out=np.zeros_like(evidence.by_tag), where=whole > 0
                )
            )
        return Assessed(FUSIONS[self.settings.fusion](np.stack(scores)), np.mean(shares, axis=0))


_JSON = TypeAdapter(_Content)


def learn_normal(plant: Plant, segments: Sequence[TrainingSegment]) -> NormalModel:
    """Learn what is normal from the normal rows of segments.

    Scales, tails and all that a threshold rests on come from rows that the experts were not fitted on: stretches of the segments
    take turns to be left out.
    """
    if plant.normality is None:
        raise PlantError(
            f"{plant.name}: no [normality]: say in plant.toml which experts shall learn what is normal"
        )
    preprocessor = Preprocessor.learn(plant, segments)
    taught = [
        Taught(preprocessor(training_segment.block), training_segment.normal)
        for training_segment in segments
    ]
    experts, surprises = zip(
        *(_learn_expert(plant, expert, taught) for expert in plant.normality.experts), strict=True
    )
    fused = [
        FUSIONS[plant.normality.fusion](np.stack(of_run)) for of_run in zip(*surprises, strict=True)
    ]
    held_back = tuple(HeldBack(f, t.observed.segment) for f, t in zip(fused, taught, strict=True))
    return NormalModel(
        plant.normality, preprocessor, experts, np.full(len(monitored(plant)), np.nan), held_back
    )


def _learn_expert(
    plant: Plant, expert: Expert, taught: Sequence[Taught]
) -> tuple[_Learnt, list[Floats]]:
    """An expert, and how surprised it is by each training_segment's normal rows (NaN elsewhere) when it has not learnt from them."""
    normal = [t.normal for t in taught]
    observed = [t.observed for t in taught]
    learnt = learn(plant, expert, taught)
    if expert.kind in UNTAUGHT:
        residuals = [learnt(one) for one in observed]
    else:
        residuals = _left_out(
            normal, lambda keep: learn(plant, expert, _only(taught, keep)), observed
        )
    pairs = list(zip(residuals, observed, strict=True))
    totals = _left_out(
        normal, lambda keep: _totals(Weighing.learn(plant, expert, residuals, keep)), pairs
    )
    tail = Tail.of(np.concatenate(totals))
    return _Learnt(learnt, Weighing.learn(plant, expert, residuals, normal), tail), [
        tail.surprise(total) for total in totals
    ]


def _only(taught: Sequence[Taught], keep: Sequence[Mask]) -> list[Taught]:
    return [replace(t, normal=mask) for t, mask in zip(taught, keep, strict=True)]


def _totals(weighing: Weighing) -> Callable[[tuple[Floats, Inputs]], Floats]:
    return lambda pair: weighing(*pair).total


def _left_out(
    normal: Sequence[Mask],
    learn_from: Callable[[Sequence[Mask]], Callable[[Any], Floats]],
    given: Sequence[Any],
) -> list[Floats]:
    """What is made of each normal row by something that has not learnt from it; NaN in other rows."""
    found: dict[int, Floats] = {}
    for keep, left_out in stretches(normal):
        made_by = learn_from(keep)
        for place, mask in enumerate(left_out):
            if mask.any():
                made = made_by(given[place])
                found.setdefault(place, np.full(made.shape, np.nan))[mask] = made[mask]
    # Runs without a normal row teach nothing: theirs stay unknown.
    width = next(iter(found.values())).shape[1:]
    return [
        found.get(place, np.full((len(mask), *width), np.nan)) for place, mask in enumerate(normal)
    ]


def stretches(normal: Sequence[Mask], folds: int = FOLDS) -> list[tuple[list[Mask], list[Mask]]]:
    """Masks of the normal rows cut into contiguous stretches: for each, the rows kept and the rows left out."""
    ends = np.cumsum([mask.sum() for mask in normal])
    cuts = []
    for first, last in pairwise(np.linspace(0, ends[-1], folds + 1).astype(int)):
        ranks = [
            np.cumsum(mask) - 1 + end - mask.sum() for mask, end in zip(normal, ends, strict=True)
        ]
        left_out = [
            mask & (rank >= first) & (rank < last) for mask, rank in zip(normal, ranks, strict=True)
        ]
        cuts.append(([mask & ~out for mask, out in zip(normal, left_out, strict=True)], left_out))
    return cuts


__all__ = ["Assessed", "NormalModel", "learn_normal", "stretches"]
