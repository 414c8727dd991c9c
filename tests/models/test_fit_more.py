"""Extra rows: used if both of their rows are, with a shared weight, and never evaluated."""

import importlib

import numpy as np
import pytest

from alarmstack.models import ExtraRows, fit
from alarmstack.models.catalogue import Recipe

fitting = importlib.import_module("alarmstack.models.fit")
ROWS = 60


class Recorder:
    """An estimator that records what it is fitted on."""

    fitted_on: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # noqa: RUF012 - records of this test

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> "Recorder":
        Recorder.fitted_on.append((x, y, weight))
        return self

    def raw(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0] / ROWS


RECIPE = Recipe(
    "m",
    "m",
    "M",
    "window",
    "onset",
    {"recorder": lambda _: Recorder()},
    calibrated="isotonic",
    dropout=False,
)


def test_extra_rows_in_held_back_rows_are_left_out_and_an_hour_counts_once() -> None:
    Recorder.fitted_on.clear()
    x, target = np.arange(ROWS, dtype=float)[:, None], (np.arange(ROWS) % 7 == 0).astype(float)
    target[5] = np.nan
    row = np.arange(ROWS - 1)
    extra = ExtraRows(
        row[:, None].astype(float) + 0.5, np.where(row == 30, np.nan, 0.0), row, looks=2
    )
    held_back = np.arange(20, 30)
    train = np.concatenate([np.arange(18), np.arange(32, ROWS)])
    fitted = fit(RECIPE, ["f"], [None], x, target, [(train, held_back)], extra=extra)
    # Estimators are fitted in parallel: the one with all rows may be first.
    first, final = sorted(Recorder.fitted_on, key=lambda arguments: len(arguments[0]))
    between = first[0][first[0] % 1 == 0.5]
    assert between.min() == 0.5 and set(between) == {
        r + 0.5 for r in [*range(17), *range(32, ROWS - 1)]
    }
    assert (first[2] == 0.5).all() and len(final[0]) == (ROWS - 1) + (ROWS - 2)
    assert np.flatnonzero(~np.isnan(fitted.raw_out_of_fold)).tolist() == held_back.tolist()


@pytest.mark.parametrize("looks", [1, 4])
def test_extra_rows_within_some_rows(looks: int) -> None:
    extra = ExtraRows(
        np.zeros((4, 1)), np.array([0.0, 1.0, np.nan, 1.0]), np.array([3, 4, 4, 7]), looks
    )
    assert extra.within(np.array([3, 4, 5])).tolist() == [0, 1]
