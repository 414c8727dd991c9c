"""Logging in, staying logged in, logging out: the work in the database, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar, TypeVarTuple
from uuid import uuid4

import anyio.to_thread
from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncSession

from alarmstack.core.errors import NameTakenError
from alarmstack.services.gateway.access import Caller, as_role
from alarmstack.services.gateway.credentials import (
    ACCESS_LIFE,
    REFRESH_LIFE,
    ROTATION_GRACE,
    Device,
    hash_password,
    new_token,
    password_fits,
    read_device,
    token_hash,
    write_access,
    write_device,
)
from alarmstack.services.gateway.passwords import weakness
from alarmstack.services.gateway.quota import refuse_beyond
from alarmstack.services.gateway.refusals import Outcome
from alarmstack.services.gateway.state import State
from alarmstack.services.schemas.gateway import PasswordChange, Person, Registration, Role, Session
from alarmstack.storage.database import accounts, journal, sessions
from alarmstack.storage.database.tables import RefreshSession, User

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
_hashing = anyio.CapacityLimiter(1)
"""Passwords hashed at once. Each takes 64 MiB (`HASH_BYTES`): the memory limit of the gateway's
container leaves room for as many.
"""


@dataclass(frozen=True)
class Login:
    """A session for the body of the response, and a refresh token for its cookie.

    After a password was checked also a device token, for another cookie.
    """

    session: Session
    refresh_token: str
    device_token: str | None = None


async def register(state: State, wanted: Registration, address: str) -> Login:
    """Create an account where registration allows it, and log in to it.

    The password is hashed last, because that takes time: where an invitation is needed, nobody
    without one can cause that work.
    """
    if state.settings.registration == "closed":
        raise HTTPException(403, "registration is closed: ask an admin for an account")
    _wait(state.throttle.register(address))
    await _check_invitation(state, wanted.invitation)
    _check_strength(wanted.username, wanted.password)
    password_hash = await _hashed(hash_password, wanted.password)
    now = state.clock.now()
    async with state.database.begin() as session:
        token, invited_role = wanted.invitation, None
        if token:
            invited_role = await accounts.use_invitation(session, token_hash(token), now)
        role = _role_of_new_account(state, invited_role, token)
        try:
            user = await accounts.add(session, wanted.username, password_hash, role, now)
        except NameTakenError as error:
            raise HTTPException(409, str(error)) from error
        await journal.write(
            session, now, "register", user.username, {"role": role}, plant_time=state.plant_time
        )
        login = await _begin(state, session, user, str(uuid4()), now, now)
    return _with_device(state, login, user, None)


async def log_in(
    state: State, username: str, password: str, address: str, device_token: str | None = None
) -> Login:
    """Check a password and begin a login.

    Logins are written to the journal, refusals are counted. After too many attempts, an attempt is
    refused before the password is checked.
    """
    device = read_device(state.secret, device_token, state.clock.now())
    number = device.number if device is not None and device.knows(username) else None
    wait = state.throttle.log_in(username, address, number)
    if wait is not None:
        _refuse(state, "too_many", username, address)
        _wait(wait)
    user, possible_name = None, username.isprintable() and username.isascii()
    async with state.database.begin() as session:
        if possible_name:
            user = await accounts.find(session, username)
    stored = user.password_hash if user else None
    fits = await _hashed(password_fits, stored, password)
    login = await _begin_checked(state, user, address) if fits and user is not None else None
    if login is None or user is None:
        _refuse(state, "wrong", username, address)
        raise HTTPException(401, "user name or password is wrong", {"WWW-Authenticate": "Bearer"})
    state.throttle.forgive(username, number)
    state.measures.logins.labels("login").inc()
    return _with_device(state, login, user, device)


async def _begin_checked(state: State, checked: User, address: str) -> Login | None:
    """Begin a login after its password was checked.

    None where the account was changed, disabled or deleted in the meantime.
    """
    async with state.database.begin() as session:
        user = await accounts.as_checked(session, checked)
        if user is None:
            return None
        now = state.clock.now()
        await journal.write(
            session, now, "login", user.username, {"address": address}, plant_time=state.plant_time
        )
        await sessions.forget_expired(session, now, REFRESH_LIFE)
        return await _begin(state, session, user, str(uuid4()), now, now)


async def refresh(state: State, token: str) -> Login:
    """Exchange a refresh token for the next one.

    A second use of a token ends the whole login, except within the grace period for two tabs that
    refresh at once. The exchange counts as a request of the account. Beyond the quota the token
    stays unused, so that it can be sent again later.
    """
    now = state.clock.now()
    async with state.database.begin() as session:
        login = await sessions.find(session, token_hash(token))
        if login is not None:
            stored, user = login
            usable = _usable(state, stored, user, now)
            if usable:
                refuse_beyond(state.requests, user.id, now)
            if usable and (await sessions.rotate(session, stored, now) or _in_grace(stored, now)):
                return await _begin(state, session, user, stored.family, stored.begun_at, now)
            if stored.rotated_at is not None and stored.revoked_at is None:
                await sessions.end_family(session, stored.family, now)
                reason = "a refresh token was used twice: the login was ended"
                await journal.write(
                    session,
                    now,
                    "refresh_reused",
                    user.username,
                    reason=reason,
                    plant_time=state.plant_time,
                )
    raise HTTPException(401, "the login has ended: log in again", {"WWW-Authenticate": "Bearer"})


async def change_password(
    state: State,
    person: Caller,
    change: PasswordChange,
    address: str,
    device_token: str | None = None,
) -> Login:
    """Change the password of one's own account. All its logins end, and a new one begins.

    Attempts count like logins: somebody at an unattended screen must not be able to guess the
    password.
    """
    device = read_device(state.secret, device_token, state.clock.now())
    number = device.number if device is not None and device.knows(person.username) else None
    _wait(state.throttle.log_in(person.username, address, number))
    async with state.database.begin() as session:
        user = await accounts.find(session, person.username)
    stored = user.password_hash if user else None
    if not await _hashed(password_fits, stored, change.current) or user is None:
        _refuse(state, "wrong", person.username, address)
        raise HTTPException(403, "the current password is wrong")
    _check_strength(user.username, change.new)
    password_hash = await _hashed(hash_password, change.new)
    state.throttle.forgive(user.username, number)
    now = state.clock.now()
    async with state.database.begin() as session:
        if await accounts.as_checked(session, user) is None:
            raise HTTPException(403, "the account was changed in the meantime: log in again")
        await accounts.set_password(session, user, password_hash)
        await sessions.end_all(session, user.id, now)
        await journal.write(
            session,
            now,
            "password_change",
            user.username,
            {"address": address},
            plant_time=state.plant_time,
        )
        login = await _begin(state, session, user, str(uuid4()), now, now)
    return _with_device(state, login, user, device)


async def log_out(state: State, token: str | None) -> None:
    """End the login of a refresh token. An unknown token changes nothing."""
    now = state.clock.now()
    async with state.database.begin() as session:
        login = await sessions.find(session, token_hash(token or ""))
        if login is None:
            return
        stored, user = login
        if stored.revoked_at is None:
            await sessions.end_family(session, stored.family, now)
            await journal.write(session, now, "logout", user.username, plant_time=state.plant_time)


async def _check_invitation(state: State, invitation: str | None) -> None:
    """Refuse people without a valid invitation before any other work.

    The invitation stays unused.
    """
    role, now = None, state.clock.now()
    if invitation:
        async with state.database.begin() as session:
            role = await accounts.invited_role(session, token_hash(invitation), now)
    _role_of_new_account(state, role, invitation)


def _role_of_new_account(state: State, role: str | None, invitation: str | None) -> str:
    """The role of the invitation; without one, where that is allowed, the least role."""
    if role is None and (invitation or state.settings.registration == "invitation"):
        raise HTTPException(
            403,
            "registration needs a valid invitation: "
            "ask an admin for one (`alarmstack user invite`)",
        )
    least: Role = "viewer"
    return role or least


async def _begin(
    state: State, session: AsyncSession, user: User, family: str, begun_at: datetime, now: datetime
) -> Login:
    """A new pair of tokens of a login since `begun_at`. Neither lasts longer than the login may."""
    token, ends_at = new_token(), begun_at + state.settings.session_life
    stored = sessions.Login(user.id, family, begun_at)
    await sessions.add(session, stored, token_hash(token), now, min(now + REFRESH_LIFE, ends_at))
    expires_at = min(now + ACCESS_LIFE, ends_at)
    access = write_access(state.secret, user.id, family, now, expires_at)
    person = Person(username=user.username, role=as_role(user.role))
    return Login(
        Session(
            access_token=access, expires_in=int((expires_at - now).total_seconds()), person=person
        ),
        token,
    )


def _with_device(state: State, login: Login, user: User, device: Device | None) -> Login:
    """The login with a device token of the browser, which is now known for this account."""
    known = (device or Device(str(uuid4()))).with_account(user.username)
    return replace(login, device_token=write_device(state.secret, known, state.clock.now()))


def _usable(state: State, stored: RefreshSession, user: User, now: datetime) -> bool:
    lasts = now < min(stored.expires_at, stored.begun_at + state.settings.session_life)
    unused = stored.rotated_at is None or _in_grace(stored, now)
    return lasts and unused and stored.revoked_at is None and user.disabled_at is None


def _in_grace(stored: RefreshSession, now: datetime) -> bool:
    return stored.rotated_at is None or now - stored.rotated_at <= ROTATION_GRACE


def _check_strength(username: str, password: str) -> None:
    """Refuse a password that is easy to guess."""
    if (weak := weakness(username, password)) is not None:
        raise HTTPException(422, f"password: {weak}: choose another")


async def _hashed(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Hash a password in a thread. Others wait until it is done."""
    return await anyio.to_thread.run_sync(work, *arguments, limiter=_hashing)


def _wait(seconds: int | None) -> None:
    """Refuse the request where somebody must wait."""
    if seconds is not None:
        raise HTTPException(
            429, f"too many attempts: try again in {seconds} s", {"Retry-After": str(seconds)}
        )


def _refuse(state: State, outcome: Outcome, username: str, address: str) -> None:
    """Count a refusal for Prometheus and for the journal."""
    state.measures.logins.labels(
        "login_throttled" if outcome == "too_many" else "login_failed"
    ).inc()
    state.refusals.note(outcome, username, address)


__all__ = ["Login", "change_password", "log_in", "log_out", "refresh", "register"]
