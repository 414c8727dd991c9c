"""The probe: a model is tested once after it was read, before it is used for requests.

A manifest shows that files are those that were published. The probe shows that they work. It finds
an incomplete graph, a library that cannot read its own model, and scores that are not numbers.
"""

from __future__ import annotations

import numpy as np

from alarmstack.core.errors import DamagedError
from alarmstack.core.intervals import Floats
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import reason_of
from alarmstack.models.contributions import explain, importance
from alarmstack.models.normality import NormalModel
from alarmstack.registry import Bundle
from alarmstack.registry.bundle import BLOCK
from alarmstack.services.schemas.observations import Observation, to_block


def probed(plant: Plant, bundle: Bundle) -> NormalModel | None:
    """Let a Bundle score its input example and a row without values, explain the score, and rank
    its inputs.

    Returns the opened model of a Bundle of the group `block`, else None. Raises DamagedError with
    the reason if a step fails.
    """
    try:
        if bundle.group == BLOCK:
            return _probed_normal(plant, bundle)
        _probe_rows(bundle)
        return None
    except Exception as error:
        # Each library has its own errors for a model that it cannot read. They mean the same here.
        raise DamagedError(
            f"{bundle.name} cannot be used ({reason_of(error)}): publish it again"
        ) from error


def _probe_rows(bundle: Bundle) -> None:
    rows = np.vstack([bundle.row(dict(bundle.example)), bundle.row({})])
    scores = bundle.score(rows)
    if scores.shape != ((2, len(bundle.classes)) if bundle.classes else (2,)):
        raise ValueError(f"scores of shape {scores.shape}")
    probable = bundle.kind in ("probability", "classes")
    if not np.isfinite(scores).all() or (probable and not ((scores >= 0) & (scores <= 1)).all()):
        raise ValueError(f"scores {scores.tolist()}")
    _each_finite(bundle, importance(bundle.native_form, bundle.native)[0])
    if bundle.kind == "probability":
        shares = explain(bundle.native_form, bundle.native, bundle.kind, rows[0])
        _each_finite(bundle, shares.contributions)


def _each_finite(bundle: Bundle, values: Floats) -> None:
    if values.shape != (len(bundle.names),) or not np.isfinite(values).all():
        raise ValueError(
            f"{len(values)} importances or contributions for {len(bundle.names)} inputs, "
            "or some that are not numbers"
        )


def _probed_normal(plant: Plant, bundle: Bundle) -> NormalModel:
    """Score a window in which every instrument is at the middle of its normal range."""
    model = bundle.open_normal(plant)
    row = Observation(**{i.key: sum(i.normal) / 2 for i in plant.modelled})
    rows = plant.rows(plant.time.window)
    assessed = model(to_block(plant, [row] * rows))
    if assessed.score.shape != (rows,) or assessed.shares.shape != (rows, len(bundle.names)):
        raise ValueError(f"scores of shape {assessed.score.shape}")
    return model


__all__ = ["probed"]
