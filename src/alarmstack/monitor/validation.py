"""What the feed sends is checked row by row before anything is stored: pure.

A row is valid when it has a timestamp on the grid and within bounds around the plant's clock, knows no key that the plant does
not have, and every value is finite. A row that is not valid is set aside with its reason; the rows around it are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from alarmstack.errors import ObservationError
from alarmstack.plant import Plant, write_duration
from alarmstack.wire.observations import Observation, Reading, observation_keys

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Grids are counted from here, as the interval closer counts them."""
NAMED_KEYS, LONGEST_KEY = 5, 60
"""How many unknown keys a reason names, and how much of each."""
Row = TypeVar("Row", bound=Reading)


class Bounds(NamedTuple):
    """How far a timestamp may be ahead of the plant's clock, and behind it."""

    ahead: timedelta
    behind: timedelta


class Validator:
    """Checks rows of one plant's feed."""

    def __init__(self, plant: Plant, bounds: Bounds) -> None:
        self._plant, self._bounds = plant, bounds
        self._keys = frozenset(observation_keys(plant))

    def interval(self, content: object, clock: datetime | None, grid: timedelta | None) -> Observation:
        """An interval whose start is on `grid`; None: anywhere. Raises ObservationError with the reason."""
        row = self._dated(Observation, content, clock)
        assert row.timestamp is not None
        if grid is not None and not on_grid(row.timestamp, grid):
            every = write_duration(grid)
            raise ObservationError(f"timestamp {row.timestamp.isoformat()} is off the grid: intervals start every {every}")
        return row

    def reading(self, content: object, clock: datetime | None) -> Reading:
        """A reading. Raises ObservationError with the reason."""
        return self._dated(Reading, content, clock)

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
        return {key: row[key] for key in row if key in self._keys or key in Observation.model_fields}

    def _dated(self, kind: type[Row], content: object, clock: datetime | None) -> Row:
        if not isinstance(content, Mapping):
            raise ObservationError("not a row of named numbers")
        try:
            row = kind.model_validate(content)
        except ValidationError as error:
            raise ObservationError(_complaint(error)) from error
        if row.timestamp is None:
            raise ObservationError("no timestamp")
        unknown = sorted(set(row.numbers) - self._keys)
        if unknown:
            named = ", ".join(key[:LONGEST_KEY] for key in unknown[:NAMED_KEYS])
            raise ObservationError(f"{len(unknown)} unknown keys: {named}")
        self.check_clock(row.timestamp, clock)
        return row


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


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:LONGEST_KEY]
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


__all__ = ["Bounds", "Validator", "on_grid", "parsed", "written"]
