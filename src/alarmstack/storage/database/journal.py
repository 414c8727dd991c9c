"""The journal: who did what, when and why. The only writer of `journal`, which only adds lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.tables import Body, JournalLine


async def write(
    session: AsyncSession,
    server_time: datetime,
    action: str,
    user: str | None = None,
    value: Body | None = None,
    reason: str | None = None,
    plant_time: datetime | None = None,
) -> None:
    """Add a line, in the transaction of the action that it describes."""
    session.add(
        JournalLine(
            plant_time=plant_time,
            server_time=server_time,
            user=user,
            action=action,
            reason=reason,
            value=value or {},
        )
    )


async def read(session: AsyncSession, most: int = 100) -> Sequence[JournalLine]:
    """The newest lines, newest first."""
    return (
        await session.scalars(select(JournalLine).order_by(JournalLine.id.desc()).limit(most))
    ).all()


async def of(session: AsyncSession, action: str) -> Sequence[JournalLine]:
    """All lines of one kind, oldest first."""
    return (
        await session.scalars(
            select(JournalLine).where(JournalLine.action == action).order_by(JournalLine.id)
        )
    ).all()


__all__ = ["of", "read", "write"]
