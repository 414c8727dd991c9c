"""Fixtures, and the list of checks that could not run on this machine."""

from __future__ import annotations

import shutil

import pytest

from stack_tests.engine import Engine

PROGRAMS = ("podman", "podman-compose", "runc", "debootstrap", "iptables", "chromium", "npm")
NOT_RUN: list[str] = []
"""Lines: what was not run, and how it was checked instead."""


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Podman, with its programs installed and configured."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not absent, (
        f"{', '.join(absent)} missing: `make system-deps` installs the system packages"
    )
    return Engine.ready()


@pytest.fixture(scope="session")
def not_run() -> list[str]:
    """The list to which a test adds what it did not run."""
    return NOT_RUN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what a passing result does not include."""
    if NOT_RUN:
        terminalreporter.section("not run here")
    for line in dict.fromkeys(NOT_RUN):
        terminalreporter.line(line)
