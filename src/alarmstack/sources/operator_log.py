"""The operator log: periods in which operators noted a disturbance, in plant time.

Its columns are start, end and description. Operators write it later and by hand, so rows may be
wrong: a good row is read, a bad row is reported.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import LOG_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.sources.cells import cells_of, read_instants
from alarmstack.sources.grids import DEFAULT_LIMITS, read_grid
from alarmstack.sources.limits import Limits
from alarmstack.sources.problems import FINDING_SCHEMA, Problem, as_problems


def read_operator_log(
    plant: Plant, path: Path, limits: Limits = DEFAULT_LIMITS
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Periods (start, end UTC, description), oldest first, and the problems of the other rows.

    Raises SourceError when the file is missing or has no columns start and end.
    """
    if not path.is_file():
        raise SourceError(
            f"{path}: no such operator log: use a CSV with the columns start,end,description"
        )
    grid = read_grid(path, limits)
    names = [name.lower() for name in grid.names]
    if not {"start", "end"} <= set(names):
        raise SourceError(
            f"{path.name} has the columns {', '.join(grid.names) or 'none'}: "
            "an operator log needs start,end,description"
        )
    blank = cells_of(grid.rows)
    start, end = (
        read_instants(grid.column(names.index(name)), plant.zone) for name in ("start", "end")
    )
    description = grid.column(names.index("description")) if "description" in names else blank
    empty = grid.column(names.index("start")).blank() & grid.column(names.index("end")).blank()
    backwards = (end.values < start.values).fill_null(False)
    periods = pl.DataFrame(
        {
            "row": pl.int_range(grid.first_row, grid.first_row + grid.rows, eager=True),
            "start": start.values,
            "end": end.values,
            "description": description.shown().fill_null(""),
        }
    )
    order = pl.format(
        "the period ends at {} before it starts at {}: swap or correct them", "end", "start"
    )
    findings = [
        periods.select("row", kind=start.kind, reason=pl.lit("start ") + start.reason).filter(
            start.kind.is_not_null() & ~empty
        ),
        periods.select("row", kind=end.kind, reason=pl.lit("end ") + end.reason).filter(
            end.kind.is_not_null() & ~empty
        ),
        periods.select("row", kind=pl.lit("bad period"), reason=order).filter(backwards),
    ]
    good = periods.filter(~backwards & start.values.is_not_null() & end.values.is_not_null())
    problems = as_problems(path.name, pl.concat([f.cast(FINDING_SCHEMA) for f in findings]))
    return good.select(*LOG_SCHEMA).sort("start", maintain_order=True), problems


__all__ = ["read_operator_log"]
