"""Models as Bundles (`bundles`), in MLflow, in verified copies on disk (`copies`), and behind MLflow's own interface (`pyfunc`).

In: fitted models. Out: Bundles whose files are those that were published. It imports `models` and what lies below.
"""

from alarmstack.registry.bundles import Bundle, Registry

__all__ = ["Bundle", "Registry"]
