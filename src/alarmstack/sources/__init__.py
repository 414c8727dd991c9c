"""Where readings come from: historian exports as Excel, CSV or Parquet, in the layouts people have.

`read_source` reads a folder or one file into a `Drop`: the good rows as readings (or a finished dataset as a table), and a
`Problem` for everything that could not be loaded, with file, row and reason. `guarded(settings)` gives the same function for files
from outside: it reads in a process of its own, with limits on size, cells, memory and time.
"""

from alarmstack.sources.drop import Drop, read_source
from alarmstack.sources.guarded import Reader, guarded
from alarmstack.sources.operator_log import read_operator_log
from alarmstack.sources.problems import KINDS, Problem

__all__ = ["KINDS", "Drop", "Problem", "Reader", "guarded", "read_operator_log", "read_source"]
