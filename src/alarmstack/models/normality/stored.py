"""Types for dataclasses of numbers that are written as JSON and read back, without pickling."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, PlainSerializer

from alarmstack.core.intervals import Floats


def _array(value: object) -> Floats:
    return np.asarray(value, float)


def _numbers(array: Floats) -> Any:
    return array.tolist()


Array = Annotated[np.ndarray, BeforeValidator(_array), PlainSerializer(_numbers)]
"""float64 of any shape."""
NUMBERS = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")
"""For dataclasses of numbers, texts and arrays; also infinite and unknown numbers are written."""

__all__ = ["NUMBERS", "Array"]
