"""Logging in, staying logged in, logging out: what happens in the database, apart from HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import anyio.to_thread
from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.db import accounts, journal, sessions
from alarmstack.db.tables import RefreshSession, User
from alarmstack.errors import NameTakenError
from alarmstack.gateway.access import as_role
from alarmstack.gateway.credentials import (
    ACCESS_LIFE,
    REFRESH_LIFE,
    ROTATION_GRACE,
    hash_password,
    new_token,
    password_fits,
    token_hash,
    write_access,
)
from alarmstack.gateway.state import State
from alarmstack.wire.screen import Person, Registration, Role, Session

_hashing = anyio.CapacityLimiter(4)
"""Passwords hashed at once: each takes 64 MiB."""


@dataclass(frozen=True)
class Login:
    """A session for the body of the answer, a refresh token for its cookie."""

    session: Session
    refresh_token: str


async def register(state: State, wanted: Registration) -> Login:
    """Make an account, as far as registration is open, and log in to it."""
    if state.settings.registration == "closed":
        raise HTTPException(403, "registration is closed: ask an admin for an account")
    password_hash = await anyio.to_thread.run_sync(hash_password, wanted.password, limiter=_hashing)
    now = state.clock.now()
    async with state.database.begin() as session:
        role = await _role_of_newcomer(state, session, wanted.invitation, now)
        try:
            user = await accounts.add(session, wanted.username, password_hash, role, now)
        except NameTakenError as error:
            raise HTTPException(409, str(error)) from error
        await journal.write(session, now, "register", user.username, {"role": role}, plant_time=state.plant_time)
        return await _begin(state, session, user, str(uuid4()), now)


async def log_in(state: State, username: str, password: str, address: str) -> Login:
    """Check a password. Every attempt is journalled; too many are refused before anything is looked at."""
    wait = await state.throttle.try_once(username, address)
    if wait is not None:
        await _note(state, "login_throttled", username, address)
        raise HTTPException(429, f"too many attempts: try again in {wait} s", {"Retry-After": str(wait)})
    async with state.database.begin() as session:
        user = await accounts.find(session, username) if username.isprintable() and username.isascii() else None
    stored = user.password_hash if user else None
    if not await anyio.to_thread.run_sync(password_fits, stored, password, limiter=_hashing) or user is None:
        await _note(state, "login_failed", username, address)
        raise HTTPException(401, "user name or password is wrong", {"WWW-Authenticate": "Bearer"})
    await state.throttle.forgive(username, address)
    await _note(state, "login", user.username, address)
    async with state.database.begin() as session:
        now = state.clock.now()
        await sessions.forget_expired(session, now, REFRESH_LIFE)
        return await _begin(state, session, user, str(uuid4()), now)


async def refresh(state: State, token: str) -> Login:
    """Trade a refresh token for the next one.

    One that was used before ends the whole login, except within the grace in which two tabs may wake up together.
    """
    now = state.clock.now()
    async with state.database.begin() as session:
        found = await sessions.find(session, token_hash(token))
        if found is not None and _usable(found[0], now):
            stored, user = found
            if await sessions.rotate(session, stored, now) or _in_grace(stored, now):
                return await _begin(state, session, user, stored.family, now)
        if found is not None and found[0].rotated_at is not None and found[0].revoked_at is None:
            await sessions.end_family(session, found[0].family, now)
            reason = "a refresh token was used twice: the login was ended"
            await journal.write(session, now, "refresh_reused", found[1].username, reason=reason, plant_time=state.plant_time)
    raise HTTPException(401, "the login has ended: log in again", {"WWW-Authenticate": "Bearer"})


async def log_out(state: State, token: str | None) -> None:
    """End the login that a refresh token belongs to; an unknown one changes nothing."""
    now = state.clock.now()
    async with state.database.begin() as session:
        found = await sessions.find(session, token_hash(token or ""))
        if found is not None and found[0].revoked_at is None:
            await sessions.end_family(session, found[0].family, now)
            await journal.write(session, now, "logout", found[1].username, plant_time=state.plant_time)


async def _role_of_newcomer(state: State, session: AsyncSession, invitation: str | None, now: datetime) -> str:
    """The invitation's role; without one, where that is allowed, the least."""
    role = await accounts.use_invitation(session, token_hash(invitation), now) if invitation else None
    if role is None and (invitation or state.settings.registration == "invitation"):
        raise HTTPException(403, "registration takes a valid invitation: ask an admin for one (`alarmstack user invite`)")
    least: Role = "viewer"
    return role or least


async def _begin(state: State, session: AsyncSession, user: User, family: str, now: datetime) -> Login:
    """A new pair of tokens of a login."""
    token = new_token()
    await sessions.add(session, user.id, family, token_hash(token), now, now + REFRESH_LIFE)
    access = write_access(state.secret, user.id, family, now)
    person = Person(username=user.username, role=as_role(user.role))
    return Login(Session(access_token=access, expires_in=int(ACCESS_LIFE.total_seconds()), person=person), token)


def _usable(stored: RefreshSession, now: datetime) -> bool:
    return stored.revoked_at is None and now < stored.expires_at and (stored.rotated_at is None or _in_grace(stored, now))


def _in_grace(stored: RefreshSession, now: datetime) -> bool:
    return stored.rotated_at is None or now - stored.rotated_at <= ROTATION_GRACE


async def _note(state: State, action: str, username: str, address: str) -> None:
    state.measures.logins.labels(action).inc()
    shown = username[:64] if username.isprintable() else None
    async with state.database.begin() as session:
        await journal.write(session, state.clock.now(), action, shown, {"address": address}, plant_time=state.plant_time)


__all__ = ["Login", "log_in", "log_out", "refresh", "register"]
