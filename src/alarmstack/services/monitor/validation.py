"""Every row of the feed is validated before it is stored: pure.

A row is valid if it has a timestamp on the grid and within bounds around the plant's clock, has
only keys of the plant, and every value is finite. An invalid row is quarantined with its reason.
The rows around it are used.
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
"""How many unknown keys a reason names, and how many characters of each."""
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
        """An interval that starts on `grid`; None: at any instant.

        Raises ObservationError with the reason.
        """
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
                f"timestamp {row.timestamp.isoformat()} is off the grid: "
                f"intervals start every {every}"
            )
        return row

    def check(self, row: Reading, clock: datetime | None) -> None:
        """Raise ObservationError with the reason where a row is invalid."""
        if row.timestamp is None:
            raise ObservationError("no timestamp")
        unknown = sorted(set(row.numbers) - self._keys)
        if unknown:
            names = ", ".join(key[:LONGEST_KEY] for key in unknown[:NAMED_KEYS])
            raise ObservationError(f"{len(unknown)} unknown keys: {names}")
        self.check_clock(row.timestamp, clock)

    def readings(
        self, body: Mapping[str, Any], clock: datetime | None
    ) -> tuple[list[Read], list[str]]:
        """The valid readings of `/sensors/history`, and the reasons why others are invalid."""
        rows = body.get("readings")
        rows = rows if isinstance(rows, list) else []
        parts = [_per_row(body.get(name), len(rows)) for name in ("ages", "setpoints")]
        valid, reasons = [], []
        for row, ages, setpoints in zip(rows, *parts, strict=True):
            try:
                reading = _READ.validate_python((row, ages, setpoints))
                self.check(reading[0], clock)
                valid.append(reading)
            except (ObservationError, ValidationError) as error:
                reasons.append(reason_for(error))
        return valid, reasons

    def check_clock(self, instant: datetime, clock: datetime | None) -> None:
        """Raise ObservationError where an instant is too far from the plant's clock."""
        if clock is None:
            return
        for distance, bound, side in (
            (instant - clock, self._bounds.ahead, "ahead of"),
            (clock - instant, self._bounds.behind, "behind"),
        ):
            if distance > bound:
                raise ObservationError(
                    f"timestamp {instant.isoformat()} is more than {write_duration(bound)} {side} "
                    f"the plant's clock ({clock:%Y-%m-%d %H:%M})"
                )

    def known(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A stored row without keys that the plant no longer has."""
        return {
            key: row[key] for key in row if key in self._keys or key in Observation.model_fields
        }


def on_grid(instant: datetime, grid: timedelta, origin: datetime = EPOCH) -> bool:
    """Whether an instant is a whole multiple of `grid` from the origin."""
    return not (instant - origin) % grid


def parsed(text: str) -> Any:
    """The content of a JSON text. Raises ObservationError for other text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ObservationError(f"not JSON ({str(error).partition(chr(10))[0]})") from error


def written(content: object) -> str:
    """A row as it is stored: JSON in ASCII, which every database accepts."""
    try:
        return json.dumps(content, default=str)
    except (ValueError, RecursionError):
        return json.dumps(repr(type(content)))


def reason_for(error: ObservationError | ValidationError) -> str:
    """Why a row is invalid, in one line."""
    if isinstance(error, ObservationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:LONGEST_KEY]
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _per_row(values: object, rows: int) -> list[Any]:
    """One value for each row; an empty one where the feed did not send as many as rows."""
    return values if isinstance(values, list) and len(values) == rows else [{}] * rows


__all__ = ["Bounds", "Validator", "on_grid", "parsed", "reason_for", "written"]
