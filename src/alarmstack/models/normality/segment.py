"""The rows that a normal-behaviour model learns from."""

from __future__ import annotations

from dataclasses import dataclass

from alarmstack.core.intervals import IntervalBlock, Mask


@dataclass(frozen=True)
class TrainingSegment:
    """Rows of one recording.

    `normal` bool [rows]: rows to learn as normal. `event` bool [rows]: known events, if any.
    """

    asset: str
    block: IntervalBlock
    normal: Mask
    event: Mask


__all__ = ["Mask", "TrainingSegment"]
