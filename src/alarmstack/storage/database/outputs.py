"""How the scores of an assessment are stored: what differs from interval to interval apart from what many intervals share.

`said` as the monitor uses it holds `scores` (column → score), `spoken` (column → score, threshold, version), `forecasts` (column,
horizon as a duration and in hours, score, threshold), `shadows` (challengers) and `rules` (limit rules met). Scores are then in it up to three times, and
thresholds and versions change with a new model only. Stored are the scores once, and a number for thresholds and versions.
"""

from __future__ import annotations

import hashlib
import json

from alarmstack.storage.database.tables import Body

OWN = ("shadows", "rules")
"""Parts that belong to an interval beside its scores; stored where there are any."""


def split(said: Body) -> tuple[Body, Body]:
    """What belongs to the interval, and what many intervals share."""
    own = {"scores": said.get("scores", {})} | {part: said[part] for part in OWN if said.get(part)}
    spoken = {
        column: [threshold, version]
        for column, (_, threshold, version) in said.get("spoken", {}).items()
    }
    forecasts = [
        [one["column"], one["horizon_hours"], one["threshold"]] for one in said.get("forecasts", [])
    ]
    horizons = {
        one["column"]: one["horizon"] for one in said.get("forecasts", []) if "horizon" in one
    }
    shared = {"spoken": spoken, "forecasts": forecasts}
    return own, shared | ({"horizons": horizons} if horizons else {})


def join(own: Body, shared: Body) -> Body:
    """What `split` took apart.

    >>> said = {"scores": {"risk": 0.5}, "spoken": {"risk": (0.5, 0.4, "7")}, "forecasts": [], "shadows": {}, "rules": ["flood"]}
    >>> join(*split(said)) == said
    True
    """
    scores, horizons = own["scores"], shared.get("horizons", {})
    return {
        "scores": scores,
        "spoken": {
            column: (scores.get(column), *known) for column, known in shared["spoken"].items()
        },
        "forecasts": [
            {
                "column": column,
                **({"horizon": horizons[column]} if column in horizons else {}),
                "horizon_hours": hours,
                "score": scores.get(column),
                "threshold": threshold,
            }
            for column, hours, threshold in shared["forecasts"]
        ],
        "shadows": own.get("shadows", {}),
        "rules": own.get("rules", []),
    }


def digest(shared: Body) -> str:
    """The same for the same thresholds and versions."""
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


__all__ = ["digest", "join", "split"]
