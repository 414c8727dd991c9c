"""What the feed sends is checked row by row before anything is stored: pure.

A row is valid when it has a timestamp on the grid and within bounds around the plant's clock, knows no key that the plant does
not have, and every value is finite. A row that is not valid is set aside with its reason; the rows around it are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from alarmstack.core.clock import EPOCH
from alarmstack.core.errors import ObservationError
from alarmstack.core.plant import Plant, write_duration
from alarmstack.services.schemas.observations import Number, Observation, Reading, observation_keys
from alarmstack.services.schemas.sensors import Age

NAMED_KEYS, LONGEST_KEY = 5, 60
"""How many unknown keys a reason names, and how much of each."""
Read = tuple[Reading, dict[str, Age | None], dict[str, Number | None]]
"""A reading with the seconds since each instrument's last one, and the setpoints."""
_READ: TypeAdapter[Read] = TypeAdapter(Read)


class Bounds(NamedTuple):
    """How far a timestamp may be ahead of the plant's clock, and behind it."""

    ahead: timedelta
    behind: timedelta


class Validator:
    """Checks rows of one plant's feed."""

    def __init__(self, plant: Plant, bounds: Bounds) -> None:
        self._plant, self._bounds = plant, bounds
        self._keys = frozenset(observation_keys(plant))

    def interval(
        self, content: object, clock: datetime | None, grid: timedelta | None
    ) -> Observation:
        """An interval whose start is on `grid`; None: anywhere. Raises ObservationError with the reason."""
        if not isinstance(content, Mapping):
            raise ObservationError("not a row of named numbers")
        try:
            row = Observation.model_validate(content)
        except ValidationError as error:
            raise ObservationError(reason_for(error)) from error
        self.check(row, clock)
        assert row.timestamp is not None
        if grid is not None and not on_grid(row.timestamp, grid):
            every = write_duration(grid)
            raise ObservationError(
                f"timestamp {row.timestamp.isoformat()} is off the grid: intervals start every {every}"
            )
        return row

    def check(self, row: Reading, clock: datetime | None) -> None:
        """Raise ObservationError with the reason where a row is not valid."""
        if row.timestamp is None:
            raise ObservationError("no timestamp")
        unknown = sorted(set(row.numbers) - self._keys)
        if unknown:
            named = ", ".join(key[:LONGEST_KEY] for key in unknown[:NAMED_KEYS])
            raise ObservationError(f"{len(unknown)} unknown keys: {named}")
        self.check_clock(row.timestamp, clock)

    def readings(
        self, body: Mapping[str, Any], clock: datetime | None
    ) -> tuple[list[Read], list[str]]:
        """The valid readings of `/sensors/history`, and why the others are not valid."""
        rows = body.get("readings")
        rows = rows if isinstance(rows, list) else []
        parts = [_beside(body.get(name), len(rows)) for name in ("ages", "setpoints")]
        valid, reasons = [], []
        for row, ages, setpoints in zip(rows, *parts, strict=True):
            try:
                read = _READ.validate_python((row, ages, setpoints))
                self.check(read[0], clock)
                valid.append(read)
            except (ObservationError, ValidationError) as error:
                reasons.append(reason_for(error))
        return valid, reasons

    def check_clock(self, shown: datetime, clock: datetime | None) -> None:
        """Raise ObservationError where an instant is too far from the plant's clock."""
        if clock is None:
            return
        for distance, bound, side in (
            (shown - clock, self._bounds.ahead, "ahead of"),
            (clock - shown, self._bounds.behind, "behind"),
        ):
            if distance > bound:
                raise ObservationError(
                    f"timestamp {shown.isoformat()} is more than {write_duration(bound)} {side} "
                    f"the plant's clock ({clock:%Y-%m-%d %H:%M})"
                )

    def known(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A stored row without keys that the plant has no longer."""
        return {
            key: row[key] for key in row if key in self._keys or key in Observation.model_fields
        }


def on_grid(instant: datetime, grid: timedelta, origin: datetime = EPOCH) -> bool:
    """Whether an instant is a whole number of `grid` from the origin."""
    return not (instant - origin) % grid


def parsed(text: str) -> Any:
    """The content of a JSON text. Raises ObservationError where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ObservationError(f"not JSON ({str(error).partition(chr(10))[0]})") from error


def written(content: object) -> str:
    """A row as it is kept: JSON in ASCII, which every database takes."""
    try:
        return json.dumps(content, default=str)
    except (ValueError, RecursionError):
        return json.dumps(repr(type(content)))


def reason_for(error: ObservationError | ValidationError) -> str:
    """Why a row is not valid, in one line."""
    if isinstance(error, ObservationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:LONGEST_KEY]
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _beside(values: object, rows: int) -> list[Any]:
    """What a feed says beside each row; nothing where it says none."""
    return values if isinstance(values, list) and len(values) == rows else [{}] * rows


__all__ = ["Bounds", "Validator", "on_grid", "parsed", "reason_for", "written"]
