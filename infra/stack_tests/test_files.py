"""The files as compose, nginx and the linters read them: what can be said of them before anything
runs.
"""

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
    """What `make init` writes, as variables."""
    (folder / "infra").mkdir()
    for name in ("init.py", ".env.example"):
        shutil.copy(INFRA / name, folder / "infra" / name)
    subprocess.run([sys.executable, str(folder / "infra/init.py")], check=True, capture_output=True)
    return dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", (folder / "infra/.env").read_text()))


@pytest.mark.parametrize("name", ["compose.yml", "compose.frontend.yml"])
def test_podman_compose_reads_the_file(engine: Engine, name: str, tmp_path: Path) -> None:
    told = env_file(tmp_path) if name == "compose.yml" else {}
    read = yaml.safe_load(
        engine.compose(INFRA / name, "--profile", "monitoring", "config", told=told)
    )
    assert set(read["services"]) == set(yaml.safe_load((INFRA / name).read_text())["services"])
    assert "${" not in str(read["services"]).replace("$${", "")


def test_without_an_env_file_the_full_stack_says_what_to_do(engine: Engine, tmp_path: Path) -> None:
    bare = tmp_path / "compose.yml"
    shutil.copy(INFRA / "compose.yml", bare)
    with pytest.raises(AssertionError, match="is not set - run make init"):
        engine.compose(bare, "config", told={})


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    # DL3008: versions of Debian's packages are those of the release; a pinned one is gone with the
    # next security update.
    done = subprocess.run(
        ["hadolint", "--ignore", "DL3008", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dclint_finds_no_error(not_run: list[str]) -> None:
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
        "docker compose itself: the files were read by podman-compose, and checked by dclint against the compose specification"
    )
