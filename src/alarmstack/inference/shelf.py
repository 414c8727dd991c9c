"""The shelf: the models that speak, kept up to date with the registry while requests go on.

Every look at the registry fetches what an alias has moved to and swaps it in whole; a request uses the model it began with. A copy
of what was loaded is kept on disk, so that the service answers at once after a start, and goes on when the registry is away.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from alarmstack.errors import AlarmstackError, NotPromotedError, RegistryError, ServiceError
from alarmstack.expected import Expected, expected
from alarmstack.features import feature_names
from alarmstack.normality import NormalModel, monitored
from alarmstack.plant import Plant, write_duration
from alarmstack.registry import BLOCK, Bundle, Registry, Speaking
from alarmstack.wire.scoring import ModelStatus, Ready, Spoke

CURRENT = "current.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Speaker:
    """A model that answers. `kept`: it came from the copy on disk, and the registry has not confirmed it since."""

    bundle: Bundle
    version: str
    promoted: bool
    loaded_at: datetime
    kept: bool = False
    normal: NormalModel | None = None
    """What a Bundle of the group `block` holds, opened once."""

    @cached_property
    def spoke(self) -> Spoke:
        """How an answer names it."""
        return Spoke(name=self.bundle.name, version=self.version, unpromoted=not self.promoted)


@dataclass
class Shelf:
    """The expected models of a plant and which of them speak. `folder`: where copies are kept.

    `unpromoted`: where no version is @champion, the newest speaks, and its answers say so. `predictor`: the model behind /predict,
    one that gives a probability from point features; the catalogue's first unless another is named.

    Raises ServiceError for a `predictor` that the plant does not have.
    """

    plant: Plant
    registry: Registry
    folder: Path
    unpromoted: bool = False
    predictor: str = ""
    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    shadows: Mapping[str, Speaker] = field(default_factory=dict)
    """Challengers: they score the same rows, and nobody acts on it."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    unreachable: str | None = "the registry was not asked yet"
    settled: bool = False
    """Whether the registry has been asked about every model once: until then, one that is missing may just be on its way."""

    def __post_init__(self) -> None:
        self.expected: tuple[Expected, ...] = expected(self.plant)
        fit = [one.name for one in self.expected if one.horizon is None and one.kind == "probability"]
        self.predictor = self.predictor or fit[0]
        if self.predictor not in fit:
            raise ServiceError(f"MODEL_NAME={self.predictor!r} cannot stand behind /predict: use one of {', '.join(fit)}")
        self.ranges = {f"{i.key}{part}": i.range for i in self.plant.modelled for part in ("", "_max", "_min")}
        """What a transmitter can say, for the features that are a transmitter's value."""

    def speaker(self, name: str) -> Speaker:
        """The model of that name. Raises NotPromotedError that says why it does not speak."""
        found = self.speakers.get(name)
        if found is None:
            raise NotPromotedError(self.reasons.get(name) or f"{name} is not loaded: {self.unreachable or 'no such model'}")
        return found

    def open_kept(self) -> None:
        """Load the copies on disk, so that there are answers before the registry gives any."""
        for one in self.expected:
            current = self.folder / one.name / CURRENT
            try:
                about = json.loads(current.read_text(encoding="utf-8"))
                bundle = Bundle.load(current.parent / about["version"])
                made = self._speaker(bundle, about["version"], promoted=about["promoted"])
            except FileNotFoundError:
                continue
            except (AlarmstackError, ValueError, KeyError) as error:
                log.warning("the kept copy of %s cannot be used: %s", one.name, error)
                continue
            self.speakers = {**self.speakers, one.name: replace(made, kept=True)}

    def refresh(self) -> None:
        """Ask the registry once which versions speak; fetch what has changed. What cannot be fetched leaves the last good one."""
        names = [one.name for one in self.expected]
        try:
            speaking = self.registry.speaking(self.plant.registry_prefix, names)
        except RegistryError as error:
            self.unreachable = str(error)
            self.reasons = {**self.reasons, **dict.fromkeys(names, str(error))}
            log.warning("%s", error)
        else:
            self.unreachable = None
            for name in names:
                self._follow(name, speaking[name])
        self.settled = True

    def _follow(self, name: str, speaking: Speaking) -> None:
        try:
            self._fetch(name, speaking.champion, speaking.newest)
            self._shadow(name, speaking.challenger)
        except RegistryError as error:
            self.unreachable = str(error)
            self.reasons = {**self.reasons, name: str(error)}
            log.warning("%s", error)

    def _fetch(self, name: str, champion: str | None, newest: str | None) -> None:
        wanted = champion or (newest if self.unpromoted else None)
        if wanted is None:
            known = f"version {newest} is there, `alarmstack promote {name}` lets it speak" if newest else "train it first"
            self._drop(name, f"no version of {name} is @champion in {self.registry.uri}: {known}")
            return
        current = self.speakers.get(name)
        if current is None or (current.version, current.promoted) != (wanted, champion is not None):
            current = self._speaker(self.registry.load(name, wanted), wanted, promoted=champion is not None)
            if current.normal is None:
                # The first score opens the graph: no request waits for it.
                current.bundle.score(current.bundle.row(dict(current.bundle.example)))
            self._keep(current)
            log.info("%s version %s speaks", name, wanted)
        self.speakers = {**self.speakers, name: replace(current, kept=False)}
        self.reasons = {other: why for other, why in self.reasons.items() if other != name}

    def _shadow(self, name: str, challenger: str | None) -> None:
        """Keep up with the version that speaks beside the champion without being heard."""
        current = self.shadows.get(name)
        if challenger is None or name not in self.speakers:
            self.shadows = {other: speaker for other, speaker in self.shadows.items() if other != name}
        elif current is None or current.version != challenger:
            made = self._speaker(self.registry.load(name, challenger), challenger, promoted=False)
            self.shadows = {**self.shadows, name: made}
            log.info("%s version %s speaks in shadow", name, challenger)

    def _drop(self, name: str, reason: str) -> None:
        """A model that nobody promotes any more falls silent."""
        self.speakers = {other: speaker for other, speaker in self.speakers.items() if other != name}
        self.reasons = {**self.reasons, name: reason}
        (self.folder / name / CURRENT).unlink(missing_ok=True)

    def _speaker(self, bundle: Bundle, version: str, *, promoted: bool) -> Speaker:
        """A Bundle that was made for this plant's rows and features. Raises RegistryError where it was not."""
        cadence, window = write_duration(self.plant.time.cadence), write_duration(self.plant.time.window)
        if bundle.names != self._inputs(bundle.group) or (bundle.time["cadence"], bundle.time["window"]) != (cadence, window):
            raise RegistryError(
                f"{bundle.name} was trained for other features or another cadence than this plant.toml: train again"
            )
        normal = bundle.open_normal(self.plant) if bundle.group == BLOCK else None
        return Speaker(bundle, version, promoted, datetime.now(UTC), normal=normal)

    def _inputs(self, group: str) -> tuple[str, ...]:
        if group == BLOCK:
            return tuple(i.tag for i in monitored(self.plant))
        return feature_names(self.plant, "point" if group == "point" else "window")

    def _keep(self, speaker: Speaker) -> None:
        """Copy a model to disk: whole before it is named, and what it replaces goes."""
        home = self.folder / speaker.bundle.name
        speaker.bundle.save(home / speaker.version)
        partial = home / "current.partial"
        partial.write_text(json.dumps({"version": speaker.version, "promoted": speaker.promoted}), encoding="utf-8")
        partial.replace(home / CURRENT)
        for old in home.iterdir():
            if old.is_dir() and old.name != speaker.version:
                shutil.rmtree(old)

    def ready(self) -> Ready:
        """Which models speak, from where; ready when all do."""
        models = self.statuses()
        silent = [m.name for m in models if m.status == "missing"]
        return Ready(
            ready=not silent,
            registry=self.registry.uri,
            registry_reachable=self.unreachable is None,
            reason=f"{', '.join(silent)}: no model loaded" if silent else self.unreachable,
            models=models,
        )

    def statuses(self) -> list[ModelStatus]:
        """What became of every expected model."""
        return [self._status(one) for one in self.expected]

    def _status(self, one: Expected) -> ModelStatus:
        about = {
            "name": one.name,
            "column": one.column,
            "title": one.title,
            "kind": one.kind,
            "horizon_hours": one.horizon_hours,
        }
        speaker = self.speakers.get(one.name)
        if speaker is None:
            return ModelStatus(**about, status="missing", reason=self.reasons.get(one.name) or self.unreachable)
        bundle = speaker.bundle
        return ModelStatus(
            **about,
            status="kept" if speaker.kept or self.unreachable else "loaded" if speaker.promoted else "unpromoted",
            reason=self.reasons.get(one.name) or self.unreachable,
            version=speaker.version,
            alias="champion" if speaker.promoted else None,
            loaded_at=speaker.loaded_at,
            trained_at=datetime.fromisoformat(bundle.made["at"]),
            estimator=bundle.made["estimator"],
            metrics=dict(bundle.metrics),
            thresholds=dict(bundle.thresholds),
            card=bundle.card,
        )


__all__ = ["Shelf", "Speaker"]
