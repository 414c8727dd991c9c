"""Changes to accounts from the command line, whether or not the service is running.

The journal names the user of the computer who made them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from getpass import getuser
from socket import gethostname

import anyio.to_thread
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.errors import AccountError
from alarmstack.core.settings import Settings
from alarmstack.services.gateway.credentials import (
    INVITATION_LIFE,
    hash_password,
    new_token,
    token_hash,
)
from alarmstack.services.gateway.passwords import weakness
from alarmstack.services.schemas.gateway import ROLES, Registration, Role
from alarmstack.storage.database import Database, accounts, journal, migrate, sessions
from alarmstack.storage.database.tables import User

BY = "command line"
ADMIN: Role = "admin"
LONGEST_OPERATOR = 64
"""Characters of a name in the journal."""


def _operator() -> str:
    """The user of the computer who runs the command."""
    return f"{getuser()}@{gethostname()}"[:LONGEST_OPERATOR]


async def add(settings: Settings, name: str, password: str, role: str) -> None:
    """Create an account.

    Raises AccountError where registration would refuse name or password, NameTakenError where the
    name exists.
    """
    _check(name, password, role)
    async with _open(settings) as (session, now):
        await accounts.add(session, name, hash_password(password), role, now)
        await journal.write(
            session, now, "user_add", _operator(), {"account": name, "role": role}, BY
        )


async def set_role(settings: Settings, name: str, role: str) -> None:
    """Give an account another role. Raises AccountError."""
    _check_role(role)
    async with _open(settings) as (session, now):
        await accounts.set_role(session, await _existing(session, name), role)
        await journal.write(
            session, now, "user_role", _operator(), {"account": name, "role": role}, BY
        )


async def set_password(settings: Settings, name: str, password: str) -> None:
    """Give an account another password, and end its logins. Raises AccountError."""
    _check(name, password, ROLES[0])
    async with _open(settings) as (session, now):
        await _reset(session, await _existing(session, name), password, now)


async def ensure(settings: Settings, name: str, password: str, role: str) -> None:
    """Create the account, or give an existing one this password and role."""
    _check(name, password, role)
    async with _open(settings) as (session, now):
        user = await accounts.find(session, name)
        if user is None:
            await accounts.add(session, name, hash_password(password), role, now)
            await journal.write(
                session, now, "user_add", _operator(), {"account": name, "role": role}, BY
            )
        else:
            await accounts.set_role(session, user, role)
            await accounts.set_disabled(session, user, None)
            await _reset(session, user, password, now)


async def disable(settings: Settings, name: str, *, force: bool = False) -> None:
    """Disable an account, and end its logins.

    Raises AccountError, also for the last admin without `force`.
    """
    async with _open(settings) as (session, now):
        user = await _existing(session, name)
        await _check_admin_remains(session, user, "disabled", force)
        await accounts.set_disabled(session, user, now)
        await sessions.end_all(session, user.id, now)
        await journal.write(
            session, now, "user_disable", _operator(), {"account": user.username}, BY
        )


async def enable(settings: Settings, name: str) -> None:
    """Enable an account again. Raises AccountError."""
    async with _open(settings) as (session, now):
        user = await _existing(session, name)
        await accounts.set_disabled(session, user, None)
        await journal.write(
            session, now, "user_enable", _operator(), {"account": user.username}, BY
        )


async def delete(settings: Settings, name: str, *, force: bool = False) -> None:
    """Delete an account with its history. Its entries in the journal stay.

    Raises AccountError as `disable` does.
    """
    async with _open(settings) as (session, now):
        user = await _existing(session, name)
        await _check_admin_remains(session, user, "deleted", force)
        await accounts.remove(session, user)
        about = {"account": user.username, "role": user.role}
        await journal.write(session, now, "user_delete", _operator(), about, BY)


async def everyone(settings: Settings) -> Sequence[User]:
    """All accounts by name."""
    async with _open(settings) as (session, _):
        return await accounts.everyone(session)


async def invite(settings: Settings, role: str) -> str:
    """The token of a new invitation, which is stored nowhere else."""
    _check_role(role)
    token = new_token()
    async with _open(settings) as (session, now):
        await accounts.invite(session, token_hash(token), role, now, now + INVITATION_LIFE)
        await journal.write(session, now, "user_invite", _operator(), {"role": role}, BY)
    return token


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[AsyncSession, datetime]]:
    """A transaction on the database, after its migration."""
    await anyio.to_thread.run_sync(migrate, settings.database)
    database = Database(settings.database)
    try:
        async with database.begin() as session:
            yield session, datetime.now(UTC)
    finally:
        await database.close()


async def _existing(session: AsyncSession, name: str) -> User:
    """The account of that name. Raises AccountError where there is none."""
    # A name on the command line may contain bytes that no database accepts.
    user = await accounts.find(session, name) if name.isprintable() else None
    if user is None:
        raise AccountError(
            f"there is no account {name!r}: `alarmstack user list` prints all accounts"
        )
    return user


async def _check_admin_remains(session: AsyncSession, user: User, done: str, force: bool) -> None:
    """Raise AccountError where no admin who can log in would remain."""
    last = (
        user.role == ADMIN
        and user.disabled_at is None
        and not await accounts.others_enabled(session, user, ADMIN)
    )
    if last and not force:
        raise AccountError(
            f"{user.username} is the last admin and was not {done}: make another account admin "
            "(`alarmstack user role NAME admin`), or add --force"
        )


async def _reset(session: AsyncSession, user: User, password: str, now: datetime) -> None:
    await accounts.set_password(session, user, hash_password(password))
    await sessions.end_all(session, user.id, now)
    await journal.write(session, now, "user_reset", _operator(), {"account": user.username}, BY)


def _check(name: str, password: str, role: str) -> None:
    _check_role(role)
    try:
        Registration(username=name, password=password)
    except ValidationError as error:
        first = error.errors()[0]
        raise AccountError(f"{first['loc'][0]}: {first['msg']}") from None
    if (weak := weakness(name, password)) is not None:
        raise AccountError(f"password: {weak}: choose another")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise AccountError(f"role {role!r} is unknown: use one of {', '.join(ROLES)}")


__all__ = [
    "add",
    "delete",
    "disable",
    "enable",
    "ensure",
    "everyone",
    "invite",
    "set_password",
    "set_role",
]
