"""The command line: readable help, errors on one line, no traceback for any input."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from alarmstack.cli import app, main

COMMAND = typer.main.get_command(app)


def commands(group: Any, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command, by the words that call it."""
    by_words: dict[str, Any] = {}
    for name, command in group.commands.items():
        path = (*words, name)
        if hasattr(command, "commands"):
            by_words |= commands(command, path)
        else:
            by_words[" ".join(path)] = command
    return by_words


COMMANDS = commands(COMMAND)


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["alarmstack", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize("words", COMMANDS)
def test_each_example_begins_a_line_of_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    status, out, _ = run(monkeypatch, capsys, *words.split(), "--help")
    examples = out.count("Example:")
    assert status == 0 and examples >= 1
    assert len(re.findall(r"(?m)^\s*Example:", out)) == examples


OLD_NAMES = [("similarity", "likeness", "--against"), ("predictability", "hardness", "--plant")]


@pytest.mark.parametrize(("name", "old_name", "option"), OLD_NAMES)
def test_an_old_name_runs_the_renamed_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    old_name: str,
    option: str,
) -> None:
    missing = str(tmp_path / "missing")
    results = [run(monkeypatch, capsys, word, option, missing) for word in (name, old_name)]
    assert results[0] == results[1]
    assert results[0][0] in (1, 3) and f"{missing}: no such file" in results[0][2]


def test_the_help_lists_the_new_names_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(monkeypatch, capsys, "--help")
    assert all(name in out and old_name not in out for name, old_name, _ in OLD_NAMES)


def test_the_help_needs_no_library_that_only_a_command_needs() -> None:
    heavy = {"sklearn", "matplotlib", "mlflow", "pyspark", "polars", "fastapi", "pandas"}
    code = f"import sys, alarmstack.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


INVALID = [
    (["bench", "models", "--seeds", "x"], "--seeds"),
    (["bench", "models", "--seeds", "1,"], "--seeds"),
    (["bench", "models", "--days", "999999999"], "--days"),
    (["evaluate", "--seeds", "-1"], "--seeds"),
    (["evaluate", "--seeds", "99999999999999999999999"], "--seeds"),
    (["evaluate", "--seeds", "²"], "--seeds"),
    (["evaluate", "--threshold-seeds", "x"], "--threshold-seeds"),
    (["evaluate", "--stride", "999999999h"], "--stride"),
    (["evaluate", "--stride", "0s"], "--stride"),
    (["evaluate", "--days", "x"], "--days"),
    (["simulate", "--out", "x", "--start", "0001-01-01"], "--start"),
    (["simulate", "--out", "x", "--start", "9999-12-31"], "--start"),
    (["simulate", "--out", "x", "--seed", "99999999999999999999999"], "--seed"),
    (["simulate", "--out", "x", "--days", "0"], "--days"),
    (["train", "--seed", "4294967296"], "--seed"),
    (["stream", "a", "b", "--grace", "1e300"], "--grace"),
    (["stream", "a", "b", "--grace", "nan"], "--grace"),
    (["serve", "sensors", "--speed", "1e300"], "--speed"),
    (["serve", "sensors", "--speed", "nan"], "--speed"),
    (["serve", "gateway", "--port", "65536"], "--port"),
    (["nothing"], "nothing"),
    (["validate"], "FILE"),
    (["version", "--no-such-option"], "--no-such-option"),
]


@pytest.mark.parametrize(("words", "named"), INVALID, ids=[" ".join(words) for words, _ in INVALID])
def test_an_invalid_value_is_reported_on_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    named: str,
) -> None:
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith("alarmstack: ") and named in err


READ_ONLY = Path("/dev/null/data")
"""Nothing can be created in it, not even by root."""


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--days", "1", "--out", str(READ_ONLY / "out")],
        ["plant", "--json", str(READ_ONLY / "plant.json")],
        ["train"],
        ["export"],
        ["promote", "plant_alarm_champion"],
        ["watch", str(READ_ONLY / "drop"), "--once"],
        ["user", "list"],
        ["serve", "sensors", "--port", "0"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_data_folder_that_cannot_be_written_is_reported_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setenv("ALARMSTACK_DATA_DIR", str(READ_ONLY))
    status, _, err = run(monkeypatch, capsys, *words)
    assert status in (1, 2)
    assert err.count("\n") == 1 and err.startswith("alarmstack: ") and "unexpected" not in err


def test_a_closed_output_leaves_no_traceback() -> None:
    command = f"{Path(sys.executable).with_name('alarmstack')} plant | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
