"""A stack as whoever installs it sees it: built, started, asked, and taken down with everything it
made.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stack_tests import REPOSITORY
from stack_tests.engine import Engine

SOURCES = "org.alarmstack.sources"
"""The label of our images that names what they were built from; a step of the build, so that no
cache keeps an old one.
"""
CONTEXT = ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "src", "plants", "infra", "ui")
HEALTHY_SECONDS = 300.0


def digest() -> str:
    """Fingerprint of everything that images are built from, as it lies on the disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *CONTEXT],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    whole = hashlib.sha256()
    for name in sorted(set(listed.stdout.split(b"\0")) - {b""}):
        file = REPOSITORY / name.decode()
        whole.update(name + b"\0" + (file.read_bytes() if file.is_file() else b"") + b"\0")
    return whole.hexdigest()[:16]


def free_ports(names: tuple[str, ...]) -> dict[str, str]:
    """A port that nobody listens on for each variable."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: str(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}


def until(true: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Ask again and again; an AssertionError that tells `what` when the time is over."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"after {seconds:.0f} s: {what()}"
        time.sleep(1)


@dataclass
class Stack:
    """One compose file on an engine; `told` are the variables it is given, `without` the services
    that cannot run here.
    """

    engine: Engine
    file: Path
    told: dict[str, str]
    without: frozenset[str] = frozenset()
    services: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        whole = yaml.safe_load(self.file.read_text())
        self.project = str(whole["name"])
        self.services = {
            name: one
            for name, one in whole["services"].items()
            if name not in self.without and not one.get("profiles")
        }
        self.told = {**self.told, "ALARMSTACK_SOURCES": digest()}

    def start(self) -> None:
        """Build from the sources as they are now, and start what was built; an older image is never
        taken for a new one.
        """
        self.down()
        built = [name for name, one in self.services.items() if "build" in one]
        self._compose("--parallel", "1", "build", *built)
        self._compose("up", "-d", "--no-build", *self.services)
        for name, service in self.services.items():
            if service.get("image", "").startswith("localhost/"):
                made_from = self.engine.podman(
                    "inspect",
                    "--format",
                    f'{{{{index .Config.Labels "{SOURCES}"}}}}',
                    self.container(name),
                )
                assert made_from.strip() == self.told["ALARMSTACK_SOURCES"], (
                    f"{name} runs an image of other sources"
                )

    def down(self) -> None:
        """Stop and remove containers, networks and volumes; images stay."""
        self._compose("down", "--volumes", "--timeout", "10")

    def container(self, service: str) -> str:
        """Name of a service's container, as Docker's compose gives it too."""
        return f"{self.project}-{service}-1"

    def log(self, service: str) -> str:
        """What a service has written."""
        done = subprocess.run(
            ["podman", "logs", self.container(service)],
            env=self.engine.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    def keep_logs(self) -> None:
        """Write down what every service has written, where STACK_LOGS names a folder."""
        if "STACK_LOGS" in os.environ:
            folder = Path(os.environ["STACK_LOGS"])
            folder.mkdir(parents=True, exist_ok=True)
            for service in self.services:
                (folder / f"{service}.log").write_text(self.log(service))

    def execute(self, service: str, *command: str) -> str:
        """What a command prints inside a service's container."""
        return self.engine.podman("exec", self.container(service), *command)

    def healthy(self, service: str, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until a service's own health check succeeds: without systemd nobody else runs it."""
        until(
            lambda: self.engine.succeeds("healthcheck", "run", self.container(service)),
            seconds,
            lambda: f"{service} is not healthy: {self.log(service)[-3000:]}",
        )

    def ended_well(self, service: str, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until a service that does one thing has done it."""
        until(
            lambda: self.state(service) == ("exited", 0),
            seconds,
            lambda: f"{self.state(service)}: {self.log(service)[-3000:]}",
        )

    def state(self, service: str) -> tuple[str, int]:
        """Status and exit code."""
        (about,) = json.loads(self.engine.podman("inspect", self.container(service)))
        return about["State"]["Status"], about["State"]["ExitCode"]

    def inspected(self, service: str) -> dict[str, Any]:
        """Everything podman knows about a container."""
        (about,) = json.loads(self.engine.podman("inspect", self.container(service)))
        found: dict[str, Any] = about
        return found

    def leftovers(self) -> list[str]:
        """Containers, networks and volumes of the project that are still there."""
        mine = f"label=io.podman.compose.project={self.project}"
        lists = (
            ("ps", "--all", "--format", "{{.Names}}"),
            ("network", "ls", "--format", "{{.Name}}"),
            ("volume", "ls", "--format", "{{.Name}}"),
        )
        return [
            name for words in lists for name in self.engine.podman(*words, "--filter", mine).split()
        ]

    def _compose(self, *words: str) -> str:
        return self.engine.compose(self.file, *words, told=self.told)


__all__ = ["SOURCES", "Stack", "digest", "free_ports", "until"]
