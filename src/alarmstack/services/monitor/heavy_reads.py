"""Heavy reads of the stored past, to be run in another process than the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from alarmstack.core.plant import Plant
from alarmstack.services.monitor.model_checks import WINDOWS, Recalibration, compare, drift
from alarmstack.services.schemas.gateway import Comparison, Drift
from alarmstack.services.schemas.inference import References
from alarmstack.storage.database.courses import read_past

T = TypeVar("T")


class HeavyReads(Protocol):
    """Runs functions of plain arguments in another process, and keeps their answers by key."""

    async def read(
        self, key: tuple[Any, ...], work: Callable[..., T], *arguments: Any, refusable: bool = True
    ) -> T:
        """`work(*arguments)`, or the answer that is kept for the key."""
        ...


def find_drift(
    url: str,
    plant: Plant,
    until: datetime | None,
    references: References,
    resets: Mapping[str, Recalibration],
) -> Drift:
    """How far the plant has drifted before `until`, from the database at `url`."""
    keys = [instrument.key for instrument in plant.modelled]
    return drift(plant, read_past(url, plant.name, keys, until, _rows(plant)), references, resets)


def find_comparison(url: str, plant: Plant, until: datetime | None) -> Comparison:
    """The champion/challenger comparison before `until`, from the database at `url`."""
    return compare(plant, read_past(url, plant.name, (), until, _rows(plant)))


def _rows(plant: Plant) -> int:
    return WINDOWS * plant.rows(plant.drift.window)


__all__ = ["HeavyReads", "find_comparison", "find_drift"]
