"""Contributions add up to the score on their scale, for all models that have them."""

import numpy as np
import pytest

from alarmstack.models import estimators as make
from alarmstack.models.contributions import explain, importance
from alarmstack.models.native import to_native

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(0, 1, (400, 6))
X[RANDOM.random(X.shape) < 0.1] = np.nan
Y = (
    np.nan_to_num(X[:, 1]) + 0.5 * np.nan_to_num(X[:, 4]) + RANDOM.normal(0, 0.3, 400) > 0.7
).astype(float)
MAKERS = [
    make.light_forecaster,
    make.light_trees,
    make.extreme_trees,
    make.random_forest,
    make.gradient_boosting,
    make.logistic,
]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_base_and_contributions_add_up_to_the_score(maker) -> None:  # type: ignore[no-untyped-def]
    estimator = maker(1).fit(X, Y, np.ones(len(X)))
    form, native = to_native(estimator)
    scores = estimator.raw(X[:40])
    for row, score in zip(X[:40], scores, strict=True):
        shares = explain(form, native, "probability", row)
        score_again = (
            1 / (1 + np.exp(-shares.total)) if shares.scale == "log-odds" else shares.total
        )
        assert score_again == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_the_most_relevant_features_have_the_highest_importance(maker) -> None:  # type: ignore[no-untyped-def]
    form, native = to_native(maker(1).fit(X, Y, np.ones(len(X))))
    shares, method = importance(form, native)
    assert shares.sum() == pytest.approx(1) and method
    assert int(np.argmax(shares)) == 1 and int(np.argsort(shares)[-2]) == 4


def test_contributions_of_a_regression_are_in_its_unit() -> None:
    estimator = make.ridge(0).fit(X, np.nan_to_num(X[:, 2]) * 3, np.ones(len(X)))
    form, native = to_native(estimator)
    shares = explain(form, native, "value", X[0])
    assert shares.scale == "unit" and shares.total == pytest.approx(
        float(estimator.raw(X[:1])[0]), abs=1e-6
    )


def test_an_isolation_forest_is_refused_because_it_has_no_contributions() -> None:
    form, native = to_native(make.isolation_forest(0).fit(X, Y, np.ones(len(X))))
    with pytest.raises(ValueError, match="isolation"):
        explain(form, native, "anomaly", X[0])
