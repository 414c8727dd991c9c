"""The watcher: processes each file that is copied into a folder, once, when it is complete.

`drops` lists the folder and detects when a file is complete. `ledger` records the outcomes across
restarts. `handlers` process a drop: by a request to Airflow, or in this process. `watch` is the
loop.
"""

from alarmstack.pipelines.watcher.handlers import Airflow, Handler, InProcess
from alarmstack.pipelines.watcher.watch import Watcher, keep_watching, watch

__all__ = ["Airflow", "Handler", "InProcess", "Watcher", "keep_watching", "watch"]
