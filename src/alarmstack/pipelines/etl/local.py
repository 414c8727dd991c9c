"""The ETL on this machine: intake, features and targets, tables, one published run an asset."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from alarmstack import __version__
from alarmstack.core.errors import StorageError
from alarmstack.core.plant import Plant, write_duration
from alarmstack.core.progress import Progress, silent
from alarmstack.core.settings import Settings
from alarmstack.features.examples import examples, with_between
from alarmstack.pipelines.etl.tables import as_parquet, tables
from alarmstack.preparation.assets import assets_in, place
from alarmstack.preparation.datasets import as_csv
from alarmstack.preparation.intake import Intake, datasets, take_in
from alarmstack.preparation.quality import forget_refused
from alarmstack.sources import guarded
from alarmstack.sources.problems import file_name
from alarmstack.storage.files import Store

KEEP_DROPS_DAYS = 90.0
"""Days that the files of a run are kept, unless ALARMSTACK_KEEP_DROPS_DAYS says otherwise."""
RUN_BEGAN = "%Y%m%dT%H%M%S%f"
"""How the name of a run begins: when it began, in UTC."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """Where a run's origin is kept, one folder a run: `raw` the files as they came, `curated` the
    datasets made of them.

    The files as they came are removed `keep_days` after their run, as soon as another run is kept;
    the datasets stay.
    """

    raw: Store
    curated: Store
    keep_days: float = KEEP_DROPS_DAYS

    @classmethod
    def of(cls, settings: Settings, asset: str = "") -> Archive:
        """The archive that the settings name."""
        raw, curated = (
            Store.of(settings, place(url, asset)) for url in (settings.raw, settings.curated)
        )
        return cls(raw, curated, settings.keep_drops_days)

    def keep(self, plant: Plant, taken: Intake, run: str) -> dict[str, str]:
        """Keep what a run was made from; where, for its manifest."""
        for path in taken.files:
            self.raw.put(f"drops/{run}/{file_name(path)}", path.read_bytes())
        for name, table in datasets(plant, taken).items():
            self.curated.put(f"runs/{run}/{name}", as_csv(plant, table))
        self._forget(run)
        return {"raw": f"{self.raw.url}/drops/{run}", "curated": f"{self.curated.url}/runs/{run}"}

    def _forget(self, run: str) -> None:
        """Remove the files of runs that began too long before this one. That it fails is no fault
        of this run.
        """
        begun = _begun(run)
        if begun is None:
            return
        before = begun - timedelta(days=self.keep_days)
        try:
            kept = {name: _begun(name.split("/")[1]) for name in self.raw.names("drops")}
            self.raw.remove([name for name, at in kept.items() if at is not None and at < before])
        except StorageError as error:
            log.warning("old drops stay in %s: %s", self.raw.url, error)


def run_assets(
    plant: Plant,
    settings: Settings,
    source: Path,
    *,
    operator_log: Path | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[str, Intake, dict[str, Any]]]:
    """A run for every asset of a source, one after another: the asset, what was taken in, the
    manifest.
    """
    refused, read = settings.data / "refused", guarded(settings)
    forget_refused(refused, settings.keep_drops_days)
    for asset, drop in assets_in(source).items():
        taken = take_in(plant, drop, operator_log=operator_log, refused=refused, read=read)
        store = Store.of(settings, place(settings.store, asset))
        yield asset, taken, run(plant, taken, store, progress, Archive.of(settings, asset))


def run(
    plant: Plant,
    taken: Intake,
    store: Store,
    progress: Progress = silent,
    archive: Archive | None = None,
    about: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Build and publish a run's tables; the manifest, with `about` in it, is returned. An
    interrupted run publishes nothing.
    """
    progress("features", 0.0)
    found = with_between(examples(plant, taken.block, taken.alarm), taken.between)
    made = tables(found, taken.block)
    files = {}
    for done, (name, table) in enumerate(made.items()):
        progress(name, 0.3 + 0.6 * done / len(made))
        files[f"{name}.parquet"] = as_parquet(table)
    told = told_of(plant, taken, found.sealed_from, len(found.onsets))
    name = run_name(told, datetime.now(UTC))
    progress("publish", 0.9)
    kept = archive.keep(plant, taken, name) if archive else {}
    return store.publish(name, files, {**told, **schemas(made), **kept, **(about or {})})


def run_name(told: Mapping[str, Any], begun: datetime) -> str:
    """A name for a run of that data, which no other run has, and which sorts by time."""
    return f"{begun:{RUN_BEGAN}}-{told['data_fingerprint'][:8]}"


def _begun(run: str) -> datetime | None:
    """When a run began, by its name; None of a name that says nothing."""
    try:
        return datetime.strptime(run.partition("-")[0], RUN_BEGAN).replace(tzinfo=UTC)
    except ValueError:
        return None


def told_of(plant: Plant, taken: Intake, sealed_from: int, onsets: int) -> dict[str, Any]:
    """What a manifest tells of the data behind a run."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "data_fingerprint": _fingerprint(taken),
        "rows": len(taken.block),
        "sealed_from": sealed_from,
        "first": str(taken.block.start[0]),
        "last": str(taken.block.start[-1]),
        "onsets": onsets,
        "cadence": write_duration(plant.time.cadence),
        "problems": [str(p) for p in taken.problems],
    }


def schemas(made: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """What a manifest tells of the tables."""
    return {
        "schema": {
            name: {c: str(t) for c, t in table.schema.items()} for name, table in made.items()
        }
    }


def _fingerprint(taken: Intake) -> str:
    digest = hashlib.sha256()
    for part in (taken.block.start, taken.block.values, taken.block.segment, taken.alarm):
        digest.update(part.tobytes())
    return digest.hexdigest()[:16]


__all__ = ["Archive", "run", "run_assets", "run_name", "schemas", "told_of"]
