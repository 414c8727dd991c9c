"""Logins. The only writer of `refresh_sessions`.

A login is a *family* of refresh tokens. Each is used once to get the next one. A token that is used
again was stolen or replayed; the caller that notices this ends the family.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.storage.database.tables import RefreshSession, User


class Login(NamedTuple):
    """A login: its user, the family of its tokens, and when it began."""

    user_id: int
    family: str
    begun_at: datetime


async def add(
    session: AsyncSession, login: Login, token_hash: str, now: datetime, expires_at: datetime
) -> None:
    """Store a new refresh token of a login."""
    session.add(
        RefreshSession(
            **login._asdict(), token_hash=token_hash, created_at=now, expires_at=expires_at
        )
    )


async def find(session: AsyncSession, token_hash: str) -> tuple[RefreshSession, User] | None:
    """The token and its user."""
    rows = await session.execute(
        select(RefreshSession, User)
        .join(User, User.id == RefreshSession.user_id)
        .where(RefreshSession.token_hash == token_hash)
    )
    row = rows.one_or_none()
    return None if row is None else (row[0], row[1])


async def rotate(session: AsyncSession, token: RefreshSession, now: datetime) -> bool:
    """Mark a token as used; False when another request was faster."""
    used = await session.scalars(
        update(RefreshSession)
        .where(RefreshSession.id == token.id, RefreshSession.rotated_at.is_(None))
        .values(rotated_at=now)
        .returning(RefreshSession.id)
    )
    return used.one_or_none() is not None


async def end_family(session: AsyncSession, family: str, now: datetime) -> None:
    """End one login."""
    await session.execute(
        update(RefreshSession)
        .where(RefreshSession.family == family, RefreshSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def end_all(session: AsyncSession, user_id: int, now: datetime) -> None:
    """End all logins of an account."""
    await session.execute(
        update(RefreshSession)
        .where(RefreshSession.user_id == user_id, RefreshSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def forget_expired(session: AsyncSession, now: datetime, kept_for: timedelta) -> None:
    """Remove tokens that expired more than `kept_for` ago."""
    await session.execute(delete(RefreshSession).where(RefreshSession.expires_at < now - kept_for))


async def holder(session: AsyncSession, user_id: int, family: str) -> User | None:
    """The account in its present state, when it is enabled and the login has not been ended."""
    alive = exists().where(
        RefreshSession.family == family,
        RefreshSession.user_id == user_id,
        RefreshSession.revoked_at.is_(None),
    )
    query = select(User).where(User.id == user_id, User.disabled_at.is_(None), alive)
    return (await session.scalars(query)).one_or_none()


__all__ = ["Login", "add", "end_all", "end_family", "find", "forget_expired", "holder", "rotate"]
