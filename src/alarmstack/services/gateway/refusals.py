"""Refused logins, counted and summarised.

Somebody who guesses passwords must not be able to fill the journal, and thousands of lines would
hide the few that matter. Refusals are counted by account and address; at the end of each period one
journal line for each pair says how many there were, and when.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from alarmstack.core.clock import Clock
from alarmstack.core.tasks import Task
from alarmstack.storage.database import Database, journal

PERIOD_SECONDS = 300.0
MOST_PAIRS = 100
"""Pairs of account and address that a period counts one by one; all others share one line."""
LONGEST_NAME = 64
"""Characters of a name that the journal takes."""
ACTION = "logins_refused"
Outcome = Literal["wrong", "too_many"]
"""`wrong`: name, password or both; `too_many`: not looked at, because too many came before."""


@dataclass
class Refused:
    """Refusals of one account from one address."""

    first: datetime
    last: datetime
    outcomes: Counter[Outcome] = field(default_factory=Counter)


class Refusals:
    """Counts refusals and writes them to the journal."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._counted: dict[tuple[str | None, str | None], Refused] = {}

    def note(self, outcome: Outcome, username: str, address: str) -> None:
        """Count a refusal. A name that cannot be shown is counted without it."""
        shown = username[:LONGEST_NAME] if username.isprintable() else None
        pair: tuple[str | None, str | None] = (shown, address)
        if pair not in self._counted and len(self._counted) >= MOST_PAIRS:
            pair = (None, None)
        now = self._clock.now()
        refused = self._counted.setdefault(pair, Refused(now, now))
        refused.last = now
        refused.outcomes[outcome] += 1

    async def keep_writing(self, task: Task) -> None:
        """Write what was counted at the end of each period, for as long as the service runs."""
        while True:
            with task.waiting():
                await self._clock.sleep(PERIOD_SECONDS)
            await self.write()
            task.progress()

    async def write(self) -> None:
        """Write a line for each pair, all in one transaction, and begin anew. What could not be written stays counted."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            async with self._database.begin() as session:
                for (username, address), refused in counted.items():
                    await journal.write(
                        session, self._clock.now(), ACTION, username, _told(address, refused)
                    )
        except BaseException:
            self._restore(counted)
            raise

    def _restore(self, counted: dict[tuple[str | None, str | None], Refused]) -> None:
        """Add what was counted in the meantime to what could not be written."""
        since, self._counted = self._counted, counted
        for pair, refused in since.items():
            kept = self._counted.setdefault(pair, refused)
            if kept is not refused:
                kept.last = refused.last
                kept.outcomes.update(refused.outcomes)


def _told(address: str | None, refused: Refused) -> dict[str, object]:
    """What the journal keeps of a pair. No address: the line of all pairs beyond the most."""
    return {
        "address": address or f"others, beyond the first {MOST_PAIRS} pairs of account and address",
        **{str(outcome): times for outcome, times in refused.outcomes.items()},
        "since": refused.first.isoformat(),
        "until": refused.last.isoformat(),
    }


__all__ = ["ACTION", "MOST_PAIRS", "PERIOD_SECONDS", "Outcome", "Refusals"]
