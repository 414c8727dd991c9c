"""A full evaluation gives the recorded values: a change of structure changes no metric.

`recorded.csv` is what `alarmstack evaluate` printed before the packages were restructured. A change
that is meant to move metrics writes it anew: `ALARMSTACK_RECORD=1 pytest tests/evaluation`.
"""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.home import alarmstack

RECORDED = Path(__file__).with_name("recorded.csv")
TEXTS = ("model", "horizon", "metric", "baseline")
NUMBERS = ("value", "low", "high", "baseline_value")
DIGITS = 9
"""Decimals that are recorded."""


@pytest.mark.slow
def test_a_full_evaluation_gives_the_recorded_values(home: Path, tmp_path: Path) -> None:
    """Two simulated years that no model was trained on, with the models of the test home."""
    alarmstack(home, "evaluate", "--json", str(tmp_path / "evaluation.json"))
    evaluated = json.loads((tmp_path / "evaluation.json").read_text())
    if os.environ.get("ALARMSTACK_RECORD") == "1":
        record(evaluated)
    recorded = list(csv.DictReader(RECORDED.open()))
    assert len(evaluated) == len(recorded)
    for now, before in zip(evaluated, recorded, strict=True):
        name = f"{before['model']} {before['metric']}"
        assert {key: now[key] or "" for key in TEXTS} == {key: before[key] for key in TEXTS}
        for key in NUMBERS:
            assert (now[key] is None) == (before[key] == ""), f"{name}: {key}"
            if now[key] is not None:
                recorded_number = pytest.approx(float(before[key]), rel=1e-6, abs=1e-6)
                assert now[key] == recorded_number, f"{name}: {key}"


def record(rows: list[dict[str, object]]) -> None:
    """Write the values of an evaluation as the recorded ones."""
    with RECORDED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*TEXTS[:3], *NUMBERS[:3], TEXTS[3], NUMBERS[3]])
        for row in rows:
            writer.writerow(
                [
                    written(row[key])
                    for key in (*TEXTS[:3], *NUMBERS[:3], "baseline", "baseline_value")
                ]
            )


def written(value: object) -> object:
    """A value as the file holds it."""
    return round(value, DIGITS) if isinstance(value, float) else value
