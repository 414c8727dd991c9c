"""The normal-behaviour model: several experts, and one score of how far a row is from normal."""

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
from alarmstack.models.normality.experts import UNTRAINED_KINDS, Residuals, TrainingInputs, learn
from alarmstack.models.normality.preprocessing import Inputs, Preprocessor, monitored
from alarmstack.models.normality.segment import TrainingSegment
from alarmstack.models.normality.stored import NUMBERS, Array
from alarmstack.models.normality.tail import Tail
from alarmstack.models.normality.threshold import HeldBack

FOLDS = 10
"""Stretches of normal rows that are held back in turn."""
SMALLEST_SUM = 1e-9
"""Avoids a division by zero if no row has evidence."""
FUSIONS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda s: np.mean(s, axis=0),
    "minimum": lambda s: np.min(s, axis=0),
}


@dataclass(frozen=True)
class Assessed:
    """The scores of a block.

    `score` float64 [rows]: higher means further from normal. `shares` float64 [rows, tags]: the
    share of each tag, together 1.
    """

    score: Floats
    shares: Floats


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class _Learnt:
    residuals: Residuals
    weighing: Weighing
    tail: Tail


@dataclasses.dataclass(frozen=True, config=NUMBERS)
class _Content:
    """A model as it is stored; the field names are keys of stored models."""

    settings: Normality
    patience: Array
    experts: tuple[_Learnt, ...]
    usual_shares: Array


@dataclass(frozen=True)
class NormalModel:
    """A trained model; call it with a block to score it.

    The score combines the surprise of all experts (see `tail`): one normal row in a hundred reaches
    2. `held_back`: scores of the training rows by experts that had not seen them; the threshold is
    chosen on them. `usual_shares` [tags]: the mean share of each tag on normal rows, computed by
    `with_usual_shares`.
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
        """The model with each tag's mean share of the evidence of normal rows."""
        of_segments = [self(segment.block).shares[segment.normal] for segment in segments]
        mean = np.concatenate(of_segments).mean(axis=0)
        return replace(self, usual_shares=mean / max(float(mean.sum()), SMALLEST_SUM))

    def dump(self) -> bytes:
        """The model as JSON, without the plant and the held-back scores."""
        return _JSON.dump_json(
            _Content(self.settings, self.preprocessor.patience, self.experts, self.usual_shares)
        )

    @classmethod
    def load(cls, plant: Plant, content: bytes) -> NormalModel:
        """A model of this plant that `dump` wrote."""
        stored = _JSON.validate_json(content)
        preprocessor = Preprocessor(plant, stored.patience)
        return cls(stored.settings, preprocessor, stored.experts, stored.usual_shares)

    def __call__(self, block: IntervalBlock) -> Assessed:
        """The score of each row, and the share of each tag."""
        observed = self.preprocessor(block)
        scores, shares = [], []
        for expert in self.experts:
            evidence = expert.weighing(expert.residuals(observed), observed)
            scores.append(expert.tail.surprise(evidence.total))
            shares.append(_shares(evidence.by_tag))
        return Assessed(FUSIONS[self.settings.fusion](np.stack(scores)), np.mean(shares, axis=0))


_JSON = TypeAdapter(_Content)


def _shares(by_tag: Floats) -> Floats:
    """The share of each tag in the evidence of its row; 0 in rows without evidence."""
    total = by_tag.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(by_tag, total, out=np.zeros_like(by_tag), where=total > 0))


def learn_normal(plant: Plant, segments: Sequence[TrainingSegment]) -> NormalModel:
    """Learn normal behaviour from the normal rows of segments.

    Scales, tails and the scores for the threshold come from rows that the experts were not fitted
    on: stretches of the segments are held back in turn.
    """
    if plant.normality is None:
        raise PlantError(f"{plant.name}: no section [normality]: list the experts in plant.toml")
    preprocessor = Preprocessor.learn(plant, segments)
    training = [TrainingInputs(preprocessor(s.block), s.normal) for s in segments]
    learnt = [_learn_expert(plant, expert, training) for expert in plant.normality.experts]
    experts = tuple(expert for expert, _ in learnt)
    fuse = FUSIONS[plant.normality.fusion]
    held_back = tuple(
        HeldBack(fuse(np.stack([surprises[place] for _, surprises in learnt])), t.observed.segment)
        for place, t in enumerate(training)
    )
    unknown_shares = np.full(len(monitored(plant)), np.nan)
    return NormalModel(plant.normality, preprocessor, experts, unknown_shares, held_back)


def _learn_expert(
    plant: Plant, expert: Expert, training: Sequence[TrainingInputs]
) -> tuple[_Learnt, list[Floats]]:
    """An expert, and its surprise at the normal rows of each segment when they are held back.

    The surprise is NaN in other rows.
    """
    normal = [t.normal for t in training]
    observed = [t.observed for t in training]
    learnt = learn(plant, expert, training)
    if expert.kind in UNTRAINED_KINDS:
        residuals = [learnt(inputs) for inputs in observed]
    else:
        residuals = _held_back(
            normal, lambda kept: learn(plant, expert, _only(training, kept)), observed
        )
    pairs = list(zip(residuals, observed, strict=True))
    totals = _held_back(
        normal, lambda kept: _totals(Weighing.learn(plant, expert, residuals, kept)), pairs
    )
    tail = Tail.of(np.concatenate(totals))
    weighing = Weighing.learn(plant, expert, residuals, normal)
    return _Learnt(learnt, weighing, tail), [tail.surprise(total) for total in totals]


def _only(training: Sequence[TrainingInputs], kept: Sequence[Mask]) -> list[TrainingInputs]:
    return [replace(t, normal=mask) for t, mask in zip(training, kept, strict=True)]


def _totals(weighing: Weighing) -> Callable[[tuple[Floats, Inputs]], Floats]:
    return lambda pair: weighing(*pair).total


def _held_back(
    normal: Sequence[Mask],
    learn_from: Callable[[Sequence[Mask]], Callable[[Any], Floats]],
    inputs: Sequence[Any],
) -> list[Floats]:
    """The results for the normal rows of each run, by functions that have not learnt from them.

    NaN in other rows.
    """
    results: dict[int, Floats] = {}
    for kept, held_back in stretches(normal):
        function = learn_from(kept)
        for place, mask in enumerate(held_back):
            if mask.any():
                values = function(inputs[place])
                results.setdefault(place, np.full(values.shape, np.nan))[mask] = values[mask]
    # Runs without a normal row have no results: all their rows are NaN.
    width = next(iter(results.values())).shape[1:]
    return [
        results.get(place, np.full((len(mask), *width), np.nan))
        for place, mask in enumerate(normal)
    ]


def stretches(normal: Sequence[Mask], folds: int = FOLDS) -> list[tuple[list[Mask], list[Mask]]]:
    """The normal rows cut into contiguous stretches.

    For each stretch: masks of the rows to keep, and of the rows of the stretch, by run.
    """
    ends = np.cumsum([mask.sum() for mask in normal])
    # The rank of a normal row is its number among the normal rows of all runs.
    ranks = [np.cumsum(mask) - 1 + end - mask.sum() for mask, end in zip(normal, ends, strict=True)]
    cuts = []
    for first, last in pairwise(np.linspace(0, ends[-1], folds + 1).astype(int)):
        held_back = [
            mask & (rank >= first) & (rank < last) for mask, rank in zip(normal, ranks, strict=True)
        ]
        kept = [mask & ~held for mask, held in zip(normal, held_back, strict=True)]
        cuts.append((kept, held_back))
    return cuts


__all__ = ["Assessed", "NormalModel", "learn_normal", "stretches"]
