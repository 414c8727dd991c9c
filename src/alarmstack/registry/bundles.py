"""The registry: a model as a Bundle that can stand alone, and MLflow, which keeps versions of it and says which one speaks.

A Bundle is everything that scoring needs: the graph, the names of its inputs in order, calibration and thresholds as numbers, the
time contract and the fingerprints of plant and data, so that a score can always be traced to what made it. Only the version with
the alias `champion` speaks.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from alarmstack.alarms.drift import ReferenceDistribution
from alarmstack.core.errors import DamagedError, FeatureError, NotPromotedError, RegistryError
from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import Kind, ModelEntry
from alarmstack.core.plant import Plant, write_duration
from alarmstack.models import Calibration, Fitted, parity, to_graph
from alarmstack.models.graph import INPUT, OUTPUT, open_graph
from alarmstack.models.native import to_native
from alarmstack.models.normality import NormalModel
from alarmstack.preparation.labels import REGIMES
from alarmstack.registry.manifest import manifest_of, read_folder, sha256, write_folder

KINDS: dict[str, Kind] = {
    "alarm": "probability",
    "onset": "probability",
    "regime": "classes",
    "none": "anomaly",
    "next_deviation": "value",
}
"""What a score is, for each target of the catalogue."""
CHAMPION, CHALLENGER = "champion", "challenger"
CHAMPIONS = "champions"
"""Tag of a registered name: the versions that were champion, oldest first, so that one command goes back."""
MOST_CHAMPIONS = 20
MOST_NAMES = 1000
"""Names of one plant, or versions of one name, that a registry is asked for at once."""
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""What SQLite says of a file that is damaged or no database."""
LOWER_IS_BETTER = ("rmse", "mae", "log_loss", "brier", "false_alarms_per_day", "share_in_warning")
"""Metrics of these names, bare or behind a prefix such as `sealed_`, are errors or costs."""
PYFUNC = Path(__file__).with_name("pyfunc.py")
BLOCK = "block"
"""Group of the models that score a series of intervals as it is."""
GRAPH, CONTENT, CARD, NATIVE = "model.onnx", "bundle.json", "card.md", "native.bin"
FILES = (GRAPH, CONTENT, CARD, NATIVE)
DIGEST, VERDICT = "bundle_sha256", "verdict"
"""Tags of a version: the digest of its Bundle's folder; how it compares with its baseline, in words."""
BEATS_BASELINE = "beats_floor"
"""Metric of every version: 1 where it is better than the baseline that it must beat."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""Registry names, which are also names of folders."""
RUNTIME = ("alarmstack", "numpy", "onnxruntime", "scikit-learn", "lightgbm", "xgboost-cpu")
"""Packages whose versions a Bundle remembers, and that opening it needs."""


Named = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class _Knots(BaseModel):
    """A calibration as it is stored."""

    model_config = ConfigDict(extra="forbid")

    x: tuple[FiniteFloat, ...] = Field(min_length=1)
    y: tuple[FiniteFloat, ...] = Field(min_length=1)


class _Usual(BaseModel):
    """A reference distribution as it is stored."""

    model_config = ConfigDict(extra="forbid")

    edges: tuple[FiniteFloat, ...]
    shares: tuple[FiniteFloat, ...]
    bound: FiniteFloat


class _Content(BaseModel):
    """The content of `bundle.json`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: Named
    title: str
    prefix: str
    names: tuple[str, ...]
    group: str
    kind: Kind
    classes: tuple[str, ...]
    calibration: _Knots | None
    thresholds: dict[str, FiniteFloat | None]
    time: dict[str, str | None]
    plant_fingerprint: str
    data_fingerprint: str
    metrics: dict[str, FiniteFloat]
    example: dict[str, FiniteFloat | None]
    made: dict[str, str]
    native_form: str
    reference: dict[str, _Usual] = {}

    @field_validator("made")
    @classmethod
    def _dated(cls, made: dict[str, str]) -> dict[str, str]:
        if not {"at", "estimator"} <= made.keys():
            raise ValueError("'at' and 'estimator' are needed")
        datetime.fromisoformat(made["at"])
        return made


@dataclass(frozen=True)
class Bundle:
    """One fitted model, complete. Scores: higher means worse, except the kind `value`, which is in the target's own unit.

    `prefix` is the plant's registry prefix; `thresholds` maps a false-alarm budget a day, and "operating", to a score (None: no
    score keeps the budget); `time` holds cadence, window and horizon as plant.toml writes them; `example` is one row of inputs
    (None: missing); `made` says when and by which versions; `native` is the model in its library's own form (`models.native`);
    `reference` is what was usual in training, for the score ("score") and each instrument's key: what drift is measured against.
    """

    name: str
    title: str
    prefix: str
    graph: bytes
    names: tuple[str, ...]
    group: str
    kind: Kind
    classes: tuple[str, ...]
    calibration: Calibration | None
    thresholds: Mapping[str, float | None]
    time: Mapping[str, str | None]
    plant_fingerprint: str
    data_fingerprint: str
    metrics: Mapping[str, float]
    card: str
    example: Mapping[str, float | None]
    made: Mapping[str, str]
    native_form: str
    native: bytes
    reference: Mapping[str, ReferenceDistribution] = field(default_factory=dict)

    def score(self, x: Floats) -> Floats:
        """Calibrated scores of rows [rows, features] (NaN: missing): float64 [rows], or [rows, classes] for the kind `classes`."""
        if self.group == BLOCK:
            raise FeatureError(
                f"{self.name} scores series of intervals, not rows of features: `alarmstack score FILE` does"
            )
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise FeatureError(
                f"{self.name}: a matrix of shape {x.shape} was given, [rows, {len(self.names)}] is needed"
            )
        if not len(x):
            return np.empty((0, len(self.classes)) if self.classes else 0)
        raw = np.asarray(self._session.run([OUTPUT], {INPUT: x.astype(np.float32)})[0], float)
        return raw if self.calibration is None else self.calibration(raw)

    def open_normal(self, plant: Plant) -> NormalModel:
        """The normal-behaviour model of a Bundle of the group `block`."""
        return NormalModel.load(plant, self.native)

    def row(self, features: Mapping[str, float | None]) -> Floats:
        """A matrix of one row from some of the features; others, and None, are missing. Raises FeatureError for unknown names."""
        if unknown := features.keys() - self._places.keys():
            raise FeatureError(
                f"{self.name} knows no feature {', '.join(sorted(unknown))}: use some of {', '.join(self.names)}"
            )
        row = self._nothing.copy()
        for name, value in features.items():
            if value is not None:
                row[0, self._places[name]] = value
        return row

    def missing(self, row: Floats) -> list[str]:
        """Names of the inputs that a row [features] does not have."""
        found: list[str] = self._named[np.isnan(row)].tolist()
        return found

    def save(self, folder: Path) -> Path:
        """Write the Bundle's four files and their manifest into a folder, which is made where it is missing."""
        write_folder(folder, self._files)
        return folder

    @cached_property
    def digest(self) -> str:
        """The digest of the folder that `save` writes: two Bundles with the same digest give the same answers."""
        return sha256(manifest_of(self._files))

    @classmethod
    def load(cls, folder: Path, digest: str | None = None, what: str = "") -> Bundle:
        """Read a folder that `save` wrote. `digest`: what its digest must be; `what`: its name in the log; see `read_folder`.

        Raises RegistryError where a file is missing, and DamagedError where one is not what was published.
        """
        try:
            files = read_folder(folder, FILES, digest, what)
            content = _Content.model_validate_json(files[CONTENT])
            fields = {name: getattr(content, name) for name in _Content.model_fields}
            knots = content.calibration
            fields["calibration"] = None if knots is None else Calibration(knots.x, knots.y)
            fields["reference"] = {
                key: ReferenceDistribution(u.edges, u.shares, u.bound)
                for key, u in content.reference.items()
            }
            return cls(
                graph=files[GRAPH], native=files[NATIVE], card=files[CARD].decode(), **fields
            )
        except ValidationError as error:
            raise DamagedError(
                f"{folder} holds no whole Bundle ({_first_of(error)}): publish the model again"
            ) from error
        except (OSError, ValueError, DamagedError) as error:
            raise DamagedError(
                f"{folder} holds no whole Bundle ({error}): publish the model again"
            ) from error

    @cached_property
    def _files(self) -> dict[str, bytes]:
        apart = ("graph", "native", "card")
        content = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in apart
        }
        content["reference"] = {key: asdict(usual) for key, usual in self.reference.items()}
        knots = self.calibration
        content["calibration"] = None if knots is None else {"x": knots.x, "y": knots.y}
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        return {
            GRAPH: self.graph,
            NATIVE: self.native,
            CARD: self.card.encode(),
            CONTENT: text.encode(),
        }

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _named(self) -> np.ndarray:
        return np.array(self.names, object)

    @cached_property
    def _nothing(self) -> Floats:
        return np.full((1, len(self.names)), np.nan)

    @cached_property
    def _session(self) -> Any:
        return open_graph(self.graph)


def make_bundle(
    plant: Plant,
    fitted: Fitted,
    *,
    thresholds: Mapping[str, float | None],
    metrics: Mapping[str, float],
    card: str,
    data_fingerprint: str,
    check: Floats,
    reference: Mapping[str, ReferenceDistribution],
) -> Bundle:
    """A Bundle of a fitted recipe. Raises ParityError unless graph and estimator agree on the rows of `check` [rows, features]."""
    recipe, graph = fitted.recipe, to_graph(fitted)
    parity(fitted, graph, check)
    form, native = to_native(fitted.estimator)
    fullest = check[int(np.isnan(check).sum(axis=1).argmin())]
    kind = KINDS[recipe.target]
    return Bundle(
        name=recipe.name,
        title=recipe.title,
        prefix=plant.registry_prefix,
        graph=graph,
        names=tuple(fitted.names),
        group=recipe.group,
        kind=kind,
        classes=REGIMES if kind == "classes" else (),
        calibration=fitted.calibration,
        thresholds=dict(thresholds),
        time=_time(plant, recipe.horizon),
        plant_fingerprint=plant.fingerprint,
        data_fingerprint=data_fingerprint,
        metrics=_finite(metrics),
        card=card,
        example={
            n: None if np.isnan(v) else float(v) for n, v in zip(fitted.names, fullest, strict=True)
        },
        made=_made_by(fitted.chosen),
        native_form=form,
        native=native,
        reference=dict(reference),
    )


def make_normal_bundle(
    plant: Plant,
    about: ModelEntry,
    model: NormalModel,
    *,
    thresholds: Mapping[str, float | None],
    metrics: Mapping[str, float],
    card: str,
    data_fingerprint: str,
    reference: Mapping[str, ReferenceDistribution],
) -> Bundle:
    """A Bundle of the normal-behaviour model: its numbers as JSON in the place of a graph, its inputs the monitored tags."""
    return Bundle(
        name=about.name,
        title=about.title,
        prefix=plant.registry_prefix,
        graph=b"",
        names=model.tags,
        group=BLOCK,
        kind=about.kind,
        classes=(),
        calibration=None,
        thresholds=dict(thresholds),
        time=_time(plant, None),
        plant_fingerprint=plant.fingerprint,
        data_fingerprint=data_fingerprint,
        metrics=_finite(metrics),
        card=card,
        example=dict.fromkeys(model.tags),
        made=_made_by(", ".join(expert.name for expert in model.settings.experts)),
        native_form="normality",
        native=model.dump(),
        reference=dict(reference),
    )


def _first_of(error: ValidationError) -> str:
    """What is wrong with `bundle.json`, in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{CONTENT}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def _time(plant: Plant, horizon: timedelta | None) -> dict[str, str | None]:
    return {
        "cadence": write_duration(plant.time.cadence),
        "window": write_duration(plant.time.window),
        "horizon": None if horizon is None else write_duration(horizon),
    }


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _made_by(estimator: str) -> dict[str, str]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "estimator": estimator,
        "python": platform.python_version(),
        **{package: installed(package) for package in RUNTIME},
    }


@dataclass(frozen=True)
class Version:
    """One registered version of a name."""

    number: str
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    run: str


@dataclass(frozen=True)
class Speaking:
    """Numbers of a name's versions: the champion, where there is none the newest, and the challenger that scores in shadow.

    `loses`: that the newest version loses to its baseline, in words; None where it does not, or where there is a champion.
    """

    champion: str | None = None
    newest: str | None = None
    challenger: str | None = None
    loses: str | None = None


class Registry:
    """Versions of Bundles in MLflow: an SQLite file with its artefacts beside it, or a server.

    Publishing points MLflow's process-wide tracking address at this registry. `purpose` ends the name of the experiment that runs
    are logged to, `<prefix>_<purpose>`.
    """

    def __init__(self, uri: str, purpose: str = "training") -> None:
        self.uri, self.purpose = uri, purpose
        self._verdicts: dict[tuple[str, str], str | None] = {}

    def record(
        self,
        prefix: str,
        title: str,
        metrics: Mapping[str, float],
        params: Mapping[str, object],
        *,
        by_fold: Mapping[str, Sequence[float]] | None = None,
        artefacts: Sequence[Path] = (),
    ) -> str:
        """Log a run that registers no model; its id is returned. `by_fold`: metrics of several figures, one a step.

        Figures that are not finite are left out.
        """
        with self._translated(f"{title} cannot be logged to {self.uri}"):
            mlflow = self._mlflow
            with mlflow.start_run(
                experiment_id=self._experiment(f"{prefix}_{self.purpose}"), run_name=title
            ) as run:
                mlflow.log_params(dict(params))
                mlflow.log_metrics(_finite(metrics))
                for name, values in (by_fold or {}).items():
                    for step, value in enumerate(values):
                        if np.isfinite(value):
                            mlflow.log_metric(name, value, step=step)
                for path in artefacts:
                    mlflow.log_artifact(str(path))
            return str(run.info.run_id)

    def publish(
        self,
        bundle: Bundle,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, object] | None = None,
        artefacts: Sequence[Path] = (),
        verdict: str = "",
    ) -> str:
        """Log a run with the Bundle and register it as the next version of its name; the version is returned.

        `metrics` stand beside the Bundle's own; `artefacts` are further files of the run; `verdict` compares the model with its
        baseline in words.
        """
        with self._translated(f"{bundle.name} cannot be published to {self.uri}"):
            mlflow = self._mlflow
            experiment = self._experiment(f"{bundle.prefix}_{self.purpose}")
            with mlflow.start_run(experiment_id=experiment, run_name=bundle.name) as run:
                mlflow.log_metrics({**bundle.metrics, **(metrics or {})})
                mlflow.log_params({**bundle.made, **(params or {})})
                mlflow.set_tags(_tags(bundle))
                for path in artefacts:
                    mlflow.log_artifact(str(path))
                logged = self._log_model(bundle)
            tags = _tags(bundle) | {DIGEST: bundle.digest} | ({VERDICT: verdict} if verdict else {})
            return self._register(bundle, logged, run.info.run_id, tags)

    def promote(self, name: str, version: str) -> None:
        """Give the alias `champion` to a version, which is no challenger any more. Raises RegistryError where it is not there."""
        self._known(name, version)
        with self._translated(f"{name} version {version} cannot be promoted"):
            before = self._champions(name)
            if before[-1:] != [str(version)]:
                self._client.set_registered_model_tag(
                    name, CHAMPIONS, ",".join([*before, str(version)][-MOST_CHAMPIONS:])
                )
            self._client.set_registered_model_alias(name, CHAMPION, str(version))
            if self._aliases(name).get(CHALLENGER) == str(version):
                self._client.delete_registered_model_alias(name, CHALLENGER)

    def roll_back(self, name: str) -> str:
        """Make the champion before this one champion again; its number is returned. Raises RegistryError where there was none."""
        with self._translated(f"{name} cannot be rolled back"):
            before = self._champions(name)
            if len(before) < 2:
                raise RegistryError(
                    f"{name} had no champion before this one: promote a version by its number"
                )
            self._client.set_registered_model_tag(name, CHAMPIONS, ",".join(before[:-1]))
            self._client.set_registered_model_alias(name, CHAMPION, before[-2])
            return before[-2]

    def challenge(self, name: str, version: str | None) -> str:
        """Let a version speak in shadow beside the champion, the newest where none is named; its number is returned.

        Raises RegistryError where there is no such version, or where it is the champion.
        """
        version = self._known(name, version)
        with self._translated(f"{name} version {version} cannot become challenger"):
            if self._aliases(name).get(CHAMPION) == version:
                raise RegistryError(
                    f"{name} version {version} is @{CHAMPION}: train another to challenge it"
                )
            self._client.set_registered_model_alias(name, CHALLENGER, version)
        return version

    def withdraw(self, name: str) -> None:
        """End a challenge."""
        with self._translated(f"the challenger of {name} cannot be withdrawn"):
            self._client.delete_registered_model_alias(checked(name), CHALLENGER)

    def _known(self, name: str, version: str | None) -> str:
        """The number of a version that is there, the newest where none is named."""
        with self._translated(f"the versions of {name} cannot be read from {self.uri}"):
            known = [str(version.version) for version in self._listed(name)]
        if version is None and not known:
            raise RegistryError(f"{name} has no version: correct the name, or train first")
        wanted = known[-1] if version is None else str(version)
        if wanted not in known:
            raise RegistryError(
                f"{name} has no version {wanted}: it has {', '.join(known) or 'none; train first'}"
            )
        return wanted

    def _listed(self, name: str) -> list[Any]:
        """MLflow's records of all versions of a name, oldest first."""
        return sorted(
            _all(self._client.search_model_versions, f"name='{checked(name)}'"),
            key=lambda v: int(v.version),
        )

    def _newest(self, name: str) -> Any | None:
        """MLflow's record of the newest version of a name, in one call however many there are."""
        search = self._client.search_model_versions
        return next(
            iter(
                search(f"name='{checked(name)}'", max_results=1, order_by=["version_number DESC"])
            ),
            None,
        )

    def _champions(self, name: str) -> list[str]:
        """Versions that were champion, the present one last."""
        told = self._client.get_registered_model(checked(name)).tags.get(CHAMPIONS, "")
        now = self._aliases(name).get(CHAMPION)
        listed = [number for number in told.split(",") if number]
        # An alias that somebody moved by hand is the truth; the list is only what came before.
        return listed if now is None or listed[-1:] == [now] else [*listed, now]

    def promote_best(self, name: str, metric: str) -> str:
        """Promote the version that is best by a logged metric, the newest among equals; its number is returned.

        Raises RegistryError that names the metrics there are.
        """
        versions = self.versions(name)
        judged = [v for v in versions if metric in v.metrics]
        if not judged:
            logged = sorted({m for v in versions for m in v.metrics})
            raise RegistryError(
                f"no version of {name} has a metric {metric!r}: "
                + (
                    f"set MODEL_PROMOTION_METRIC to one of {', '.join(logged)}"
                    if logged
                    else "train it first"
                )
            )
        sign = -1 if lower_is_better(metric) else 1
        best = max(judged, key=lambda v: (sign * v.metrics[metric], int(v.number)))
        self.promote(name, best.number)
        return best.number

    def champion(self, name: str) -> Bundle:
        """The Bundle that speaks. Raises NotPromotedError where no version of the name does."""
        with self._translated(f"the champion of {name} cannot be looked up in {self.uri}"):
            number = self._aliases(name).get(CHAMPION)
        if number is None:
            raise NotPromotedError(
                f"no version of {name} is @{CHAMPION} in {self.uri}: `alarmstack promote {name}` makes one"
            )
        return self.load(name, number)

    def speaking(self, prefix: str, names: Sequence[str]) -> dict[str, Speaking]:
        """Which versions of each name may speak.

        `prefix`: what all the names begin with. One question to the registry, and one more for each name without a champion,
        whatever the number of versions. Raises RegistryError where it cannot be asked.
        """
        if self._file is not None and not self._file.exists():
            raise RegistryError(f"{self.uri} is not there: `alarmstack train` makes it")
        with self._translated(f"the models cannot be looked up in {self.uri}"):
            found = _all(self._client.search_registered_models, f"name LIKE '{checked(prefix)}%'")
            aliases = {model.name: _numbers(model.aliases) for model in found}
            return {name: self._speaking(aliases.get(name), name) for name in names}

    def _speaking(self, aliases: Mapping[str, str] | None, name: str) -> Speaking:
        if aliases is None:
            return Speaking()
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if champion is not None:
            return Speaking(champion, None, challenger)
        newest = self._newest(name)
        if newest is None:
            return Speaking(None, None, challenger)
        return Speaking(None, str(newest.version), challenger, self._loses(name, newest))

    def _loses(self, name: str, newest: Any) -> str | None:
        """That a version loses to its baseline, in words. Its run is read once: what was logged does not change."""
        version = (name, str(newest.version))
        if version not in self._verdicts:
            compared = newest.tags.get(VERDICT)
            words = "loses to its baseline" + (f" ({compared})" if compared else "")
            self._verdicts[version] = (
                words if self._metrics(newest).get(BEATS_BASELINE) == 0 else None
            )
        return self._verdicts[version]

    def _metrics(self, version: Any) -> dict[str, float]:
        """What was logged of a version; nothing for one that was registered by hand, or whose run was deleted."""
        mlflow = self._mlflow
        try:
            return dict(self._client.get_run(version.run_id).data.metrics) if version.run_id else {}
        except mlflow.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise

    def load(self, name: str, version: str) -> Bundle:
        """The Bundle of one version. Raises DamagedError where it is not what was published, or belongs to another name."""
        what = f"{checked(name)} version {version}"
        with (
            self._translated(f"{what} cannot be read from {self.uri}"),
            tempfile.TemporaryDirectory() as folder,
        ):
            published = self._client.get_model_version(name, str(version)).tags.get(DIGEST)
            self._mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
            found = [path.parent for path in Path(folder).rglob(CONTENT)]
            if not found:
                raise RegistryError(
                    f"{what} holds no Bundle: something else was registered under this name"
                )
            bundle = self._opened(what, found[0], published)
        if bundle.name != name:
            raise DamagedError(f"{what} holds a Bundle of {bundle.name}: publish the model again")
        return bundle

    def digest(self, name: str, version: str) -> str | None:
        """The digest of the Bundle that was published as a version; None for one of an earlier release, which has none."""
        with self._translated(f"{name} version {version} cannot be looked up in {self.uri}"):
            found: str | None = self._client.get_model_version(
                checked(name), str(version)
            ).tags.get(DIGEST)
            return found

    def _opened(self, what: str, folder: Path, digest: str | None) -> Bundle:
        try:
            return Bundle.load(folder, digest, what)
        except DamagedError as error:
            raise DamagedError(
                f"{what} in {self.uri} is damaged: {str(error).partition(' holds ')[2] or error}"
            ) from error

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions of a name, oldest first, with the metrics that were logged; empty for a name nobody published."""
        with self._translated(f"the versions of {name} cannot be read from {self.uri}"):
            listed = self._listed(name)
            aliases = self._aliases(name) if listed else {}
            return tuple(self._version(found, aliases) for found in listed)

    def newest(self, name: str) -> Version | None:
        """The newest version of a name; None for a name nobody published."""
        with self._translated(f"the newest version of {name} cannot be read from {self.uri}"):
            found = self._newest(name)
            return None if found is None else self._version(found, self._aliases(name))

    def _version(self, found: Any, aliases: Mapping[str, str]) -> Version:
        number = str(found.version)
        mine = tuple(alias for alias, of in aliases.items() if of == number)
        return Version(number, mine, self._metrics(found), found.run_id)

    def _aliases(self, name: str) -> dict[str, str]:
        """Which version each alias of a name means; none for a name nobody published."""
        found = self._client.search_registered_models(f"name='{checked(name)}'")
        return _numbers(found[0].aliases) if found else {}

    def _log_model(self, bundle: Bundle) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            bundle.save(Path(folder) / "bundle")
            return self._mlflow.pyfunc.log_model(
                name=bundle.name,
                python_model=str(PYFUNC),
                artifacts={"bundle": str(Path(folder) / "bundle")},
                signature=_signature(bundle),
                input_example=_example(bundle),
                pip_requirements=[f"{package}=={installed(package)}" for package in RUNTIME],
            )

    def _register(self, bundle: Bundle, logged: Any, run: str, tags: Mapping[str, str]) -> str:
        if not self._client.search_registered_models(f"name='{bundle.name}'"):
            self._client.create_registered_model(bundle.name, description=bundle.title)
        made = self._client.create_model_version(
            bundle.name,
            logged.model_uri,
            run_id=run,
            tags=dict(tags),
            description=bundle.card,
            await_creation_for=0,
            model_id=logged.model_id,
        )
        return str(made.version)

    def _experiment(self, title: str) -> str:
        found = self._client.get_experiment_by_name(title)
        return str(
            found.experiment_id
            if found
            else self._client.create_experiment(title, artifact_location=self._artefacts)
        )

    @property
    def _artefacts(self) -> str | None:
        """Where artefacts go: beside an SQLite file; a server decides for itself."""
        return (
            None if self._file is None else (self._file.resolve().parent / "mlartifacts").as_uri()
        )

    @property
    def _file(self) -> Path | None:
        """The SQLite file; None where the registry is a server."""
        return (
            Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:///") else None
        )

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Errors of MLflow, of its database and of a missing file, as ours."""
        mlflow = _open_mlflow()
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except RegistryError:
            raise
        except (mlflow.MlflowException, SQLAlchemyError, OSError) as error:
            if damage := _damage(error):
                raise RegistryError(
                    f"the registry file {self._file} is damaged ({damage}): restore it from a backup, "
                    "or move it away and run `alarmstack train`"
                ) from error
            reason = getattr(error, "orig", None) or error
            raise RegistryError(
                f"{what}: {(str(reason).splitlines() or [type(reason).__name__])[0]}"
            ) from error

    @property
    def _mlflow(self) -> Any:
        mlflow = _open_mlflow()
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with _environment_kept(("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")):
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self.uri)
        return mlflow

    @property
    def _client(self) -> Any:
        return self._mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)


@contextmanager
def _environment_kept(names: Sequence[str]) -> Iterator[None]:
    """MLflow writes addresses into the environment, where settings and child processes would take them for the user's."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@cache
def _open_mlflow() -> Any:
    """MLflow without its telemetry and chatter; imported on first use, as it takes seconds and scoring does without."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # A server that is away is asked again in seconds; MLflow's own patience is minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    # The server stands for its store: whoever asks it for a model need not reach S3.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    # The user's own project files are no part of a model.
    os.environ.setdefault("MLFLOW_LOG_UV_FILES", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import mlflow.artifacts
    import mlflow.pyfunc

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return mlflow


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error or a cost.

    >>> lower_is_better("sealed_false_alarms_per_day"), lower_is_better("brier_skill"), lower_is_better("f1_anomaly")
    (True, False, False)
    """
    return any(metric == name or metric.endswith(f"_{name}") for name in LOWER_IS_BETTER)


def _tags(bundle: Bundle) -> dict[str, str]:
    time = {f"time_{name}": value for name, value in bundle.time.items() if value is not None}
    return {
        "plant_fingerprint": bundle.plant_fingerprint,
        "data_fingerprint": bundle.data_fingerprint,
        **time,
    }


def _signature(bundle: Bundle) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    shape = (-1, len(bundle.classes)) if bundle.classes else (-1,)
    return ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in bundle.names]),
        outputs=Schema([TensorSpec(np.dtype(np.float64), shape)]),
    )


def _example(bundle: Bundle) -> Any:
    import pandas as pd

    return pd.DataFrame([bundle.example], columns=list(bundle.names), dtype=float)


def checked(name: str) -> str:
    """A registry name that may be part of a question or a path. Raises RegistryError for any other."""
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} is not a model name: use letters, digits, '_', '.' and '-', such as plant_alarm_champion"
        )
    return name


def _numbers(aliases: Mapping[str, Any]) -> dict[str, str]:
    """Aliases with the numbers of their versions as text."""
    return {alias: str(number) for alias, number in dict(aliases).items()}


def _all(search: Callable[..., Any], wanted: str) -> list[Any]:
    """Everything that a search finds, page by page."""
    found, page = [], search(wanted, max_results=MOST_NAMES)
    while page:
        found += page
        if not page.token:
            break
        page = search(wanted, max_results=MOST_NAMES, page_token=page.token)
    return found


def _damage(error: BaseException | None) -> str | None:
    """What SQLite finds wrong with the registry's file, where an error comes from that."""
    while error is not None:
        cause = getattr(error, "orig", None) or error
        if (
            isinstance(cause, sqlite3.DatabaseError)
            and getattr(cause, "sqlite_errorcode", None) in DAMAGE_CODES
        ):
            return str(cause)
        error = error.__cause__ or error.__context__
    return None


__all__ = [
    "BEATS_BASELINE",
    "BLOCK",
    "CHAMPION",
    "Bundle",
    "Registry",
    "Speaking",
    "Version",
    "lower_is_better",
    "make_bundle",
    "make_normal_bundle",
]
