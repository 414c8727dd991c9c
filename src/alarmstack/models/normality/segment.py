"""What is learnt from."""

from __future__ import annotations

from dataclasses import dataclass

from alarmstack.core.intervals import IntervalBlock, Mask


@dataclass(frozen=True)
class TrainingSegment:
    """Rows of one recording: `normal` bool [rows] may be learnt as normal; `event` bool [rows] are known trouble, if any are."""

    asset: str
    block: IntervalBlock
    normal: Mask
    event: Mask


__all__ = ["Mask", "TrainingSegment"]
