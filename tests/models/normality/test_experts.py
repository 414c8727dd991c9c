"""Experts give the residuals that their definitions require."""

from dataclasses import replace

import numpy as np

from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Expert
from alarmstack.models.normality.experts import TrainingInputs, learn
from alarmstack.models.normality.held import Held
from alarmstack.models.normality.preprocessing import Inputs, standstill
from tests.models.normality.rigs import rig


def random_inputs(rows: int, seed: int) -> Inputs:
    random = np.random.default_rng(seed)
    tags = random.normal(size=(rows, 4)) @ random.normal(size=(4, 4))
    return Inputs(
        tags, random.normal(size=(rows, 1)), np.zeros((rows, 2)), np.zeros(rows, np.int32)
    )


def test_relations_are_the_ridge_regression_of_each_tag_on_all_the_others() -> None:
    observed = random_inputs(300, 0)
    expert = Expert(name="relations", kind="relations", ridge=10.0)
    residuals = learn(rig(), expert, [TrainingInputs(observed, np.ones(300, bool))])(observed)
    spread, centre = observed.tags.std(axis=0), observed.tags.mean(axis=0)
    z = (observed.tags - centre) / spread
    u = (observed.inputs - observed.inputs.mean()) / observed.inputs.std()
    for tag in range(4):
        x = np.concatenate((np.delete(z, tag, axis=1), u, np.ones((300, 1))), axis=1)
        weights = np.linalg.solve(x.T @ x + 10.0 * np.eye(x.shape[1]), x.T @ z[:, tag])
        np.testing.assert_allclose(
            residuals[:, tag], (z[:, tag] - x @ weights) * spread[tag], atol=1e-8
        )


def test_dynamics_learn_an_autoregressive_process() -> None:
    rows = 500
    tags = np.zeros((rows, 1))
    noise = np.random.default_rng(0).normal(size=rows)
    for row in range(2, rows):
        tags[row] = 1.2 * tags[row - 1] - 0.5 * tags[row - 2] + noise[row]
    observed = Inputs(tags, np.zeros((rows, 0)), np.zeros((rows, 2)), np.zeros(rows, np.int32))
    expert = Expert(name="dynamics", kind="dynamics", lags=2, ridge=0.01)
    residuals = learn(rig(), expert, [TrainingInputs(observed, np.ones(rows, bool))])(observed)
    np.testing.assert_allclose(residuals[10:, 0], noise[10:], atol=0.3)


def test_an_anchored_level_is_known_only_after_the_first_rows() -> None:
    observed = random_inputs(100, 1)
    expert = Expert(name="anchor", kind="level", anchor="20min")
    residuals = learn(rig(), expert, [])(observed)
    assert np.isnan(residuals[:20]).all()
    np.testing.assert_allclose(
        residuals[20:], observed.tags[20:] - np.median(observed.tags[:20], axis=0)
    )


def test_standstill_counts_unchanged_rows() -> None:
    values = np.array([[1.0], [1.0], [2.0], [2.0], [2.0]])
    assert standstill(values)[:, 0].tolist() == [0, 1, 0, 1, 2]


def held(observed: Inputs, normal: int) -> Held:
    """A `held` expert with a time constant of an hour that learnt from the first rows."""
    learnt = learn(
        rig(),
        Expert(name="held", kind="held", window="60min"),
        [TrainingInputs(observed, np.arange(len(observed.tags)) < normal)],
    )
    assert isinstance(learnt, Held)
    return learnt


def still(rows: int, moves: Floats | None = None, seed: int = 4) -> Inputs:
    """A tag that follows an input with factor 2, and an independent tag; both with noise 1."""
    inputs = np.zeros((rows, 1)) if moves is None else moves[:, None]
    noise = np.random.default_rng(seed).normal(size=(rows, 2))
    return Inputs(
        noise + inputs * np.array([2.0, 0.0]), inputs, np.zeros((rows, 2)), np.zeros(rows, np.int32)
    )


def shifted(observed: Inputs, rows: slice, by: float) -> Inputs:
    tags = observed.tags.copy()
    tags[rows, 1] += by
    return replace(observed, tags=tags)


def test_a_held_level_does_not_learn_a_fault_and_is_unchanged_after_it() -> None:
    normal_inputs = still(2000)
    expert = held(normal_inputs, 1000)
    fault = slice(1000, 1900)
    residuals = expert(shifted(normal_inputs, fault, 60.0))
    assert np.isnan(residuals[:30]).all() and np.isfinite(residuals[30:]).all()
    assert residuals[fault, 1].min() > expert.waits
    assert np.abs(residuals[1900:]).max() < expert.waits
    np.testing.assert_allclose(residuals[:1000], expert(normal_inputs)[:1000])


def test_a_held_level_follows_a_slow_drift() -> None:
    normal_inputs = still(4000)
    drifts = replace(normal_inputs, tags=normal_inputs.tags + np.arange(4000)[:, None] / 100)
    residuals = held(normal_inputs, 4000)(drifts)
    assert np.abs(residuals[30:]).max() < 6


def test_moves_that_an_input_explains_give_no_residual_and_others_do() -> None:
    normal_inputs = still(3000, np.repeat(np.random.default_rng(5).normal(scale=30, size=10), 300))
    expert = held(normal_inputs, 3000)
    np.testing.assert_allclose(expert.give[:, 0], [2.0, 0.0], atol=0.2)
    assert np.quantile(np.abs(expert(normal_inputs)[30:]), 0.99) < 4
    alone = expert(shifted(normal_inputs, slice(1500, 3000), 60.0))
    assert np.median(alone[1500:, 1]) > 20


def test_a_held_level_does_not_depend_on_later_rows() -> None:
    normal_inputs = still(600)
    expert = held(normal_inputs, 600)
    for rows in (31, 200, 599):
        first_rows = Inputs(
            normal_inputs.tags[:rows],
            normal_inputs.inputs[:rows],
            normal_inputs.clock[:rows],
            normal_inputs.segment[:rows],
        )
        np.testing.assert_array_equal(expert(first_rows), expert(normal_inputs)[:rows])


def test_a_missing_value_gives_no_residual_and_does_not_change_the_level() -> None:
    normal_inputs = still(600)
    gap = shifted(normal_inputs, slice(300, 400), np.nan)
    residuals = held(normal_inputs, 600)(gap)
    assert np.isnan(residuals[300:400, 1]).all() and np.isfinite(residuals[300:400, 0]).all()
    assert np.abs(residuals[400:, 1]).max() < 6


def test_a_missing_input_gives_no_residuals_of_the_tags_that_follow_it() -> None:
    """A setpoint moves while its flow is missing: no residual then, and no large one later."""
    moves = np.where(np.arange(1200) < 700, 0.0, 60.0) + np.random.default_rng(5).normal(
        scale=0.1, size=1200
    )
    training = still(3000, np.repeat(np.random.default_rng(5).normal(scale=30, size=10), 300))
    run = still(1200, moves)
    without_input = replace(
        run,
        inputs=np.where((np.arange(1200) >= 650) & (np.arange(1200) < 800), np.nan, moves)[:, None],
    )
    residuals = held(training, 3000)(without_input)
    assert np.isnan(residuals[650:800, 0]).all()
    assert np.nanmax(np.abs(residuals)) < 8


def test_a_tag_without_early_values_settles_first() -> None:
    normal_inputs = still(600)
    residuals = held(normal_inputs, 600)(shifted(normal_inputs, slice(0, 300), np.nan))
    assert np.isnan(residuals[:330, 1]).all() and np.isfinite(residuals[330:, 1]).all()
    assert np.isfinite(residuals[30:, 0]).all() and np.abs(residuals[330:, 1]).max() < 6
