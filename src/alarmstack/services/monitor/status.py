"""How the monitor's two sources are, and since when: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alarmstack.services.schemas.gateway import FeedStatus
from alarmstack.services.schemas.inference import Assessment, Ready

SHORTEST_SILENCE = timedelta(seconds=10)
"""A feed is not stale before so long a silence, however fast its clock runs."""
SILENT_STEPS = 3
"""Readings that may be missed before the feed counts as stale."""


@dataclass
class Sources:
    """What is known of the feed and of inference. The monitor alone changes it."""

    feed_reason: str | None = "not connected yet"
    heard_at: datetime | None = None
    """When the plant's clock was last seen to run."""
    silence: timedelta = SHORTEST_SILENCE
    speed: float = 1.0
    plant_time: datetime | None = None
    inference: Literal["ready", "partial", "down"] = "down"
    inference_reason: str | None = "not asked yet"

    def connected(
        self, now: datetime, step_seconds: float, speed: float, plant_time: datetime
    ) -> None:
        """The feed is there; `step_seconds` of its clock lie between two readings, `speed` of which pass in a second.

        It is not live before what was missed is taken in (`caught_up`): until then its last reading tells nothing of now.
        """
        self.speed = speed
        self.heard(now, plant_time)
        self.silence = max(
            SHORTEST_SILENCE, timedelta(seconds=SILENT_STEPS * step_seconds / max(speed, 1e-6))
        )

    def caught_up(self) -> None:
        """What the feed told while nobody listened is taken in."""
        self.feed_reason = None

    def heard(self, now: datetime, plant_time: datetime | None) -> None:
        """A reading came. One of an instant that is known already is no news: that clock does not run."""
        if plant_time is not None and plant_time != self.plant_time:
            self.heard_at, self.plant_time = now, plant_time

    def plant_clock(self, now: datetime) -> datetime | None:
        """What the plant's clock shows by now, as far as is known: it went on at its speed since it was last heard."""
        if self.plant_time is None or self.heard_at is None:
            return None
        return self.plant_time + max(now - self.heard_at, timedelta(0)) * self.speed

    def live(self, now: datetime) -> bool:
        """Whether readings come in."""
        return not self.feed_reason and not self._quiet(now)

    def _quiet(self, now: datetime) -> bool:
        return self.heard_at is None or now - self.heard_at > self.silence

    def lost(self, reason: str) -> None:
        """The feed went away."""
        self.feed_reason = reason

    def answered(self, spoke: Assessment | Ready) -> None:
        """Inference answered: do all models speak?"""
        unable = [one for one in spoke.models if _silent(one)]
        # Nobody expects an output of a model that is not promoted, as long as there are others.
        silent = (
            [one for one in unable if not _not_promoted(one)]
            if len(unable) < len(spoke.models)
            else unable
        )
        self.inference = (
            "down"
            if silent and len(unable) == len(spoke.models)
            else "partial"
            if silent
            else "ready"
        )
        reasons = sorted({one.reason for one in silent if one.reason})
        self.inference_reason = (
            f"{len(silent)} of {len(spoke.models)} models are silent: {'; '.join(reasons[:2])}"
            if silent
            else None
        )

    def failed(self, reason: str) -> None:
        """Inference did not answer."""
        self.inference, self.inference_reason = "down", reason

    def age(self, now: datetime) -> float | None:
        """Seconds since the last reading or connection."""
        return None if self.heard_at is None else (now - self.heard_at).total_seconds()

    def view(self, now: datetime) -> FeedStatus:
        """As the screen sees it."""
        quiet = self._quiet(now)
        feed: Literal["live", "stale", "down"] = (
            "down" if self.feed_reason else "stale" if quiet else "live"
        )
        silent = (
            f"no reading for {(now - self.heard_at).total_seconds():.0f} s"
            if quiet and self.heard_at
            else None
        )
        return FeedStatus(
            feed=feed,
            feed_reason=self.feed_reason or silent,
            inference=self.inference,
            inference_reason=self.inference_reason,
            plant_time=self.plant_time,
            server_time=now,
        )


def _silent(model: object) -> bool:
    """A model of an assessment that did not speak, or one of the list of models that is not there."""
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
