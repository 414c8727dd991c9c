"""How many requests one account may send: so that nobody takes the whole service, by mistake or on purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from fastapi import HTTPException

MOST_ACCOUNTS = 10_000
"""Accounts that are remembered; beyond, those that may send everything again are forgotten."""


@dataclass
class _Allowance:
    left: float
    at: datetime


class Quota:
    """So many requests a minute for each account, all of them at once if need be; they come back evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._allowances: dict[int, _Allowance] = {}

    def take(self, account: int, now: datetime) -> int | None:
        """Count a request. None: it is allowed; else the seconds after which the next one is."""
        one = self._allowances.setdefault(account, _Allowance(self._per_minute, now))
        self._refill(one, now)
        if one.left < 1:
            return max(1, math.ceil((1 - one.left) * 60 / self._per_minute))
        one.left -= 1
        if len(self._allowances) > MOST_ACCOUNTS:
            self._forget(now)
        return None

    def _refill(self, one: _Allowance, now: datetime) -> None:
        seconds = max((now - one.at).total_seconds(), 0)
        one.left, one.at = min(one.left + seconds * self._per_minute / 60, self._per_minute), now

    def _forget(self, now: datetime) -> None:
        for account, one in list(self._allowances.items()):
            self._refill(one, now)
            if one.left >= self._per_minute:
                del self._allowances[account]


def refuse_beyond(quota: Quota, account: int, now: datetime) -> None:
    """Raise a 429 that says when to try again where the account has used up its allowance."""
    seconds = quota.take(account, now)
    if seconds is not None:
        raise HTTPException(
            429,
            f"too many requests from this account: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )


__all__ = ["Quota", "refuse_beyond"]
