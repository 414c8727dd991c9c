"""A container stack: build it, start it, query it, and remove it with all its data."""

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
"""Label of our images with the digest of their sources. A build step sets it, so that no cached
image has an old value.
"""
CONTEXT = ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "src", "plants", "infra", "ui")
HEALTHY_SECONDS = 300.0


def digest() -> str:
    """Digest of all files from which images are built, in their current state on the disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *CONTEXT],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    sha256 = hashlib.sha256()
    for name in sorted(set(listed.stdout.split(b"\0")) - {b""}):
        file = REPOSITORY / name.decode()
        sha256.update(name + b"\0" + (file.read_bytes() if file.is_file() else b"") + b"\0")
    return sha256.hexdigest()[:16]


def free_ports(names: tuple[str, ...]) -> dict[str, str]:
    """A free port for each variable."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: str(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}


def until(true: Callable[[], bool], seconds: float, state: Callable[[], str]) -> None:
    """Wait until `true` returns True. Raises AssertionError with the `state` after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"after {seconds:.0f} s: {state()}"
        time.sleep(1)


@dataclass
class Stack:
    """One compose file on an engine.

    `variables` are those of the compose file, `without` the services that cannot run here.
    """

    engine: Engine
    file: Path
    variables: dict[str, str]
    without: frozenset[str] = frozenset()
    services: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        compose_file = yaml.safe_load(self.file.read_text())
        self.project = str(compose_file["name"])
        self.services = {
            name: one
            for name, one in compose_file["services"].items()
            if name not in self.without and not one.get("profiles")
        }
        self.variables = {**self.variables, "ALARMSTACK_SOURCES": digest()}

    def start(self) -> None:
        """Build the images from the current sources and start the stack.

        Raises AssertionError if a container runs an image of older sources.
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
                assert made_from.strip() == self.variables["ALARMSTACK_SOURCES"], (
                    f"{name} runs an image of older sources"
                )

    def down(self) -> None:
        """Stop the stack and remove its containers, networks and volumes; keep its images."""
        self._compose("down", "--volumes", "--timeout", "10")

    def container(self, service: str) -> str:
        """Name of a service's container, the same as with Docker Compose."""
        return f"{self.project}-{service}-1"

    def log(self, service: str) -> str:
        """The log of a service."""
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
        """Save the log of every service in the folder STACK_LOGS, if it is set."""
        if "STACK_LOGS" in os.environ:
            folder = Path(os.environ["STACK_LOGS"])
            folder.mkdir(parents=True, exist_ok=True)
            for service in self.services:
                (folder / f"{service}.log").write_text(self.log(service))

    def execute(self, service: str, *command: str) -> str:
        """The standard output of a command in a service's container."""
        return self.engine.podman("exec", self.container(service), *command)

    def healthy(self, service: str, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until the health check of a service succeeds. Podman runs none without systemd."""
        until(
            lambda: self.engine.succeeds("healthcheck", "run", self.container(service)),
            seconds,
            lambda: f"{service} is not healthy: {self.log(service)[-3000:]}",
        )

    def ended_well(self, service: str, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until a one-shot service has ended with exit code 0."""
        until(
            lambda: self.state(service) == ("exited", 0),
            seconds,
            lambda: f"{self.state(service)}: {self.log(service)[-3000:]}",
        )

    def state(self, service: str) -> tuple[str, int]:
        """Status and exit code of a service's container."""
        state = self.inspected(service)["State"]
        return state["Status"], state["ExitCode"]

    def inspected(self, service: str) -> dict[str, Any]:
        """The result of `podman inspect` for a service's container."""
        container: dict[str, Any]
        (container,) = json.loads(self.engine.podman("inspect", self.container(service)))
        return container

    def leftovers(self) -> list[str]:
        """Containers, networks and volumes of the project that still exist."""
        of_project = f"label=io.podman.compose.project={self.project}"
        lists = (
            ("ps", "--all", "--format", "{{.Names}}"),
            ("network", "ls", "--format", "{{.Name}}"),
            ("volume", "ls", "--format", "{{.Name}}"),
        )
        return [
            name
            for words in lists
            for name in self.engine.podman(*words, "--filter", of_project).split()
        ]

    def _compose(self, *words: str) -> str:
        return self.engine.compose(self.file, *words, variables=self.variables)


__all__ = ["SOURCES", "Stack", "digest", "free_ports", "until"]
