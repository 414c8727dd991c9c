"""Passwords, access tokens, refresh tokens: how each is created and checked. No I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from alarmstack.core.checksum import fingerprint

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=14)
INVITATION_LIFE = timedelta(days=7)
DEVICE_LIFE = timedelta(days=180)
MOST_ACCOUNTS = 10
"""Accounts in the device token of one browser: the operators of a control room share a computer."""
ROTATION_GRACE = timedelta(seconds=10)
"""How long a used refresh token may be used again: two tabs of a browser may refresh at once."""
ISSUER, AUDIENCE, TYPE, DEVICE_TYPE = "alarmstack", "alarmstack-gateway", "access", "device"
_hasher = PasswordHasher()
"""Argon2id with the defaults of the library (RFC 9106, low memory)."""
HASH_BYTES = _hasher.memory_cost * 1024
"""Memory that hashing one password takes."""


@dataclass(frozen=True)
class Access:
    """The content of an access token: account, login, expiry.

    The role is not in it: it is read from the database.
    """

    user_id: int
    family: str
    expires_at: datetime


@dataclass(frozen=True)
class Device:
    """The content of a device token: a browser, and the accounts that have logged in with it.

    Accounts are hashes, newest last. The token gives no access. Attempts to log in from a known
    browser are counted separately from all others (`throttle`).
    """

    number: str
    accounts: tuple[str, ...] = ()

    def knows(self, username: str) -> bool:
        """Whether the account has logged in with this browser before."""
        return _account_hash(username) in self.accounts

    def with_account(self, username: str) -> Device:
        """The browser after a login."""
        account = _account_hash(username)
        others = [other for other in self.accounts if other != account]
        return Device(self.number, (*others, account)[-MOST_ACCOUNTS:])


def hash_password(password: str) -> str:
    """An Argon2id hash; takes tens of milliseconds on purpose."""
    return _hasher.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is right.

    Without an account (None) the same work is done, so that the time reveals nothing.
    """
    try:
        verified = _hasher.verify(password_hash or _nobodys_hash(), password)
        return verified and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """The hash of a password that nobody has."""
    return hash_password(new_token())


def new_token() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def new_password() -> str:
    """A generated password: 120 bits, readable."""
    return "-".join(secrets.token_hex(3) for _ in range(5))


def token_hash(token: str) -> str:
    """The stored form of a random token: enough to recognise it, useless to a thief."""
    return fingerprint(token.encode("utf-8", "surrogatepass"))


def write_access(
    secret: str, user_id: int, family: str, now: datetime, expires_at: datetime
) -> str:
    """A signed access token."""
    return _signed(secret, TYPE, now, expires_at, sub=str(user_id), sid=family)


def write_device(secret: str, device: Device, now: datetime) -> str:
    """A signed device token."""
    return _signed(
        secret, DEVICE_TYPE, now, now + DEVICE_LIFE, sub=device.number, acc=list(device.accounts)
    )


def _signed(secret: str, kind: str, now: datetime, expires_at: datetime, **claims: object) -> str:
    times = {"iat": int(now.timestamp()), "exp": int(expires_at.timestamp())}
    return jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "typ": kind, **times, **claims}, secret, algorithm="HS256"
    )


def read_access(secret: str, token: str, now: datetime) -> Access | None:
    """The content of an access token; None for any other, forged or expired token."""
    claims = _verified(secret, token, TYPE, now, "sid")
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], now.tzinfo)
        return Access(int(claims["sub"]), str(claims["sid"]), expires_at)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def read_device(secret: str, token: str | None, now: datetime) -> Device | None:
    """The content of a device token; None as for access tokens."""
    claims = _verified(secret, token or "", DEVICE_TYPE, now, "acc")
    if not isinstance(claims.get("acc"), list):
        return None
    return Device(str(claims["sub"]), tuple(str(account) for account in claims["acc"]))


def _verified(secret: str, token: str, kind: str, now: datetime, *more: str) -> dict[str, Any]:
    """The claims of a token of that kind; empty for any other, forged or expired token."""
    options = {
        "require": ["iss", "aud", "typ", "sub", "iat", "exp", *more],
        "verify_exp": False,
        "verify_iat": False,
    }
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            ["HS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options=options,  # type: ignore[arg-type]
        )
        valid = claims["typ"] == kind and now.timestamp() < float(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        return {}
    return claims if valid else {}


def _account_hash(username: str) -> str:
    return token_hash(username.lower())[:16]


__all__ = [
    "ACCESS_LIFE",
    "DEVICE_LIFE",
    "HASH_BYTES",
    "INVITATION_LIFE",
    "REFRESH_LIFE",
    "ROTATION_GRACE",
    "Access",
    "Device",
    "hash_password",
    "new_password",
    "new_token",
    "password_fits",
    "read_access",
    "read_device",
    "token_hash",
    "write_access",
    "write_device",
]
