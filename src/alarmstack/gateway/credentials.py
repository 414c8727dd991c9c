"""Passwords, access tokens, refresh tokens: how each is made and checked. No I/O here."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=14)
INVITATION_LIFE = timedelta(days=7)
ROTATION_GRACE = timedelta(seconds=10)
"""A refresh token that was just used may be used again for so long: two tabs of one browser wake up together."""
ISSUER, AUDIENCE, TYPE = "alarmstack", "alarmstack-gateway", "access"
_hasher = PasswordHasher()
"""Argon2id with the library's defaults (RFC 9106, low memory)."""


@dataclass(frozen=True)
class Access:
    """What an access token says: whose it is, of which login, until when. The role is not in it: the database knows it."""

    user_id: int
    family: str
    expires_at: datetime


def hash_password(password: str) -> str:
    """An Argon2id hash; takes tens of milliseconds on purpose."""
    return _hasher.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Without an account (None) the same work is done, so that time tells nothing."""
    try:
        return _hasher.verify(password_hash or _nobodys_hash(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return hash_password(new_token())


def new_token() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def new_password() -> str:
    """A generated password: 120 bits, readable."""
    return "-".join(secrets.token_hex(3) for _ in range(5))


def token_hash(token: str) -> str:
    """What is kept of a random token: enough to know it again, useless to a thief."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def write_access(secret: str, user_id: int, family: str, now: datetime) -> str:
    """A signed access token."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "typ": TYPE,
        "sub": str(user_id),
        "sid": family,
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_LIFE).timestamp()),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def read_access(secret: str, token: str, now: datetime) -> Access | None:
    """What a token says; None for one that is forged, too old, of another kind or for somebody else."""
    required = ["iss", "aud", "typ", "sub", "sid", "iat", "exp"]
    try:
        claims = jwt.decode(
            token,
            secret,
            ["HS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": required, "verify_exp": False, "verify_iat": False},
        )
        expires_at = datetime.fromtimestamp(claims["exp"], now.tzinfo)
        access = Access(int(claims["sub"]), str(claims["sid"]), expires_at)
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        return None
    return access if claims["typ"] == TYPE and now < expires_at else None


__all__ = [
    "ACCESS_LIFE",
    "INVITATION_LIFE",
    "REFRESH_LIFE",
    "ROTATION_GRACE",
    "Access",
    "hash_password",
    "new_password",
    "new_token",
    "password_fits",
    "read_access",
    "token_hash",
    "write_access",
]
