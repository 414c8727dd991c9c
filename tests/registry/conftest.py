"""A small fitted model, as a Bundle."""

import numpy as np
import pytest

from alarmstack.core.plant import Plant
from alarmstack.models import fit, recipes
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import make_bundle
from tests.registry.rows import NAMES, X


@pytest.fixture(scope="package")
def bundle(plant: Plant) -> Bundle:
    recipe = next(r for r in recipes(plant) if r.name.endswith("lr_soft_alarm"))
    rows = np.arange(len(X))
    folds = [(np.setdiff1d(rows, block), block) for block in np.array_split(rows, 3)]
    fitted = fit(recipe, NAMES, NAMES, X, (X[:, 0] > 0.8).astype(float), folds)
    return make_bundle(
        plant,
        fitted,
        thresholds={"operating": 0.4},
        metrics={},
        card="# Linear\n",
        data_fingerprint="data",
        reference={},
        check=X,
    )
