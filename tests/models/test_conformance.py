"""One suite for all nine models: what every recipe promises, whatever stands behind it."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from alarmstack.core.errors import FeatureError, ParityError
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant, load_plant
from alarmstack.models import Fitted, Recipe, fit, parity, recipes, to_graph
from alarmstack.models.native import read_arrays
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import make_bundle

PLANT = load_plant(Path(__file__).parents[2] / "plants/gas_treatment/plant.toml")
NAMES = ("pressure", "pressure_max", "level", "level_std", "steam", "steam_max", "hour")
SOURCES = ("pressure", "pressure", "level", "level", "steam", "steam", None)
ROWS, UNUSED = 500, 40


@dataclass(frozen=True)
class Case:
    """A recipe with a problem it can solve: the first and the third feature carry the signal."""

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
    push = (x[:, 0] - 200) / 30 + (x[:, 2] - 50) / 10 + random.normal(0, 0.3, ROWS)
    # The isolation forest learns without labels: for it the rare rows must also lie far out.
    x[push > 1.4, 0] += 60
    x[random.random(x.shape) < 0.03] = np.nan
    target = {
        "alarm": (push > 1.4).astype(float),
        "onset": (push > 1.4).astype(float),
        "none": (push > 1.4).astype(float),
        "regime": np.digitize(push, [0.5, 1.4]).astype(float),
        "next_deviation": push,
    }[recipe.target]
    target[7] = np.nan
    rows = np.arange(ROWS)
    blocks = np.array_split(rows[UNUSED:], 3)
    return Case(
        recipe, x, target, [(np.setdiff1d(rows, block), block) for block in blocks], rows[UNUSED:]
    )


@dataclass(frozen=True)
class Made:
    case: Case
    fitted: Fitted
    bundle: Bundle


@pytest.fixture(scope="module", params=recipes(PLANT), ids=lambda recipe: recipe.name)
def made(request: pytest.FixtureRequest) -> Made:
    problem = case(request.param)
    before = problem.x.copy(), problem.target.copy()
    fitted = problem.fit()
    np.testing.assert_array_equal(problem.x, before[0], "fitting changed its matrix")
    np.testing.assert_array_equal(problem.target, before[1], "fitting changed its target")
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
    return Made(problem, fitted, bundle)


def worse(made: Made, scores: Floats) -> Floats:
    """One number a row that should grow with the trouble."""
    return scores[:, 2] if made.bundle.kind == "classes" else scores


def test_higher_means_worse(made: Made) -> None:
    scores = worse(made, made.fitted.predict(made.case.x))
    target = made.case.target
    known = ~np.isnan(target)
    bad = (
        target > np.nanquantile(target, 0.9)
        if made.bundle.kind == "value"
        else target == np.nanmax(target)
    )
    assert np.median(scores[known & bad]) > np.quantile(scores[known & ~bad], 0.75)


def test_scores_are_what_their_kind_says(made: Made) -> None:
    scores = made.bundle.score(made.case.x)
    assert scores.dtype == np.float64
    if made.bundle.kind == "classes":
        assert scores.shape == (ROWS, 3) == (ROWS, len(made.bundle.classes))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-9)
    else:
        assert scores.shape == (ROWS,)
    if made.bundle.kind != "value":
        assert scores.min() >= 0 and scores.max() <= 1


def test_a_row_of_which_nothing_is_known_gets_a_finite_moderate_score(made: Made) -> None:
    nothing = made.bundle.score(np.full((1, len(NAMES)), np.nan))
    everything = made.bundle.score(made.case.x)
    assert np.isfinite(nothing).all()
    if made.bundle.kind == "value":
        assert everything.min() < nothing[0] < everything.max()
    else:
        assert worse(made, nothing)[0] < np.quantile(worse(made, everything), 0.95)


def test_graph_and_estimator_agree(made: Made) -> None:
    random = np.random.default_rng(5)
    x = made.case.x[random.integers(0, ROWS, 2000)] + random.normal(0, 1, (2000, len(NAMES)))
    x[random.random(x.shape) < 0.3] = np.nan
    assert parity(made.fitted, made.bundle.graph, x) <= 1e-5
    np.testing.assert_allclose(
        made.bundle.score(x), made.fitted.predict(x.astype(np.float32).astype(float)), atol=1e-5
    )


def test_no_parity_no_graph_passes(made: Made) -> None:
    graph, spoiled = to_graph(made.fitted), _Spoiled(made.fitted)
    with pytest.raises(ParityError, match=made.bundle.name):
        parity(spoiled.fitted, graph, made.case.x)


class _Spoiled:
    """A fitted recipe whose estimator drifted by a little more than the gate allows after its graph was made."""

    def __init__(self, fitted: Fitted) -> None:
        self.estimator = fitted.estimator
        self.fitted = replace(fitted, estimator=self, calibration=None)

    def fit(self, x: Floats, y: Floats, weight: Floats) -> "_Spoiled":
        return self

    def raw(self, x: Floats) -> Floats:
        return self.estimator.raw(x) + 2e-5


def test_held_back_scores_fill_exactly_the_held_back_rows(made: Made) -> None:
    if made.case.recipe.target in ("regime", "next_deviation"):
        assert np.isnan(made.fitted.out_of_fold).all(), "no threshold is chosen for these"
        return
    assert np.isnan(made.fitted.out_of_fold[:UNUSED]).all()
    assert np.isfinite(made.fitted.out_of_fold[made.case.held_back]).all()
    assert not np.array_equal(
        made.fitted.out_of_fold[UNUSED:], made.fitted.predict(made.case.x)[UNUSED:]
    )


def test_same_seed_same_scores_however_many_learn_at_a_time(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("alarmstack.models.fit"), "WORKERS", 1)
    again = made.case.fit()
    assert again.chosen == made.fitted.chosen
    np.testing.assert_array_equal(again.predict(made.case.x), made.fitted.predict(made.case.x))
    np.testing.assert_array_equal(again.out_of_fold, made.fitted.out_of_fold)


def test_a_saved_bundle_scores_the_same_to_the_bit(made: Made, tmp_path: Path) -> None:
    opened = Bundle.load(made.bundle.save(tmp_path / "bundle"))
    assert opened == made.bundle
    np.testing.assert_array_equal(opened.score(made.case.x), made.bundle.score(made.case.x))


def test_scores_do_not_depend_on_the_other_rows(made: Made) -> None:
    together = made.bundle.score(made.case.x[:50])
    alone = np.concatenate([made.bundle.score(made.case.x[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)


def test_the_bundle_tells_where_it_comes_from(made: Made, plant: Plant) -> None:
    recipe = made.case.recipe
    assert made.bundle.plant_fingerprint == plant.fingerprint
    assert made.bundle.time["cadence"] == "1h" and made.bundle.time["window"] == "12h"
    assert (made.bundle.time["horizon"] is None) == (recipe.horizon is None)
    assert set(made.bundle.example) == set(NAMES)
    assert made.bundle.made["estimator"] == made.fitted.chosen


def test_the_native_model_holds_the_whole_model(made: Made) -> None:
    if made.bundle.native_form == "linear":
        kept = read_arrays(made.bundle.native)
        filled = np.where(np.isnan(made.case.x), kept["medians"], made.case.x.astype(np.float32))
        margin = ((filled - kept["centre"]) / kept["scale"]) @ kept["coefficients"].T + kept[
            "intercept"
        ]
        if made.bundle.kind == "value":
            np.testing.assert_allclose(margin[:, 0], made.bundle.score(made.case.x), atol=1e-4)
        else:
            assert margin.shape[1] in (1, 3)
    elif made.bundle.native_form == "trees":
        kept = read_arrays(made.bundle.native)
        roots = np.flatnonzero(np.diff(kept["tree"], prepend=-1))
        assert len(roots) == made.fitted.estimator.model.n_estimators
        assert (kept["feature"] < len(NAMES)).all() and (kept["cover"] > 0).all()
    else:
        assert made.bundle.native_form in ("lightgbm", "xgboost") and len(made.bundle.native) > 1000


def test_partial_rows_by_name(made: Made) -> None:
    row = made.bundle.row({"pressure": 300.0, "level": None})
    assert row.shape == (1, len(NAMES)) and np.isnan(row).sum() == len(NAMES) - 1
    with pytest.raises(FeatureError, match="presure"):
        made.bundle.row({"presure": 300.0})
    with pytest.raises(FeatureError, match=r"\[rows, 7\]"):
        made.bundle.score(np.zeros((2, 3)))


def test_nine_names_in_the_order_of_the_catalogue() -> None:
    assert [r.name.removeprefix("plant_alarm_") for r in recipes(PLANT)] == [
        "champion",
        "isolation_forest",
        "regime_classifier",
        "lr_soft_alarm",
        "rf_soft_alarm",
        "deviation_predictor",
        "forecaster_1h",
        "forecaster_3h",
        "forecaster_6h",
    ]


def test_the_champion_is_the_best_of_its_candidates() -> None:
    fitted = case(recipes(PLANT)[0]).fit()
    assert set(fitted.tried) >= {"random forest", "xgboost", "lightgbm", "gradient boosting"}
    assert sum(name.endswith("with SMOTE") for name in fitted.tried) == 1
    assert fitted.tried[fitted.chosen] == max(fitted.tried.values())
