"""A drop: a folder of exports or one file, read as far as it can be read.

Good rows are loaded, bad rows are reported. A drop gives raw readings or one finished dataset (a
*table*). Where it holds both, the readings are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from alarmstack.core.errors import SourceError
from alarmstack.core.formats import SUFFIXES, is_data_file
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.sources.grids import DEFAULT_LIMITS, read_grid, readable
from alarmstack.sources.layouts import LABEL_NAMES, Sheet, historian_names, read_sheet
from alarmstack.sources.limits import Limits
from alarmstack.sources.operator_log import read_operator_log
from alarmstack.sources.problems import FINDING_SCHEMA, Problem, as_problems, finding

OPERATOR_LOG = "operator_log"
TRUTH = "truth"  # written by the simulator; never read as data
_SILENT_SUFFIXES = frozenset({".json"})
_UNKNOWN_SUFFIX = f"not one of {', '.join(SUFFIXES)}: ignored"
_REASONS_SHOWN = 3
"""Problems that the message about a drop without any readable file names."""


@dataclass(frozen=True)
class Drop:
    """What was read from a drop.

    `readings` (READING_SCHEMA, sorted by tag and time) or a `table` (`timestamp` UTC and dataset
    columns). `operator_log` (start, end UTC, description) is None if the drop has none. A table
    keeps its duplicate, missing and future timestamps: the quality gate checks them.
    """

    readings: pl.DataFrame | None
    table: pl.DataFrame | None
    operator_log: pl.DataFrame | None
    problems: tuple[Problem, ...]
    files: tuple[Path, ...]

    @property
    def labelled(self) -> bool:
        """Whether the drop is a table that carries labels."""
        return self.table is not None and LABEL_NAMES[0] in self.table.columns


@dataclass(frozen=True)
class Access:
    """How files are read: the limits, and a function that is called before each file.

    A SourceError of that function becomes a problem of the file.
    """

    limits: Limits = DEFAULT_LIMITS
    before: Callable[[Path], None] = lambda file: None


DIRECT = Access()


@dataclass(frozen=True)
class _Read:
    path: Path
    sheet: Sheet


def read_source(
    plant: Plant,
    path: Path,
    *,
    operator_log: Path | None = None,
    now: datetime | None = None,
    access: Access = DIRECT,
) -> Drop:
    """Read a folder of exports or one file.

    Readings after `now` (default: the wall clock) are not loaded. `operator_log` is used instead of
    the drop's own log. Raises SourceError when nothing can be read: the path is missing, or no file
    in it is a readable export.
    """
    path = Path(path)
    now = (now or datetime.now(UTC)).astimezone(UTC)
    exports, logs, problems = _sort_out(path)
    sheets: list[_Read] = []
    unreadable: set[str] = set()
    for file in exports:
        sheet, file_problems = _read_file(plant, file, access)
        problems += file_problems
        if sheet is None:
            unreadable.add(file.stem.lower())
        else:
            sheets.append(_Read(file, sheet))
    if not sheets:
        raise SourceError(_nothing_read(plant, path, problems))
    log, log_problems = _log(plant, operator_log, logs, access)
    problems += log_problems
    raw = [s for s in sheets if s.sheet.table is None]
    readings, table = None, None
    if raw:
        readings, time_problems = _merge(raw, now)
    else:
        table, time_problems = _best_table(sheets, now)
    problems += time_problems
    problems += _unused_tables(sheets, bool(raw))
    problems += _missing(plant, path, [s.sheet for s in (raw or sheets)], unreadable)
    return Drop(readings, table, log, tuple(problems), tuple(s.path for s in sheets))


def _sort_out(path: Path) -> tuple[list[Path], list[Path], list[Problem]]:
    """Exports, operator logs, and a problem for each other entry."""
    if path.is_file():
        return [path], [], []
    if not path.is_dir():
        raise SourceError(
            f"{path}: no such file or folder: give a folder of historian exports or one file"
        )
    exports: list[Path] = []
    logs: list[Path] = []
    problems: list[Problem] = []
    for entry in sorted(path.iterdir(), key=lambda p: p.name.lower()):
        name = entry.name.lower()
        if (
            name.startswith((".", "~$"))
            or entry.suffix.lower() in _SILENT_SUFFIXES
            or entry.stem.lower() == TRUTH
        ):
            continue
        if entry.is_dir():
            reason = "a folder inside the drop is not read: move its exports up"
            problems.append(Problem(entry.name, None, "unread file", reason))
        elif not entry.is_file():
            reason = "neither a file nor a folder: ignored"
            problems.append(Problem(entry.name, None, "unread file", reason))
        elif not is_data_file(entry):
            problems.append(Problem(entry.name, None, "unknown file", _UNKNOWN_SUFFIX))
        elif entry.stem.lower() == OPERATOR_LOG:
            logs.append(entry)
        else:
            exports.append(entry)
    return exports, logs, problems


def _read_file(
    plant: Plant, file: Path, access: Access
) -> tuple[Sheet | None, tuple[Problem, ...]]:
    if not is_data_file(file):
        return None, (Problem(file.name, None, "unknown file", _UNKNOWN_SUFFIX),)
    try:
        access.before(file)
        with readable(file):
            return _read_grid(plant, file, access.limits)
    except SourceError as error:
        return None, (Problem(file.name, None, "corrupt file", str(error)),)


def _read_grid(
    plant: Plant, file: Path, limits: Limits
) -> tuple[Sheet | None, tuple[Problem, ...]]:
    grid = read_grid(file, limits)
    if grid.rows == 0:
        content = "a header and nothing below it" if grid.names else "no cell is filled"
        return None, (Problem(file.name, None, "empty file", f"{content}: export it again"),)
    sheet = read_sheet(plant, file, grid)
    if sheet is None:
        reason = (
            f"no layout of {plant.name}: name the file after an instrument, "
            "or name its columns timestamp and tags, or tag, time, value"
        )
        return None, (Problem(file.name, None, "unknown file", reason),)
    findings = [sheet.findings]
    findings += [
        finding("unread sheet", f"sheet {name!r} is not read: one sheet for each workbook")
        for name in grid.unread
    ]
    return sheet, as_problems(file.name, pl.concat(findings))


def _nothing_read(plant: Plant, path: Path, problems: Iterable[Problem]) -> str:
    shown = list(problems)[:_REASONS_SHOWN]
    reasons = "; ".join(map(str, shown)) or "the folder is empty"
    expected = plant.historian.file_pattern.format(name=plant.instruments[0].tag)
    return (
        f"{path}: no readable export ({reasons}): give files such as {expected}, "
        "or a CSV with timestamp and one column for each tag"
    )


def _log(
    plant: Plant, given: Path | None, own: list[Path], access: Access
) -> tuple[pl.DataFrame | None, tuple[Problem, ...]]:
    if given is not None:
        access.before(given)
        return read_operator_log(plant, given, access.limits)
    if not own:
        return None, ()
    try:
        access.before(own[0])
        with readable(own[0]):
            log, problems = read_operator_log(plant, own[0], access.limits)
    except SourceError as error:
        return None, (Problem(own[0].name, None, "corrupt file", str(error)),)
    unread = (
        Problem(p.name, None, "unread file", f"{own[0].name} is the drop's operator log: keep one")
        for p in own[1:]
    )
    return log, (*problems, *unread)


def _merge(sheets: list[_Read], now: datetime) -> tuple[pl.DataFrame, list[Problem]]:
    """All readings, sorted, one for each instant, and the problems of their times."""
    tags = pl.Enum(sorted({tag for s in sheets for tag in s.sheet.claims}))
    stacked = pl.concat(
        s.sheet.readings.select(
            file=pl.lit(place, pl.Int32),
            row="row",
            tag=pl.col("tag").cast(tags),
            time="time",
            value="value",
        )
        for place, s in enumerate(sheets)
    )
    future = stacked["time"] > now
    late = pl.format(
        "{} is after now ({}): not loaded; check the time zone and the clock",
        "time",
        pl.lit(f"{now:%Y-%m-%d %H:%M:%S%z}"),
    )
    findings = [_finding_rows(stacked.filter(future), "future time", late)]
    stacked = stacked.filter(~future)
    order = stacked.select(
        "file", "row", early=pl.col("time") < pl.col("time").cum_max().shift().over("file", "tag")
    )
    findings.append(_unordered(order.filter("early")))
    ordered = stacked.sort("tag", "time", maintain_order=True)
    same = (pl.col("tag") == pl.col("tag").shift()) & (pl.col("time") == pl.col("time").shift())
    clash = pl.format(
        "{} has {} and {} at {}: the later row is kept",
        "tag",
        pl.col("value").shift(),
        "value",
        "time",
    )
    double = same & (pl.col("value") != pl.col("value").shift())
    marked = ordered.with_columns(double=double, last=~same.shift(-1, fill_value=False))
    if marked["double"].any():
        findings.append(
            _finding_rows(
                ordered.with_columns(reason=clash).filter(marked["double"]),
                "duplicate time",
                pl.col("reason"),
            )
        )
    kept = marked.filter("last").select(pl.col("tag").cast(pl.String), "time", "value")
    all_findings = pl.concat(findings)
    problems: list[Problem] = []
    for place, s in enumerate(sheets):
        problems += as_problems(s.path.name, _of_file(all_findings, place))
    return kept.select(*READING_SCHEMA), problems


def _finding_rows(rows: pl.DataFrame, kind: str, reason: pl.Expr) -> pl.DataFrame:
    return rows.select("file", "row", kind=pl.lit(kind), reason=reason).cast(
        pl.Schema([("file", pl.Int32()), *FINDING_SCHEMA.items()])
    )


def _of_file(findings: pl.DataFrame, place: int) -> pl.DataFrame:
    return findings.filter(pl.col("file") == place).drop("file")


def _unordered(early: pl.DataFrame) -> pl.DataFrame:
    """One finding for each file: how many rows are out of order and the first of them."""
    counted = early.group_by("file").agg(pl.col("row").min(), count=pl.col("row").n_unique())
    reason = pl.format(
        "{} rows are earlier than a row above them, this is the first: loaded and sorted", "count"
    )
    return _finding_rows(counted, "unordered time", reason)


def _best_table(sheets: list[_Read], now: datetime) -> tuple[pl.DataFrame, list[Problem]]:
    """The labelled table if there is one, else the first table.

    Problems of its timestamps are reported; the quality gate decides about them.
    """
    chosen = _chosen(sheets)
    table = chosen.sheet.table
    assert table is not None
    times = table["timestamp"].drop_nulls()
    problems = []
    if repeated := len(times) - times.n_unique():
        first = times.filter(times.is_duplicated())[0]
        reason = (
            f"{repeated} timestamps occur more than once with different values, first {first}: "
            "keep one row of each"
        )
        problems.append(Problem(chosen.path.name, None, "duplicate time", reason))
    future = times.filter(times > now)
    if len(future):
        reason = (
            f"{len(future)} timestamps are after now ({now:%Y-%m-%d %H:%M:%S%z}), "
            f"first {future[0]}: check the time zone and the clock"
        )
        problems.append(Problem(chosen.path.name, None, "future time", reason))
    if early := int((times.diff().dt.total_microseconds() < 0).sum()):
        reason = f"{early} rows are earlier than the row above them: sorted"
        problems.append(Problem(chosen.path.name, None, "unordered time", reason))
    return table.sort("timestamp", nulls_last=True, maintain_order=True), problems


def _chosen(sheets: list[_Read]) -> _Read:
    labelled = [
        s for s in sheets if s.sheet.table is not None and LABEL_NAMES[0] in s.sheet.table.columns
    ]
    return (labelled or sheets)[0]


def _unused_tables(sheets: list[_Read], beside_readings: bool) -> list[Problem]:
    tables = [s for s in sheets if s.sheet.table is not None]
    if beside_readings:
        reason = "a finished dataset beside raw readings: the readings are taken"
        return [Problem(s.path.name, None, "unread file", reason) for s in tables]
    taken = _chosen(sheets).path
    reason = f"a drop holds one finished dataset: {taken.name} is taken"
    return [Problem(s.path.name, None, "unread file", reason) for s in tables if s.path != taken]


def _missing(plant: Plant, path: Path, sheets: list[Sheet], unreadable: set[str]) -> list[Problem]:
    """One problem for each historian file whose signals are in no file.

    A file that exists and cannot be read has its own problem already.
    """
    claimed = {signal for sheet in sheets for signal in sheet.claims}
    parts = {c.name: (c.pv, c.op, c.sp) for c in plant.controllers}
    loops = {signal for part in parts.values() for signal in part}
    expected = {i.tag: (i.tag,) for i in plant.instruments if i.tag not in loops} | parts
    stems = {name: stem for stem, name in historian_names(plant).items()}
    problems = []
    for name, signals in expected.items():
        absent = [s for s in signals if s not in claimed]
        if absent and stems[name] not in unreadable:
            file = plant.historian.file_pattern.format(name=name)
            reason = (
                f"no {file} and no column for {', '.join(absent)}: "
                "missing in the whole drop; add the export if there is one"
            )
            problems.append(Problem(path.name, None, "missing instrument", reason))
    return problems


__all__ = ["Access", "Drop", "read_source"]
