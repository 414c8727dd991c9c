"""Experts expect what the textbook says."""

from dataclasses import replace

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Expert
from alarmstack.models.normality.experts import TrainingInputs, learn
from alarmstack.models.normality.held import Held
from alarmstack.models.normality.preprocessing import Inputs, standstill
from tests.models.normality.rigs import rig


def seen(rows: int, seed: int) -> Inputs:
    random = np.random.default_rng(seed)
    tags = random.normal(size=(rows, 4)) @ random.normal(size=(4, 4))
    return Inputs(
        tags, random.normal(size=(rows, 1)), np.zeros((rows, 2)), np.zeros(rows, np.int32)
    )


def test_relations_are_the_ridge_regression_of_each_tag_on_all_the_others() -> None:
    given = seen(300, 0)
    expert = Expert(name="relations", kind="relations", ridge=10.0)
    residuals = learn(rig(), expert, [TrainingInputs(given, np.ones(300, bool))])(given)
    spread, centre = given.tags.std(axis=0), given.tags.mean(axis=0)
    z = (given.tags - centre) / spread
    u = (given.inputs - given.inputs.mean()) / given.inputs.std()
    for tag in range(4):
        x = np.concatenate((np.delete(z, tag, axis=1), u, np.ones((300, 1))), axis=1)
        weights = np.linalg.solve(x.T @ x + 10.0 * np.eye(x.shape[1]), x.T @ z[:, tag])
        np.testing.assert_allclose(
            residuals[:, tag], (z[:, tag] - x @ weights) * spread[tag], atol=1e-8
        )


def test_dynamics_follow_a_plant_that_moves_by_a_law() -> None:
    rows = 500
    tags = np.zeros((rows, 1))
    noise = np.random.default_rng(0).normal(size=rows)
    for row in range(2, rows):
        tags[row] = 1.2 * tags[row - 1] - 0.5 * tags[row - 2] + noise[row]
    given = Inputs(tags, np.zeros((rows, 0)), np.zeros((rows, 2)), np.zeros(rows, np.int32))
    expert = Expert(name="dynamics", kind="dynamics", lags=2, ridge=0.01)
    residuals = learn(rig(), expert, [TrainingInputs(given, np.ones(rows, bool))])(given)
    np.testing.assert_allclose(residuals[10:, 0], noise[10:], atol=0.3)


def test_a_level_of_the_runs_beginning_is_known_when_the_beginning_is_over() -> None:
    given = seen(100, 1)
    expert = Expert(name="anchor", kind="level", anchor="20min")
    residuals = learn(rig(), expert, [])(given)
    assert np.isnan(residuals[:20]).all()
    np.testing.assert_allclose(residuals[20:], given.tags[20:] - np.median(given.tags[:20], axis=0))


def test_standstill_counts_rows_without_a_move() -> None:
    assert standstill(np.array([[1.0], [1.0], [2.0], [2.0], [2.0]]))[:, 0].tolist() == [
        0,
        1,
        0,
        1,
        2,
    ]


def held(given: Inputs, normal: int) -> Held:
    """A `held` expert with a time constant of an hour that learnt from the first rows."""
    learnt = learn(
        rig(),
        Expert(name="held", kind="held", window="60min"),
        [TrainingInputs(given, np.arange(len(given.tags)) < normal)],
    )
    assert isinstance(learnt, Held)
    return learnt


def still(rows: int, moves: Floats | None = None, seed: int = 4) -> Inputs:
    """A tag that follows an input twofold, and a tag that is its own; both with a noise of one."""
    inputs = np.zeros((rows, 1)) if moves is None else moves[:, None]
    noise = np.random.default_rng(seed).normal(size=(rows, 2))
    return Inputs(
        noise + inputs * np.array([2.0, 0.0]), inputs, np.zeros((rows, 2)), np.zeros(rows, np.int32)
    )


def shifted(given: Inputs, rows: slice, by: float) -> Inputs:
    tags = given.tags.copy()
    tags[rows, 1] += by
    return replace(given, tags=tags)


def test_a_held_level_never_learns_a_fault_and_is_where_it_was_when_the_fault_ends() -> None:
    usual = still(2000)
    expert = held(usual, 1000)
    fault = slice(1000, 1900)
    residuals = expert(shifted(usual, fault, 60.0))
    assert np.isnan(residuals[:30]).all() and np.isfinite(residuals[30:]).all()
    assert residuals[fault, 1].min() > expert.waits
    assert np.abs(residuals[1900:]).max() < expert.waits
    np.testing.assert_allclose(residuals[:1000], expert(usual)[:1000])


def test_a_held_level_follows_a_plant_that_drifts_slowly() -> None:
    usual = still(4000)
    drifts = replace(usual, tags=usual.tags + np.arange(4000)[:, None] / 100)
    residuals = held(usual, 4000)(drifts)
    assert np.abs(residuals[30:]).max() < 6


def test_what_an_input_moves_is_no_surprise_but_what_moves_alone_is() -> None:
    usual = still(3000, np.repeat(np.random.default_rng(5).normal(scale=30, size=10), 300))
    expert = held(usual, 3000)
    np.testing.assert_allclose(expert.give[:, 0], [2.0, 0.0], atol=0.2)
    assert np.quantile(np.abs(expert(usual)[30:]), 0.99) < 4
    alone = expert(shifted(usual, slice(1500, 3000), 60.0))
    assert np.median(alone[1500:, 1]) > 20


def test_a_held_level_knows_nothing_of_the_rows_to_come() -> None:
    usual = still(600)
    expert = held(usual, 600)
    for rows in (31, 200, 599):
        begun = Inputs(
            usual.tags[:rows], usual.inputs[:rows], usual.clock[:rows], usual.segment[:rows]
        )
        np.testing.assert_array_equal(expert(begun), expert(usual)[:rows])


def test_a_missing_value_is_no_residual_and_moves_no_level() -> None:
    usual = still(600)
    gap = shifted(usual, slice(300, 400), np.nan)
    residuals = held(usual, 600)(gap)
    assert np.isnan(residuals[300:400, 1]).all() and np.isfinite(residuals[300:400, 0]).all()
    assert np.abs(residuals[400:, 1]).max() < 6


def test_a_missing_input_is_no_fault_of_the_tags_that_follow_it() -> None:
    """A set point that moves while its flow is missing: nothing is said of what follows it, and nothing afterwards."""
    moves = np.where(np.arange(1200) < 700, 0.0, 60.0) + np.random.default_rng(5).normal(
        scale=0.1, size=1200
    )
    taught = still(3000, np.repeat(np.random.default_rng(5).normal(scale=30, size=10), 300))
    run = still(1200, moves)
    blind = replace(
        run,
        inputs=np.where((np.arange(1200) >= 650) & (np.arange(1200) < 800), np.nan, moves)[:, None],
    )
    residuals = held(taught, 3000)(blind)
    assert np.isnan(residuals[650:800, 0]).all()
    assert np.nanmax(np.abs(residuals)) < 8


def test_a_tag_that_comes_late_settles_first() -> None:
    usual = still(600)
    residuals = held(usual, 600)(shifted(usual, slice(0, 300), np.nan))
    assert np.isnan(residuals[:330, 1]).all() and np.isfinite(residuals[330:, 1]).all()
    assert np.isfinite(residuals[30:, 0]).all() and np.abs(residuals[330:, 1]).max() < 6
