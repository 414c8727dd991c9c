"""The shelf: the loaded models, kept up to date with the registry while requests are served.

Each check of the registry fetches the version that an alias points to, tests it, and then replaces
the loaded version as a whole. A request uses one version from beginning to end. A copy of each
loaded model is kept on disk: the service is available immediately after a start, and stays
available while the registry is not. A version or copy that cannot be used affects its own model
only.
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

import alarmstack
from alarmstack import __version__
from alarmstack.core.checksum import fingerprint
from alarmstack.core.errors import AlarmstackError, NotPromotedError, RegistryError, ServiceError
from alarmstack.core.model_list import ModelEntry, model_list
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.tasks import reason_of
from alarmstack.features.matrix import feature_names
from alarmstack.models.normality import NormalModel, monitored
from alarmstack.registry import Bundle, Registry
from alarmstack.registry.bundle import BLOCK
from alarmstack.registry.copies import Copies, Copy
from alarmstack.registry.mlflow_registry import ServingVersions
from alarmstack.services.inference.probe import probed
from alarmstack.services.schemas.inference import ModelRef, ModelStatus, Ready, TaskState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model in use.

    `kept`: it was read from the copy on disk, and the registry has not confirmed it. `digest`: of
    its Bundle as published; None for a copy made by an earlier release. `copied`: its copy is on
    disk.
    """

    bundle: Bundle
    version: str
    promoted: bool
    loaded_at: datetime
    digest: str | None = None
    kept: bool = False
    copied: bool = False
    normal: NormalModel | None = None
    """The normal-behaviour model in a Bundle of the group `block`, opened once."""

    @cached_property
    def ref(self) -> ModelRef:
        """The model's name and version, as in API bodies."""
        return ModelRef(name=self.bundle.name, version=self.version, unpromoted=not self.promoted)


@dataclass
class Shelf:
    """The models of a plant and which of them are loaded. `folder`: where copies are kept.

    `unpromoted`: if no version is @champion, the newest is used, and its outputs are marked.
    `predictor`: the model for /predict, which gives a probability from point features; by default
    the first such model of the plant.

    Raises ServiceError for a `predictor` that the plant does not have.
    """

    plant: Plant
    registry: Registry
    folder: Path
    unpromoted: bool = False
    predictor: str = ""
    loaded: Mapping[str, LoadedModel] = field(default_factory=dict)
    shadows: Mapping[str, LoadedModel] = field(default_factory=dict)
    """Challengers: they score the same rows, and raise no warnings."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a model is not available, or why another version than the promoted one is used."""
    challenger_reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a challenger cannot be used."""
    required: frozenset[str] = frozenset()
    """The models that must be available: the registry has a version to use, or there is a copy."""
    not_promoted: frozenset[str] = frozenset()
    """The models that have versions, none of which may be used."""
    outdated: frozenset[str] = frozenset()
    """The models whose promoted version cannot be used. An earlier one is used if there is one."""
    unreachable: str | None = "the registry was not checked yet"
    undelivered: str | None = None
    """Why exported models could not be fetched."""
    settled: bool = False
    """Whether the registry has been checked for every model: until then a missing one may be
    loading.
    """
    supply: Callable[[Collection[str]], object] | None = None
    """Copies exported models into `folder`: the damaged ones, or all into an empty one
    (`exported.fetch`).
    """

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
        """The transmitter's range, for each feature that is an instrument's value."""

    def model(self, name: str) -> LoadedModel:
        """The loaded model of that name.

        Raises NotPromotedError with the reason if there is none.
        """
        loaded = self.loaded.get(name)
        if loaded is None:
            raise NotPromotedError(self._why(name) or f"{name} is not loaded: no such model")
        return loaded

    def begin(self) -> None:
        """Load the copies on disk or, without copies, exported models: before the first request."""
        self.open_kept()
        self._restock()

    def open_kept(self) -> None:
        """Load the copies on disk, so that models are available before the registry is."""
        for name in self._names:
            if name not in self.loaded:
                self._open_kept(name)

    def _open_kept(self, name: str) -> None:
        try:
            copy = self.copies.read(name)
            if copy is None:
                return
            self.required |= {name}
            loaded = self._opened(
                name, copy.bundle, copy.version, promoted=copy.promoted, digest=copy.digest
            )
        except AlarmstackError as error:
            self.required |= {name}
            self._note(name, f"the copy of {name} on disk cannot be used: {error}")
        else:
            self.loaded = {**self.loaded, name: replace(loaded, kept=True, copied=True)}
            self._forget(name)

    def refresh(self, progress: Callable[[], None] = lambda: None) -> None:
        """Check the registry once and fetch the versions that have changed.

        If a version cannot be fetched, the last good one stays. `progress` is called after each
        model.
        """
        first = not self.settled
        if first:
            self._restock()
        try:
            serving = self.registry.serving_versions(self.plant.registry_prefix, self._names)
        except RegistryError as error:
            if self.unreachable != str(error):
                log.warning("%s", error)
            self.unreachable = str(error)
            if not first:
                self._restock()
        else:
            self.unreachable = None
            for name in self._names:
                self._follow(name, serving[name])
                progress()
        self.settled = True

    def _restock(self) -> None:
        """Fetch exported models if the copy of a model is damaged, or if there is no copy at
        all.
        """
        damaged = self.required - self.loaded.keys()
        if self.supply is None or (self.loaded and not damaged):
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

    def _follow(self, name: str, serving: ServingVersions) -> None:
        """Use the version that the registry names.

        An error affects this model, or its challenger, alone.
        """
        try:
            self._fetch(name, serving)
        except Exception as error:
            self.outdated |= {name}
            self._note(name, self._not_usable(name, serving, _reason(name, error)))
        try:
            self._shadow(name, serving.challenger)
        except Exception as error:
            reason = (
                f"version {serving.challenger} cannot be the challenger: {_reason(name, error)}"
            )
            if self.challenger_reasons.get(name) != reason:
                log.warning("%s: %s", name, reason)
            self.shadows = _without(self.shadows, name)
            self.challenger_reasons = {**self.challenger_reasons, name: reason}

    def _fetch(self, name: str, serving: ServingVersions) -> None:
        wanted, promoted = self._wanted(serving), serving.champion is not None
        if wanted is None:
            self._drop(name, serving)
            return
        self.required, self.not_promoted = self.required | {name}, self.not_promoted - {name}
        current = self.loaded.get(name)
        if (
            current is None
            or (current.version, current.promoted) != (wanted, promoted)
            or not self._confirmed(name, current)
        ):
            bundle = self.registry.load(name, wanted)
            current = self._opened(name, bundle, wanted, promoted=promoted, digest=bundle.digest)
            log.info("%s version %s is loaded", name, wanted)
        self.loaded, self.outdated = (
            {**self.loaded, name: replace(current, kept=False)},
            self.outdated - {name},
        )
        self._keep(name)

    def _wanted(self, serving: ServingVersions) -> str | None:
        return serving.champion or (serving.newest if self.unpromoted else None)

    def _confirmed(self, name: str, current: LoadedModel) -> bool:
        """Whether a copy equals the registry's version: checked once, when the registry is first
        reached.
        """
        if not current.kept:
            return True
        return current.digest is not None and self.registry.digest(name, current.version) in (
            None,
            current.digest,
        )

    def _not_usable(self, name: str, serving: ServingVersions, reason: str) -> str:
        current = self.loaded.get(name)
        wanted = self._wanted(serving)
        instead = (
            f"; version {current.version} is used instead"
            if current and current.version != wanted
            else ""
        )
        return f"version {wanted} cannot be used: {reason}{instead}"

    def _shadow(self, name: str, challenger: str | None) -> None:
        """Load the challenger, which is scored beside the champion and raises no warnings."""
        current = self.shadows.get(name)
        if challenger is None or name not in self.loaded:
            self.shadows = _without(self.shadows, name)
        elif current is None or current.version != challenger:
            bundle = self.registry.load(name, challenger)
            loaded = self._opened(name, bundle, challenger, promoted=False, digest=bundle.digest)
            self.shadows = {**self.shadows, name: loaded}
            log.info("%s version %s is the challenger", name, challenger)
        self.challenger_reasons = _without(self.challenger_reasons, name)

    def _drop(self, name: str, serving: ServingVersions) -> None:
        """Unload a model that has no promoted version any more."""
        self.loaded = _without(self.loaded, name)
        self.required, self.outdated = self.required - {name}, self.outdated - {name}
        if serving.newest is None:
            self.not_promoted -= {name}
            self._note(
                name,
                f"no version of {name} in {self.registry.uri}: train it first (`alarmstack train`)",
            )
        else:
            self.not_promoted |= {name}
            why = serving.loses or f"waits for `alarmstack promote {name}`"
            self._note(name, f"not promoted: {name} version {serving.newest} {why}")
        self.copies.remove(name)

    def _note(self, name: str, reason: str) -> None:
        """Keep the reason why a model is not available as it should be, and log it once."""
        if self.reasons.get(name) != reason:
            log.warning("%s: %s", name, reason)
        self.reasons = {**self.reasons, name: reason}

    def _forget(self, name: str) -> None:
        self.reasons = _without(self.reasons, name)

    def _opened(
        self, name: str, bundle: Bundle, version: str, *, promoted: bool, digest: str | None
    ) -> LoadedModel:
        """A model from a Bundle that was made for this name, and for the plant's rows and features.

        Raises RegistryError if it was not, and DamagedError if it gives no scores.
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
                f"{name} was trained for other features or another cadence than this plant.toml: "
                "train again"
            )
        self._check_kind(name, bundle)
        return LoadedModel(
            bundle, version, promoted, datetime.now(UTC), digest, normal=probed(self.plant, bundle)
        )

    def _check_kind(self, name: str, bundle: Bundle) -> None:
        kind = next(entry.kind for entry in self.entries if entry.name == name)
        if bundle.kind != kind or bool(bundle.classes) != (kind == "classes"):
            raise RegistryError(
                f"{name} gives scores of the kind {bundle.kind!r}, expected is {kind!r}: "
                "publish the model again"
            )

    def _inputs(self, group: str) -> tuple[str, ...]:
        if group == BLOCK:
            return tuple(i.tag for i in monitored(self.plant))
        return feature_names(self.plant, "point" if group == "point" else "window")

    def _keep(self, name: str) -> None:
        """Copy a model to disk unless its copy is there.

        If that fails, the model is used all the same.
        """
        loaded = self.loaded[name]
        try:
            if not loaded.copied:
                self.copies.write(
                    name, Copy(loaded.bundle, loaded.version, loaded.promoted, loaded.digest)
                )
                self.loaded = {**self.loaded, name: replace(loaded, copied=True)}
        except (OSError, RegistryError) as error:
            self._note(name, f"no copy can be kept on disk: {reason_of(error)}")
        else:
            self._forget(name)

    @property
    def fingerprint(self) -> str:
        """Changes when the code, the plant or a loaded model changes."""
        models = sorted(
            (name, loaded.version, loaded.digest or loaded.bundle.digest)
            for name, loaded in self.loaded.items()
        )
        everything = json.dumps([code_fingerprint(), self.plant.fingerprint, models])
        return fingerprint(everything.encode())[:16]

    def ready(self, tasks: Collection[TaskState] = ()) -> Ready:
        """Whether all required models are loaded and all tasks are running, and the state of
        each.
        """
        reasons = [
            f"{task.name}: {task.reason or task.state}" for task in tasks if task.state != "running"
        ]
        reasons += [
            f"{name}: {self._why(name)}"
            for name in self._names
            if name in self.required - self.loaded.keys()
        ]
        if not reasons and self.loading:
            reasons = ["the models are still being loaded"]
        if not reasons and not self.loaded:
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
        """Whether a missing model may still be loading."""
        return not self.settled and len(self.loaded) < len(self.entries)

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
        """Why a model is not available: its own problems, and those of the registry."""
        return (
            "; ".join(
                why for why in (self.reasons.get(name), self.undelivered, self.unreachable) if why
            )
            or None
        )

    def statuses(self) -> list[ModelStatus]:
        """The state of every model of the plant."""
        return [self._status(entry) for entry in self.entries]

    def _status(self, entry: ModelEntry) -> ModelStatus:
        shadow = self.shadows.get(entry.name)
        about = {
            "name": entry.name,
            "column": entry.column,
            "title": entry.title,
            "kind": entry.kind,
            "horizon": entry.horizon_text,
            "horizon_hours": entry.horizon_hours,
            "reason": self._why(entry.name),
            "challenger": shadow.version if shadow else None,
            "challenger_reason": self.challenger_reasons.get(entry.name),
        }
        loaded = self.loaded.get(entry.name)
        if loaded is None:
            status = "not_promoted" if entry.name in self.not_promoted else "missing"
            return ModelStatus.model_validate(about | {"status": status})
        if self._is_kept(entry.name, loaded):
            status = "kept"
        else:
            status = "loaded" if loaded.promoted else "unpromoted"
        bundle = loaded.bundle
        version = {
            "status": status,
            "version": loaded.version,
            "alias": "champion" if loaded.promoted else None,
            "loaded_at": loaded.loaded_at,
            "trained_at": datetime.fromisoformat(bundle.made["at"]),
            "estimator": bundle.made["estimator"],
            "metrics": dict(bundle.metrics),
            "thresholds": dict(bundle.thresholds),
            "card": bundle.card,
        }
        return ModelStatus.model_validate(about | version)

    def _is_kept(self, name: str, loaded: LoadedModel) -> bool:
        """Whether the registry has not confirmed the loaded version, or has another that cannot be
        used.
        """
        return loaded.kept or self.unreachable is not None or name in self.outdated

    @property
    def _names(self) -> list[str]:
        return [entry.name for entry in self.entries]


def _reason(name: str, error: Exception) -> str:
    """Why a version cannot be used, in one line.

    An unexpected error is logged with its traceback.
    """
    if not isinstance(error, AlarmstackError):
        log.error("%s cannot be loaded", name, exc_info=error)
    return reason_of(error)


def _without(models: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in models.items() if other != name}


@cache
def code_fingerprint() -> str:
    """SHA-256 of the version and of every source file of alarmstack, at the first call."""
    home = Path(alarmstack.__file__).parent
    sources = {
        str(file.relative_to(home)): fingerprint(file.read_bytes())
        for file in sorted(home.rglob("*.py"))
    }
    return fingerprint(json.dumps([__version__, sources]).encode())


__all__ = ["LoadedModel", "Shelf", "code_fingerprint"]
