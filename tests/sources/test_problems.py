"""Faults of every kind: good rows are loaded, bad ones reported with file, row and reason."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from alarmstack.core.errors import SourceError
from alarmstack.core.plant import Plant
from alarmstack.sources import KINDS, Drop, read_source

from . import writers

BEGIN = datetime(2024, 5, 1, 6)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
QUIET = "missing instrument"


def read(plant: Plant, path: Path) -> Drop:
    return read_source(plant, path, now=NOW)


def complaints(drop: Drop) -> list[tuple[str, int | None, str]]:
    return [(p.file, p.row, p.kind) for p in drop.problems if p.kind != QUIET]


def values(drop: Drop, tag: str = "PDT31008") -> list[float]:
    assert drop.readings is not None
    return drop.readings.filter(tag=tag)["value"].to_list()


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("Bad", "text"),
        ("No Data", "text"),
        ("#N/A", "text"),
        ("nan", "bad number"),
        ("-inf", "bad number"),
        ("", "blank"),
    ],
)
def test_a_cell_that_is_not_a_number(
    plant: Plant, tmp_path: Path, suffix: str, cell: str, kind: str
) -> None:
    writers.simple(tmp_path / f"PDT31008{suffix}", writers.hours(BEGIN, [229.5, cell, 231.0]))
    drop = read(plant, tmp_path)
    assert complaints(drop) == [(f"PDT31008{suffix}", 4, kind)]
    assert values(drop) == [229.5, 231.0]


def test_excel_s_own_error_cells_and_booleans(plant: Plant, tmp_path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "PDT31008.xlsx"))
    sheet, stamp = book.add_worksheet(), book.add_format({"num_format": writers.STAMP})
    sheet.write_row(0, 0, ["Value", "Timestamp"])
    sheet.write_formula(2, 0, "=NA()", None, "#N/A")
    sheet.write_boolean(3, 0, True)
    sheet.write_number(4, 0, 230.0)
    for y in (2, 3, 4):
        sheet.write_datetime(y, 1, BEGIN + timedelta(hours=y), stamp)
    book.close()
    drop = read(plant, tmp_path)
    assert [row for _, row, _ in complaints(drop)] == [3, 4]
    assert values(drop) == [230.0]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
@pytest.mark.parametrize(
    ("stamp", "kind"),
    [
        ("yesterday", "bad time"),
        ("2024-13-01 00:00:00", "bad time"),
        ("", "blank"),
        ("0201-05-01 06:00:00", "bad time"),
    ],
)
def test_a_time_that_cannot_be_read(
    plant: Plant, tmp_path: Path, suffix: str, stamp: str, kind: str
) -> None:
    rows = [*writers.hours(BEGIN, [229.5, 230.0]), (231.0, stamp)]
    writers.simple(tmp_path / f"PDT31008{suffix}", rows)
    drop = read(plant, tmp_path)
    assert complaints(drop) == [(f"PDT31008{suffix}", 5, kind)]
    assert values(drop) == [229.5, 230.0]


def test_two_values_at_one_instant_keep_the_later_row(plant: Plant, tmp_path: Path) -> None:
    rows = [*writers.hours(BEGIN, [229.5, 230.0]), (235.0, BEGIN + timedelta(hours=1))]
    writers.simple(tmp_path / "PDT31008.xlsx", rows)
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("PDT31008.xlsx", 5, "duplicate time")]
    assert "230.0 and 235.0" in drop.problems[0].reason
    assert values(drop) == [229.5, 235.0]


def test_the_same_row_twice_is_silently_one(plant: Plant, tmp_path: Path) -> None:
    writers.simple(
        tmp_path / "PDT31008.xlsx",
        [(229.5, BEGIN), (229.5, BEGIN), (230.0, BEGIN + timedelta(hours=1))],
    )
    drop = read(plant, tmp_path)
    assert complaints(drop) == []
    assert values(drop) == [229.5, 230.0]


def test_two_files_that_disagree(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    writers.write(tmp_path / "wide.csv", [("timestamp", "PDT31008"), (BEGIN, 240.0)])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("wide.csv", 2, "duplicate time")]
    assert values(drop) == [240.0]


def test_rows_out_of_order_are_sorted_and_reported_once(plant: Plant, tmp_path: Path) -> None:
    first, second, third, fourth = writers.hours(BEGIN, [1.0, 2.0, 3.0, 4.0])
    writers.simple(tmp_path / "PDT31008.xlsx", [first, fourth, second, third])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("PDT31008.xlsx", 5, "unordered time")]
    assert "2 rows" in drop.problems[0].reason
    assert values(drop) == [1.0, 2.0, 3.0, 4.0]


def test_the_future_is_not_loaded(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN), (230.0, datetime(2025, 5, 1))])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("PDT31008.xlsx", 4, "future time")]
    assert values(drop) == [229.5]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
@pytest.mark.parametrize("rows", [[], [("Value", "Timestamp")]])
def test_an_empty_workbook_beside_a_good_one(
    plant: Plant, tmp_path: Path, suffix: str, rows: Sequence[writers.Row]
) -> None:
    writers.write(tmp_path / f"PDT31008{suffix}", rows)
    writers.simple(tmp_path / "TE301020.xlsx", [(107.0, BEGIN)])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [(f"PDT31008{suffix}", None, "empty file")]
    assert values(drop, "TE301020") == [107.0]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".parquet"])
def test_a_truncated_file_beside_a_good_one(plant: Plant, tmp_path: Path, suffix: str) -> None:
    broken = writers.simple(tmp_path / f"PDT31008{suffix}", writers.hours(BEGIN, [229.5] * 500))
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    writers.simple(tmp_path / "TE301020.xlsx", [(107.0, BEGIN)])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [(broken.name, None, "corrupt file")]
    assert "export it again" in drop.problems[0].reason
    assert values(drop, "TE301020") == [107.0] and values(drop) == []
    assert not any(p.kind == QUIET and "PDT31008" in p.reason for p in drop.problems)


def test_a_missing_instrument_is_named(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    missing = [p.reason for p in read(plant, tmp_path).problems if p.kind == QUIET]
    assert len(missing) == 9
    assert missing[0].startswith("no TE301020.xlsx")
    assert any("LIC31012_PV, LIC31012_OP, LIC31012_SP" in reason for reason in missing)


def test_a_controller_s_sheet_without_its_setpoint(plant: Plant, tmp_path: Path) -> None:
    rows = [("PV", "t", "", "", "OP", "t"), ("",) * 6, (65.0, BEGIN, "", "", 20.0, BEGIN)]
    drop = read(plant, writers.write(tmp_path / "LIC31002.xlsx", rows))
    assert values(drop, "LIC31002_PV") == [65.0]
    assert "LIC31002_SP must be in columns I and J" in drop.problems[0].reason


def test_files_that_are_no_readings(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "pdt31008.XLSX", [(229.5, BEGIN)])
    for name in ("notes.txt", ".hidden.csv", "~$PDT31008.xlsx", "manifest.json"):
        (tmp_path / name).write_text("something")
    writers.write(tmp_path / "holidays.csv", [("day", "name"), ("2024-05-01", "Labour Day")])
    (tmp_path / "truth").mkdir()
    writers.write(tmp_path / "truth" / "truth.csv", [("timestamp", "PDT31008"), (BEGIN, 1.0)])
    drop = read(plant, tmp_path)
    assert complaints(drop) == [
        ("notes.txt", None, "unknown file"),
        ("holidays.csv", None, "unknown file"),
    ]
    assert values(drop) == [229.5]
    assert [f.name for f in drop.files] == ["pdt31008.XLSX"]


def test_many_equal_faults_end_in_a_count(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.csv", writers.hours(BEGIN, ["Bad"] * 57 + [229.5]))
    faults = [p for p in read(plant, tmp_path).problems if p.kind == "text"]
    assert len(faults) == 21
    assert faults[-1].row is None and faults[-1].reason.startswith("37 more")


def test_an_unknown_column_and_an_unknown_tag(plant: Plant, tmp_path: Path) -> None:
    writers.write(tmp_path / "a.csv", [("timestamp", "PDT31008", "PDT99999"), (BEGIN, 229.5, 1.0)])
    writers.write(
        tmp_path / "b.csv",
        [("tag", "time", "value"), ("TE301020", BEGIN, 107.0), ("XX", BEGIN, 1), ("XX", BEGIN, 2)],
    )
    drop = read(plant, tmp_path)
    assert complaints(drop) == [("a.csv", None, "unknown column"), ("b.csv", 3, "unknown tag")]
    assert "2 rows not loaded" in drop.problems[1].reason


@pytest.mark.parametrize(
    "what", ["absent", "empty folder", "only a text file", "only a broken workbook"]
)
def test_nothing_at_all_can_be_read(plant: Plant, tmp_path: Path, what: str) -> None:
    path = tmp_path / "drop"
    if what != "absent":
        path.mkdir()
    if what == "only a text file":
        (path / "notes.txt").write_text("hello")
    if what == "only a broken workbook":
        (path / "PDT31008.xlsx").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(SourceError, match=r"drop: no .*: give") as caught:
        read(plant, path)
    assert "PDT31008.xlsx" not in str(caught.value) or what == "only a broken workbook"


def test_a_finished_dataset_is_passed_on_unchanged(plant: Plant, tmp_path: Path) -> None:
    rows = [
        ("timestamp", "PDT31008", "PDT31008_max", "anomaly_label"),
        (BEGIN, 229.5, 231.0, 0),
        (BEGIN, 230.0, 231.0, 1),
    ]
    drop = read(plant, writers.write(tmp_path / "labeled.csv", rows))
    assert drop.readings is None and drop.labelled and drop.table is not None
    assert drop.table["anomaly_label"].to_list() == [0, 1]
    assert drop.table.schema["timestamp"] == pl.Datetime("us", "UTC")
    assert complaints(drop) == [("labeled.csv", None, "duplicate time")]


def test_the_real_plant_s_files(plant: Plant, real_data: Path) -> None:
    cleaned = read_source(plant, real_data / "gas_plant/cleaned_dataset.csv")
    assert cleaned.problems == () and cleaned.table is not None and cleaned.table.shape == (673, 53)
    folder = read_source(plant, real_data / "gas_plant")
    assert (
        folder.labelled and folder.table is not None and folder.table["anomaly_label"].sum() == 263
    )
    expected = pl.read_csv(real_data / "gas_plant/cleaned_dataset.csv")
    for name in plant.signals:
        assert cleaned.table[name].to_list() == expected[name].cast(pl.Float64).to_list()


def test_every_kind_of_problem_has_a_test(plant: Plant) -> None:
    here = "".join(p.read_text() for p in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in KINDS if here.count(f'"{kind}"') == 0] == []
