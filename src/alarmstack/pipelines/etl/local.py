"""The ETL on this machine: intake, features and targets, tables, one published run per asset."""

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
"""Default of ALARMSTACK_KEEP_DROPS_DAYS: days that the files of a run are kept."""
RUN_BEGAN = "%Y%m%dT%H%M%S%f"
"""Format of the start of a run's name: the time at which it began, in UTC."""
TABLES_FROM, TABLES_SHARE = 0.3, 0.6
"""Shares of the progress bar: where the tables begin, and how much of it they take."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """Stores of the data behind each run: `raw` for its files, `curated` for its datasets.

    The files are removed `keep_days` after their run, when another run is stored. The datasets are
    kept.
    """

    raw: Store
    curated: Store
    keep_days: float = KEEP_DROPS_DAYS

    @classmethod
    def of(cls, settings: Settings, asset: str = "") -> Archive:
        """The archive of the settings."""
        raw, curated = (
            Store.of(settings, place(url, asset)) for url in (settings.raw, settings.curated)
        )
        return cls(raw, curated, settings.keep_drops_days)

    def keep(self, plant: Plant, intake: Intake, run: str) -> dict[str, str]:
        """Store the data behind a run. Returns their places, for its manifest."""
        for path in intake.files:
            self.raw.put(f"drops/{run}/{file_name(path)}", path.read_bytes())
        for name, table in datasets(plant, intake).items():
            self.curated.put(f"runs/{run}/{name}", as_csv(plant, table))
        self._forget(run)
        return {"raw": f"{self.raw.url}/drops/{run}", "curated": f"{self.curated.url}/runs/{run}"}

    def _forget(self, run: str) -> None:
        """Remove the files of runs older than `keep_days`. A failure does not fail this run."""
        begun = _begun(run)
        if begun is None:
            return
        before = begun - timedelta(days=self.keep_days)
        try:
            kept = {name: _begun(name.split("/")[1]) for name in self.raw.names("drops")}
            self.raw.remove([name for name, at in kept.items() if at is not None and at < before])
        except StorageError as error:
            log.warning("old drops cannot be removed from %s: %s", self.raw.url, error)


def run_assets(
    plant: Plant,
    settings: Settings,
    source: Path,
    *,
    operator_log: Path | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[str, Intake, dict[str, Any]]]:
    """Run the ETL for every asset of a source. Yields the asset, its intake and its manifest."""
    refused, read = settings.data / "refused", guarded(settings)
    forget_refused(refused, settings.keep_drops_days)
    for asset, drop in assets_in(source).items():
        intake = take_in(plant, drop, operator_log=operator_log, refused=refused, read=read)
        store = Store.of(settings, place(settings.store, asset))
        yield asset, intake, run(plant, intake, store, progress, Archive.of(settings, asset))


def run(
    plant: Plant,
    intake: Intake,
    store: Store,
    progress: Progress = silent,
    archive: Archive | None = None,
    about: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Build and publish the tables of a run. Returns the manifest, which includes `about`.

    An interrupted run publishes nothing.
    """
    progress("features", 0.0)
    rows = with_between(examples(plant, intake.block, intake.alarm), intake.between)
    by_name = tables(rows, intake.block)
    files = {}
    for done, (name, table) in enumerate(by_name.items()):
        progress(name, TABLES_FROM + TABLES_SHARE * done / len(by_name))
        files[f"{name}.parquet"] = as_parquet(table)
    facts = manifest_facts(plant, intake, rows.sealed_from, len(rows.onsets))
    name = run_name(facts, datetime.now(UTC))
    progress("publish", TABLES_FROM + TABLES_SHARE)
    places = archive.keep(plant, intake, name) if archive else {}
    return store.publish(name, files, {**facts, **schemas(by_name), **places, **(about or {})})


def run_name(facts: Mapping[str, Any], begun: datetime) -> str:
    """A unique name for a run of these data. Names sort by time."""
    return f"{begun:{RUN_BEGAN}}-{facts['data_fingerprint'][:8]}"


def _begun(run: str) -> datetime | None:
    """The start of a run, from its name; None if the name has another form."""
    try:
        return datetime.strptime(run.partition("-")[0], RUN_BEGAN).replace(tzinfo=UTC)
    except ValueError:
        return None


def manifest_facts(plant: Plant, intake: Intake, sealed_from: int, onsets: int) -> dict[str, Any]:
    """The part of a manifest that describes the data behind a run."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "data_fingerprint": _fingerprint(intake),
        "rows": len(intake.block),
        "sealed_from": sealed_from,
        "first": str(intake.block.start[0]),
        "last": str(intake.block.start[-1]),
        "onsets": onsets,
        "cadence": write_duration(plant.time.cadence),
        "problems": [str(problem) for problem in intake.problems],
    }


def schemas(tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """The part of a manifest that describes the tables."""
    return {"schema": {name: _schema(table) for name, table in tables.items()}}


def _schema(table: pl.DataFrame) -> dict[str, str]:
    return {column: str(type_) for column, type_ in table.schema.items()}


def _fingerprint(intake: Intake) -> str:
    digest = hashlib.sha256()
    block = intake.block
    for part in (block.start, block.values, block.segment, intake.alarm):
        digest.update(part.tobytes())
    return digest.hexdigest()[:16]


__all__ = ["Archive", "manifest_facts", "run", "run_assets", "run_name", "schemas"]
