"""Turn a dropped file or folder into a run of feature tables in the store.

    airflow dags trigger ingest_etl_local_drop \\
        --conf '{"source_path": "/workspace/data_drop/labeled_dataset.csv"}'

The watcher triggers this DAG for each file or folder in the drop folder.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException
from alarmstack_cli import alarmstack

SOURCE = Param(
    type="string",
    minLength=1,
    maxLength=4096,
    description="Path of an XLSX, XLSM, XLS, CSV or Parquet file, or of a folder of such files, on "
    "the worker. It must be inside ALARMSTACK_DROP_DIR.",
)


@dag(
    schedule=None,
    catchup=False,
    params={"source_path": SOURCE},
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=20),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["alarmstack"],
    doc_md=__doc__,
)
def ingest_etl_local_drop() -> None:
    """The steps for one drop."""

    @task(retries=0)
    def resolve_source_path(params: dict[str, str]) -> str:
        """Check that the drop exists and is inside the drop folder; return its absolute path."""
        path = Path(params["source_path"]).resolve()
        folder = os.environ.get("ALARMSTACK_DROP_DIR")
        if folder and not path.is_relative_to(Path(folder).resolve()):
            raise AirflowFailException(f"source_path {path} lies outside the drop folder {folder}")
        if not path.exists():
            raise AirflowFailException(
                f"source_path {path} is not there: is the drop folder mounted in Airflow's worker?"
            )
        return str(path)

    @task
    def great_expectations_validation(source: str) -> str:
        """Validate the drop. For a refused drop the run fails, the log has the report, and a copy
        of the drop is kept.
        """
        alarmstack("validate", source, "--set-aside")
        return source

    @task
    def etl(source: str) -> None:
        """Read the drop, compute features, and publish one run."""
        alarmstack("etl", source)

    etl(great_expectations_validation(resolve_source_path()))


ingest_etl_local_drop()
