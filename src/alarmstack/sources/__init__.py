"""File input: historian exports as Excel, CSV or Parquet, in several layouts.

In: a folder or a file, and the plant. Out: a `Drop` with the good rows as readings (or a finished
dataset as a table), and a `Problem` with file, row and reason for everything that was not loaded.
`read_source` reads in this process. `guarded(settings)` gives the same function for files from
outside: it reads in a process of its own, with limits on size, cells, memory and time. The package
imports `core`.
"""

from alarmstack.sources.drop import Drop, read_source
from alarmstack.sources.guarded import Reader, guarded
from alarmstack.sources.operator_log import read_operator_log
from alarmstack.sources.problems import KINDS, Problem

__all__ = ["KINDS", "Drop", "Problem", "Reader", "guarded", "read_operator_log", "read_source"]
