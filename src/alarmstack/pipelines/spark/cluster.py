"""A session on a Spark cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alarmstack.core.errors import ClusterError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


@contextmanager
def cluster(master: str, name: str, **options: str) -> Iterator[SparkSession]:
    """A session on a cluster, which is stopped at the end of the block.

    `master`: `local[2]`, `spark://HOST:7077`, or empty for the master of `spark-submit`.
    Raises ClusterError if PySpark is not installed or the cluster does not answer.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ClusterError(
            "the engine spark needs PySpark and Java 17: install alarmstack[spark]"
        ) from error
    # Workers run the Python of this environment, unless the variable names another one.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name)
    for key, value in {**QUIET, **options}.items():
        builder = builder.config(key, value)
    try:
        session = (builder.master(master) if master else builder).getOrCreate()
    except (PySparkException, OSError) as error:
        raise ClusterError(
            f"no Spark at {master!r} ({str(error).splitlines()[0]}): "
            "set SPARK_MASTER_URL, and JAVA_HOME"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


__all__ = ["cluster"]
