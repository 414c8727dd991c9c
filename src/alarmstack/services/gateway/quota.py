"""How many requests one account may send: nobody can use up the whole service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from fastapi import HTTPException

MOST_ACCOUNTS = 10_000
"""Accounts that are counted. Beyond that, accounts with a full allowance are removed."""


@dataclass
class _Allowance:
    left: float
    at: datetime


class Quota:
    """Requests per minute for each account. They may come at once; the allowance refills evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._allowances: dict[int, _Allowance] = {}

    def take(self, account: int, now: datetime) -> int | None:
        """Count a request. None: it is allowed; else the seconds until the next one is."""
        allowance = self._allowances.setdefault(account, _Allowance(self._per_minute, now))
        self._refill(allowance, now)
        if allowance.left < 1:
            return max(1, math.ceil((1 - allowance.left) * 60 / self._per_minute))
        allowance.left -= 1
        if len(self._allowances) > MOST_ACCOUNTS:
            self._forget(now)
        return None

    def _refill(self, allowance: _Allowance, now: datetime) -> None:
        seconds = max((now - allowance.at).total_seconds(), 0)
        refilled = allowance.left + seconds * self._per_minute / 60
        allowance.left, allowance.at = min(refilled, self._per_minute), now

    def _forget(self, now: datetime) -> None:
        for account, allowance in list(self._allowances.items()):
            self._refill(allowance, now)
            if allowance.left >= self._per_minute:
                del self._allowances[account]


def refuse_beyond(quota: Quota, account: int, now: datetime) -> None:
    """Raise HTTPException 429 with the waiting time where an account has no allowance left."""
    seconds = quota.take(account, now)
    if seconds is not None:
        raise HTTPException(
            429,
            f"too many requests from this account: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )


__all__ = ["Quota", "refuse_beyond"]
