"""Balancing of labels: synthetic rows of the rarer label, by SMOTE.

SMOTE interpolates between a row and its neighbours of the same label (Chawla et al. 2002). It
cannot process missing values, which are therefore replaced by medians first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.impute import SimpleImputer

from alarmstack.core.intervals import Floats

NEIGHBOURS = 5
"""Neighbours that SMOTE interpolates between (Chawla et al. 2002, section 4.2)."""


def enough_to_balance(label: Any) -> bool:
    """Whether there are more rows of the rarer label (0 or 1) than neighbours.

    >>> enough_to_balance(np.array([0] * 10 + [1] * 6)), enough_to_balance(np.array([0] * 9 + [1]))
    (True, False)
    """
    return bool(np.bincount(label.astype(int), minlength=2).min() > NEIGHBOURS)


def filled_with_medians(x: Floats) -> Floats:
    """The matrix [rows, features] with the median of its column for each missing value."""
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return np.asarray(imputer.fit_transform(x))


def with_synthetic_rows(x: Floats, label: Any) -> tuple[Floats, Any]:
    """Rows without missing values and their labels, followed by synthetic rows.

    Afterwards both labels are equally frequent.
    """
    balanced_x, balanced_label = SMOTE(random_state=0, k_neighbors=NEIGHBOURS).fit_resample(
        x, label
    )
    return balanced_x, balanced_label


__all__ = ["NEIGHBOURS", "enough_to_balance", "filled_with_medians", "with_synthetic_rows"]
