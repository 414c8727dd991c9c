"""Another look at the same hours is learnt from where both of its rows are, shares their weight, and is judged on never."""

import importlib

import numpy as np
import pytest

from alarmstack.models import ExtraRows, fit
from alarmstack.models.catalogue import Recipe

fitting = importlib.import_module("alarmstack.models.fit")
ROWS = 60


class Heard:
    """An estimator that remembers what it was taught."""

    taught: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # noqa: RUF012 - a test's notebook

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> "Heard":
        Heard.taught.append((x, y, weight))
        return self

    def raw(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0] / ROWS


RECIPE = Recipe(
    "m",
    "m",
    "M",
    "window",
    "onset",
    {"heard": lambda _: Heard()},
    calibrated="isotonic",
    dropout=False,
)


def test_looks_that_touch_a_held_back_row_are_left_out_and_an_hour_counts_once() -> None:
    Heard.taught.clear()
    x, target = np.arange(ROWS, dtype=float)[:, None], (np.arange(ROWS) % 7 == 0).astype(float)
    target[5] = np.nan
    row = np.arange(ROWS - 1)
    more = ExtraRows(row[:, None] + 0.5, np.where(row == 30, np.nan, 0.0), row, looks=2)
    held_back = np.arange(20, 30)
    train = np.concatenate([np.arange(18), np.arange(32, ROWS)])
    fitted = fit(RECIPE, ["f"], [None], x, target, [(train, held_back)], extra=more)
    # Estimators learn side by side: the one that learns from all rows may be first.
    first, final = sorted(Heard.taught, key=lambda one: len(one[0]))
    between = first[0][first[0] % 1 == 0.5]
    assert between.min() == 0.5 and set(between) == {
        r + 0.5 for r in [*range(17), *range(32, ROWS - 1)]
    }
    assert (first[2] == 0.5).all() and len(final[0]) == (ROWS - 1) + (ROWS - 2)
    assert np.flatnonzero(~np.isnan(fitted.raw_out_of_fold)).tolist() == held_back.tolist()


@pytest.mark.parametrize("looks", [1, 4])
def test_what_lies_within_some_rows(looks: int) -> None:
    more = ExtraRows(
        np.zeros((4, 1)), np.array([0.0, 1.0, np.nan, 1.0]), np.array([3, 4, 4, 7]), looks
    )
    assert more.within(np.array([3, 4, 5])).tolist() == [0, 1]
