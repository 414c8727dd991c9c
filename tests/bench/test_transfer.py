"""`alarmstack bench transfer`: budgets on data that did not choose the threshold."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.alarms import WarningRule
from alarmstack.alarms.budget import Budget
from alarmstack.bench.transfer import OURS, halves, ladder, read_scores, summaries
from alarmstack.core.errors import BenchError
from tests.home import alarmstack

BEGIN = datetime(2026, 3, 1)
HOUR = timedelta(hours=1)


def scores(
    cadence: timedelta, *, assets: int = 6, rows: int = 3000, shifted: float = 0.0
) -> pl.DataFrame:
    """Surprise of normal rows; every second asset has scores that are `shifted` higher."""
    tables = []
    for number in range(assets):
        values = np.random.default_rng(number).exponential(1 / np.log(10), rows)
        tables.append(
            pl.DataFrame(
                {
                    "run": f"run {number}",
                    "asset": f"asset {number}",
                    "start": [BEGIN + row * cadence for row in range(rows)],
                    "score": values + shifted * (number % 2),
                    "normal": True,
                }
            )
        )
    return pl.concat(tables)


@pytest.mark.parametrize("cadence", [timedelta(seconds=1), timedelta(hours=1)], ids=str)
def test_assets_that_are_alike_keep_the_budget_and_the_off_delay_is_counted(
    cadence: timedelta,
) -> None:
    rule = WarningRule(0.0, off_delay=9 * cadence.total_seconds())
    budget = Budget(0.02 * (timedelta(days=1) / cadence), 0.04)
    lines = {
        line.rule: line
        for line in summaries(list(ladder("alike", scores(cadence), rule, cadence, budget)))
    }
    assert lines[OURS].cells == 8 and lines[OURS].kept == 1.0 and lines[OURS].median > 0.5
    assert lines["quantile"].median > 3, "a quantile does not count what the off-delay adds"


def test_a_budget_that_does_not_transfer_is_reported() -> None:
    minute = timedelta(minutes=1)
    table = scores(minute, shifted=2.0)
    cells = list(ladder("odd", table, WarningRule(0.0), minute, Budget(20.0, 0.02)))
    shifted = [c for c in cells if c.rule == OURS and c.tested_on == "second" and c.factor == 1]
    assert [c.far_off for c in shifted] == [True] and not shifted[0].kept


def test_few_assets_and_runs_are_cut_by_date() -> None:
    (first,), (second,) = halves(scores(HOUR, assets=1), HOUR)
    assert len(first.scores) == len(second.scores) == 1500
    parts = halves(scores(HOUR, assets=5, rows=10), HOUR)
    assert [[s.asset for s in part] for part in parts] == [
        ["asset 0", "asset 2", "asset 4"],
        ["asset 1", "asset 3"],
    ]


def test_a_table_of_your_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    scores(timedelta(minutes=1), rows=800).write_csv(file)
    words = ("bench", "transfer", "--file", str(file), "--cadence", "1min", "--off-delay", "10min")
    out, report = tmp_path / "out.json", tmp_path / "report.md"
    done = alarmstack(
        tmp_path,
        *words,
        "--per-day",
        "20",
        "--share",
        "0.1",
        "--json",
        str(out),
        "--report",
        str(report),
    )
    assert "Budgets by rule" in done.stdout and "mine" in done.stdout
    rows = json.loads(out.read_text())
    assert {row["name"].split("/")[1] for row in rows} >= {OURS, "quantile", "POT"}
    assert "### Both sides" in report.read_text()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    table = scores(timedelta(minutes=1), rows=20)
    table.drop("asset").write_csv(file)
    with pytest.raises(BenchError, match="no column asset"):
        read_scores(file, "normality")
    table.with_columns(normal=False).write_csv(file)
    with pytest.raises(BenchError, match="no normal row"):
        read_scores(file, "normality")
    table.with_columns(score=pl.lit("high")).write_csv(file)
    with pytest.raises(BenchError, match="score must be a number"):
        read_scores(file, "normality")
    with pytest.raises(BenchError, match="bench skill"):
        read_scores(tmp_path / "nothing.parquet", "normality")


def test_normal_may_be_written_as_1_and_0(tmp_path: Path) -> None:
    file = tmp_path / "mine.CSV"
    table = scores(HOUR, rows=20).with_columns(normal=pl.lit(1))
    table.write_csv(file)
    assert read_scores(file, "normality")["normal"].all()


def test_runs_of_two_assets_with_one_name_stay_apart_and_a_gap_begins_a_segment() -> None:
    table = scores(HOUR, assets=4, rows=100).with_columns(run=pl.lit("run"))
    parts = halves(table.filter(pl.col("start") != BEGIN + 50 * HOUR), HOUR)
    assert [[len(s.scores) for s in part] for part in parts] == [[99, 99], [99, 99]]
    assert set(parts[0][0].segment) == {0, 1}


def test_a_part_without_normal_rows_is_named() -> None:
    table = scores(HOUR, rows=100).with_columns(normal=pl.col("asset").str.contains("[024]"))
    with pytest.raises(BenchError, match="one of the two parts"):
        list(ladder("half", table, WarningRule(0.0), HOUR, Budget(1.0, 0.1)))


def test_options_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    done = alarmstack(tmp_path, "bench", "transfer", "--share", "0.1", check=False)
    assert done.returncode and "describe your own --file" in done.stderr
