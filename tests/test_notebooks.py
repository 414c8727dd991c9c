"""The notebooks define no function, have no output in git, and run, also on the real month."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alarmstack.core.errors import PlantError
from alarmstack.registry import Registry
from alarmstack.reports.plots import Figure
from tests.components import missing
from tests.conftest import REPOSITORY
from tests.heater import odd_plant, odd_readings
from tests.home import alarmstack

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
ALLOWED = {"alarmstack", "numpy", "polars", "matplotlib"}
DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
PLOTS = {"01_eda": 8, "02_models": 8, "03_validation": 7}
"""Number of plots of each notebook."""
PLOTS_OF_AN_UNSEEN_PLANT = 1
"""Plots that need a simulated plant, and are missing for the user's own data."""


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def code(path: Path) -> ast.Module:
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells(path, "code")).splitlines()
    return ast.parse("\n".join(line for line in lines if not line.startswith("%")))


def test_there_are_three_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(PLOTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_files_in_git_have_no_output_and_stable_ids(path: Path) -> None:
    content = json.loads(path.read_text())
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path, "code")
    )
    ids = [cell["id"] for cell in content["cells"]]
    assert ids == [f"{path.stem[:2]}-{number:02d}" for number in range(len(ids))]
    assert path.read_text() == json.dumps(content, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_function_is_defined_and_only_known_packages_are_imported(path: Path) -> None:
    tree = code(path)
    assert not [node for node in ast.walk(tree) if isinstance(node, DEFINING)]
    names = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert names and {name.split(".")[0] for name in names} <= ALLOWED


def execute(home: Path, *names: str, **variables: str) -> dict[str, str]:
    """Execute notebooks in their own folder, as a user does. Returns the HTML of each."""
    program = Path(sys.executable).with_name("jupyter-nbconvert")
    if not program.exists():
        missing("nbconvert", "`make components` installs it")
    environment = os.environ | {"ALARMSTACK_DATA_DIR": str(home), **variables}
    paths = [str(path) for path in NOTEBOOKS if path.stem in names]
    command = [
        str(program),
        "--execute",
        "--to",
        "html",
        "--output-dir",
        str(home / "notebooks"),
        *paths,
    ]
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: (home / "notebooks" / f"{name}.html").read_text() for name in names}


def count_plots(html: str) -> int:
    return len(re.findall(r'<img[^>]+src="data:image/png;base64,', html))


def logged(uri: str, experiment: str) -> list[Any]:
    """The runs of an experiment; empty if it does not exist."""
    client = Registry(uri)._client
    stored = client.get_experiment_by_name(experiment)
    return list(client.search_runs([stored.experiment_id])) if stored else []


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The HTML of all notebooks on a run of three months, because a year takes longer."""
    home = tmp_path_factory.mktemp("notebooks")
    alarmstack(
        home,
        "simulate",
        "--days",
        "75",
        "--seed",
        "1",
        "--format",
        "parquet",
        "--out",
        str(home / "training"),
    )
    alarmstack(home, "etl", str(home / "training"))
    return home, execute(home, *PLOTS)


@pytest.mark.slow
def test_the_notebooks_run_and_show_their_plots(simulated: tuple[Path, dict[str, str]]) -> None:
    for name, html in simulated[1].items():
        assert count_plots(html) == PLOTS[name]
        assert "Traceback" not in html and "Warning" not in html


@pytest.mark.slow
def test_the_datasets_equal_those_that_ingest_writes(
    simulated: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    home = simulated[0]
    alarmstack(home, "ingest", str(home / "drop"), "--out", str(tmp_path))
    for name in ("cleaned_dataset.csv", "labeled_dataset.csv"):
        assert (home / "notebooks" / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.slow
def test_models_are_registered_and_none_is_promoted(simulated: tuple[Path, dict[str, str]]) -> None:
    uri = f"sqlite:///{simulated[0] / 'mlflow.db'}"
    champion = Registry(uri).versions("plant_alarm_champion")
    assert len(champion) == 1 and champion[0].aliases == ()
    assert (
        len(logged(uri, "plant_alarm_notebooks")) == 10
        and logged(uri, "plant_alarm_training") == []
    )


@pytest.mark.slow
def test_the_validation_is_logged_to_the_registry(simulated: tuple[Path, dict[str, str]]) -> None:
    home = simulated[0]
    [run] = logged(f"sqlite:///{home / 'mlflow.db'}", "plant_alarm_validation")
    assert run.data.params["folds"] == "5" and run.data.params["gap"] == "24h"
    for horizon in ("1h", "3h", "6h"):
        name = f"plant_alarm_forecaster_{horizon}"
        assert {
            f"{name}.roc_auc",
            f"{name}.average_precision",
            f"{name}.fold_event_recall",
        } <= run.data.metrics.keys()
    rows = json.loads((home / "notebooks/validation/evaluation.json").read_text())
    value = next(
        r["value"]
        for r in rows
        if r["model"] == "plant_alarm_champion" and r["metric"] == "average_precision"
    )
    assert run.data.metrics["plant_alarm_champion.average_precision"] == pytest.approx(value)
    assert (home / "notebooks/validation/events.png").read_bytes().startswith(b"\x89PNG")


def results(path: Path) -> dict[str, Any]:
    """Run the cells of a notebook in this process; the value of each last line, by cell id."""
    scope: dict[str, Any] = {"display": str}
    values = {}
    for cell in cells(path, "code"):
        body = ast.parse("".join(cell["source"]).removeprefix("%matplotlib inline\n")).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), cell["id"], "exec"), scope)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), scope)
            if isinstance(value, Figure):
                value.canvas.draw()
            values[cell["id"]] = value
    return values


def shown(value: Any) -> str:
    """The text of a note, or the text inside the axes of a figure."""
    if not isinstance(value, Figure):
        return str(value)
    return "\n".join(text.get_text() for axis in value.axes for text in axis.texts)


MISSING: dict[str, set[str]] = {
    "no horizons": {"02-09", "02-14", "02-16", "03-15", "03-17", "03-18"},
    "no labels": {"02-09", "02-11", "02-13", "02-14", "02-16", "03-13", "03-15", "03-17", "03-18"},
}
"""Cells that state why nothing is plotted, beside those for a plant without controllers."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MISSING)
def test_they_run_on_a_plant_with_few_models(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_plant(name, tmp_path, monkeypatch)
    values = {key: value for path in NOTEBOOKS for key, value in results(path).items()}
    no_controllers = {"01-05", "01-14"}
    stated = {key for key, value in values.items() if "othing to plot: " in shown(value)}
    assert stated == MISSING[name] | no_controllers
    uri = f"sqlite:///{tmp_path / 'data/notebooks/few_events.db'}"
    [run] = logged(uri, "heater_validation")
    assert run.data.params["gap"] == "72min"


@pytest.mark.slow
def test_without_any_model_training_names_what_the_plant_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_plant("no labels and no normality", tmp_path, monkeypatch)
    data, models, validation = NOTEBOOKS
    results(data)
    with pytest.raises(PlantError, match=r"heater has no model to train: add"):
        results(models)
    assert "nothing to plot" in shown(results(validation)["03-17"])


def choose_plant(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the notebooks open a variant of the heater and its readings."""
    odd_plant(name, home)
    odd_readings(name).write_parquet(home / "readings.parquet")
    monkeypatch.setenv("ALARMSTACK_PLANT", str(home / "plant.toml"))
    monkeypatch.setenv("ALARMSTACK_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("ALARMSTACK_NOTEBOOK_DATA", str(home / "readings.parquet"))
    monkeypatch.chdir(REPOSITORY / "notebooks")


@pytest.mark.slow
def test_the_real_month_is_shown_without_a_claim(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gas_plant/labeled_dataset.csv"
    html_of = execute(tmp_path, *PLOTS, ALARMSTACK_NOTEBOOK_DATA=str(source))
    assert count_plots(html_of["01_eda"]) == PLOTS["01_eda"]
    assert count_plots(html_of["02_models"]) == PLOTS["02_models"] - PLOTS_OF_AN_UNSEEN_PLANT
    assert count_plots(html_of["03_validation"]) == PLOTS["03_validation"]
    for html in html_of.values():
        assert "No claim." in html and "labels are not causal" in html
    ours, theirs = (
        pl.read_csv(path).select("timestamp", "anomaly_label", "regime")
        for path in (tmp_path / "notebooks/labeled_dataset.csv", source)
    )
    assert ours.equals(theirs)
    [run] = logged(f"sqlite:///{tmp_path / 'notebooks/few_events.db'}", "plant_alarm_validation")
    assert run.data.params["claim"].startswith("none")
    assert not [
        name for name in run.data.metrics if "event_recall@" in name or "event_recall_at" in name
    ]
    assert not (tmp_path / "mlflow.db").exists()
