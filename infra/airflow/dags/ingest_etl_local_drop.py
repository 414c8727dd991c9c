"""A dropped file or folder becomes a run of feature tables in the store.

airflow dags trigger ingest_etl_local_drop --conf '{"source_path":
"/workspace/data_drop/labeled_dataset.csv"}'

The watcher triggers it for everything that is dropped into the drop folder.
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
    description="An XLSX, XLSM, XLS, CSV or Parquet file or a folder of them, as the worker sees it; below ALARMSTACK_DROP_DIR.",
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
    """A drop, step by step."""

    @task(retries=0)
    def resolve_source_path(params: dict[str, str]) -> str:
        """The drop, as a path that is there and that lies where drops lie."""
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
        """The gate: what it refuses ends here, its report in the log and a copy of the drop set
        aside.
        """
        alarmstack("validate", source, "--set-aside")
        return source

    @task
    def etl(source: str) -> None:
        """Intake, features, one published run."""
        alarmstack("etl", source)

    etl(great_expectations_validation(resolve_source_path()))


ingest_etl_local_drop()
