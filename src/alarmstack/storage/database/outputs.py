"""The stored form of model outputs: values of one interval apart from values that intervals share.

The outputs, as the monitor uses them, have `scores` (column → score), CHAMPIONS and CHALLENGERS
(column → score, threshold, version), `forecasts` (column, horizon as a duration and in hours,
score, threshold) and `rules` (limits exceeded). They contain scores up to three times, and
thresholds and versions change only with a new model. The database therefore stores the scores
once, and a number for the thresholds and versions.
"""

from __future__ import annotations

import json

from alarmstack.core.checksum import fingerprint
from alarmstack.storage.database.tables import Body

CHAMPIONS, CHALLENGERS = "spoken", "shadows"
"""Keys of the outputs of champions and of challengers. Stored pasts have these two names."""
OWN = (CHALLENGERS, "rules")
"""Further parts of one interval, stored when they are not empty."""


def split(outputs: Body) -> tuple[Body, Body]:
    """The part of one interval, and the part that intervals share."""
    own = {"scores": outputs.get("scores", {})}
    own |= {part: outputs[part] for part in OWN if outputs.get(part)}
    champions = {
        column: [threshold, version]
        for column, (_, threshold, version) in outputs.get(CHAMPIONS, {}).items()
    }
    forecasts, horizons = [], {}
    for forecast in outputs.get("forecasts", []):
        column = forecast["column"]
        forecasts.append([column, forecast["horizon_hours"], forecast["threshold"]])
        if "horizon" in forecast:
            horizons[column] = forecast["horizon"]
    shared: Body = {CHAMPIONS: champions, "forecasts": forecasts}
    return own, shared | ({"horizons": horizons} if horizons else {})


def join(own: Body, shared: Body) -> Body:
    """The outputs from the two parts that `split` gives.

    >>> outputs = {"scores": {"risk": 0.5}, CHAMPIONS: {"risk": (0.5, 0.4, "7")}}
    >>> outputs |= {"forecasts": [], CHALLENGERS: {}, "rules": ["flood"]}
    >>> join(*split(outputs)) == outputs
    True
    """
    scores, horizons = own["scores"], shared.get("horizons", {})
    champions = {
        column: (scores.get(column), threshold, version)
        for column, (threshold, version) in shared[CHAMPIONS].items()
    }
    forecasts = [
        {
            "column": column,
            **({"horizon": horizons[column]} if column in horizons else {}),
            "horizon_hours": hours,
            "score": scores.get(column),
            "threshold": threshold,
        }
        for column, hours, threshold in shared["forecasts"]
    ]
    return {
        "scores": scores,
        CHAMPIONS: champions,
        "forecasts": forecasts,
        CHALLENGERS: own.get(CHALLENGERS, {}),
        "rules": own.get("rules", []),
    }


def digest(shared: Body) -> str:
    """A key that is equal for equal thresholds and versions."""
    return fingerprint(json.dumps(shared, sort_keys=True).encode())


__all__ = ["CHALLENGERS", "CHAMPIONS", "digest", "join", "split"]
