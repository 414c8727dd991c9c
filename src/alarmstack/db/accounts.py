"""Questions about accounts and invitations. The only writer of `users` and `invitations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.db.tables import Invitation, User
from alarmstack.errors import NameTakenError


async def find(session: AsyncSession, username: str) -> User | None:
    """The account of that name, in any case."""
    return (await session.scalars(select(User).where(User.login == username.lower()))).one_or_none()


async def everyone(session: AsyncSession) -> Sequence[User]:
    """All accounts by name."""
    return (await session.scalars(select(User).order_by(User.login))).all()


async def add(session: AsyncSession, username: str, password_hash: str, role: str, now: datetime) -> User:
    """A new account. Raises NameTakenError."""
    user = User(username=username, login=username.lower(), password_hash=password_hash, role=role, created_at=now)
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise NameTakenError(f"the name {username!r} is taken: choose another") from None
    return user


async def set_role(session: AsyncSession, user: User, role: str) -> None:
    """Another role from the next request on."""
    await session.execute(update(User).where(User.id == user.id).values(role=role))


async def set_password(session: AsyncSession, user: User, password_hash: str) -> None:
    """Another password. Whoever calls this ends the sessions too."""
    await session.execute(update(User).where(User.id == user.id).values(password_hash=password_hash))


async def invite(session: AsyncSession, token_hash: str, role: str, now: datetime, expires_at: datetime) -> None:
    """Keep an invitation."""
    session.add(Invitation(token_hash=token_hash, role=role, created_at=now, expires_at=expires_at))


async def use_invitation(session: AsyncSession, token_hash: str, now: datetime) -> str | None:
    """The role an invitation gives, which is used up by asking; None where it is unknown, used or too old."""
    used = await session.scalars(
        update(Invitation)
        .where(Invitation.token_hash == token_hash, Invitation.used_at.is_(None), Invitation.expires_at > now)
        .values(used_at=now)
        .returning(Invitation.role)
    )
    return used.one_or_none()


__all__ = ["add", "everyone", "find", "invite", "set_password", "set_role", "use_invitation"]
