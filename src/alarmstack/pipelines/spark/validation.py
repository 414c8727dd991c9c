"""Which readings of a stream are accepted: one wrong timestamp must not advance an asset's clock.

The newest reading closes intervals. A reading dated a year ahead would close a year of empty
intervals, and every valid reading after it would be too late. So an asset's clock advances by more
than a *step* only if several readings agree: they have several instants, and come from at least
half of the asset's signals. Until then such readings are held: of each signal the newest hundred.
If the asset's clock advances without them, they are set aside with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.sources.cells import EARLIEST

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Later times are invalid: they result from empty and damaged timestamps."""
FEWEST_INSTANTS = 3
"""Instants that must agree before a clock advances by more than a step."""
HELD_PER_SIGNAL = 100
"""Largest number of readings of one signal that are held. Older ones are set aside."""
ASIDE_SCHEMA = {**READING_SCHEMA, "reason": pl.String}


def _no_readings() -> pl.DataFrame:
    return pl.DataFrame(schema=READING_SCHEMA)


@dataclass(frozen=True)
class AssetClock:
    """The state of an asset: the instant of its `newest` reading, the `tags` of its signals, and
    the readings that are `held`.
    """

    newest: datetime | None = None
    tags: frozenset[str] = frozenset()
    held: pl.DataFrame = field(default_factory=_no_readings)


@dataclass(frozen=True)
class Sifted:
    """The asset's clock after a batch, its accepted readings (`sound`), and those set `aside`.

    Each reading that is set aside has a `reason`.
    """

    clock: AssetClock
    sound: pl.DataFrame
    aside: pl.DataFrame


def longest_step(plant: Plant, seconds: float) -> timedelta:
    """How far a clock may advance at once: the setting, or the plant's longest gap if longer."""
    return max(timedelta(seconds=seconds), plant.time.longest_gap)


def sift(plant: Plant, clock: AssetClock, readings: pl.DataFrame, step: timedelta) -> Sifted:
    """Divide a batch of an asset's readings into accepted, held and set-aside readings.

    `step`: how far one reading alone may advance the clock.
    """
    named, impossible = _possible(plant, readings.select(*READING_SCHEMA))
    late = _set_aside(pl.DataFrame(schema=READING_SCHEMA), "")
    newest = clock.newest
    if newest is not None:
        old = named["time"] < newest - step
        late = _set_aside(named.filter(old), f"more than {step} behind the asset's newest reading")
        named = named.filter(~old)
    seen = clock.tags | set(clock.held["tag"].to_list()) | set(named["tag"].to_list())
    accepted, doubtful, advanced = [], [], False
    for group in _groups(pl.concat([clock.held, named]), step):
        first, last = group["time"].min(), group["time"].max()
        assert isinstance(first, datetime) and isinstance(last, datetime)
        near = newest is not None and first <= newest + step
        if not near and not _agree(group, len(seen)):
            doubtful.append(group)
            continue
        accepted.append(group)
        advanced = advanced or newest is None or last > newest
        newest = last if newest is None else max(last, newest)
    unconfirmed = pl.concat([_no_readings(), *doubtful])
    newest_first = pl.int_range(pl.len()).reverse().over("tag")
    kept = pl.lit(not advanced) & (newest_first < HELD_PER_SIGNAL)
    held, wrong = unconfirmed.filter(kept), unconfirmed.filter(~kept)
    sound = pl.concat([_no_readings(), *accepted])
    reason = f"more than {step} away from the asset's other readings"
    tags = clock.tags | set(sound["tag"].to_list())
    return Sifted(
        AssetClock(newest, tags, held),
        sound,
        pl.concat([impossible, late, _set_aside(wrong, reason)]),
    )


def _possible(plant: Plant, readings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Readings of the plant's signals at valid times; and the others, with a reason."""
    faults = {
        "no time": pl.col("time").is_null(),
        f"before {EARLIEST:%Y}": pl.col("time") < EARLIEST,
        f"after {LATEST:%Y}": pl.col("time") >= LATEST,
        "no signal of this plant": ~pl.col("tag").is_in(list(plant.signals)).fill_null(False),
    }
    reason = pl.coalesce(pl.when(fault).then(pl.lit(name)) for name, fault in faults.items())
    judged = readings.with_columns(reason=reason)
    return judged.filter(pl.col("reason").is_null()).drop("reason"), judged.filter(
        pl.col("reason").is_not_null()
    )


def _groups(readings: pl.DataFrame, step: timedelta) -> Iterator[pl.DataFrame]:
    """Groups of readings that are at most a step apart, oldest first."""
    ordered = readings.sort("time", maintain_order=True)
    number = (ordered["time"].diff() > step).fill_null(False).cum_sum()
    for _, group in ordered.group_by(number, maintain_order=True):
        yield group.select(*READING_SCHEMA)


def _agree(group: pl.DataFrame, signals: int) -> bool:
    """Whether a group has enough instants, and readings of at least half of the signals."""
    return group["time"].n_unique() >= FEWEST_INSTANTS and 2 * group["tag"].n_unique() >= signals


def _set_aside(readings: pl.DataFrame, reason: str) -> pl.DataFrame:
    return readings.with_columns(reason=pl.lit(reason, pl.String))


def keep_aside(folder: Path, asset: str, readings: pl.DataFrame) -> None:
    """Write readings that were set aside, with their reasons.

    A repeated task writes the same file again, because its name is a hash of its content.
    """
    if readings.is_empty():
        return
    rows = readings.select(*ASIDE_SCHEMA).sort("time", "tag", "value", "reason")
    name = hashlib.sha256(f"{asset}\n{rows.write_csv()}".encode()).hexdigest()[:16]
    place = folder / f"asset={''.join(c if c.isalnum() or c in '-_.' else '_' for c in asset)}"
    place.mkdir(parents=True, exist_ok=True)
    partial = place / f".{name}.partial"
    rows.write_parquet(partial)
    partial.replace(place / f"{name}.parquet")


def count_aside(folder: Path) -> int:
    """The number of readings that were set aside so far."""
    files = sorted(folder.glob("asset=*/*.parquet"))
    return int(pl.scan_parquet(files).select(pl.len()).collect().item()) if files else 0


__all__ = [
    "ASIDE_SCHEMA",
    "AssetClock",
    "Sifted",
    "count_aside",
    "keep_aside",
    "longest_step",
    "sift",
]
