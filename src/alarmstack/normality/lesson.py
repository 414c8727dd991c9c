"""What is learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alarmstack.intervals import IntervalBlock

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lesson:
    """Rows of one recording: `normal` bool [rows] may be learnt as normal; `event` bool [rows] are known trouble, if any are."""

    asset: str
    block: IntervalBlock
    normal: Mask
    event: Mask


__all__ = ["Lesson", "Mask"]
