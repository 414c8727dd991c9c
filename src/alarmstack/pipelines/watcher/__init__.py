"""The watcher: what is dropped into a folder is taken in, once, when it is whole.

`drops` tells what lies there and when it has come to rest; `ledger` remembers what was done with
it, over restarts; `takers` are the two ways to do it: Airflow is asked to (by REST), or this
process does it. `watch` strings them together.
"""

from alarmstack.pipelines.watcher.handlers import Airflow, InProcess, Taker
from alarmstack.pipelines.watcher.watch import Watcher, keep_watching, watch

__all__ = ["Airflow", "InProcess", "Taker", "Watcher", "keep_watching", "watch"]
