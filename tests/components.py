"""Programs that the full stack is made of: found, or named as missing. With ALARMSTACK_TEST_ALL=1 a missing one fails."""

import os
import shutil
from pathlib import Path

import pytest


def missing(what: str, cure: str) -> None:
    """Leave a test out because a component is missing, or fail where nothing may be left out."""
    if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
        pytest.fail(f"{what} is missing, and ALARMSTACK_TEST_ALL=1 leaves nothing out: {cure}")
    pytest.skip(f"{what} is missing: {cure}")


def own_environment(name: str) -> Path:
    """Folder of the programs of a component that has an environment of its own (`infra/<name>`)."""
    folder = Path(__file__).parent.parent / "infra" / name / ".venv" / "bin"
    if not folder.is_dir():
        missing(f"the environment of {name}", "`make components` installs it")
    return folder


def program(name: str) -> str:
    """A program of the system."""
    found = shutil.which(name)
    if found is None:
        missing(name, "`make system-deps` installs it")
        raise AssertionError
    return found
