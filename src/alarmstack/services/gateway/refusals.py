"""Refused logins, counted and summarised.

An attacker who guesses passwords must not be able to fill the journal, and thousands of entries
would hide the few that matter. Refusals are counted by account and address. At the end of each
period one journal entry for each pair states how many there were, and when.
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
"""Pairs of account and address that a period counts separately. All others share one entry."""
LONGEST_NAME = 64
"""Characters of a name in the journal."""
ACTION = "logins_refused"
Outcome = Literal["wrong", "too_many"]
"""`wrong`: wrong name or password; `too_many`: not checked, after too many attempts."""


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
        """Count a refusal. An unprintable name is left out."""
        shown = username[:LONGEST_NAME] if username.isprintable() else None
        pair: tuple[str | None, str | None] = (shown, address)
        if pair not in self._counted and len(self._counted) >= MOST_PAIRS:
            pair = (None, None)
        now = self._clock.now()
        refused = self._counted.setdefault(pair, Refused(now, now))
        refused.last = now
        refused.outcomes[outcome] += 1

    async def keep_writing(self, task: Task) -> None:
        """Write the counts at the end of each period, as long as the service runs."""
        while True:
            with task.waiting():
                await self._clock.sleep(PERIOD_SECONDS)
            await self.write()
            task.progress()

    async def write(self) -> None:
        """Write one entry for each pair in one transaction, and count from zero.

        Counts that could not be written are kept.
        """
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            async with self._database.begin() as session:
                for (username, address), refused in counted.items():
                    await journal.write(
                        session, self._clock.now(), ACTION, username, _entry(address, refused)
                    )
        except BaseException:
            self._restore(counted)
            raise

    def _restore(self, counted: dict[tuple[str | None, str | None], Refused]) -> None:
        """Add the counts since a failed write to those that could not be written."""
        since, self._counted = self._counted, counted
        for pair, refused in since.items():
            kept = self._counted.setdefault(pair, refused)
            if kept is not refused:
                kept.last = refused.last
                kept.outcomes.update(refused.outcomes)


def _entry(address: str | None, refused: Refused) -> dict[str, object]:
    """The journal entry of a pair. Without an address: the entry of all pairs beyond MOST_PAIRS."""
    return {
        "address": address or f"others, beyond the first {MOST_PAIRS} pairs of account and address",
        **{str(outcome): times for outcome, times in refused.outcomes.items()},
        "since": refused.first.isoformat(),
        "until": refused.last.isoformat(),
    }


__all__ = ["ACTION", "MOST_PAIRS", "PERIOD_SECONDS", "Outcome", "Refusals"]
