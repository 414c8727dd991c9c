"""How often somebody may try to log in: per account and address, and per address over all accounts."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

PER_ACCOUNT = ("5/minute", "30/hour")
PER_ADDRESS = ("60/minute",)


class Throttle:
    """Counts attempts in moving windows. A success forgets the account's failures at that address."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_account = [parse(limit) for limit in PER_ACCOUNT]
        self._per_address = [parse(limit) for limit in PER_ADDRESS]

    async def try_once(self, account: str, address: str) -> int | None:
        """Count an attempt. None: go on; else the seconds after which to try again."""
        for limit, key in self._limits(account, address):
            if not await self._limiter.hit(limit, *key):
                stands = await self._limiter.get_window_stats(limit, *key)
                return max(1, math.ceil(stands.reset_time - time.time()))
        return None

    async def forgive(self, account: str, address: str) -> None:
        """The attempt was right."""
        for limit in self._per_account:
            await self._limiter.clear(limit, *_account_key(account, address))

    def _limits(self, account: str, address: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
        by_account = [(limit, _account_key(account, address)) for limit in self._per_account]
        return by_account + [(limit, ("address", address)) for limit in self._per_address]


def _account_key(account: str, address: str) -> tuple[str, ...]:
    return ("account", account.lower()[:64], address)


__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "Throttle"]
