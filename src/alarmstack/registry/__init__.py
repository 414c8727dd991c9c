"""Trained models: what is stored of them, and where.

In: fitted models. Out: Bundles, whose files are verified against the published ones.
`bundle` defines a Bundle, `mlflow_registry` keeps its versions and aliases in MLflow, `copies`
keeps verified copies on disk for the services, `manifest` holds the checksums, and `pyfunc` opens
a Bundle through MLflow's own interface. Imports `models` and the layers below it.
"""

from alarmstack.registry.bundle import Bundle
from alarmstack.registry.mlflow_registry import Registry

__all__ = ["Bundle", "Registry"]
