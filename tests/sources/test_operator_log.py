"""The operator log: wrong rows are reported and the others are read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alarmstack.core.errors import SourceError
from alarmstack.core.plant import Plant
from alarmstack.sources import read_operator_log, read_source

from . import writers

HEAD = ("start", "end", "description")
BEGIN = datetime(2024, 5, 1, 6)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def test_the_plant_s_own_log(plant: Plant) -> None:
    log, problems = read_operator_log(plant, plant.folder / str(plant.operator_log))
    assert problems == () and len(log) == 6
    assert log.row(0) == (
        datetime(2014, 12, 25, 22, tzinfo=UTC),
        datetime(2014, 12, 26, 2, tzinfo=UTC),
        "FIC31011 spike",
    )


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (("2024-05-02 08:00", "2024-05-01 08:00", "ends first"), "bad period"),
        (("Tuesday", "2024-05-01 08:00", "no start"), "bad time"),
        (("2024-05-01 08:00", "", "no end"), "blank"),
    ],
)
def test_a_bad_row_is_reported_and_the_others_read(
    plant: Plant, tmp_path: Path, row: writers.Row, kind: str
) -> None:
    good = ("01.05.2024 10:00", "2024-05-01 12:00:00", "foaming")
    log, problems = read_operator_log(plant, writers.write(tmp_path / "log.csv", [HEAD, row, good]))
    assert log["description"].to_list() == ["foaming"]
    assert [(p.file, p.row, p.kind) for p in problems] == [("log.csv", 2, kind)]


def test_times_are_plant_time(plant: Plant, tmp_path: Path) -> None:
    berlin = plant.model_copy(update={"timezone": "Europe/Berlin"})
    berlin.__dict__.pop("zone", None)
    path = writers.write(tmp_path / "log.xlsx", [HEAD, (BEGIN, datetime(2024, 5, 1, 9), "foaming")])
    log, _ = read_operator_log(berlin, path)
    assert log["start"].to_list() == [datetime(2024, 5, 1, 4, tzinfo=UTC)]


def test_which_log_is_used(plant: Plant, tmp_path: Path) -> None:
    drop, given = tmp_path / "drop", tmp_path / "given.csv"
    drop.mkdir()
    writers.simple(drop / "PDT31008.xlsx", [(229.5, BEGIN)])
    writers.write(given, [HEAD, ("2024-05-01 08:00", "2024-05-01 09:00", "given")])
    assert read_source(plant, drop, now=NOW).operator_log is None
    writers.write(
        drop / "Operator_Log.csv", [HEAD, ("2024-05-01 08:00", "2024-05-01 09:00", "its own")]
    )
    own = read_source(plant, drop, now=NOW).operator_log
    assert own is not None and own["description"].to_list() == ["its own"]
    chosen = read_source(plant, drop, operator_log=given, now=NOW).operator_log
    assert chosen is not None and chosen["description"].to_list() == ["given"]


def test_a_given_log_must_be_readable(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    with pytest.raises(
        SourceError, match="no such operator log: use a CSV with the columns start,end,description"
    ):
        read_source(plant, tmp_path, operator_log=tmp_path / "nowhere.csv")
    strange = writers.write(
        tmp_path / "strange.csv", [("from", "to"), ("2024-05-01", "2024-05-02")]
    )
    with pytest.raises(
        SourceError, match="columns from, to: an operator log needs start,end,description"
    ):
        read_source(plant, tmp_path, operator_log=strange)


def test_a_broken_log_in_the_drop_is_reported(plant: Plant, tmp_path: Path) -> None:
    writers.simple(tmp_path / "PDT31008.xlsx", [(229.5, BEGIN)])
    writers.write(tmp_path / "operator_log.csv", [("from", "to"), ("2024-05-01", "2024-05-02")])
    drop = read_source(plant, tmp_path, now=NOW)
    assert drop.operator_log is None
    assert ("operator_log.csv", "corrupt file") in [(p.file, p.kind) for p in drop.problems]
