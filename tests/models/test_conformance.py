"""One suite for all nine models: the properties of every recipe, whatever its estimator."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alarmstack.core.errors import FeatureError, ParityError
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant, load_plant
from alarmstack.models import Fitted, Recipe, fit, parity, recipes, to_graph
from alarmstack.models.native import read_arrays
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import make_bundle
from tests.model_names import FEATURE_MODELS

PLANT = load_plant(Path(__file__).parents[2] / "plants/gas_treatment/plant.toml")
NAMES = ("pressure", "pressure_max", "level", "level_std", "steam", "steam_max", "hour")
SOURCES = ("pressure", "pressure", "level", "level", "steam", "steam", None)
ROWS, UNUSED = 500, 40


@dataclass(frozen=True)
class Case:
    """A recipe with data that it can learn: the target depends on the first and third feature."""

    recipe: Recipe
    x: Floats
    target: Floats
    folds: list[tuple[np.ndarray, np.ndarray]]
    held_back: np.ndarray

    def fit(self) -> Fitted:
        return fit(self.recipe, NAMES, SOURCES, self.x, self.target, self.folds, seed=3)


def case(recipe: Recipe) -> Case:
    random = np.random.default_rng(11)
    x = random.normal(0, 1, (ROWS, len(NAMES))) * [30, 30, 10, 2, 5, 5, 7] + [
        200,
        220,
        50,
        3,
        80,
        82,
        12,
    ]
    severity = (x[:, 0] - 200) / 30 + (x[:, 2] - 50) / 10 + random.normal(0, 0.3, ROWS)
    # The isolation forest learns without labels: for it the rare rows must also lie far out.
    x[severity > 1.4, 0] += 60
    x[random.random(x.shape) < 0.03] = np.nan
    target = {
        "alarm": (severity > 1.4).astype(float),
        "onset": (severity > 1.4).astype(float),
        "none": (severity > 1.4).astype(float),
        "regime": np.digitize(severity, [0.5, 1.4]).astype(float),
        "next_deviation": severity,
    }[recipe.target]
    target[7] = np.nan
    rows = np.arange(ROWS)
    blocks = np.array_split(rows[UNUSED:], 3)
    return Case(
        recipe, x, target, [(np.setdiff1d(rows, block), block) for block in blocks], rows[UNUSED:]
    )


@dataclass(frozen=True)
class Result:
    case: Case
    fitted: Fitted
    bundle: Bundle


@pytest.fixture(scope="module", params=recipes(PLANT), ids=lambda recipe: recipe.name)
def result(request: pytest.FixtureRequest) -> Result:
    problem = case(request.param)
    before = problem.x.copy(), problem.target.copy()
    fitted = problem.fit()
    np.testing.assert_array_equal(problem.x, before[0], "fit changed its matrix")
    np.testing.assert_array_equal(problem.target, before[1], "fit changed its target")
    bundle = make_bundle(
        PLANT,
        fitted,
        thresholds={"0.5": 0.4, "operating": None},
        metrics={"f1_anomaly": 0.7},
        card="# A card\n",
        data_fingerprint="d" * 16,
        reference={},
        check=problem.x,
    )
    return Result(problem, fitted, bundle)


def worse(result: Result, scores: Floats) -> Floats:
    """One number per row that should increase with the severity."""
    return scores[:, 2] if result.bundle.kind == "classes" else scores


def test_higher_means_worse(result: Result) -> None:
    scores = worse(result, result.fitted.predict(result.case.x))
    target = result.case.target
    known = ~np.isnan(target)
    bad = (
        target > np.nanquantile(target, 0.9)
        if result.bundle.kind == "value"
        else target == np.nanmax(target)
    )
    assert np.median(scores[known & bad]) > np.quantile(scores[known & ~bad], 0.75)


def test_scores_have_the_shape_and_range_of_their_kind(result: Result) -> None:
    scores = result.bundle.score(result.case.x)
    assert scores.dtype == np.float64
    if result.bundle.kind == "classes":
        assert scores.shape == (ROWS, 3) == (ROWS, len(result.bundle.classes))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-9)
    else:
        assert scores.shape == (ROWS,)
    if result.bundle.kind != "value":
        assert scores.min() >= 0 and scores.max() <= 1


def test_a_row_without_any_value_gets_a_finite_moderate_score(result: Result) -> None:
    nothing = result.bundle.score(np.full((1, len(NAMES)), np.nan))
    everything = result.bundle.score(result.case.x)
    assert np.isfinite(nothing).all()
    if result.bundle.kind == "value":
        assert everything.min() < nothing[0] < everything.max()
    else:
        assert worse(result, nothing)[0] < np.quantile(worse(result, everything), 0.95)


def test_graph_and_estimator_agree(result: Result) -> None:
    random = np.random.default_rng(5)
    x = result.case.x[random.integers(0, ROWS, 2000)] + random.normal(0, 1, (2000, len(NAMES)))
    x[random.random(x.shape) < 0.3] = np.nan
    assert parity(result.fitted, result.bundle.graph, x) <= 1e-5
    np.testing.assert_allclose(
        result.bundle.score(x), result.fitted.predict(x.astype(np.float32).astype(float)), atol=1e-5
    )


def test_a_graph_without_parity_is_refused(result: Result) -> None:
    graph, deviating = to_graph(result.fitted), _Deviating(result.fitted)
    with pytest.raises(ParityError, match=result.bundle.name):
        parity(deviating.fitted, graph, result.case.x)


class _Deviating:
    """A fitted recipe whose estimator differs from its graph by more than the tolerance."""

    def __init__(self, fitted: Fitted) -> None:
        self.estimator = fitted.estimator
        self.fitted = replace(fitted, estimator=self, calibration=None)

    def fit(self, x: Floats, y: Floats, weight: Floats) -> "_Deviating":
        return self

    def raw(self, x: Floats) -> Floats:
        return self.estimator.raw(x) + 2e-5


def test_held_back_scores_fill_exactly_the_held_back_rows(result: Result) -> None:
    if result.case.recipe.target in ("regime", "next_deviation"):
        assert np.isnan(result.fitted.out_of_fold).all(), "no threshold is chosen for these"
        return
    assert np.isnan(result.fitted.out_of_fold[:UNUSED]).all()
    assert np.isfinite(result.fitted.out_of_fold[result.case.held_back]).all()
    assert not np.array_equal(
        result.fitted.out_of_fold[UNUSED:], result.fitted.predict(result.case.x)[UNUSED:]
    )


def test_the_same_seed_gives_the_same_scores_with_any_number_of_threads(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("alarmstack.models.fit"), "WORKERS", 1)
    again = result.case.fit()
    assert again.chosen == result.fitted.chosen
    np.testing.assert_array_equal(
        again.predict(result.case.x), result.fitted.predict(result.case.x)
    )
    np.testing.assert_array_equal(again.out_of_fold, result.fitted.out_of_fold)


def test_a_saved_bundle_gives_the_same_scores_to_the_bit(result: Result, tmp_path: Path) -> None:
    opened = Bundle.load(result.bundle.save(tmp_path / "bundle"))
    assert opened == result.bundle
    np.testing.assert_array_equal(opened.score(result.case.x), result.bundle.score(result.case.x))


def test_scores_do_not_depend_on_the_other_rows(result: Result) -> None:
    together = result.bundle.score(result.case.x[:50])
    alone = np.concatenate([result.bundle.score(result.case.x[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)


def test_the_bundle_contains_its_origin(result: Result, plant: Plant) -> None:
    recipe = result.case.recipe
    assert result.bundle.plant_fingerprint == plant.fingerprint
    assert result.bundle.time["cadence"] == "1h" and result.bundle.time["window"] == "12h"
    assert (result.bundle.time["horizon"] is None) == (recipe.horizon is None)
    assert set(result.bundle.example) == set(NAMES)
    assert result.bundle.made["estimator"] == result.fitted.chosen


def test_the_native_model_is_complete(result: Result) -> None:
    if result.bundle.native_form == "linear":
        arrays = read_arrays(result.bundle.native)
        filled = np.where(
            np.isnan(result.case.x), arrays["medians"], result.case.x.astype(np.float32)
        )
        scaled = (filled - arrays["centre"]) / arrays["scale"]
        margin = scaled @ arrays["coefficients"].T + arrays["intercept"]
        if result.bundle.kind == "value":
            np.testing.assert_allclose(margin[:, 0], result.bundle.score(result.case.x), atol=1e-4)
        else:
            assert margin.shape[1] in (1, 3)
    elif result.bundle.native_form == "trees":
        arrays = read_arrays(result.bundle.native)
        roots = np.flatnonzero(np.diff(arrays["tree"], prepend=-1))
        forest: Any = result.fitted.estimator
        assert len(roots) == forest.model.n_estimators
        assert (arrays["feature"] < len(NAMES)).all() and (arrays["cover"] > 0).all()
    else:
        assert (
            result.bundle.native_form in ("lightgbm", "xgboost")
            and len(result.bundle.native) > 1000
        )


def test_rows_with_some_features_by_name(result: Result) -> None:
    row = result.bundle.row({"pressure": 300.0, "level": None})
    assert row.shape == (1, len(NAMES)) and np.isnan(row).sum() == len(NAMES) - 1
    with pytest.raises(FeatureError, match="presure"):
        result.bundle.row({"presure": 300.0})
    with pytest.raises(FeatureError, match=r"\[rows, 7\]"):
        result.bundle.score(np.zeros((2, 3)))


def test_the_recipes_have_these_nine_names_in_this_order() -> None:
    names = tuple(recipe.name.removeprefix("plant_alarm_") for recipe in recipes(PLANT))
    assert names == FEATURE_MODELS


def test_the_champion_is_the_best_of_its_candidates() -> None:
    fitted = case(recipes(PLANT)[0]).fit()
    assert set(fitted.tried) >= {"random forest", "xgboost", "lightgbm", "gradient boosting"}
    assert sum(name.endswith("with SMOTE") for name in fitted.tried) == 1
    assert fitted.tried[fitted.chosen] == max(fitted.tried.values())
