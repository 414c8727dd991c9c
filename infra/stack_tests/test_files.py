"""The files of the stacks pass podman-compose and the linters, before a container runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stack_tests import REPOSITORY
from stack_tests.engine import Engine

INFRA = REPOSITORY / "infra"
DOCKERFILES = sorted(INFRA.glob("images/*.Dockerfile"))
DCLINT = "dclint@3.1.0"


def env_file(folder: Path) -> dict[str, str]:
    """The variables that `make init` writes."""
    (folder / "infra").mkdir()
    for name in ("init.py", ".env.example"):
        shutil.copy(INFRA / name, folder / "infra" / name)
    subprocess.run([sys.executable, str(folder / "infra/init.py")], check=True, capture_output=True)
    return dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", (folder / "infra/.env").read_text()))


@pytest.mark.parametrize("name", ["compose.yml", "compose.frontend.yml"])
def test_podman_compose_reads_the_file(engine: Engine, name: str, tmp_path: Path) -> None:
    variables = env_file(tmp_path) if name == "compose.yml" else {}
    config = yaml.safe_load(
        engine.compose(INFRA / name, "--profile", "monitoring", "config", variables=variables)
    )
    assert set(config["services"]) == set(yaml.safe_load((INFRA / name).read_text())["services"])
    assert "${" not in str(config["services"]).replace("$${", "")


def test_without_an_env_file_the_full_stack_asks_for_make_init(
    engine: Engine, tmp_path: Path
) -> None:
    bare = tmp_path / "compose.yml"
    shutil.copy(INFRA / "compose.yml", bare)
    with pytest.raises(AssertionError, match="is not set - run make init"):
        engine.compose(bare, "config", variables={})


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_reports_no_error(file: Path) -> None:
    # DL3008: Debian removes a package version with the next security update, so none is pinned.
    done = subprocess.run(
        ["hadolint", "--ignore", "DL3008", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dclint_reports_no_error(not_run: list[str]) -> None:
    files = [str(INFRA / name) for name in ("compose.yml", "compose.frontend.yml")]
    options = ["--config", str(INFRA / "stack_tests/dclint.json"), "--max-warnings", "0"]
    done = subprocess.run(
        ["npx", "--yes", DCLINT, *options, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY / "ui",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    not_run.append(
        "docker compose: instead, podman-compose read the files, and dclint checked them against "
        "the compose specification"
    )
