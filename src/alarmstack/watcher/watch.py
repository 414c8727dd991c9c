"""The loop: look, wait until drops are whole, take each of them once, try again later what could not be done now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from watchfiles import watch as changes

from alarmstack.errors import AlarmstackError, StorageError
from alarmstack.watcher.drops import Look, Settling, fingerprint, lying_in
from alarmstack.watcher.ledger import Entry, Ledger
from alarmstack.watcher.takers import Taker

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Wall seconds before a drop that could not be taken is tried again: doubled each time."""
IDLE_LOOK_MS = 5000
"""With nothing in the folder, a look every so often all the same: no system of notices is perfect."""

Tell = Callable[[str], None]


@dataclass
class Watcher:
    """Takes what lies in a folder. `tell` hears one line about every drop."""

    folder: Path
    ledger: Ledger
    take: Taker
    tell: Tell
    settling: Settling
    _dealt: dict[Path, Look] = field(default_factory=dict)
    _tries: dict[Path, tuple[float, float]] = field(default_factory=dict)
    """When a drop may be tried again, and the pause after that."""

    def look(self, now: float) -> list[Entry]:
        """One look at the folder; what was dealt with. `now`: seconds of a monotonic clock."""
        lying = lying_in(self.folder)
        self._dealt = {path: look for path, look in self._dealt.items() if lying.get(path) == look}
        fresh = {path: look for path, look in lying.items() if path not in self._dealt}
        done = []
        for path in self.settling.whole(now, fresh):
            if now >= self._tries.get(path, (now, 0.0))[0] and (entry := self._deal(path, now)) is not None:
                done.append(entry)
        return done

    @property
    def waiting(self) -> bool:
        """Whether something lies there that has not been dealt with."""
        return self.settling.waiting

    def _deal(self, path: Path, now: float) -> Entry | None:
        look = lying_in(self.folder).get(path)
        try:
            sha256 = fingerprint(path)
        except OSError:
            return None
        if look is None:
            return None
        if self.ledger.knows(path.name, sha256):
            self._dealt[path] = look
            return None
        try:
            entry = self.take(path, sha256)
        except AlarmstackError as error:
            pause = self._tries.get(path, (0.0, FIRST_PAUSE))[1]
            self._tries[path] = (now + pause, min(2 * pause, LONGEST_PAUSE))
            self.tell(f"{path.name}: not now ({error}); again in {pause:.0f} s")
            return None
        self.ledger.note(entry)
        self._tries.pop(path, None)
        self._dealt[path] = look
        self.tell(f"{path.name}: {entry.outcome}: {entry.detail}")
        return entry


def watch(watcher: Watcher, *, polling: bool, once: bool = False) -> None:
    """Watch until the process is asked to stop; with `once`, until everything that lies there has been dealt with.

    `polling`: look at every file again and again instead of waiting for the system's notices, which do not cross network mounts and
    Windows volumes. Raises StorageError where there is no folder to watch.
    """
    try:
        watcher.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{watcher.folder} cannot be watched: {error}") from error
    for _ in _moments(watcher, polling):
        watcher.look(monotonic())
        if once and not watcher.waiting:
            return


def _moments(watcher: Watcher, polling: bool) -> Iterator[None]:
    """Now, whenever something changes in the folder, and soon again while something waits there."""
    yield
    while True:
        pause = round(max(50, 1000 * watcher.settling.seconds / 2)) if watcher.waiting else IDLE_LOOK_MS
        for _ in changes(
            watcher.folder, force_polling=polling, yield_on_timeout=True, rust_timeout=pause, debounce=pause, raise_interrupt=True
        ):
            yield
            break


__all__ = ["Tell", "Watcher", "watch"]
