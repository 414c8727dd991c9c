"""A Bundle: one fitted model with everything that scoring needs, in a folder of four files.

It holds the graph, the names of its inputs in order, calibration and thresholds as numbers, the
time contract and the fingerprints of plant and data. A score can therefore always be traced to the
model and the data that produced it.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from alarmstack.alarms.drift import ReferenceDistribution
from alarmstack.core.checksum import fingerprint
from alarmstack.core.errors import DamagedError, FeatureError, RegistryError
from alarmstack.core.intervals import Floats
from alarmstack.core.model_list import Kind, ModelEntry
from alarmstack.core.plant import Plant, write_duration
from alarmstack.models import Calibration, Fitted, parity, to_graph
from alarmstack.models.graph import INPUT, OUTPUT, open_graph
from alarmstack.models.native import to_native
from alarmstack.models.normality import NormalModel
from alarmstack.preparation.labels import REGIMES
from alarmstack.registry.manifest import manifest_of, read_folder, write_folder

KINDS: dict[str, Kind] = {
    "alarm": "probability",
    "onset": "probability",
    "regime": "classes",
    "none": "anomaly",
    "next_deviation": "value",
}
"""The kind of score for each target of the catalogue."""
BLOCK = "block"
"""Group of the models that score a series of intervals directly, without features."""
GRAPH, CONTENT, CARD, NATIVE = "model.onnx", "bundle.json", "card.md", "native.bin"
FILES = (GRAPH, CONTENT, CARD, NATIVE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""Registry names, which are also names of folders."""
RUNTIME = ("alarmstack", "numpy", "onnxruntime", "scikit-learn", "lightgbm", "xgboost-cpu")
"""Packages that a Bundle needs when it is opened; it stores their versions."""


RegistryName = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class _StoredCalibration(BaseModel):
    """A calibration as it is stored."""

    model_config = ConfigDict(extra="forbid")

    x: tuple[FiniteFloat, ...] = Field(min_length=1)
    y: tuple[FiniteFloat, ...] = Field(min_length=1)


class _StoredReference(BaseModel):
    """A reference distribution as it is stored."""

    model_config = ConfigDict(extra="forbid")

    edges: tuple[FiniteFloat, ...]
    shares: tuple[FiniteFloat, ...]
    bound: FiniteFloat


class _Content(BaseModel):
    """The content of `bundle.json`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: RegistryName
    title: str
    prefix: str
    names: tuple[str, ...]
    group: str
    kind: Kind
    classes: tuple[str, ...]
    calibration: _StoredCalibration | None
    thresholds: dict[str, FiniteFloat | None]
    time: dict[str, str | None]
    plant_fingerprint: str
    data_fingerprint: str
    metrics: dict[str, FiniteFloat]
    example: dict[str, FiniteFloat | None]
    made: dict[str, str]
    native_form: str
    reference: dict[str, _StoredReference] = {}

    @field_validator("made")
    @classmethod
    def _dated(cls, made: dict[str, str]) -> dict[str, str]:
        if not {"at", "estimator"} <= made.keys():
            raise ValueError("'at' and 'estimator' are needed")
        datetime.fromisoformat(made["at"])
        return made


@dataclass(frozen=True)
class Bundle:
    """One fitted model, complete.

    Scores: higher means worse, except for the kind `value`, which is in the target's own unit.

    `prefix` is the plant's registry prefix. `thresholds` maps a false-alarm budget per day, and
    "operating", to a score (None: no score keeps the budget). `time` holds cadence, window and
    horizon as plant.toml writes them. `example` is one row of inputs (None: missing). `made` holds
    the time of training, the estimator and the versions of packages. `native` is the model in the
    format of its own library (`models.native`). `reference` holds the distributions in training of
    the score ("score") and of each instrument's values (its key): drift is measured against them.
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
        """Calibrated scores of rows [rows, features] (NaN: missing).

        Returns float64 [rows], or [rows, classes] for the kind `classes`.
        """
        if self.group == BLOCK:
            raise FeatureError(
                f"{self.name} scores series of intervals, not rows of features: "
                "use `alarmstack score FILE`"
            )
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise FeatureError(
                f"{self.name}: the matrix has the shape {x.shape}, "
                f"but [rows, {len(self.names)}] is needed"
            )
        if not len(x):
            return np.empty((0, len(self.classes)) if self.classes else 0)
        raw = np.asarray(self._session.run([OUTPUT], {INPUT: x.astype(np.float32)})[0], float)
        return raw if self.calibration is None else self.calibration(raw)

    def open_normal(self, plant: Plant) -> NormalModel:
        """The normal-behaviour model of a Bundle of the group `block`."""
        return NormalModel.load(plant, self.native)

    def row(self, features: Mapping[str, float | None]) -> Floats:
        """A matrix of one row from some of the features; others, and None, are missing.

        Raises FeatureError for unknown names.
        """
        if unknown := features.keys() - self._places.keys():
            raise FeatureError(
                f"{self.name} has no feature {', '.join(sorted(unknown))}: "
                f"use some of {', '.join(self.names)}"
            )
        row = self._empty_row.copy()
        for name, value in features.items():
            if value is not None:
                row[0, self._places[name]] = value
        return row

    def missing(self, row: Floats) -> list[str]:
        """Names of the inputs that are missing in a row [features]."""
        missing_names: list[str] = self._name_array[np.isnan(row)].tolist()
        return missing_names

    def save(self, folder: Path) -> Path:
        """Write the four files and their manifest into a folder, which is created if needed."""
        write_folder(folder, self._files)
        return folder

    @cached_property
    def digest(self) -> str:
        """The digest of the folder that `save` writes: Bundles with equal digests are equal."""
        return fingerprint(manifest_of(self._files))

    @classmethod
    def load(cls, folder: Path, digest: str | None = None, what: str = "") -> Bundle:
        """Read a folder that `save` wrote.

        `digest`: the digest that the folder must have. `what`: its name in the log (see
        `read_folder`). Raises DamagedError for a file that is missing or not the published one.
        """
        try:
            files = read_folder(folder, FILES, digest, what)
            content = _Content.model_validate_json(files[CONTENT])
            fields = {name: getattr(content, name) for name in _Content.model_fields}
            stored = content.calibration
            fields["calibration"] = None if stored is None else Calibration(stored.x, stored.y)
            fields["reference"] = {
                key: ReferenceDistribution(r.edges, r.shares, r.bound)
                for key, r in content.reference.items()
            }
            return cls(
                graph=files[GRAPH], native=files[NATIVE], card=files[CARD].decode(), **fields
            )
        except ValidationError as error:
            raise DamagedError(
                f"{folder} holds no complete Bundle ({_first_problem(error)}): "
                "publish the model again"
            ) from error
        except (OSError, ValueError, DamagedError) as error:
            raise DamagedError(
                f"{folder} holds no complete Bundle ({error}): publish the model again"
            ) from error

    @cached_property
    def _files(self) -> dict[str, bytes]:
        in_own_files = ("graph", "native", "card")
        content = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in in_own_files
        }
        content["reference"] = {key: asdict(value) for key, value in self.reference.items()}
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
    def _name_array(self) -> np.ndarray:
        return np.array(self.names, object)

    @cached_property
    def _empty_row(self) -> Floats:
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
    """A Bundle of a fitted recipe.

    Raises ParityError unless graph and estimator agree on the rows of `check` [rows, features].
    """
    recipe, graph = fitted.recipe, to_graph(fitted)
    parity(fitted, graph, check)
    native_form, native = to_native(fitted.estimator)
    fullest = check[int(np.isnan(check).sum(axis=1).argmin())]
    example = {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(fitted.names, fullest, strict=True)
    }
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
        metrics=finite(metrics),
        card=card,
        example=example,
        made=_origin(fitted.chosen),
        native_form=native_form,
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
    """A Bundle of the normal-behaviour model.

    Its numbers are stored as JSON in place of a graph; its inputs are the monitored tags.
    """
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
        metrics=finite(metrics),
        card=card,
        example=dict.fromkeys(model.tags),
        made=_origin(", ".join(expert.name for expert in model.settings.experts)),
        native_form="normality",
        native=model.dump(),
        reference=dict(reference),
    )


def checked_name(name: str) -> str:
    """A registry name that is safe in a query or a path. Raises RegistryError for any other."""
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} is not a model name: use letters, digits, '_', '.' and '-', "
            "such as plant_alarm_champion"
        )
    return name


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics whose values are finite numbers."""
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _first_problem(error: ValidationError) -> str:
    """The first problem of `bundle.json`, in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{CONTENT}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def _time(plant: Plant, horizon: timedelta | None) -> dict[str, str | None]:
    return {
        "cadence": write_duration(plant.time.cadence),
        "window": write_duration(plant.time.window),
        "horizon": None if horizon is None else write_duration(horizon),
    }


def _origin(estimator: str) -> dict[str, str]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "estimator": estimator,
        "python": platform.python_version(),
        **{package: installed_version(package) for package in RUNTIME},
    }


__all__ = [
    "BLOCK",
    "CONTENT",
    "FILES",
    "NAME",
    "RUNTIME",
    "Bundle",
    "checked_name",
    "finite",
    "make_bundle",
    "make_normal_bundle",
]
