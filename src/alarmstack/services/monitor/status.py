"""The state of the monitor's two sources, the feed and inference: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alarmstack.services.schemas.gateway import FeedStatus
from alarmstack.services.schemas.inference import Assessment, Ready

SHORTEST_SILENCE = timedelta(seconds=10)
"""The shortest time without a reading after which a feed is stale, however fast its clock runs."""
SILENT_STEPS = 3
"""Readings that may be missed before the feed counts as stale."""
SHOWN_REASONS = 2
"""Different reasons for unavailable models that are shown."""


@dataclass
class Sources:
    """The state of the feed and of inference. Only the monitor changes it."""

    feed_reason: str | None = "not connected yet"
    last_reading_at: datetime | None = None
    """Wall time of the last reading with a new plant time."""
    invalid_reading: str | None = None
    """Why the newest reading was quarantined; None if it was valid."""
    silence: timedelta = SHORTEST_SILENCE
    speed: float = 1.0
    plant_time: datetime | None = None
    inference: Literal["ready", "partial", "down"] = "down"
    inference_reason: str | None = "not checked yet"

    def connected(
        self, now: datetime, step_seconds: float, speed: float, plant_time: datetime
    ) -> None:
        """The feed answers. `step_seconds`: plant time between two readings, at a clock of `speed`.

        It is not live before `caught_up`: until then its last reading may be an old one. A feed
        whose readings are all invalid does not become live by a new connection.
        """
        self.speed = speed
        if self.invalid_reading is None:
            self.reading_received(now, plant_time)
        self.silence = max(
            SHORTEST_SILENCE, timedelta(seconds=SILENT_STEPS * step_seconds / max(speed, 1e-6))
        )

    def caught_up(self) -> None:
        """Everything that was missed is stored."""
        self.feed_reason = None

    def reading_received(self, now: datetime, plant_time: datetime | None) -> None:
        """A valid reading arrived. The same plant time again: the plant's clock does not run."""
        self.invalid_reading = None
        if plant_time is not None and plant_time != self.plant_time:
            self.last_reading_at, self.plant_time = now, plant_time

    def reading_refused(self, reason: str) -> None:
        """An invalid reading arrived: it shows nothing about the plant."""
        self.invalid_reading = reason

    def plant_clock(self, now: datetime) -> datetime | None:
        """The plant's clock now: the time of the last reading, advanced at the clock's speed."""
        if self.plant_time is None or self.last_reading_at is None:
            return None
        return self.plant_time + max(now - self.last_reading_at, timedelta(0)) * self.speed

    def live(self, now: datetime) -> bool:
        """Whether readings arrive."""
        return not self.feed_reason and not self._stale(now)

    def _stale(self, now: datetime) -> bool:
        return self.last_reading_at is None or now - self.last_reading_at > self.silence

    def lost(self, reason: str) -> None:
        """The connection to the feed was lost."""
        self.feed_reason = reason

    def answered(self, answer: Assessment | Ready) -> None:
        """Inference answered: are all models available?

        A model without a promoted version does not count, as long as others are available.
        """
        unavailable = [model for model in answer.models if _unavailable(model)]
        none_available = len(unavailable) == len(answer.models)
        missed = [one for one in unavailable if none_available or not _not_promoted(one)]
        if not missed:
            self.inference, self.inference_reason = "ready", None
            return
        reasons = sorted({model.reason for model in missed if model.reason})
        self.inference = "down" if none_available else "partial"
        self.inference_reason = (
            f"{len(missed)} of {len(answer.models)} models are unavailable: "
            f"{'; '.join(reasons[:SHOWN_REASONS])}"
        )

    def failed(self, reason: str) -> None:
        """Inference did not answer."""
        self.inference, self.inference_reason = "down", reason

    def age(self, now: datetime) -> float | None:
        """Seconds since the last reading or connection."""
        return (
            None if self.last_reading_at is None else (now - self.last_reading_at).total_seconds()
        )

    def view(self, now: datetime) -> FeedStatus:
        """The state as the screen shows it."""
        feed: Literal["live", "stale", "down"] = "live"
        reason, age = self.feed_reason, self.age(now)
        if self.feed_reason:
            feed = "down"
        elif self._stale(now):
            feed = "stale"
            if age is not None and self.invalid_reading:
                reason = f"no valid reading for {age:.0f} s: {self.invalid_reading}"
            else:
                reason = None if age is None else f"no reading for {age:.0f} s"
        return FeedStatus(
            feed=feed,
            feed_reason=reason,
            inference=self.inference,
            inference_reason=self.inference_reason,
            plant_time=self.plant_time,
            server_time=now,
        )


def _unavailable(model: object) -> bool:
    """A model without an output in an assessment, or not loaded in the list of models."""
    status = getattr(model, "status", None)
    return (
        status in ("missing", "not_promoted")
        if status is not None
        else getattr(model, "model", None) is None
    )


def _not_promoted(model: object) -> bool:
    """A model without a promoted version, in an assessment or in the list of models."""
    return (
        getattr(model, "status", None) == "not_promoted"
        or getattr(model, "not_promoted", False) is True
    )


__all__ = ["SHORTEST_SILENCE", "SILENT_STEPS", "Sources"]
