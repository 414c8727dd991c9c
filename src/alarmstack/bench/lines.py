"""One line of a set's table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Line:
    """One line of a set's table: our model beside the baselines and published results."""

    set: str
    metric: str
    value: float
    low: float | None
    high: float | None
    count: int | None
    baselines: dict[str, float] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    aim: str | None = None
    met: bool | None = None

    def record(self) -> dict[str, Any]:
        """The line as a JSON object; NaN becomes null."""
        return {key: _json_value(value) for key, value in vars(self).items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


__all__ = ["Line"]
