"""Reading in a child process: a harmful file gives a reason, and the other files are read."""

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from polars.testing import assert_frame_equal

from alarmstack.core.errors import ServiceError, SourceError
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.sources import guarded, read_source
from alarmstack.sources.guarded import Guarded
from alarmstack.sources.limits import Limits
from alarmstack.sources.problems import KINDS, Problem, file_name, printable
from tests.waiting import until

from . import hostile, writers

BEGIN = datetime(2024, 5, 1, 6)
SMALL = Limits(unpacked=20, memory=2500)
assert "corrupt file" in KINDS


def simple_drop(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    writers.simple(folder / "PDT31008.xlsx", writers.hours(BEGIN, [229.5, "Bad", 231.0]))
    writers.simple(folder / "TE301020.csv", writers.hours(BEGIN, [107.0, 108.0]))
    (folder / "operator_log.csv").write_text(
        "start,end,description\n2024-05-01 06:00,2024-05-01 07:00,foam\n"
    )
    return folder


def test_a_child_reads_what_this_process_reads(plant: Plant, tmp_path: Path) -> None:
    drop = simple_drop(tmp_path / "drop")
    theirs, ours = guarded(Settings())(plant, drop), read_source(plant, drop)
    assert theirs.readings is not None and ours.readings is not None
    assert theirs.operator_log is not None and ours.operator_log is not None
    assert_frame_equal(theirs.readings, ours.readings)
    assert_frame_equal(theirs.operator_log, ours.operator_log)
    assert (theirs.problems, theirs.files, theirs.table) == (ours.problems, ours.files, None)


def test_a_finished_dataset_is_returned_too(plant: Plant, tmp_path: Path) -> None:
    rows = [("timestamp", "PDT31008", "PDT31008_max", "anomaly_label"), (BEGIN, 229.5, 231.0, 0)]
    file = writers.write(tmp_path / "labeled.parquet", rows)
    theirs, ours = Guarded()(plant, file), read_source(plant, file)
    assert theirs.table is not None and ours.table is not None
    assert_frame_equal(theirs.table, ours.table)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("corner.xlsx", "more than 2500 MB of memory.*ALARMSTACK_READ_MEMORY_MB"),
        ("last_cell.xlsx", "16,383 columns.*ALARMSTACK_READ_COLUMNS"),
        ("bomb.xlsm", "more than 20 MB after unpacking.*ALARMSTACK_READ_UNPACKED_MB"),
        ("hidden_bomb.xlsx", "more than 20 MB after unpacking.*ALARMSTACK_READ_UNPACKED_MB"),
        ("wide.csv", "100,000 columns, at most 5,000.*ALARMSTACK_READ_COLUMNS"),
        ("long.parquet", r"200,000,000 rows .* cells are read.*ALARMSTACK_READ_CELLS"),
        ("nested.parquet", "no layout|cannot be opened"),
    ],
)
def test_a_hostile_file_gives_a_reason_and_the_other_files_are_read(
    plant: Plant, tmp_path: Path, name: str, reason: str
) -> None:
    drop = simple_drop(tmp_path / "drop")
    file = drop / name
    make = {
        "corner.xlsx": hostile.corner,
        "last_cell.xlsx": hostile.last_cell,
        "bomb.xlsm": lambda path: hostile.bomb(path, 21),
        "hidden_bomb.xlsx": lambda path: hostile.bomb(path, 21, declared=False),
        "wide.csv": hostile.wide,
        "long.parquet": hostile.long_parquet,
        "nested.parquet": hostile.nested_parquet,
    }
    make[name](file)
    assert file.stat().st_size < 2_000_000
    result = Guarded(SMALL)(plant, drop)
    assert result.readings is not None and len(result.readings) == 4
    (problem,) = [p for p in result.problems if p.file == name]
    assert problem.kind in ("corrupt file", "unknown file")
    assert re.search(reason, problem.reason), problem.reason


def test_a_drop_of_files_that_all_end_their_reader_is_refused_soon(
    plant: Plant, tmp_path: Path
) -> None:
    for number in range(6):
        hostile.corner(tmp_path / f"{number}.xlsx")
    with pytest.raises(SourceError, match=r"cannot be read: .*ALARMSTACK_READ_MEMORY_MB"):
        Guarded(SMALL)(plant, tmp_path)


def test_a_file_that_is_never_read_to_its_end_is_given_up(plant: Plant, tmp_path: Path) -> None:
    """A named pipe without a writer: a reader that opens it waits for ever."""
    pipe = tmp_path / "log.csv"
    os.mkfifo(pipe)
    simple_drop(tmp_path / "drop")
    with pytest.raises(SourceError, match="no such operator log"):
        Guarded(SMALL)(plant, tmp_path / "drop", operator_log=pipe)
    os.mkfifo(tmp_path / "drop" / "LT301031.csv")
    result = Guarded(SMALL)(plant, tmp_path / "drop")
    assert [(p.file, p.kind) for p in result.problems if p.file == "LT301031.csv"] == [
        ("LT301031.csv", "unread file")
    ]


def test_reading_ends_after_the_seconds_that_it_may_take(plant: Plant, tmp_path: Path) -> None:
    drop = simple_drop(tmp_path / "drop")
    with pytest.raises(SourceError, match=r"more than 0\.01 s: .*ALARMSTACK_READ_SECONDS"):
        Guarded(Limits(seconds=0.01))(plant, drop)


def test_a_reader_that_is_ended_from_outside_is_not_a_fault_of_the_file(
    plant: Plant, tmp_path: Path
) -> None:
    """A shutdown ends the reader: the drop must be read again later and not be refused."""

    def end_the_reader() -> None:
        me = psutil.Process()
        until(lambda: readers(me), lambda: "no reader started", every=0.01)
        readers(me)[0].send_signal(signal.SIGTERM)

    def readers(me: psutil.Process) -> list[psutil.Process]:
        """Readers of this process, which may have other children from other tests."""
        running = [child for child in me.children() if child.status() != psutil.STATUS_ZOMBIE]
        return [child for child in running if "alarmstack.sources" in child.cmdline()]

    ending = threading.Thread(target=end_the_reader)
    ending.start()
    with pytest.raises(ServiceError, match="interrupted"):
        Guarded()(plant, simple_drop(tmp_path / "drop"))
    ending.join()


@pytest.mark.parametrize(
    "name", [b"two\nlines.csv", b"M\xe4rz.csv", b"M\xe4rz.xlsx", b"M\xe4rz.parquet", b"\x1b[2J.csv"]
)
def test_a_file_name_with_newlines_or_invalid_utf_8_is_read_and_shown(
    plant: Plant, tmp_path: Path, name: bytes
) -> None:
    path = tmp_path / os.fsdecode(name)
    plain = writers.write(
        tmp_path / f"plain{path.suffix}", [("timestamp", "PDT31008", "X"), (BEGIN, 229.5, 1.0)]
    )
    plain.rename(path)
    result = Guarded()(plant, path)
    assert result.readings is not None and len(result.readings) == 1
    assert result.files == (path,)
    assert all(str(problem).isprintable() and str(problem).encode() for problem in result.problems)
    assert file_name(path).isprintable()


def test_text_of_a_file_is_shown_on_one_line_and_shortened() -> None:
    shown = str(Problem("a\nb", 1, "text", "\x1b[31m" + "x" * 100_000))
    assert shown.isprintable() and len(shown) < 600
    assert printable("\udce4") == "\\udce4"


def test_the_command_line_gives_one_line(tmp_path: Path) -> None:
    """`validate` with a workbook that aborts its reader."""
    file = hostile.corner(tmp_path / "corner.xlsx")
    command = [str(Path(sys.executable).with_name("alarmstack")), "validate", str(file)]
    environment = os.environ | {
        "ALARMSTACK_READ_MEMORY_MB": "2500",
        "ALARMSTACK_DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and "ALARMSTACK_READ_MEMORY_MB" in done.stderr
