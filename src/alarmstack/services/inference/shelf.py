"""The shelf: the models that speak, kept up to date with the registry while requests go on.

Every look at the registry fetches what an alias has moved to and swaps it in whole, once it has given an answer; a request uses the
model it began with. A copy of what was loaded is kept on disk, so that the service answers at once after a start, and goes on when
the registry is away. What cannot be used, a version or a copy, affects its own model only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from alarmstack import __version__
from alarmstack.core.errors import AlarmstackError, NotPromotedError, RegistryError, ServiceError
from alarmstack.core.model_list import ModelEntry, model_list
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.tasks import reason_of
from alarmstack.features.matrix import feature_names
from alarmstack.models.normality import NormalModel, monitored
from alarmstack.registry.bundles import BLOCK, Bundle, Registry, Speaking
from alarmstack.registry.copies import Copies, Copy
from alarmstack.registry.manifest import sha256
from alarmstack.services.inference.probe import probed
from alarmstack.services.schemas.inference import ModelRef, ModelStatus, Ready, TaskState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Speaker:
    """A model that answers. `kept`: it came from the copy on disk, and the registry has not confirmed it since.

    `digest`: of its Bundle as it was published; None for a copy that an earlier release made. `copied`: its copy is on disk.
    """

    bundle: Bundle
    version: str
    promoted: bool
    loaded_at: datetime
    digest: str | None = None
    kept: bool = False
    copied: bool = False
    normal: NormalModel | None = None
    """What a Bundle of the group `block` holds, opened once."""

    @cached_property
    def spoke(self) -> ModelRef:
        """How an answer names it."""
        return ModelRef(name=self.bundle.name, version=self.version, unpromoted=not self.promoted)


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
    """Why a model does not answer, or why another version than the promoted one does."""
    challenger_reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a challenger cannot be used."""
    required: frozenset[str] = frozenset()
    """The models that must answer: the registry names a version to serve, or there is a copy of one."""
    not_promoted: frozenset[str] = frozenset()
    """The models that have versions, and none to serve."""
    outdated: frozenset[str] = frozenset()
    """The models whose promoted version cannot be used, so that an earlier one answers where there is one."""
    unreachable: str | None = "the registry was not asked yet"
    undelivered: str | None = None
    """Why exported models could not be fetched."""
    settled: bool = False
    """Whether the registry has been asked about every model once: until then, one that is missing may just be on its way."""
    supply: Callable[[Collection[str]], object] | None = None
    """Puts copies of exported models into `folder`, of the damaged ones or into an empty one: see `exported.fetch`."""

    def __post_init__(self) -> None:
        self.entries: tuple[ModelEntry, ...] = model_list(self.plant)
        candidates = [
            entry.name
            for entry in self.entries
            if entry.horizon is None and entry.kind == "probability"
        ]
        if self.predictor and self.predictor not in candidates:
            raise ServiceError(
                f"MODEL_NAME={self.predictor!r} cannot answer /predict: use one of "
                f"{', '.join(candidates) or 'none, because this plant has no such model'}"
            )
        self.predictor = self.predictor or next(iter(candidates), "")
        self.copies = Copies(self.folder)
        self.ranges = {
            f"{i.key}{part}": i.range for i in self.plant.modelled for part in ("", "_max", "_min")
        }
        """What a transmitter can say, for the features that are a transmitter's value."""

    def speaker(self, name: str) -> Speaker:
        """The model of that name. Raises NotPromotedError that says why it does not speak."""
        found = self.speakers.get(name)
        if found is None:
            raise NotPromotedError(self._why(name) or f"{name} is not loaded: no such model")
        return found

    def begin(self) -> None:
        """Load the copies on disk, and exported models where there are none: before the first request."""
        self.open_kept()
        self._restock()

    def open_kept(self) -> None:
        """Load the copies on disk, so that there are answers before the registry gives any."""
        for name in self._names:
            if name not in self.speakers:
                self._open_kept(name)

    def _open_kept(self, name: str) -> None:
        try:
            copy = self.copies.read(name)
            if copy is None:
                return
            self.required |= {name}
            made = self._speaker(
                name, copy.bundle, copy.version, promoted=copy.promoted, digest=copy.digest
            )
        except AlarmstackError as error:
            self.required |= {name}
            self._note(name, f"the copy of {name} on disk cannot be used: {error}")
        else:
            self.speakers = {**self.speakers, name: replace(made, kept=True, copied=True)}
            self._forget(name)

    def refresh(self, progress: Callable[[], None] = lambda: None) -> None:
        """Ask the registry once which versions speak; fetch what has changed. What cannot be fetched leaves the last good one.

        `progress` is called after each model.
        """
        first = not self.settled
        if first:
            self._restock()
        try:
            speaking = self.registry.speaking(self.plant.registry_prefix, self._names)
        except RegistryError as error:
            if self.unreachable != str(error):
                log.warning("%s", error)
            self.unreachable = str(error)
            if not first:
                self._restock()
        else:
            self.unreachable = None
            for name in self._names:
                self._follow(name, speaking[name])
                progress()
        self.settled = True

    def _restock(self) -> None:
        """Fetch exported models where the copy of a model is damaged, or where there is no copy at all."""
        damaged = self.required - self.speakers.keys()
        if self.supply is None or (self.speakers and not damaged):
            return
        try:
            self.supply(damaged)
        except (AlarmstackError, OSError) as error:
            reason = f"the exported models cannot be fetched: {reason_of(error)}"
            if self.undelivered != reason:
                log.warning("%s", reason)
            self.undelivered = reason
        else:
            self.undelivered = None
        self.open_kept()

    def _follow(self, name: str, speaking: Speaking) -> None:
        """Serve what the registry names. An error concerns this model alone, one of its challenger that challenger alone."""
        try:
            self._fetch(name, speaking)
        except Exception as error:
            self.outdated |= {name}
            self._note(name, self._not_usable(name, speaking, _told(name, error)))
        try:
            self._shadow(name, speaking.challenger)
        except Exception as error:
            reason = f"version {speaking.challenger} cannot challenge: {_told(name, error)}"
            if self.challenger_reasons.get(name) != reason:
                log.warning("%s: %s", name, reason)
            self.shadows = _without(self.shadows, name)
            self.challenger_reasons = {**self.challenger_reasons, name: reason}

    def _fetch(self, name: str, speaking: Speaking) -> None:
        wanted, promoted = self._wanted(speaking), speaking.champion is not None
        if wanted is None:
            self._drop(name, speaking)
            return
        self.required, self.not_promoted = self.required | {name}, self.not_promoted - {name}
        current = self.speakers.get(name)
        if (
            current is None
            or (current.version, current.promoted) != (wanted, promoted)
            or not self._confirmed(name, current)
        ):
            bundle = self.registry.load(name, wanted)
            current = self._speaker(name, bundle, wanted, promoted=promoted, digest=bundle.digest)
            log.info("%s version %s is loaded", name, wanted)
        self.speakers, self.outdated = (
            {**self.speakers, name: replace(current, kept=False)},
            self.outdated - {name},
        )
        self._keep(name)

    def _wanted(self, speaking: Speaking) -> str | None:
        return speaking.champion or (speaking.newest if self.unpromoted else None)

    def _confirmed(self, name: str, current: Speaker) -> bool:
        """Whether a copy is what the registry has under that version: asked once, when the registry is first reached."""
        if not current.kept:
            return True
        return current.digest is not None and self.registry.digest(name, current.version) in (
            None,
            current.digest,
        )

    def _not_usable(self, name: str, speaking: Speaking, reason: str) -> str:
        serving = self.speakers.get(name)
        wanted = self._wanted(speaking)
        instead = (
            f"; version {serving.version} answers instead"
            if serving and serving.version != wanted
            else ""
        )
        return f"version {wanted} cannot be used: {reason}{instead}"

    def _shadow(self, name: str, challenger: str | None) -> None:
        """Keep up with the version that speaks beside the champion without being heard."""
        current = self.shadows.get(name)
        if challenger is None or name not in self.speakers:
            self.shadows = _without(self.shadows, name)
        elif current is None or current.version != challenger:
            bundle = self.registry.load(name, challenger)
            made = self._speaker(name, bundle, challenger, promoted=False, digest=bundle.digest)
            self.shadows = {**self.shadows, name: made}
            log.info("%s version %s challenges", name, challenger)
        self.challenger_reasons = _without(self.challenger_reasons, name)

    def _drop(self, name: str, speaking: Speaking) -> None:
        """A model that nobody promotes any more falls silent."""
        self.speakers = _without(self.speakers, name)
        self.required, self.outdated = self.required - {name}, self.outdated - {name}
        if speaking.newest is None:
            self.not_promoted -= {name}
            self._note(
                name,
                f"no version of {name} in {self.registry.uri}: train it first (`alarmstack train`)",
            )
        else:
            self.not_promoted |= {name}
            why = speaking.loses or f"waits for `alarmstack promote {name}`"
            self._note(name, f"not promoted: {name} version {speaking.newest} {why}")
        self.copies.remove(name)

    def _note(self, name: str, reason: str) -> None:
        """Why a model does not answer as it should; in the log once."""
        if self.reasons.get(name) != reason:
            log.warning("%s: %s", name, reason)
        self.reasons = {**self.reasons, name: reason}

    def _forget(self, name: str) -> None:
        self.reasons = _without(self.reasons, name)

    def _speaker(
        self, name: str, bundle: Bundle, version: str, *, promoted: bool, digest: str | None
    ) -> Speaker:
        """A Bundle that was made for this model and for this plant's rows and features, and that has given an answer.

        Raises RegistryError where it was not.
        """
        if bundle.name != name:
            raise RegistryError(
                f"this is a Bundle of {bundle.name}, not of {name}: publish the model again"
            )
        cadence, window = (
            write_duration(self.plant.time.cadence),
            write_duration(self.plant.time.window),
        )
        times = (bundle.time.get("cadence"), bundle.time.get("window"))
        if bundle.names != self._inputs(bundle.group) or times != (cadence, window):
            raise RegistryError(
                f"{name} was trained for other features or another cadence than this plant.toml: train again"
            )
        self._check_kind(name, bundle)
        return Speaker(
            bundle, version, promoted, datetime.now(UTC), digest, normal=probed(self.plant, bundle)
        )

    def _check_kind(self, name: str, bundle: Bundle) -> None:
        kind = next(one.kind for one in self.entries if one.name == name)
        if bundle.kind != kind or bool(bundle.classes) != (kind == "classes"):
            raise RegistryError(
                f"{name} gives scores of the kind {bundle.kind!r}, expected is {kind!r}: publish the model again"
            )

    def _inputs(self, group: str) -> tuple[str, ...]:
        if group == BLOCK:
            return tuple(i.tag for i in monitored(self.plant))
        return feature_names(self.plant, "point" if group == "point" else "window")

    def _keep(self, name: str) -> None:
        """Copy a model to disk, unless its copy is there. It serves all the same where that fails, and says so."""
        speaker = self.speakers[name]
        try:
            if not speaker.copied:
                self.copies.write(
                    name, Copy(speaker.bundle, speaker.version, speaker.promoted, speaker.digest)
                )
                self.speakers = {**self.speakers, name: replace(speaker, copied=True)}
        except OSError as error:
            self._note(name, f"no copy can be kept on disk: {reason_of(error)}")
        else:
            self._forget(name)

    @property
    def fingerprint(self) -> str:
        """Changes when the code, the plant or a model that serves changes."""
        models = sorted(
            (name, one.version, one.digest or one.bundle.digest)
            for name, one in self.speakers.items()
        )
        return sha256(json.dumps([code_fingerprint(), self.plant.fingerprint, models]).encode())[
            :16
        ]

    def ready(self, tasks: Collection[TaskState] = ()) -> Ready:
        """Whether every model that must answer does, and every task is running; and which models there are, from where."""
        reasons = [
            f"{task.name}: {task.reason or task.state}" for task in tasks if task.state != "running"
        ]
        reasons += [
            f"{name}: {self._why(name)}"
            for name in self._names
            if name in self.required - self.speakers.keys()
        ]
        if not reasons and self.loading:
            reasons = ["the models are still being loaded"]
        if not reasons and not self.speakers:
            reasons = [f"no model is loaded: {self.nothing}"]
        return Ready(
            ready=not reasons,
            registry=self.registry.uri,
            registry_reachable=self.unreachable is None,
            reason="; ".join(reasons) or self.unreachable,
            models=self.statuses(),
            tasks=list(tasks),
            fingerprint=self.fingerprint,
        )

    @property
    def loading(self) -> bool:
        """Whether a model that is missing may be on its way."""
        return not self.settled and len(self.speakers) < len(self.entries)

    @property
    def nothing(self) -> str:
        """Why no model is loaded."""
        if not self.entries:
            return (
                f"{self.plant.name} has none: add [[labels.rules]], an operator_log or [normality] "
                "to plant.toml"
            )
        why = [reason for reason in (self.undelivered, self.unreachable) if reason]
        return "; ".join(why) or next(iter(self.reasons.values()), "none was loaded")

    def _why(self, name: str) -> str | None:
        """What there is to say about a model: its own trouble, and that of where it comes from."""
        return (
            "; ".join(
                why for why in (self.reasons.get(name), self.undelivered, self.unreachable) if why
            )
            or None
        )

    def statuses(self) -> list[ModelStatus]:
        """What became of every expected model."""
        return [self._status(one) for one in self.entries]

    def _status(self, one: ModelEntry) -> ModelStatus:
        about = {
            "name": one.name,
            "column": one.column,
            "title": one.title,
            "kind": one.kind,
            "horizon": one.horizon_text,
            "horizon_hours": one.horizon_hours,
        }
        shadow = self.shadows.get(one.name)
        about |= {
            "reason": self._why(one.name),
            "challenger": shadow.version if shadow else None,
            "challenger_reason": self.challenger_reasons.get(one.name),
        }
        speaker = self.speakers.get(one.name)
        if speaker is None:
            return ModelStatus(
                **about, status="not_promoted" if one.name in self.not_promoted else "missing"
            )
        bundle = speaker.bundle
        return ModelStatus(
            **about,
            status="kept"
            if self._is_kept(one.name, speaker)
            else "loaded"
            if speaker.promoted
            else "unpromoted",
            version=speaker.version,
            alias="champion" if speaker.promoted else None,
            loaded_at=speaker.loaded_at,
            trained_at=datetime.fromisoformat(bundle.made["at"]),
            estimator=bundle.made["estimator"],
            metrics=dict(bundle.metrics),
            thresholds=dict(bundle.thresholds),
            card=bundle.card,
        )

    def _is_kept(self, name: str, speaker: Speaker) -> bool:
        """Whether a model serves that the registry has not confirmed, or has replaced by one that cannot be used."""
        return speaker.kept or self.unreachable is not None or name in self.outdated

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self.entries]


def _told(name: str, error: Exception) -> str:
    """Why a version cannot be used, in one line; an error that nobody expects goes to the log with its traceback."""
    if not isinstance(error, AlarmstackError):
        log.error("%s cannot be loaded", name, exc_info=error)
    return reason_of(error)


def _without(models: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in models.items() if other != name}


@cache
def code_fingerprint() -> str:
    """SHA-256 of the version and of every source file of this package, as they were when it was first asked for."""
    home = Path(__file__).parent.parent
    sources = {
        str(file.relative_to(home)): sha256(file.read_bytes())
        for file in sorted(home.rglob("*.py"))
    }
    return sha256(json.dumps([__version__, sources]).encode())


__all__ = ["Shelf", "Speaker", "code_fingerprint"]
