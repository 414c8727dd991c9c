"""Questions about rows of the feed that were set aside. The only writer of `plant_quarantine`, on behalf of the monitor alone.

A row is known by its content: the same row again is counted, not stored twice. Only the newest rows are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.tables import Quarantined

LONGEST_CONTENT = 4000
"""Characters of a row that are kept."""


async def store(
    session: AsyncSession, plant: str, content: str, reason: str, now: datetime
) -> datetime | None:
    """Set a row aside. Returns when the same row last came; None for a new one."""
    digest = hashlib.sha256(content.encode(errors="replace")).hexdigest()
    same = select(Quarantined).where(Quarantined.plant == plant, Quarantined.digest == digest)
    known = (await session.scalars(same)).one_or_none()
    if known is None:
        kept = content[:LONGEST_CONTENT]
        times = {"first_at": now, "last_at": now, "times": 1}
        session.add(Quarantined(plant=plant, digest=digest, content=kept, reason=reason, **times))
        return None
    before = known.last_at
    known.reason, known.last_at, known.times = reason, now, known.times + 1
    return before


async def trim(session: AsyncSession, plant: str, most: int) -> None:
    """Remove all rows but the newest `most`."""
    newest = select(Quarantined.id).where(Quarantined.plant == plant)
    newest = newest.order_by(Quarantined.last_at.desc(), Quarantined.id.desc()).limit(most)
    await session.execute(
        delete(Quarantined).where(Quarantined.plant == plant, Quarantined.id.not_in(newest))
    )


async def page(session: AsyncSession, plant: str, first: int, most: int) -> Sequence[Quarantined]:
    """Rows that were set aside, newest first."""
    asked = select(Quarantined).where(Quarantined.plant == plant)
    asked = asked.order_by(Quarantined.last_at.desc(), Quarantined.id.desc())
    return (await session.scalars(asked.offset(first).limit(most))).all()


async def count(session: AsyncSession, plant: str) -> int:
    """How many rows are kept."""
    asked = select(func.count()).select_from(Quarantined).where(Quarantined.plant == plant)
    return await session.scalar(asked) or 0


__all__ = ["LONGEST_CONTENT", "count", "page", "store", "trim"]
