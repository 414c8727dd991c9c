"""Accounts and invitations. The only writer of `users` and `invitations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.errors import NameTakenError
from alarmstack.storage.database.tables import Invitation, User


async def find(session: AsyncSession, username: str) -> User | None:
    """The account of that name, in any case."""
    return (await session.scalars(select(User).where(User.login == username.lower()))).one_or_none()


async def as_checked(session: AsyncSession, user: User) -> User | None:
    """The account, locked until the end of the transaction.

    None when it is disabled or no longer has the password that `user` had.
    """
    same = (
        (User.id == user.id)
        & (User.password_hash == user.password_hash)
        & User.disabled_at.is_(None)
    )
    return (await session.scalars(select(User).where(same).with_for_update())).one_or_none()


async def everyone(session: AsyncSession) -> Sequence[User]:
    """All accounts by name."""
    return (await session.scalars(select(User).order_by(User.login))).all()


async def add(
    session: AsyncSession, username: str, password_hash: str, role: str, now: datetime
) -> User:
    """A new account, which exists after the commit. Raises NameTakenError.

    One statement for both databases: SQLite would commit a savepoint when it is released.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(User).values(
        username=username,
        login=username.lower(),
        password_hash=password_hash,
        role=role,
        created_at=now,
    )
    inserted = await session.scalars(
        statement.on_conflict_do_nothing(index_elements=["login"]).returning(User)
    )
    user: User | None = inserted.one_or_none()
    if user is None:
        raise NameTakenError(f"the name {username!r} is taken: choose another")
    return user


async def set_role(session: AsyncSession, user: User, role: str) -> None:
    """Set the role, valid from the next request."""
    await session.execute(update(User).where(User.id == user.id).values(role=role))


async def set_password(session: AsyncSession, user: User, password_hash: str) -> None:
    """Set the password. The caller must end the sessions too."""
    await session.execute(
        update(User).where(User.id == user.id).values(password_hash=password_hash)
    )


async def set_disabled(session: AsyncSession, user: User, disabled_at: datetime | None) -> None:
    """Disable an account from the next request, or enable it again (None)."""
    await session.execute(update(User).where(User.id == user.id).values(disabled_at=disabled_at))


async def remove(session: AsyncSession, user: User) -> None:
    """Delete an account with its logins and history entries. The journal keeps its lines."""
    await session.execute(delete(User).where(User.id == user.id))


async def others_enabled(session: AsyncSession, user: User, role: str) -> int:
    """The number of other enabled accounts with the role."""
    others: ColumnElement[bool] = (
        (User.role == role) & User.disabled_at.is_(None) & (User.id != user.id)
    )
    return (await session.scalar(select(func.count()).select_from(User).where(others))) or 0


async def invite(
    session: AsyncSession, token_hash: str, role: str, now: datetime, expires_at: datetime
) -> None:
    """Store an invitation."""
    session.add(Invitation(token_hash=token_hash, role=role, created_at=now, expires_at=expires_at))


async def invited_role(session: AsyncSession, token_hash: str, now: datetime) -> str | None:
    """The role of an invitation, which stays unused; None when it is unknown, used or expired."""
    return (
        await session.scalars(select(Invitation.role).where(_valid(token_hash, now)))
    ).one_or_none()


async def use_invitation(session: AsyncSession, token_hash: str, now: datetime) -> str | None:
    """Use an invitation and return its role; None when it is unknown, used or expired."""
    used = await session.scalars(
        update(Invitation)
        .where(_valid(token_hash, now))
        .values(used_at=now)
        .returning(Invitation.role)
    )
    return used.one_or_none()


def _valid(token_hash: str, now: datetime) -> ColumnElement[bool]:
    return (
        (Invitation.token_hash == token_hash)
        & Invitation.used_at.is_(None)
        & (Invitation.expires_at > now)
    )


__all__ = [
    "add",
    "as_checked",
    "everyone",
    "find",
    "invite",
    "invited_role",
    "others_enabled",
    "remove",
    "set_disabled",
    "set_password",
    "set_role",
    "use_invitation",
]
