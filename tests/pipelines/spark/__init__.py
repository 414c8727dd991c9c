"""Spark does what this machine does."""

import polars as pl
from polars.testing import assert_frame_equal


def same_scores(said: pl.DataFrame, expected: pl.DataFrame) -> None:
    """The same rows, the same warnings, and scores that agree to a float32's rounding, which
    depends on a batch's size.
    """
    warnings = [name for name in expected.columns if expected[name].dtype != pl.Float64]
    assert_frame_equal(said.select(warnings), expected.select(warnings), check_exact=True)
    assert_frame_equal(said, expected, rel_tol=1e-4, abs_tol=1e-6)
