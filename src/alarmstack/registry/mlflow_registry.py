"""The registry: versions of Bundles in MLflow, and the aliases that decide which of them serves.

The version with the alias `champion` serves; a version with the alias `challenger` is scored in
shadow beside it. All imports of MLflow are in this package, and they happen on first use, because
they take seconds and scoring does not need them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np

from alarmstack.core.errors import DamagedError, NotPromotedError, RegistryError
from alarmstack.registry.bundle import CONTENT, RUNTIME, Bundle, checked_name, finite

CHAMPION, CHALLENGER = "champion", "challenger"
CHAMPIONS = "champions"
"""Tag of a registered name: the versions that were champion, oldest first, for `roll_back`."""
MOST_CHAMPIONS = 20
PAGE_SIZE = 1000
"""Names of one plant, or versions of one name, that are read from the registry in one call."""
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that is damaged or is not a database."""
LOWER_IS_BETTER = ("rmse", "mae", "log_loss", "brier", "false_alarms_per_day", "share_in_warning")
"""Metrics with these names, with or without a prefix such as `sealed_`, are errors or costs."""
PYFUNC = Path(__file__).with_name("pyfunc.py")
DIGEST, COMPARISON = "bundle_sha256", "verdict"
"""Tags of a version: the digest of its Bundle's folder; the comparison with its baseline, as text.

The stored name of the second is from an earlier release.
"""
BEATS_BASELINE = "beats_floor"
"""Metric of every version: 1 if it is better than its baseline. The stored name is kept."""


@dataclass(frozen=True)
class Version:
    """One registered version of a name."""

    number: str
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    run: str


@dataclass(frozen=True)
class ServingVersions:
    """Numbers of the versions of one name that a service may load.

    `champion`; without a champion the `newest`; and the `challenger`, which is scored in shadow.
    `loses`: a text if the newest version is not better than its baseline; None otherwise.
    """

    champion: str | None = None
    newest: str | None = None
    challenger: str | None = None
    loses: str | None = None


class Registry:
    """Versions of Bundles in MLflow: an SQLite file with a folder of artefacts, or a server.

    Each call sets the tracking address of MLflow, which is global to the process, to this registry.
    Runs are logged to the experiment `<prefix>_<purpose>`.
    """

    def __init__(self, uri: str, purpose: str = "training") -> None:
        self.uri, self.purpose = uri, purpose
        self._losses: dict[tuple[str, str], str | None] = {}

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
        """Log a run that registers no model. Returns its id.

        `by_fold`: metrics with one value per fold, logged as steps. Values that are not finite are
        left out.
        """
        with self._translated(f"{title} cannot be logged to {self.uri}"):
            mlflow = self._mlflow
            with mlflow.start_run(
                experiment_id=self._experiment(f"{prefix}_{self.purpose}"), run_name=title
            ) as run:
                mlflow.log_params(dict(params))
                mlflow.log_metrics(finite(metrics))
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
        comparison: str = "",
    ) -> str:
        """Log a run with the Bundle and register it as the next version of its name.

        `metrics` are logged beside the Bundle's own; `artefacts` are further files of the run;
        `comparison` compares the model with its baseline, as text. Returns the version's number.
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
                logged_model = self._log_model(bundle)
            tags = _tags(bundle) | {DIGEST: bundle.digest}
            if comparison:
                tags[COMPARISON] = comparison
            return self._register(bundle, logged_model, run.info.run_id, tags)

    def promote(self, name: str, version: str) -> None:
        """Give a version the alias `champion`, and remove its alias `challenger`.

        Raises RegistryError if there is no such version.
        """
        self._existing(name, version)
        with self._translated(f"{name} version {version} cannot be promoted"):
            earlier = self._champions(name)
            if earlier[-1:] != [str(version)]:
                self._client.set_registered_model_tag(
                    name, CHAMPIONS, ",".join([*earlier, str(version)][-MOST_CHAMPIONS:])
                )
            self._client.set_registered_model_alias(name, CHAMPION, str(version))
            if self._aliases(name).get(CHALLENGER) == str(version):
                self._client.delete_registered_model_alias(name, CHALLENGER)

    def roll_back(self, name: str) -> str:
        """Make the previous champion the champion again. Returns its number.

        Raises RegistryError if there was none.
        """
        with self._translated(f"{name} cannot be rolled back"):
            champions = self._champions(name)
            if len(champions) < 2:
                raise RegistryError(
                    f"{name} had no champion before this one: promote a version by its number"
                )
            self._client.set_registered_model_tag(name, CHAMPIONS, ",".join(champions[:-1]))
            self._client.set_registered_model_alias(name, CHAMPION, champions[-2])
            return champions[-2]

    def challenge(self, name: str, version: str | None) -> str:
        """Let a version be scored in shadow beside the champion. Returns its number.

        Without `version`, the newest. Raises RegistryError if there is no such version, or if it
        is the champion.
        """
        version = self._existing(name, version)
        with self._translated(f"{name} version {version} cannot become challenger"):
            if self._aliases(name).get(CHAMPION) == version:
                raise RegistryError(
                    f"{name} version {version} is @{CHAMPION}: choose or train another version"
                )
            self._client.set_registered_model_alias(name, CHALLENGER, version)
        return version

    def withdraw(self, name: str) -> None:
        """Remove the challenger of a name."""
        with self._translated(f"the challenger of {name} cannot be withdrawn"):
            self._client.delete_registered_model_alias(checked_name(name), CHALLENGER)

    def promote_best(self, name: str, metric: str) -> str:
        """Promote the version that is best by a logged metric. Returns its number.

        Among equal versions, the newest. Raises RegistryError that names the logged metrics.
        """
        versions = self.versions(name)
        candidates = [v for v in versions if metric in v.metrics]
        if not candidates:
            logged = sorted({m for v in versions for m in v.metrics})
            remedy = (
                f"set MODEL_PROMOTION_METRIC to one of {', '.join(logged)}"
                if logged
                else "train it first"
            )
            raise RegistryError(f"no version of {name} has a metric {metric!r}: {remedy}")
        sign = -1 if lower_is_better(metric) else 1
        best = max(candidates, key=lambda v: (sign * v.metrics[metric], int(v.number)))
        self.promote(name, best.number)
        return best.number

    def champion(self, name: str) -> Bundle:
        """The Bundle of the champion. Raises NotPromotedError if no version is champion."""
        with self._translated(f"the champion of {name} cannot be looked up in {self.uri}"):
            number = self._aliases(name).get(CHAMPION)
        if number is None:
            raise NotPromotedError(
                f"no version of {name} is @{CHAMPION} in {self.uri}: "
                f"run `alarmstack promote {name}`"
            )
        return self.load(name, number)

    def serving_versions(self, prefix: str, names: Sequence[str]) -> dict[str, ServingVersions]:
        """The versions of each name that a service may load. All names begin with `prefix`.

        One call to the registry, and one more for each name without a champion, whatever the
        number of versions. Raises RegistryError if the registry cannot be reached.
        """
        if self._file is not None and not self._file.exists():
            raise RegistryError(f"{self.uri} does not exist: `alarmstack train` creates it")
        with self._translated(f"the models cannot be looked up in {self.uri}"):
            query = f"name LIKE '{checked_name(prefix)}%'"
            registered = _all_pages(self._client.search_registered_models, query)
            aliases = {model.name: _as_text(model.aliases) for model in registered}
            return {name: self._serving_versions(aliases.get(name), name) for name in names}

    def load(self, name: str, version: str) -> Bundle:
        """The Bundle of one version.

        Raises DamagedError if it is not the one that was published, or belongs to another name.
        """
        what = f"{checked_name(name)} version {version}"
        with (
            self._translated(f"{what} cannot be read from {self.uri}"),
            tempfile.TemporaryDirectory() as folder,
        ):
            published = self._client.get_model_version(name, str(version)).tags.get(DIGEST)
            self._mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
            bundle_folders = [path.parent for path in Path(folder).rglob(CONTENT)]
            if not bundle_folders:
                raise RegistryError(
                    f"{what} holds no Bundle: something else was registered under this name"
                )
            bundle = self._open(what, bundle_folders[0], published)
        if bundle.name != name:
            raise DamagedError(f"{what} holds a Bundle of {bundle.name}: publish the model again")
        return bundle

    def digest(self, name: str, version: str) -> str | None:
        """The digest of a published Bundle; None for a version of an earlier release without it."""
        with self._translated(f"{name} version {version} cannot be looked up in {self.uri}"):
            record = self._client.get_model_version(checked_name(name), str(version))
            digest: str | None = record.tags.get(DIGEST)
            return digest

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions of a name with their logged metrics, oldest first."""
        with self._translated(f"the versions of {name} cannot be read from {self.uri}"):
            records = self._records(name)
            aliases = self._aliases(name) if records else {}
            return tuple(self._version(record, aliases) for record in records)

    def newest(self, name: str) -> Version | None:
        """The newest version of a name; None if there are none."""
        with self._translated(f"the newest version of {name} cannot be read from {self.uri}"):
            record = self._newest_record(name)
            return None if record is None else self._version(record, self._aliases(name))

    def _existing(self, name: str, version: str | None) -> str:
        """The number of a version that exists; without `version`, the newest."""
        with self._translated(f"the versions of {name} cannot be read from {self.uri}"):
            numbers = [str(record.version) for record in self._records(name)]
        if version is None and not numbers:
            raise RegistryError(f"{name} has no version: correct the name, or train first")
        wanted = numbers[-1] if version is None else str(version)
        if wanted not in numbers:
            available = ", ".join(numbers) or "none; train first"
            raise RegistryError(f"{name} has no version {wanted}: it has {available}")
        return wanted

    def _records(self, name: str) -> list[Any]:
        """MLflow's records of all versions of a name, oldest first."""
        query = f"name='{checked_name(name)}'"
        records = _all_pages(self._client.search_model_versions, query)
        return sorted(records, key=lambda record: int(record.version))

    def _newest_record(self, name: str) -> Any | None:
        """MLflow's record of the newest version, read in one call whatever their number."""
        records = self._client.search_model_versions(
            f"name='{checked_name(name)}'", max_results=1, order_by=["version_number DESC"]
        )
        return next(iter(records), None)

    def _champions(self, name: str) -> list[str]:
        """Versions that were champion, the current one last."""
        tag = self._client.get_registered_model(checked_name(name)).tags.get(CHAMPIONS, "")
        current = self._aliases(name).get(CHAMPION)
        listed = [number for number in tag.split(",") if number]
        # A user may have moved the alias by hand: the alias decides, the tag is only history.
        return listed if current is None or listed[-1:] == [current] else [*listed, current]

    def _serving_versions(self, aliases: Mapping[str, str] | None, name: str) -> ServingVersions:
        if aliases is None:
            return ServingVersions()
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if champion is not None:
            return ServingVersions(champion, None, challenger)
        newest = self._newest_record(name)
        if newest is None:
            return ServingVersions(None, None, challenger)
        return ServingVersions(None, str(newest.version), challenger, self._loses(name, newest))

    def _loses(self, name: str, record: Any) -> str | None:
        """A text if a version is not better than its baseline; None otherwise.

        Its run is read once, because logged metrics do not change.
        """
        version = (name, str(record.version))
        if version not in self._losses:
            comparison = record.tags.get(COMPARISON)
            text = "is not better than its baseline" + (f" ({comparison})" if comparison else "")
            loses = self._metrics(record).get(BEATS_BASELINE) == 0
            self._losses[version] = text if loses else None
        return self._losses[version]

    def _metrics(self, record: Any) -> dict[str, float]:
        """The logged metrics; empty for a version registered by hand or without its run."""
        mlflow = self._mlflow
        try:
            return dict(self._client.get_run(record.run_id).data.metrics) if record.run_id else {}
        except mlflow.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise

    def _open(self, what: str, folder: Path, digest: str | None) -> Bundle:
        try:
            return Bundle.load(folder, digest, what)
        except DamagedError as error:
            raise DamagedError(
                f"{what} in {self.uri} is damaged: {str(error).partition(' holds ')[2] or error}"
            ) from error

    def _version(self, record: Any, aliases: Mapping[str, str]) -> Version:
        number = str(record.version)
        own_aliases = tuple(alias for alias, target in aliases.items() if target == number)
        return Version(number, own_aliases, self._metrics(record), record.run_id)

    def _aliases(self, name: str) -> dict[str, str]:
        """The version of each alias of a name; empty if the name is not registered."""
        registered = self._client.search_registered_models(f"name='{checked_name(name)}'")
        return _as_text(registered[0].aliases) if registered else {}

    def _log_model(self, bundle: Bundle) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            bundle.save(Path(folder) / "bundle")
            return self._mlflow.pyfunc.log_model(
                name=bundle.name,
                python_model=str(PYFUNC),
                artifacts={"bundle": str(Path(folder) / "bundle")},
                signature=_signature(bundle),
                input_example=_example(bundle),
                pip_requirements=[
                    f"{package}=={installed_version(package)}" for package in RUNTIME
                ],
            )

    def _register(
        self, bundle: Bundle, logged_model: Any, run: str, tags: Mapping[str, str]
    ) -> str:
        if not self._client.search_registered_models(f"name='{bundle.name}'"):
            self._client.create_registered_model(bundle.name, description=bundle.title)
        record = self._client.create_model_version(
            bundle.name,
            logged_model.model_uri,
            run_id=run,
            tags=dict(tags),
            description=bundle.card,
            await_creation_for=0,
            model_id=logged_model.model_id,
        )
        return str(record.version)

    def _experiment(self, title: str) -> str:
        experiment = self._client.get_experiment_by_name(title)
        if experiment:
            return str(experiment.experiment_id)
        return str(self._client.create_experiment(title, artifact_location=self._artefacts))

    @property
    def _artefacts(self) -> str | None:
        """Folder for artefacts, beside an SQLite file; None for a server, which decides itself."""
        if self._file is None:
            return None
        return (self._file.resolve().parent / "mlartifacts").as_uri()

    @property
    def _file(self) -> Path | None:
        """The SQLite file; None if the registry is a server."""
        scheme = "sqlite:///"
        return Path(self.uri.removeprefix(scheme)) if self.uri.startswith(scheme) else None

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Raise errors of MLflow, of its database and of missing files as RegistryError."""
        mlflow = _open_mlflow()
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except RegistryError:
            raise
        except (mlflow.MlflowException, SQLAlchemyError, OSError) as error:
            if damage := _damage(error):
                raise RegistryError(
                    f"the registry file {self._file} is damaged ({damage}): restore it from a "
                    "backup, or move it away and run `alarmstack train`"
                ) from error
            reason = getattr(error, "orig", None) or error
            first_line = (str(reason).splitlines() or [type(reason).__name__])[0]
            raise RegistryError(f"{what}: {first_line}") from error

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
    """Restore environment variables afterwards.

    MLflow writes addresses into the environment, where settings and child processes would mistake
    them for the user's.
    """
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
    """MLflow without telemetry and log noise, imported on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # Give up on an unreachable server after seconds; MLflow's defaults take minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    # Download through the server: its clients need not reach the object store.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    # The user's own project files do not belong to a model.
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

    >>> lower_is_better("sealed_false_alarms_per_day"), lower_is_better("brier_skill")
    (True, False)
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


def _as_text(aliases: Mapping[str, Any]) -> dict[str, str]:
    """Aliases with the numbers of their versions as text."""
    return {alias: str(number) for alias, number in dict(aliases).items()}


def _all_pages(search: Callable[..., Any], query: str) -> list[Any]:
    """All results of a search, read page by page."""
    results: list[Any] = []
    page = search(query, max_results=PAGE_SIZE)
    while page:
        results += page
        if not page.token:
            break
        page = search(query, max_results=PAGE_SIZE, page_token=page.token)
    return results


def _damage(error: BaseException | None) -> str | None:
    """SQLite's description of the damage to the registry's file, if that caused the error."""
    while error is not None:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorcode", None)
        if isinstance(cause, sqlite3.DatabaseError) and code in DAMAGE_CODES:
            return str(cause)
        error = error.__cause__ or error.__context__
    return None


__all__ = [
    "BEATS_BASELINE",
    "CHAMPION",
    "Registry",
    "ServingVersions",
    "Version",
    "lower_is_better",
]
