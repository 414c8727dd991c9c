"""Podman with its own storage, networks and settings, separate from other images and containers of
the machine.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack_tests import REPOSITORY

CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
"""With these settings Podman needs no systemd, neither for control groups nor for events."""


@dataclass(frozen=True)
class Engine:
    """Runs podman and podman-compose. `folder` keeps the images between test runs."""

    folder: Path

    @classmethod
    def ready(cls) -> Engine:
        """An engine with its settings written. ALARMSTACK_CONTAINERS sets another folder."""
        folder = Path(
            os.environ.get("ALARMSTACK_CONTAINERS", Path.home() / ".cache/alarmstack/containers")
        ).resolve()
        (folder / "networks").mkdir(parents=True, exist_ok=True)
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder))
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the caller with the settings of this engine.

        Images have Docker's format, which includes health checks.
        """
        return os.environ | {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_FORMAT": "docker",
        }

    def podman(self, *words: str, check: bool = True) -> str:
        """The standard output of a podman command.

        With `check`, raises AssertionError with the error output if the command fails.
        """
        done = subprocess.run(
            ["podman", *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, f"podman {' '.join(words)}: {done.stderr[-3000:]}"
        return done.stdout

    def succeeds(self, *words: str) -> bool:
        """Whether a podman command has exit code 0."""
        return (
            subprocess.run(
                ["podman", *words], env=self.environment, capture_output=True, check=False
            ).returncode
            == 0
        )

    def build(self, tag: str, dockerfile: Path, context: Path, **labels: str) -> None:
        """Build an image. Builds use the network of the host, as in `compose`."""
        options = [
            word
            for name, value in labels.items()
            for word in ("--label", f"{name.replace('_', '.')}={value}")
        ]
        self.podman(
            "build",
            "--network=host",
            "--tag",
            tag,
            "--file",
            str(dockerfile),
            *options,
            str(context),
        )

    def label(self, image: str, name: str) -> str | None:
        """The value of an image's label; None if the image does not exist."""
        if not self.succeeds("image", "exists", image):
            return None
        return self.podman(
            "image", "inspect", "--format", f'{{{{index .Labels "{name}"}}}}', image
        ).strip()

    def compose(self, file: Path, *words: str, variables: dict[str, str]) -> str:
        """The standard output of podman-compose for a compose file, with these variables.

        Raises AssertionError with the output if the command fails.
        """
        command = ["podman-compose", "--podman-build-args=--network=host", "-f", str(file), *words]
        done = subprocess.run(
            command,
            env=self.environment | variables,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"podman-compose {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout


__all__ = ["Engine"]
