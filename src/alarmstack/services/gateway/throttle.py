"""Limits to attempts: to log in, by account and by address; to register, by address.

The limit of an account applies to all addresses together, so that many computers cannot guess
faster than one. It must not become a way to lock a person out: a browser that has logged in to the
account before sends a *device token*, and its attempts are counted separately.

The counts use a bounded amount of memory: a flood of names or addresses replaces the oldest ones.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from alarmstack.core.clock import Clock

MOST_KEYS = 20_000
"""Keys that each kind of limit counts. One with a single attempt uses about 300 bytes."""
IPV6_SITE = 64
"""Bits of an IPv6 address that one customer of a provider has: all addresses below are one."""


@dataclass(frozen=True)
class Limit:
    """The most attempts within a time."""

    times: int
    within: timedelta


PER_ACCOUNT = (Limit(5, timedelta(minutes=1)), Limit(30, timedelta(hours=1)))
"""Far below the hundred an hour that ASVS 2.2.1 allows."""
PER_ADDRESS = (Limit(60, timedelta(minutes=1)),)
"""The people of one site often share an address."""
REGISTRATIONS = (Limit(10, timedelta(minutes=1)), Limit(60, timedelta(hours=1)))


class Counts:
    """Attempts by key, in moving windows."""

    def __init__(self, limits: tuple[Limit, ...], clock: Clock, most_keys: int = MOST_KEYS) -> None:
        self._limits, self._clock, self._most_keys = limits, clock, most_keys
        self._longest = max(limit.within for limit in limits)
        self._attempts: OrderedDict[bytes, list[datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._attempts)

    def wait(self, *key: str) -> int | None:
        """None: one more attempt is allowed; else the seconds until it is."""
        now, attempts = self._clock.now(), self._attempts.get(_short(key), ())
        waits = []
        for limit in self._limits:
            within = [at for at in attempts if at > now - limit.within]
            if len(within) >= limit.times:
                waits.append(within[-limit.times] + limit.within - now)
        return max(1, math.ceil(max(waits).total_seconds())) if waits else None

    def add(self, *key: str) -> None:
        """Count an attempt."""
        now, short = self._clock.now(), _short(key)
        earlier = [at for at in self._attempts.get(short, ()) if at > now - self._longest]
        self._attempts[short] = [*earlier, now]
        self._attempts.move_to_end(short)
        if len(self._attempts) > self._most_keys:
            self._attempts.popitem(last=False)

    def forget(self, *key: str) -> None:
        """Remove the attempts of a key after a correct one."""
        self._attempts.pop(_short(key), None)


class Throttle:
    """The limits of the public endpoints.

    A refused attempt is not counted, so that waiting always helps.
    """

    def __init__(self, clock: Clock) -> None:
        self._accounts = Counts(PER_ACCOUNT, clock)
        self._addresses = Counts(PER_ADDRESS, clock)
        self._registrations = Counts(REGISTRATIONS, clock)

    def log_in(self, account: str, address: str, device: str | None) -> int | None:
        """Count an attempt to log in. None: check the password; else the seconds to wait.

        `device` is the browser of a valid device token for this account.
        """
        return _attempt(
            (self._accounts, _account(account, device)), (self._addresses, (_site(address),))
        )

    def forgive(self, account: str, device: str | None) -> None:
        """The password was correct: count the attempts of this account from zero."""
        self._accounts.forget(*_account(account, device))

    def register(self, address: str) -> int | None:
        """Count an attempt to create an account, as `log_in` does."""
        return _attempt((self._registrations, (_site(address),)))


def _attempt(*counted: tuple[Counts, tuple[str, ...]]) -> int | None:
    """Count an attempt in every kind of count; where one refuses it, return the longest wait."""
    possible_waits = [counts.wait(*key) for counts, key in counted]
    waits = [wait for wait in possible_waits if wait is not None]
    if waits:
        return max(waits)
    for counts, key in counted:
        counts.add(*key)
    return None


def _account(account: str, device: str | None) -> tuple[str, ...]:
    return (account.lower(), device or "")


def _site(address: str) -> str:
    """The part of an address that one client has: all of IPv4, the network of IPv6."""
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return str(read)
    host_bits = 128 - IPV6_SITE
    return str(read.ipv4_mapped or IPv6Address(int(read) >> host_bits << host_bits))


def _short(key: tuple[str, ...]) -> bytes:
    """A key of fixed length, however long a name is."""
    return sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()[:16]


__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "REGISTRATIONS", "Counts", "Limit", "Throttle"]
