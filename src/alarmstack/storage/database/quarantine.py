"""Invalid rows of the feed. The only writer of `plant_quarantine`, used by the monitor alone.

A row is identified by its content: a repeated row is counted and not stored again. Only the newest
rows are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.checksum import fingerprint
from alarmstack.storage.database.tables import Quarantined

LONGEST_CONTENT = 4000
"""Characters of a row that are kept."""


async def store(
    session: AsyncSession, plant: str, content: str, reason: str, now: datetime
) -> datetime | None:
    """Store a row. Returns when the same row last arrived; None for a new one."""
    digest = fingerprint(content.encode(errors="replace"))
    same = select(Quarantined).where(Quarantined.plant == plant, Quarantined.digest == digest)
    stored = (await session.scalars(same)).one_or_none()
    if stored is None:
        kept = content[:LONGEST_CONTENT]
        times = {"first_at": now, "last_at": now, "times": 1}
        session.add(Quarantined(plant=plant, digest=digest, content=kept, reason=reason, **times))
        return None
    before = stored.last_at
    stored.reason, stored.last_at, stored.times = reason, now, stored.times + 1
    return before


async def trim(session: AsyncSession, plant: str, most: int) -> None:
    """Remove all rows except the newest `most`."""
    newest = select(Quarantined.id).where(Quarantined.plant == plant)
    newest = newest.order_by(Quarantined.last_at.desc(), Quarantined.id.desc()).limit(most)
    await session.execute(
        delete(Quarantined).where(Quarantined.plant == plant, Quarantined.id.not_in(newest))
    )


async def page(session: AsyncSession, plant: str, first: int, most: int) -> Sequence[Quarantined]:
    """Quarantined rows, newest first."""
    query = select(Quarantined).where(Quarantined.plant == plant)
    newest_first = query.order_by(Quarantined.last_at.desc(), Quarantined.id.desc())
    return (await session.scalars(newest_first.offset(first).limit(most))).all()


async def count(session: AsyncSession, plant: str) -> int:
    """The number of stored rows."""
    query = select(func.count()).select_from(Quarantined).where(Quarantined.plant == plant)
    return await session.scalar(query) or 0


__all__ = ["LONGEST_CONTENT", "count", "page", "store", "trim"]
