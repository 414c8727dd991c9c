"""The pipelines on Spark give the same results as the local ones."""

import polars as pl
from polars.testing import assert_frame_equal


def same_scores(scored: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Assert equal rows, equal warnings, and scores that agree to the rounding of a float32.

    The rounding depends on the size of the batch.
    """
    warnings = [name for name in expected.columns if expected[name].dtype != pl.Float64]
    assert_frame_equal(scored.select(warnings), expected.select(warnings), check_exact=True)
    assert_frame_equal(scored, expected, rel_tol=1e-4, abs_tol=1e-6)
