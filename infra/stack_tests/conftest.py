"""Fixtures, and the lines at the end that name what could not be run here."""

from __future__ import annotations

import shutil

import pytest

from stack_tests.engine import Engine

PROGRAMS = ("podman", "podman-compose", "runc", "debootstrap", "iptables", "chromium", "npm")
NOT_RUN: list[str] = []
"""What was not run, and how it was checked instead."""


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Podman, ready."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not absent, (
        f"{', '.join(absent)} missing: `make system-deps` installs what comes from the system"
    )
    return Engine.ready()


@pytest.fixture(scope="session")
def not_run() -> list[str]:
    """Where a test writes down what it left out."""
    return NOT_RUN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a green result does not stand for."""
    if NOT_RUN:
        terminalreporter.section("not run here")
    for line in dict.fromkeys(NOT_RUN):
        terminalreporter.line(line)
