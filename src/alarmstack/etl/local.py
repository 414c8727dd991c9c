"""The ETL on this machine: intake, features and targets, tables, one published run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from alarmstack import __version__
from alarmstack.etl.intake import Intake
from alarmstack.etl.tables import as_parquet, tables
from alarmstack.examples import examples
from alarmstack.plant import Plant, write_duration
from alarmstack.progress import Progress, silent
from alarmstack.storage import Store


def run(plant: Plant, taken: Intake, store: Store, progress: Progress = silent) -> dict[str, Any]:
    """Build and publish a run's tables; the manifest is returned. An interrupted run publishes nothing."""
    progress("features", 0.0)
    found = examples(plant, taken.block, taken.alarm)
    made = tables(found, taken.block)
    files = {}
    for done, (name, table) in enumerate(made.items()):
        progress(name, 0.3 + 0.6 * done / len(made))
        files[f"{name}.parquet"] = as_parquet(table)
    data = _fingerprint(taken)
    about = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "plant": plant.name,
        "plant_fingerprint": plant.fingerprint,
        "data_fingerprint": data,
        "rows": len(found),
        "sealed_from": found.sealed_from,
        "first": str(taken.block.start[0]),
        "last": str(taken.block.start[-1]),
        "onsets": len(found.onsets),
        "cadence": write_duration(plant.time.cadence),
        "schema": {name: {c: str(t) for c, t in table.schema.items()} for name, table in made.items()},
        "problems": [str(p) for p in taken.problems],
    }
    progress("publish", 0.9)
    return store.publish(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{data[:8]}", files, about)


def _fingerprint(taken: Intake) -> str:
    digest = hashlib.sha256()
    for part in (taken.block.start, taken.block.values, taken.block.segment, taken.alarm):
        digest.update(part.tobytes())
    return digest.hexdigest()[:16]


__all__ = ["run"]
