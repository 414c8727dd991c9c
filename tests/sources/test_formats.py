"""The same readings in every format and layout give the same result; cells are read as meant."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alarmstack.core.errors import SourceError
from alarmstack.core.intervals import READING_SCHEMA
from alarmstack.core.plant import Plant
from alarmstack.sources import read_source
from alarmstack.sources.cells import cells_of, cells_of_objects, read_instants, read_numbers

from . import writers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BEGIN = datetime(2024, 5, 1, 6)
FORMATS = [".xlsx", ".xls", ".csv", ".parquet"]

# Excel keeps milliseconds. Steps of minutes include midnight (a date without a time).
stamps = st.integers(0, 20_000).map(lambda m: BEGIN + timedelta(minutes=6 * m))
numbers = st.integers(-(10**9), 10**9).map(lambda n: n / 1000)  # Excel keeps fifteen digits
series = st.dictionaries(stamps, numbers, min_size=1, max_size=30)
few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def loaded(plant: Plant, path: Path) -> pl.DataFrame:
    readings = read_source(plant, path, now=NOW).readings
    assert readings is not None and dict(readings.schema) == {
        n: pl.DataFrame(schema=READING_SCHEMA).schema[n] for n in READING_SCHEMA
    }
    return readings


def pairs(readings: pl.DataFrame, tag: str) -> list[tuple[datetime, float]]:
    return list(readings.filter(tag=tag).select("time", "value").iter_rows())


def expected(values: dict[datetime, float]) -> list[tuple[datetime, float]]:
    return [(time.replace(tzinfo=UTC), value) for time, value in sorted(values.items())]


@pytest.mark.parametrize("suffix", FORMATS)
@given(values=series, seed=st.integers(0, 100))
@few
def test_the_historian_s_layout_round_trips_in_any_order(
    plant: Plant, tmp_path: Path, suffix: str, values: dict[datetime, float], seed: int
) -> None:
    rows = [(value, time) for time, value in values.items()]
    random.Random(seed).shuffle(rows)
    path = writers.simple(tmp_path / f"PDT31008{suffix}", rows)
    assert pairs(loaded(plant, path), "PDT31008") == expected(values)


@pytest.mark.parametrize("suffix", FORMATS)
@given(first=series, second=series)
@few
def test_long_and_wide_files_give_the_same_readings(
    plant: Plant,
    tmp_path: Path,
    suffix: str,
    first: dict[datetime, float],
    second: dict[datetime, float],
) -> None:
    times = sorted(first | second)
    wide = [
        ("Timestamp", "TE301020", "pdt31008"),
        *((t, first.get(t), second.get(t)) for t in times),
    ]
    long = [
        ("tag", "time", "value"),
        *(("TE301020", t, v) for t, v in first.items()),
        *(("PDT31008", t, v) for t, v in second.items()),
    ]
    for name, rows in (("wide", wide), ("long", long)):
        readings = loaded(plant, writers.write(tmp_path / f"{name}{suffix}", rows))
        assert pairs(readings, "TE301020") == expected(first)
        assert pairs(readings, "PDT31008") == expected(second)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_controller_s_columns_may_differ_in_length(
    plant: Plant, tmp_path: Path, suffix: str
) -> None:
    pv = writers.hours(BEGIN, [65.0, 66.0, 67.5])
    op = writers.hours(BEGIN + timedelta(minutes=7), [20.0, 21.0])
    path = writers.controller(tmp_path / f"lic31002{suffix}", pv, op, [(65.0, BEGIN)])
    readings = loaded(plant, path)
    for tag, rows in (("LIC31002_PV", pv), ("LIC31002_OP", op), ("LIC31002_SP", [(65.0, BEGIN)])):
        assert pairs(readings, tag) == [(t.replace(tzinfo=UTC), v) for v, t in rows]  # type: ignore[attr-defined]
    assert not [
        p for p in read_source(plant, path, now=NOW).problems if p.kind != "missing instrument"
    ]


def test_input_files_are_not_changed(plant: Plant, tmp_path: Path) -> None:
    path = writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    before = path.read_bytes(), path.stat().st_mtime_ns
    loaded(plant, path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [p.name for p in tmp_path.iterdir()] == ["PDT31008.xlsx"]


SPELLINGS = [
    # cells of a column, the expected values (None: a fault)
    (["1.5", "2", " 3 ", "-4e2", "+5"], [1.5, 2.0, 3.0, -400.0, 5.0]),
    (["1,5", "2,25", "1.234,5"], [1.5, 2.25, 1234.5]),
    (["0,125"], [0.125]),
    (["1,234"], [None]),  # ambiguous: 1.234 or 1234
    (["1,234", "0,5"], [1.234, 0.5]),  # the other cell decides
    (["1,234", "1,234.5"], [1234.0, 1234.5]),
    (["12,345,678"], [12345678.0]),
    (["Bad", "#N/A", "", "1.5 mbar"], [None, None, None, None]),
    (["nan", "inf", "-inf", "1_000"], [None, None, None, None]),
]


@pytest.mark.parametrize(("texts", "meant"), SPELLINGS)
def test_how_numbers_are_written(texts: list[str], meant: list[float | None]) -> None:
    assert read_numbers(cells_of(len(texts), text=pl.Series(texts))).values.to_list() == meant


def test_a_file_that_separates_with_semicolons_has_decimal_commas(
    plant: Plant, tmp_path: Path
) -> None:
    (tmp_path / "export.csv").write_bytes(
        "\ufeffZeit;PDT31008\n01.05.2024 06:00;1,234\n01.05.2024 07:00;229,5\n".encode()
    )
    assert pairs(loaded(plant, tmp_path), "PDT31008") == expected(
        {BEGIN: 1.234, BEGIN + timedelta(hours=1): 229.5}
    )


TIMES = [
    "2024-05-01 06:00:00",
    "2024-05-01T06:00:00",
    "2024-05-01 06:00:00.000",
    "2024-05-01 06:00",
    "2024-05-01T06:00:00Z",
    "2024-05-01T08:00:00+02:00",
    "2024-05-01 08:00:00 +0200",
    "2024-05-01 08:00+02",
    "01.05.2024 06:00",
    "01.05.2024 06:00:00",
    "45413.25",
    45413.25,
    BEGIN,
]


@pytest.mark.parametrize("cell", TIMES)
def test_how_times_are_written(plant: Plant, cell: object) -> None:
    assert read_instants(cells_of_objects([cell]), plant.zone).values.to_list() == [
        BEGIN.replace(tzinfo=UTC)
    ]


@pytest.mark.parametrize(
    "cell",
    ["05/01/2024 06:00", "1714543200", 1714543200, "06:00", timedelta(hours=6), True, "2024-02-30"],
)
def test_ambiguous_times_are_faults(plant: Plant, cell: object) -> None:
    read = read_instants(cells_of_objects([cell]), plant.zone)
    assert read.values.to_list() == [None] and read.kind.to_list() == ["bad time"]


def test_a_date_alone_is_midnight(plant: Plant, tmp_path: Path) -> None:
    path = writers.simple(
        tmp_path / "PDT31008.xlsx",
        [(1.0, datetime(2024, 5, 1)), (2.0, "2024-05-02"), (3.0, datetime(2024, 5, 3, 1))],
    )
    assert [t.day for t, _ in pairs(loaded(plant, path), "PDT31008")] == [1, 2, 3]


def test_only_the_first_sheet_is_read_and_the_others_are_named(
    plant: Plant, tmp_path: Path
) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "PDT31008.xlsx"))
    book.add_worksheet("Empty")
    for name in ("Trend", "Notes"):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, ["Value", "Timestamp"])
        sheet.write_row(2, 0, [229.5, 45413.25])
    book.close()
    drop = read_source(plant, tmp_path, now=NOW)
    assert drop.readings is not None and len(drop.readings) == 1
    assert [p.reason for p in drop.problems if p.kind == "unread sheet"] == [
        "sheet 'Notes' is not read: one sheet for each workbook"
    ]


def test_a_file_without_a_header_loses_no_row(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "PDT31008.csv").write_text("229.5,2024-05-01 06:00:00\n230.5,2024-05-01 07:00:00\n")
    assert len(loaded(plant, tmp_path)) == 2


def test_a_finished_dataset_beside_raw_readings_is_not_read(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    writers.write(
        tmp_path / "cleaned_dataset.csv",
        [("timestamp", "PDT31008", "PDT31008_max"), (BEGIN, 1.0, 2.0)],
    )
    drop = read_source(plant, tmp_path, now=NOW)
    assert (
        drop.table is None
        and drop.readings is not None
        and drop.readings["value"].to_list() == [229.5]
    )
    assert ("cleaned_dataset.csv", "unread file") in [(p.file, p.kind) for p in drop.problems]


CSV_FILES = [
    # a file's text, its readings of PDT31008, the row of its fault
    (
        "a truly blank second line",
        "Value,Timestamp\n\n229.5,2024-05-01 06:00\nBad,2024-05-01 07:00\n",
        [229.5],
        4,
    ),
    (
        "Windows line ends, quotes, an unnamed index",
        ',PDT31008\r\n2024-05-01 06:00,"229,5"\r\n2024-05-01 07:00,Bad\r\n',
        [229.5],
        3,
    ),
    ("tabs", "timestamp\tPDT31008\n2024-05-01 06:00\t229.5\nsoon\t1\n", [229.5], 3),
    (
        "cut off in the last line",
        "timestamp,TE301020,PDT31008\n2024-05-01 06:00,107,229.5\n2024-05-01 0",
        [229.5],
        3,
    ),
    (
        "commas after the last column",
        "timestamp,PDT31008\n2024-05-01 06:00,229.5,,\nsoon,1,,\n",
        [229.5],
        3,
    ),
]


@pytest.mark.parametrize(
    ("text", "values", "row"), [c[1:] for c in CSV_FILES], ids=[c[0] for c in CSV_FILES]
)
def test_csv_as_people_write_it(
    plant: Plant, tmp_path: Path, text: str, values: list[float], row: int
) -> None:
    path = tmp_path / "PDT31008.csv"
    path.write_bytes(text.encode())
    drop = read_source(plant, path, now=NOW)
    assert (
        drop.readings is not None
        and drop.readings.filter(tag="PDT31008")["value"].to_list() == values
    )
    assert [p.row for p in drop.problems if p.kind != "missing instrument"] == [row]


def test_umlauts_of_an_old_windows(plant: Plant, tmp_path: Path) -> None:
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        (tmp_path / "drop.csv").write_bytes(
            "timestamp,TE301020 [°C]\n2024-05-01 06:00,107\n".encode(encoding)
        )
        assert pairs(loaded(plant, tmp_path), "TE301020") == expected({BEGIN: 107.0})


def damaged(content: bytes) -> Iterator[bytes]:
    """The content cut short at 32 places, and with 50 bytes of zeros at 32 places.

    As by an interrupted transfer, and by a bad block of a disk.
    """
    for part in range(32):
        at = len(content) * part // 32
        yield content[:at]
        yield content[:at] + bytes(len(content[at : at + 50])) + content[at + 50 :]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_file_is_read_or_refused_and_never_breaks_the_reader(
    plant: Plant, tmp_path: Path, suffix: str
) -> None:
    whole = writers.simple(
        tmp_path / f"PDT31008{suffix}", writers.hours(BEGIN, [229.5] * 50)
    ).read_bytes()
    path, refused = tmp_path / f"TE301020{suffix}", 0
    for content in damaged(whole):
        path.write_bytes(content)
        try:
            drop = read_source(plant, path, now=NOW)
        except SourceError as error:
            refused += 1
            assert path.name in str(error)
        else:
            assert drop.readings is not None and len(drop.readings) <= 50
    # A binary file that is cut short cannot be opened; a CSV keeps its first lines.
    assert refused >= (1 if suffix == ".csv" else 32)
