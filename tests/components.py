"""Programs of the full stack. A test whose program is missing is skipped, or fails in CI.

With ALARMSTACK_TEST_ALL=1 a missing program is a failure.
"""

import os
import shutil
from pathlib import Path

import pytest


def missing(what: str, fix: str) -> None:
    """Skip a test because a component is missing, or fail when no test may be skipped."""
    if os.environ.get("ALARMSTACK_TEST_ALL") == "1":
        pytest.fail(f"{what} is missing, and ALARMSTACK_TEST_ALL=1 allows no skipped test: {fix}")
    pytest.skip(f"{what} is missing: {fix}")


def own_environment(name: str) -> Path:
    """Folder of the programs of a component with its own environment (`infra/<name>`)."""
    folder = Path(__file__).parent.parent / "infra" / name / ".venv" / "bin"
    if not folder.is_dir():
        missing(f"the environment of {name}", "`make components` installs it")
    return folder


def program(name: str) -> str:
    """A program of the system."""
    path = shutil.which(name)
    if path is None:
        missing(name, "`make system-deps` installs it")
        raise AssertionError
    return path
