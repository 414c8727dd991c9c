"""The quality gate decides whether rows may be used for labels and models.

The checks are generated from plant.toml and run by Great Expectations (pandas, in memory). A failed
check *refuses* the data or *warns*. These refuse: no rows; timestamps that are absent, null,
duplicate or in the future; a labelled dataset with labels other than 0 and 1; a modelled instrument
without a column, or with more than `OUT_OF_RANGE_REFUSED` of its hours outside the transmitter's
range (a wrong unit or a swapped tag, not a spike); more than `MISSING_REFUSED` of the rows without
any value. A few hours out of range and long gaps warn.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from alarmstack.core.errors import GateRefused, StorageError
from alarmstack.core.plant import Plant, write_duration
from alarmstack.preparation.datasets import LABEL

if TYPE_CHECKING:
    import pandas as pd

Severity = Literal["refuse", "warn"]
# Share of a signal's hours outside its range. Our choice: a spike or a stuck hour is a few rows, a
# wrong unit is nearly all of them.
OUT_OF_RANGE_REFUSED = 0.05
# Share of rows without any value. Our choice: labels and rolling statistics of a series that is
# mostly missing are meaningless.
MISSING_REFUSED = 0.5
MISSING_WARNED = 0.05
LONGEST_STEM = 200
"""Bytes of a drop's name in the name of the folder in which it is kept."""
EXAMPLES_SHOWN = 3
"""Unexpected values that a failed check shows."""
log = logging.getLogger(__name__)
REPORT_TEXT, REPORT_JSON = "verdict.txt", "verdict.json"


@dataclass(frozen=True)
class Check:
    """One check of the rows and its result."""

    name: str
    column: str | None
    passed: bool
    severity: Severity
    observed: str
    expected: str

    def __str__(self) -> str:
        subject = f"{self.column}: {self.name}" if self.column else self.name
        if self.passed:
            return f"ok      {subject}"
        return f"{self.severity:7} {subject}: {self.observed}; expected {self.expected}"


@dataclass(frozen=True)
class GateResult:
    """The report of the gate: whether the rows passed, and every check."""

    passed: bool
    checks: tuple[Check, ...]

    def lines(self) -> tuple[str, ...]:
        """The report as text: a summary line, then the failed checks, refusals first."""
        failed = sorted((c for c in self.checks if not c.passed), key=lambda c: c.severity)
        refusals = sum(c.severity == "refuse" for c in failed)
        counts = (
            f"{len(self.checks)} checks, {refusals} refusals, {len(failed) - refusals} warnings"
        )
        return (f"{'passed' if self.passed else 'refused'}: {counts}", *map(str, failed))

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True)
class _Question:
    """A check before it is run: the class name and arguments of the expectation.

    `of_grid`: it checks the grid, not the rows.
    """

    name: str
    column: str | None
    severity: Severity
    expected: str
    expectation: str
    arguments: dict[str, Any]
    of_grid: bool = False


def validate(
    plant: Plant,
    frame: pl.DataFrame,
    *,
    labelled: bool = False,
    now: datetime | None = None,
    max_age: timedelta | None = None,
) -> GateResult:
    """Check a cleaned or (`labelled`) labelled dataset.

    `frame` has `timestamp` (UTC) and columns of the cleaned dataset. With `now`, the last timestamp
    must not be after it. With `max_age`, an older last timestamp is a warning.
    """
    questions = (
        *_about_stamps(now, max_age),
        *(_about_labels() if labelled else ()),
        *(q for tag in _ranged(plant) for q in _about_range(plant, tag, frame.columns)),
        *_about_gaps(plant),
    )
    rows = _without_zone(frame)
    checks = _ask(questions, rows, _grid(plant, rows))
    return GateResult(all(c.passed for c in checks if c.severity == "refuse"), checks)


def refuse_or_pass(gate_result: GateResult) -> None:
    """Raise GateRefused with the lines of the report when the gate refuses."""
    if not gate_result.passed:
        raise GateRefused(str(gate_result))


def set_aside(path: Path, folder: Path, gate_result: GateResult) -> Path:
    """Keep a copy of a refused drop and the report (text and JSON) in a new folder inside `folder`.

    Returns the new folder, which is complete or does not exist. The same drop with the same report
    is kept once. Raises StorageError when it cannot be written.
    """
    if folder.resolve().is_relative_to(path.resolve()):
        raise StorageError(
            f"{folder} is inside the drop {path} and would be copied into itself: "
            "use a folder outside the drop"
        )
    report = json.dumps(asdict(gate_result), ensure_ascii=False, indent=1)
    try:
        target = folder / f"{_shortened(path.stem)}-{_fingerprint(path, report)}"
        if target.exists():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as scratch:
            staged = Path(scratch) / "drop"
            staged.mkdir()
            if path.is_dir():
                shutil.copytree(
                    path,
                    staged / path.name,
                    symlinks=True,
                    ignore=_special_files,
                    copy_function=shutil.copyfile,
                )
            else:
                shutil.copyfile(path, staged / path.name)
            (staged / REPORT_TEXT).write_text(str(gate_result) + "\n", encoding="utf-8")
            (staged / REPORT_JSON).write_text(report + "\n", encoding="utf-8")
            staged.rename(target)
    except OSError as error:
        raise StorageError(
            f"{path} could not be copied to {folder}: {error}; use a folder that can be written"
        ) from error
    return target


def forget_refused(folder: Path, days: float, now: datetime | None = None) -> int:
    """Remove the refused drops that were set aside more than `days` ago. Returns their number.

    A drop that cannot be removed is logged; the drop that is processed now is not affected.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    removed = 0
    for report in list(folder.glob(f"*/{REPORT_JSON}")):
        try:
            if _written_at(report) < before:
                shutil.rmtree(report.parent)
                removed += 1
        except OSError as error:
            log.warning("%s could not be removed: %s", report.parent, error)
    return removed


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _shortened(name: str) -> str:
    """A name that can be extended: file systems accept at most 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:LONGEST_STEM])


def _special_files(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices, which have no content to keep."""
    places = ((name, Path(folder, name)) for name in names)
    return [
        name
        for name, place in places
        if not (place.is_symlink() or place.is_dir() or place.is_file())
    ]


def _fingerprint(path: Path, report: str) -> str:
    digest = hashlib.sha256(report.encode())
    inside = (
        sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        if path.is_dir()
        else [path]
    )
    for file in inside:
        digest.update(os.fsencode(file.relative_to(path.parent)))
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]


def _about_stamps(now: datetime | None, max_age: timedelta | None) -> Iterator[_Question]:
    stamp = {"column": "timestamp"}
    yield _Question(
        "at least one row",
        None,
        "refuse",
        "1 row or more",
        "ExpectTableRowCountToBeBetween",
        {"min_value": 1},
    )
    yield _Question(
        "exists", "timestamp", "refuse", "a column timestamp", "ExpectColumnToExist", stamp
    )
    yield _Question(
        "not null",
        "timestamp",
        "refuse",
        "a timestamp in every row",
        "ExpectColumnValuesToNotBeNull",
        stamp,
    )
    yield _Question(
        "unique",
        "timestamp",
        "refuse",
        "each timestamp once",
        "ExpectColumnValuesToBeUnique",
        stamp,
    )
    if now is None:
        return
    latest = {"column": "timestamp", "max_value": _naive(now)}
    yield _Question(
        "not in the future",
        "timestamp",
        "refuse",
        f"none after {now:%Y-%m-%d %H:%M:%S%z}",
        "ExpectColumnMaxToBeBetween",
        latest,
    )
    if max_age is not None:
        oldest = {"column": "timestamp", "min_value": _naive(now - max_age)}
        expected = f"a last timestamp within {write_duration(max_age)} of {now:%Y-%m-%d %H:%M:%S%z}"
        yield _Question(
            "fresh", "timestamp", "warn", expected, "ExpectColumnMaxToBeBetween", oldest
        )


def _about_labels() -> Iterator[_Question]:
    label = {"column": LABEL}
    yield _Question("exists", LABEL, "refuse", f"a column {LABEL}", "ExpectColumnToExist", label)
    yield _Question(
        "not null", LABEL, "refuse", "a label in every row", "ExpectColumnValuesToNotBeNull", label
    )
    yield _Question(
        "0 or 1",
        LABEL,
        "refuse",
        "0 or 1",
        "ExpectColumnValuesToBeInSet",
        label | {"value_set": [0, 1]},
    )


def _ranged(plant: Plant) -> tuple[str, ...]:
    return (*(i.tag for i in plant.instruments), *(c.sp for c in plant.controllers))


def _about_range(plant: Plant, signal: str, columns: Sequence[str]) -> Iterator[_Question]:
    """A setpoint has the range of its process value. A check of a dead instrument can only warn."""
    setpoints = {c.sp: c.pv for c in plant.controllers}
    instrument = plant.instrument(setpoints.get(signal, signal))
    needed = signal not in setpoints and instrument.role != "dead"
    severity: Severity = "refuse" if needed else "warn"
    yield _Question(
        "exists", signal, severity, f"a column {signal}", "ExpectColumnToExist", {"column": signal}
    )
    if signal not in columns:
        return
    low, high = instrument.range
    between = {"column": signal, "min_value": low, "max_value": high}
    expected = f"{low:g} to {high:g} {instrument.unit}"
    name = "ExpectColumnValuesToBeBetween"
    most = {"mostly": 1 - OUT_OF_RANGE_REFUSED}
    yield _Question(
        "mostly in range",
        signal,
        severity,
        f"{most['mostly']:.0%} of hours in {expected}",
        name,
        between | most,
    )
    yield _Question("in range", signal, "warn", expected, name, between)
    present = {"column": signal, "mostly": 1 - MISSING_WARNED}
    yield _Question(
        "present",
        signal,
        "warn",
        f"{present['mostly']:.0%} of hours",
        "ExpectColumnValuesToNotBeNull",
        present,
    )
    for extreme in (f"{signal}_min", f"{signal}_max"):
        if extreme in columns:
            yield _Question(
                "in range", extreme, "warn", expected, name, between | {"column": extreme}
            )


def _about_gaps(plant: Plant) -> Iterator[_Question]:
    for severity, share in (("refuse", MISSING_REFUSED), ("warn", MISSING_WARNED)):
        yield _Question(
            "share of missing rows",
            None,
            severity,  # type: ignore[arg-type]
            f"at most {share:.0%} of the rows between first and last without any value",
            "ExpectColumnMeanToBeBetween",
            {"column": "missing", "max_value": share},
            of_grid=True,
        )
    longest = plant.rows(plant.time.longest_gap)
    duration = write_duration(plant.time.longest_gap)
    expected = f"at most {longest} rows ({duration}): a longer gap cuts the series"
    arguments = {"column": "gap_rows", "max_value": longest}
    yield _Question(
        "longest gap in rows",
        None,
        "warn",
        expected,
        "ExpectColumnMaxToBeBetween",
        arguments,
        of_grid=True,
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _without_zone(frame: pl.DataFrame) -> pl.DataFrame:
    zoned = [
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime) and dtype.time_zone
    ]
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None) for name in zoned
    )


def _grid(plant: Plant, rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each cadence from the first to the last timestamp.

    `missing`: 1 when no signal has a value; `gap_rows`: length of the run of missing rows so far.
    """
    signals = [s for s in plant.signals if s in rows.columns]
    if not isinstance(rows.schema.get("timestamp"), pl.Datetime) or not signals:
        return pl.DataFrame({"missing": [1.0], "gap_rows": [len(rows)]})
    stamps = rows.filter(
        pl.any_horizontal(pl.col(signals).is_not_null()), pl.col("timestamp").is_not_null()
    )["timestamp"]
    everything = rows["timestamp"].drop_nulls()
    if everything.is_empty():
        return pl.DataFrame({"missing": [1.0], "gap_rows": [len(rows)]})
    cadence = np.timedelta64(plant.time.cadence)
    first = everything.to_numpy().min()
    missing = np.ones(int((everything.to_numpy().max() - first) // cadence) + 1)
    missing[(stamps.to_numpy() - first) // cadence] = 0.0
    present = np.maximum.accumulate(np.where(missing == 0, np.arange(len(missing)), -1))
    return pl.DataFrame({"missing": missing, "gap_rows": np.arange(len(missing)) - present})


def _ask(
    questions: Sequence[_Question], rows: pl.DataFrame, grid: pl.DataFrame
) -> tuple[Check, ...]:
    with _quietly():
        # Great Expectations imports PySpark when it is installed, and PySpark prints about missing
        # parts.
        with redirect_stderr(StringIO()):
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("drop")
        answers: dict[int, Check] = {}
        for name, frame, of_grid in (("rows", rows, False), ("grid", grid, True)):
            batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
            # Given at once: adding one by one would compare each with all before it.
            expectations = [
                getattr(gx.expectations, question.expectation)(
                    **question.arguments, meta={"place": place}
                )
                for place, question in enumerate(questions)
                if question.of_grid == of_grid
            ]
            suite = gx.ExpectationSuite(name=name, expectations=expectations)
            table = batch.get_batch({"dataframe": _to_pandas(frame)})
            # The basic format has all that a Check states and takes half the time of the default.
            results = table.validate(suite, result_format="BASIC").results
            for result in results:
                place = result.expectation_config.meta["place"]
                answers[place] = _answer(questions[place], result, frame)
    return tuple(answers[place] for place in range(len(questions)))


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return frame.to_pandas()


def _answer(question: _Question, result: Any, frame: pl.DataFrame) -> Check:
    observed = (
        _observed(result.result)
        if question.column is None or question.column in frame.columns
        else "no such column"
    )
    return Check(
        question.name,
        question.column,
        bool(result.success),
        question.severity,
        observed,
        question.expected,
    )


def _observed(result: dict[str, Any]) -> str:
    if "unexpected_count" in result:
        counted = f"{result['unexpected_count']} of {result['element_count']} rows"
        unexpected = [v for v in result.get("partial_unexpected_list", []) if v is not None]
        examples = list(dict.fromkeys(map(str, unexpected)))[:EXAMPLES_SHOWN]
        return f"{counted}, such as {', '.join(examples)}" if examples else counted
    value = result.get("observed_value")
    return f"{value:.4g}" if isinstance(value, float) else str("yes" if value is None else value)


@contextmanager
def _quietly() -> Iterator[None]:
    """Great Expectations without usage reports, progress bars and deprecation warnings."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


__all__ = [
    "Check",
    "GateResult",
    "Severity",
    "forget_refused",
    "refuse_or_pass",
    "set_aside",
    "validate",
]
