"""Splits leak no data: whole events, purged rows at borders, order of time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmstack.core.plant import Plant
from alarmstack.evaluation.splits import inner_folds, purge_rows
from tests.training.stories import drawn

LETTERS = st.lists(st.sampled_from(["." * 30, "." * 7, "AAAA", "A"]), min_size=30, max_size=80).map(
    "".join
)


@given(letters=LETTERS)
@settings(max_examples=25, deadline=None)
def test_every_row_is_held_back_once_and_no_training_row_is_near(
    plant: Plant, letters: str
) -> None:
    examples = drawn(plant, letters)
    folds = inner_folds(examples)
    assert np.concatenate([f.held_back for f in folds]).tolist() == list(range(len(examples)))
    for fold in folds:
        if len(fold.train):
            assert (
                np.abs(fold.train[:, None] - fold.held_back[None, :]).min() > purge_rows(plant) - 1
            )


@given(letters=LETTERS)
@settings(max_examples=25, deadline=None)
def test_no_split_cuts_an_episode(plant: Plant, letters: str) -> None:
    examples = drawn(plant, letters)
    borders = [*(int(f.held_back[0]) for f in inner_folds(examples)[1:]), examples.sealed_from]
    for border in borders:
        assert not any(e.first < border <= e.last for e in examples.episodes)
