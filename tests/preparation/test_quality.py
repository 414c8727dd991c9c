"""The quality gate: refusals, warnings, and the copy of a refused drop."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.errors import GateRefused, StorageError
from alarmstack.core.plant import Plant
from alarmstack.preparation.quality import (
    Check,
    GateResult,
    forget_refused,
    refuse_or_pass,
    set_aside,
    validate,
)

BEGIN = datetime(2024, 5, 1, tzinfo=UTC)
ROWS = 100


@pytest.fixture
def good(plant: Plant) -> pl.DataFrame:
    """A labelled dataset without faults: every signal is in the middle of its normal range."""
    middle = {i.tag: sum(i.normal) / 2 for i in plant.instruments}
    middle |= {c.sp: middle[c.pv] for c in plant.controllers} | {
        c.op: 40.0 for c in plant.controllers
    }
    stamps = pl.datetime_range(
        BEGIN, BEGIN + timedelta(hours=ROWS - 1), "1h", time_unit="us", eager=True
    )
    frame = pl.DataFrame({"timestamp": stamps}).with_columns(
        pl.lit(middle[s]).alias(s) for s in plant.signals
    )
    return frame.with_columns(PDT31008_max=pl.col("PDT31008") + 5, anomaly_label=pl.lit(0))


def failed(verdict: GateResult, severity: str) -> list[str]:
    return [
        f"{c.column}: {c.name}" if c.column else c.name
        for c in verdict.checks
        if not c.passed and c.severity == severity
    ]


def first(rows: int) -> pl.Expr:
    return pl.int_range(pl.len()) < rows


def replaced(column: str, value: object, rows: int) -> pl.Expr:
    return pl.when(first(rows)).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def test_good_rows_pass_without_warnings(plant: Plant, good: pl.DataFrame) -> None:
    before = good.clone()
    verdict = validate(
        plant, good, labelled=True, now=BEGIN + timedelta(days=10), max_age=timedelta(days=30)
    )
    assert (
        verdict.passed and len(verdict.lines()) == 1 and verdict.lines()[0].startswith("passed: ")
    )
    assert good.equals(before)


Spoil = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes a table invalid."""
REFUSALS = [
    # the change to good rows, the check that refuses them
    ("no rows", lambda f: f.head(0), "at least one row"),
    ("no stamp column", lambda f: f.drop("timestamp"), "timestamp: exists"),
    (
        "a stamp missing",
        lambda f: f.with_columns(replaced("timestamp", None, 1)),
        "timestamp: not null",
    ),
    ("a stamp twice", lambda f: pl.concat([f, f.tail(1)]), "timestamp: unique"),
    (
        "a stamp in the future",
        lambda f: f.with_columns(pl.col("timestamp") + timedelta(days=9)),
        "timestamp: not in the future",
    ),
    ("no labels", lambda f: f.drop("anomaly_label"), "anomaly_label: exists"),
    (
        "a label missing",
        lambda f: f.with_columns(replaced("anomaly_label", None, 1)),
        "anomaly_label: not null",
    ),
    (
        "a label of 2",
        lambda f: f.with_columns(replaced("anomaly_label", 2, 1)),
        "anomaly_label: 0 or 1",
    ),
    (
        "a label of a half",
        lambda f: f.with_columns(replaced("anomaly_label", 0.5, 1)),
        "anomaly_label: 0 or 1",
    ),
    ("an instrument without column", lambda f: f.drop("PDT31008"), "PDT31008: exists"),
    (
        "pascal for millibar",
        lambda f: f.with_columns(pl.col("PDT31008") * 100),
        "PDT31008: mostly in range",
    ),
    (
        "a tenth of the hours below zero",
        lambda f: f.with_columns(replaced("FQ31050", -1.0, 10)),
        "FQ31050: mostly in range",
    ),
    (
        "a level beyond its scale",
        lambda f: f.with_columns(LIC31002_PV=pl.lit(120.0)),
        "LIC31002_PV: mostly in range",
    ),
    (
        "mostly holes",
        lambda f: f.filter(~first(97) | (pl.int_range(pl.len()) % 3 == 0)),
        "share of missing rows",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_refusals(plant: Plant, good: pl.DataFrame, spoil: Spoil, reason: str) -> None:
    verdict = validate(plant, spoil(good), labelled=True, now=BEGIN + timedelta(days=7))
    assert not verdict.passed
    assert reason in failed(verdict, "refuse")
    with pytest.raises(GateRefused, match=r"^refused: "):
        refuse_or_pass(verdict)


WARNINGS = [
    (
        "two hours out of range",
        lambda f: f.with_columns(replaced("PDT31008", 401.0, 2)),
        ["PDT31008: in range"],
    ),
    (
        "an extreme out of range",
        lambda f: f.with_columns(replaced("PDT31008_max", 999.0, 1)),
        ["PDT31008_max: in range"],
    ),
    (
        "a dead instrument beyond its scale",
        lambda f: f.with_columns(LT31013=pl.lit(500.0)),
        ["LT31013: mostly in range", "LT31013: in range"],
    ),
    (
        "a signal missing for ten hours",
        lambda f: f.with_columns(replaced("TE301020", None, 10)),
        ["TE301020: present"],
    ),
    (
        "seven hours gone",
        lambda f: f.filter(~pl.int_range(pl.len()).is_between(50, 56)),
        ["share of missing rows", "longest gap in rows"],
    ),
    ("four hours gone", lambda f: f.filter(~pl.int_range(pl.len()).is_between(50, 53)), []),
    (
        "an old file",
        lambda f: f.with_columns(pl.col("timestamp") - timedelta(days=30)),
        ["timestamp: fresh"],
    ),
]


@pytest.mark.parametrize(
    ("spoil", "reasons"), [w[1:] for w in WARNINGS], ids=[w[0] for w in WARNINGS]
)
def test_warnings(
    plant: Plant,
    good: pl.DataFrame,
    spoil: Callable[[pl.DataFrame], pl.DataFrame],
    reasons: list[str],
) -> None:
    verdict = validate(
        plant, spoil(good), labelled=True, now=BEGIN + timedelta(days=7), max_age=timedelta(days=7)
    )
    assert verdict.passed
    assert failed(verdict, "warn") == reasons
    refuse_or_pass(verdict)


def test_rows_without_any_value_are_a_gap_too(plant: Plant, good: pl.DataFrame) -> None:
    blank = pl.int_range(pl.len()).is_between(40, 49)
    emptied = good.with_columns(pl.when(~blank).then(pl.col(s)).alias(s) for s in plant.signals)
    gap = next(c for c in validate(plant, emptied).checks if c.name == "longest gap in rows")
    assert not gap.passed and gap.observed.startswith("10")


def test_labels_are_required_only_in_a_labelled_drop(plant: Plant, good: pl.DataFrame) -> None:
    assert validate(plant, good.drop("anomaly_label")).passed


def test_the_verdict_names_rows_limits_and_examples(plant: Plant, good: pl.DataFrame) -> None:
    lines = validate(plant, good.with_columns(pl.col("PDT31008") * 100)).lines()
    assert lines[0].startswith("refused: ") and "1 refusals" in lines[0]
    assert (
        "PDT31008: mostly in range: 100 of 100 rows, such as 22000.0; "
        "expected 95% of hours in 0 to 400 mbar" in lines[1]
    )


def test_the_real_plant_passes(plant: Plant, real_data: Path) -> None:
    table = pl.read_csv(real_data / "gas_plant/labeled_dataset.csv", try_parse_dates=True)
    verdict = validate(
        plant, table.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC")), labelled=True
    )
    assert verdict.passed and len(verdict.lines()) == 1


REFUSED = GateResult(
    False, (Check("unique", "timestamp", False, "refuse", "2 of 9 rows", "each stamp once"),)
)


@pytest.mark.parametrize("folder", [False, True])
def test_a_refused_drop_is_kept_with_its_verdict(tmp_path: Path, folder: bool) -> None:
    drop = tmp_path / "drop" if folder else tmp_path / "drop.csv"
    file = drop / "a.csv" if folder else drop
    file.parent.mkdir(exist_ok=True)
    file.write_text("timestamp,PDT31008\n")
    kept = set_aside(drop, tmp_path / "refused", REFUSED)
    copy = kept / drop.name / "a.csv" if folder else kept / drop.name
    assert copy.read_text() == file.read_text() and file.exists()
    assert (
        "refuse  timestamp: unique: 2 of 9 rows; expected each stamp once"
        in (kept / "verdict.txt").read_text()
    )
    assert json.loads((kept / "verdict.json").read_text())["checks"][0]["severity"] == "refuse"


def test_a_refused_drop_with_the_longest_name_is_kept(tmp_path: Path) -> None:
    drop = tmp_path / f"{'ä' * 125}x.csv"
    drop.write_text("timestamp,PDT31008\n")
    kept = set_aside(drop, tmp_path / "refused", REFUSED)
    assert (kept / drop.name).is_file()


@pytest.mark.parametrize("folder", [False, True])
def test_the_copy_of_a_refused_drop_is_readable_by_its_owner_only(
    tmp_path: Path, folder: bool
) -> None:
    file = tmp_path / "drop" / "a.csv"
    file.parent.mkdir()
    file.write_text("timestamp,PDT31008\n")
    file.chmod(0o644)
    before = os.umask(0o077)
    try:
        kept = set_aside(file.parent if folder else file, tmp_path / "refused", REFUSED)
    finally:
        os.umask(before)
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_the_same_refusal_is_kept_once_and_another_beside_it(tmp_path: Path) -> None:
    drop = tmp_path / "drop.csv"
    drop.write_text("one")
    first_time = set_aside(drop, tmp_path / "refused", REFUSED)
    assert set_aside(drop, tmp_path / "refused", REFUSED) == first_time
    drop.write_text("two")
    assert set_aside(drop, tmp_path / "refused", REFUSED) != first_time
    assert len(list((tmp_path / "refused").iterdir())) == 2


def test_refused_drops_are_kept_for_their_time(tmp_path: Path) -> None:
    """Counted from when they were set aside, however old their files are."""
    drop, refused = tmp_path / "drop.csv", tmp_path / "refused"
    drop.write_text("one")
    os.utime(drop, (0, 0))
    kept = set_aside(drop, refused, REFUSED)
    (refused / "of-somebody").mkdir()
    now = datetime.now(UTC)
    assert forget_refused(refused, 90, now + timedelta(days=89)) == 0 and kept.exists()
    assert forget_refused(refused, 90, now + timedelta(days=91)) == 1
    assert [one.name for one in refused.iterdir()] == ["of-somebody"]
    assert forget_refused(tmp_path / "not there", 90) == 0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    drop, file = tmp_path / "drop.csv", tmp_path / "file"
    drop.write_text("one")
    file.write_text("not a folder")
    with pytest.raises(StorageError, match="could not be copied to"):
        set_aside(drop, file, REFUSED)


def test_a_drop_is_not_kept_inside_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("one")
    with pytest.raises(StorageError, match="use a folder outside"):
        set_aside(tmp_path, tmp_path / "refused", REFUSED)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_the_gate_is_silent_and_slow_to_load_only_when_used(plant: Plant) -> None:
    script = (
        "import sys\nimport polars as pl\n"
        "from alarmstack.core.plant import load_plant\n"
        "from alarmstack.preparation.quality import validate\n"
        "assert 'great_expectations' not in sys.modules\n"
        f"plant = load_plant({str(plant.folder / 'plant.toml')!r})\n"
        "validate(plant, pl.DataFrame({'timestamp': []}))\n"
        "assert 'great_expectations' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
