"""Where readings come from: historian exports as Excel, CSV or Parquet, in the layouts people have.

`read_source` reads a folder or one file into a `Drop`: the good rows as readings (or a finished dataset as a table), and a
`Problem` for everything that could not be loaded, with file, row and reason.
"""

from alarmstack.sources.drop import Drop, read_source
from alarmstack.sources.operator_log import read_operator_log
from alarmstack.sources.problems import KINDS, Problem

__all__ = ["KINDS", "Drop", "Problem", "read_operator_log", "read_source"]
